"""A world whose users behave as a user model says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.learned.model import UserModel
from envs.learned.sessions import RETURN
from envs.world.backend import Array, Backend, Stream
from envs.world.oracle import best_slate
from envs.world.world import Outcome, shown_slots

Ints = NDArray[np.int64]


@dataclass(eq=False)
class LearnedUsers:
    """The state of B users: all that the model asks about. Rows are independent.

    Attributes:
        features: Those of a user of the log, ``(B, F)``.
        clock: Day, session, step of the session, slates since arrival, ``(B, 4)``.
        items: Slates that they remember, oldest first, padded with -1, ``(B, H, K)``.
        clicks: What they clicked of them, ``(B, H, K)`` int8.
        before: Days since their session before; 0 in the first, ``(B,)``.
    """

    features: NDArray[np.float32]
    clock: Ints
    items: Ints
    clicks: NDArray[np.int8]
    before: Ints

    def take(self, rows: Array) -> LearnedUsers:
        """Copies of ``rows`` (indices)."""
        return LearnedUsers(**{name: array[rows] for name, array in vars(self).items()})

    def put(self, rows: Array, other: Any) -> None:
        """Overwrite ``rows`` (indices) by the users of ``other``."""
        for name, array in vars(self).items():
            array[rows] = getattr(other, name)


class LearnedWorld:
    """Users of a log who answer slates as a model of them does.

    Clicks are drawn from the model's probabilities, the end of a session from the lengths of the
    log's sessions, and the return after it from the model's classes of return: users of class 0
    leave for good, as do all where the log has no return. Other feedback is what the model
    expects given the clicks.

    Args:
        model: The model.
        slate_size: K.
        backend: numpy; the networks compute where the model's settings say.
    """

    foresighted = False

    def __init__(self, model: UserModel, slate_size: int, backend: Backend) -> None:
        self.model = model
        self.slate_size = slate_size
        self.backend = backend
        self._names = list(model.problem.rewards)

    def draw_users(self, stream: Stream, num: int) -> LearnedUsers:
        """Draw ``num`` users of the log, any of them as likely, at the start of a first session."""
        population, shape = self.model.population, (num, self.model.config.history, self.slate_size)
        who = (stream.uniform((num,)).astype(np.float64) * len(population)).astype(np.int64)
        return LearnedUsers(
            features=population[np.minimum(who, len(population) - 1)],
            clock=np.zeros((num, 4), dtype=np.int64),
            items=np.full(shape, -1, dtype=np.int64),
            clicks=np.zeros(shape, dtype=np.int8),
            before=np.zeros(num, dtype=np.int64),
        )

    def step(self, state: LearnedUsers, slate: Ints, stream: Stream) -> Outcome:
        """Show a slate to every user; see `envs.world.world.World.step`."""
        shown, utility = self._look(state, slate)
        clicks = self.model.choice.draw(np, stream, utility, shown)  # (B, K) bool
        items = slate if shown is None else np.where(shown, slate, -1)
        state.items = np.concatenate([state.items[:, 1:], items[:, None]], axis=1)
        state.clicks = np.concatenate(
            [state.clicks[:, 1:], clicks[:, None].astype(np.int8)], axis=1
        )
        rewards = np.zeros((len(slate), len(self._names)), dtype=np.float32)
        earned = self.model.feedback.expected(items, clicks)  # (B, R')
        for column, name in enumerate(self.model.feedback.names):
            rewards[:, self._names.index(name)] = earned[:, column]
        if "click" in self._names:
            rewards[:, self._names.index("click")] = clicks.sum(axis=1)
        hazard = self.model.end_hazard
        step = state.clock[:, 2].copy()
        ended = stream.uniform((len(slate),)) < hazard[np.minimum(step, len(hazard) - 1)]
        state.clock[:, 2:] += 1
        if not ended.any():
            return Outcome(clicks, shown, rewards)
        if self.model.returns is None:
            return Outcome(clicks, shown, rewards, ended, churned=ended)
        returned, gap = self._leave(state, ended, step, stream)
        rewards[:, self._names.index(RETURN)] = returned
        return Outcome(clicks, shown, rewards, ended, gap, ended & (gap == 0))

    def click_probabilities(self, state: LearnedUsers, slate: Ints) -> Array:
        """The model's probability that each slot is clicked, ``(B, K)``; arguments as `step`."""
        shown, utility = self._look(state, slate)
        return self.model.choice.probabilities(np, utility, shown)

    def expected_reward(
        self, state: LearnedUsers, slate: Ints, weights: dict[str, float]
    ) -> NDArray[np.float64]:
        """Exact expected immediate reward of a slate, ``(B,)``; ``return`` is not in it."""
        shown, utility = self._look(state, slate)
        chance = self.model.choice.probabilities(np, utility, shown)
        items = slate if shown is None else np.where(shown, slate, -1)
        feedback = self.model.feedback
        mine = np.array([weights.get(name, 0.0) for name in feedback.names])
        expected: NDArray[np.float64] = feedback.expected(items, chance) @ mine
        expected += weights.get("click", 0.0) * chance.sum(axis=1)
        return expected

    def oracle_slate(
        self,
        state: LearnedUsers,
        candidates: Ints | None,
        slate_size: int,
        weights: dict[str, float],
    ) -> Array:
        """Candidate indices with the largest expected immediate reward of clicks, ``(B, K)``."""
        utility = self._utilities(state, candidates)
        payoff = self.model.feedback.payoff(weights)
        earned = (
            np.broadcast_to(payoff, utility.shape) if candidates is None else payoff[candidates]
        )
        return best_slate(np, self.model.choice, utility, earned, slate_size)

    def long_term_slate(
        self,
        state: LearnedUsers,
        candidates: Ints | None,
        slate_size: int,
        weights: dict[str, float],
    ) -> Array:
        """The same: the model does not look ahead."""
        return self.oracle_slate(state, candidates, slate_size, weights)

    def latent(self, state: LearnedUsers) -> dict[str, Array]:
        """What the model remembers of the users: the days since their session before."""
        return {"before": state.before.copy()}

    def _look(self, state: LearnedUsers, slate: Ints) -> tuple[Array | None, NDArray[np.float32]]:
        """Shown slots, and utilities ``(B, K)``."""
        return shown_slots(self.backend, slate), self._utilities(state, slate)

    def _utilities(self, state: LearnedUsers, slate: Ints | None) -> NDArray[np.float32]:
        return self.model.utilities(state.features, state.items, state.clicks, slate)

    def _leave(
        self, state: LearnedUsers, ended: Array, step: Ints, stream: Stream
    ) -> tuple[Array, Ints]:
        """Let the users of ``ended`` leave; returns and days until them, 0 where there is none."""
        assert self.model.returns is not None
        chance = stream.uniform((len(ended), 2)).astype(np.float64)
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
