"""A world whose users react as a user model predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.learned.model import UserModel
from envs.learned.sessions import RETURN
from envs.world.backend import Array, Backend
from envs.world.bounds import Bounds
from envs.world.oracle import best_slate
from envs.world.state import Outcome, shown_slots
from envs.world.users import Users
from recsim.arrays import Floats, Floats32, Ints
from recsim.draws import Draws, Purpose

USER, END, RETURNS = Purpose("user"), Purpose("session end"), Purpose("return")


@dataclass(eq=False)
class LearnedUsers(Users):
    """The state of B users: the inputs of the model.

    Attributes:
        items: Last slates of the users, oldest first, padded with -1, ``(B, H, K)``.
        clicks: Clicks on them, ``(B, H, K)`` int8.
        before: Days since the previous session; 0 in the first, ``(B,)``.
    """

    items: Ints
    clicks: Array
    before: Ints


class LearnedWorld:
    """Users of a log who react to slates as a model predicts.

    Clicks are drawn from the model's probabilities, the end of a session from the lengths of the
    log's sessions, and the return from the model's return classes: users of class 0 leave for good,
    as do all users if the log has no return. Other feedback is the model's expectation given the
    clicks.

    Args:
        model: The model.
        slate_size: K.
        backend: numpy; the networks run on the device of the model's settings.
    """

    foresighted = False
    inexact = ()

    def __init__(self, model: UserModel, slate_size: int, backend: Backend) -> None:
        self.model = model
        self.slate_size = slate_size
        self.backend = backend
        self._names = list(model.problem.rewards)

    def bounds(self, slate_size: int) -> Bounds:
        """Return the range of what is observed of users who are shown ``slate_size`` items."""
        model, names = self.model, self._names
        low, high = np.zeros(len(names)), np.zeros(len(names))
        amounts = model.feedback.range(slate_size)  # (2, R')
        for column, name in enumerate(model.feedback.names):
            low[names.index(name)], high[names.index(name)] = amounts[:, column]
        if "click" in names:
            high[names.index("click")] = slate_size
        if model.returns is not None:
            high[names.index(RETURN)] = model.returns.values.max()
        features = model.population
        return Bounds(
            features=np.stack([features.min(axis=0), features.max(axis=0)]).astype(np.float64),
            rewards=np.stack([low, high]),
            gap=0 if model.returns is None else model.returns.gaps.shape[1],
            session=len(model.end_hazard),
        )

    def draw_users(self, draws: Draws) -> LearnedUsers:
        """Draw users of the log uniformly, at the start of a first session."""
        population, num = self.model.population, len(draws)
        shape = (num, self.model.config.history, self.slate_size)
        drawn = (draws.uniform(USER, 1)[:, 0].astype(np.float64) * len(population)).astype(np.int64)
        return LearnedUsers(
            features=population[drawn],
            clock=np.zeros((num, 4), dtype=np.int64),
            items=np.full(shape, -1, dtype=np.int64),
            clicks=np.zeros(shape, dtype=np.int8),
            before=np.zeros(num, dtype=np.int64),
        )

    def step(self, state: LearnedUsers, slate: Ints, draws: Draws) -> Outcome:
        """Show a slate to every user; see `envs.slates.users.UserWorld.step`."""
        shown, utility = self._look(state, slate)
        clicks = self.model.choice.draw(np, draws, utility, shown)  # (B, K) bool
        items = slate if shown is None else np.where(shown, slate, -1)
        state.items = np.concatenate([state.items[:, 1:], items[:, None]], axis=1)
        state.clicks = np.concatenate(
            [state.clicks[:, 1:], clicks[:, None].astype(np.int8)], axis=1
        )
        rewards = np.zeros((len(slate), len(self._names)), dtype=np.float32)
        feedback = self.model.feedback.expected(items, clicks)  # (B, R')
        for column, name in enumerate(self.model.feedback.names):
            rewards[:, self._names.index(name)] = feedback[:, column]
        if "click" in self._names:
            rewards[:, self._names.index("click")] = clicks.sum(axis=1)
        hazard = self.model.end_hazard
        step = state.clock[:, 2].copy()
        ended = draws.uniform(END, 1)[:, 0] < hazard[np.minimum(step, len(hazard) - 1)]
        state.clock[:, 2:] += 1
        if not ended.any():
            return Outcome(clicks, shown, rewards)
        if self.model.returns is None:
            return Outcome(clicks, shown, rewards, ended, churned=ended)
        returned, gap = self._leave(state, ended, step, draws)
        rewards[:, self._names.index(RETURN)] = returned
        return Outcome(clicks, shown, rewards, ended, gap, ended & (gap == 0))

    def click_probabilities(self, state: LearnedUsers, slate: Ints) -> Array:
        """Return the model's click probability of each slot, ``(B, K)``; arguments as in `step`."""
        shown, utility = self._look(state, slate)
        return self.model.choice.probabilities(np, utility, shown)

    def expected_reward(
        self, state: LearnedUsers, slate: Ints, weights: dict[str, float]
    ) -> Floats:
        """Return the model's expected immediate reward of a slate, ``(B,)``, without ``return``."""
        shown, utility = self._look(state, slate)
        chance = self.model.choice.probabilities(np, utility, shown)
        items = slate if shown is None else np.where(shown, slate, -1)
        feedback = self.model.feedback
        of_feedback = np.array([weights.get(name, 0.0) for name in feedback.names])
        expected: Floats = feedback.expected(items, chance) @ of_feedback
        expected += weights.get("click", 0.0) * chance.sum(axis=1)
        return expected

    def oracle_slate(
        self,
        state: LearnedUsers,
        candidates: Ints | None,
        slate_size: int,
        weights: dict[str, float],
    ) -> Array:
        """Return candidate indices with the largest expected reward of clicks, ``(B, K)``."""
        utility = self._utilities(state, candidates)
        payoff = self.model.feedback.payoff(weights)
        if candidates is None:
            payoff = np.broadcast_to(payoff, utility.shape)
        else:
            payoff = payoff[candidates]
        return best_slate(np, self.model.choice, utility, payoff, slate_size)

    long_term_slate = oracle_slate  # the model does not look ahead

    def draw_candidates(self, state: LearnedUsers, draws: Draws, count: int) -> None:
        """Return None: there is no generator of candidates."""
        del state, draws, count

    def latent(self, state: LearnedUsers) -> dict[str, Array]:
        """Return the state that is not observed: the days since the previous session."""
        return {"before": state.before.copy()}

    def _look(self, state: LearnedUsers, slate: Ints) -> tuple[Array | None, Floats32]:
        """Return shown slots, and utilities ``(B, K)``."""
        return shown_slots(self.backend, slate), self._utilities(state, slate)

    def _utilities(self, state: LearnedUsers, slate: Ints | None) -> Floats32:
        return self.model.utilities(state.features, state.items, state.clicks, slate)

    def _leave(
        self, state: LearnedUsers, ended: Array, step: Ints, draws: Draws
    ) -> tuple[Array, Ints]:
        """Draw returns, and days until them, after the sessions that ended; 0 for no return."""
        assert self.model.returns is not None
        chance = draws.uniform(RETURNS, 2).astype(np.float64)
        probability = self.model.return_probabilities(
            state.features, state.items, state.clicks, state.before, step
        )
        returned, gap = self.model.returns.draw(probability, chance)
        gap = np.where(ended, gap, 0)
        state.before = np.where(ended, gap, state.before)
        state.clock[:, 0] += gap
        state.clock[:, 1] += ended
        state.clock[:, 2] *= ~ended
        return np.where(ended, returned, 0.0), gap
