"""The batched kernel: B users react to B slates at once.

Every effect of an item on a user is linear in one row of the item table,

    [ affinity * e_i | appeal_i | value_i | 1 | minutes_i | 0 | one-hot group ]    (D = d + 5 + G)

so a step is one gather and two batched products. Rows times the user's weight vector

    [ interest | 1 | 0 | lift of satisfaction | 0 | 0 | -weight * fatigue ]

gives utilities; clicks times rows gives what was consumed, whose columns 1, minutes and 0 are the
named rewards click, watch and return. Parts that a world does not have cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.world.backend import Array, Backend, to_numpy
from envs.world.bounds import Bounds
from envs.world.checked import (
    feature_bounds,
    longest_gap,
    refuse_other_candidates,
    refuse_other_chances,
    refuse_other_clicks,
    refuse_other_gaps,
    refuse_other_items,
    refuse_other_users,
)
from envs.world.config import MAX_UTILITY, WorldConfig
from envs.world.effects import Effects
from envs.world.items import Items
from envs.world.oracle import best_slate
from envs.world.registry import is_own
from envs.world.rewards import Rewards
from envs.world.state import Outcome, State, shown_slots
from recsim.draws import Draws

# Allows for the rounding of sums in float32.
ROUNDING = 1 + 1e-4


class World:
    """The users of one configuration, on one backend.

    Args:
        config: The parts.
        backend: Where the arrays live.
    """

    def __init__(self, config: WorldConfig, backend: Backend) -> None:
        self.config = config
        self.backend = backend
        items = config.catalogue.draw()
        refuse_other_items(items, config.catalogue)
        self.items = items.conformed()
        table = _item_table(config, self.items)
        room = MAX_UTILITY - config.largest_utility
        self.effects: Effects | None = None
        if config.dynamics:
            self.effects = Effects(config.dynamics, self.items, backend, table.shape[1], room)
            table = np.hstack([table, self.effects.table])
        self.table = backend.asarray(table)  # (I, D)
        self.centres = backend.asarray(self.items.centres)
        self.candidates = config.candidates.bind(self.items, backend) if config.candidates else None
        self.population = config.population.bind(self.items, backend)
        self.dim = self.items.dim
        self.feature_bounds = feature_bounds(self.population, self.dim, config.population)
        self.groups = self.items.num_groups if config.fatigue else 0
        self._fatigued = slice(self.dim + 5, self.dim + 5 + self.groups)
        self.reward_names = config.reward_names
        self.further: Rewards | None = None

    def add_rewards(self, weights: Mapping[str, float], sources: Mapping[str, Any]) -> None:
        """Give users further rewards; arguments are those of `Rewards`."""
        if sources:
            one = self.config.choice.at_most_one
            self.further = Rewards(weights, sources, one, self.items, self.backend)
            self.reward_names = (*self.config.reward_names, *sources)

    @property
    def xp(self) -> Any:
        """The array namespace."""
        return self.backend.xp

    @property
    def inexact(self) -> tuple[str, ...]:
        """Why `oracle_slate` is a guess, a sentence per part; empty where it is exact."""
        return self.config.inexact + (self.further.inexact if self.further else ())

    @property
    def foresighted(self) -> bool:
        """Whether `long_term_slate` may differ from `oracle_slate`."""
        return self.config.foresight > 0

    def bounds(self, slate_size: int) -> Bounds:
        """Return the range of what is observed of users who are shown ``slate_size`` items."""
        config = self.config
        clicks = 1 if config.choice.at_most_one else slate_size
        minutes = float(np.sort(self.items.minutes)[-clicks:].sum())
        if config.satisfaction:
            minutes *= 1 + config.satisfaction.engagement
        most = [clicks, minutes * ROUNDING, 1][: len(config.reward_names)]
        rewards = np.array([[0.0] * len(most), most])
        if self.further:
            rewards = np.hstack([rewards, self.further.bounds(slate_size)])
        session, retention = config.session, config.retention
        value = float(to_numpy(self.table[:, self.dim + 1]).max())
        return Bounds(
            features=self.feature_bounds,
            rewards=rewards,
            gap=longest_gap(retention) if retention else 0,
            session=session.longest(clicks * value) if session else None,
        )

    def draw_users(self, draws: Draws) -> State:
        """Draw a new user for each row of the random numbers, at the start of a first session."""
        xp, config, num = self.xp, self.config, len(draws)
        interest, features = self.population.draw(xp, draws, self.centres)
        if is_own(config.population):
            shape = (num, self.dim)
            bounds = self.feature_bounds
            refuse_other_users(xp, interest, features, shape, bounds, config.population)
            features = xp.asarray(features, dtype=xp.float32, copy=True)  # rows are overwritten
        weights = self._zeros(num, self.table.shape[1])
        weights[:, : self.dim] = interest
        weights[:, self.dim] = 1
        state = State(
            weights=weights,
            features=features,
            satisfaction=self._zeros(num),
            fatigue=self._zeros(num, self.groups),
            budget=config.session.draw(xp, draws) if config.session else self._zeros(num),
            clock=xp.zeros((num, 4), dtype=xp.int64, device=self.backend.device),
        )
        if config.satisfaction:
            self._satisfy(state, state.satisfaction + config.satisfaction.start)
        if self.effects:
            self.effects.start(state, draws)
            self.effects.weigh(state)
        return state

    def step(self, state: State, slate: Array, draws: Draws) -> Outcome:
        """Show a slate to every user; ``state`` is updated in place.

        Args:
            state: B users.
            slate: Item ids, ``(B, K)`` int64; a repeat of an earlier item shows nothing.
            draws: Random numbers of the users, at the step that `draw_users` or the last call of
                this method has not used.
        """
        before = None
        if self.further and self.further.needs_users:
            before = state.take(self.xp.arange(len(slate), device=self.backend.device)).view(
                self.dim
            )
        outcome = self._react(state, slate, draws)
        if self.further:
            names = self.config.reward_names
            outcome = self.further.after(outcome, slate, before, names)
        if self.effects:  # their weights depend on the clock, too
            self.effects.weigh(state)
        return outcome

    def _react(self, state: State, slate: Array, draws: Draws) -> Outcome:
        """Take a step without the weights of own dynamics for the next one."""
        xp, config = self.xp, self.config
        shown, rows, utility = self._look(state, slate)
        clicks = config.choice.draw(xp, draws, utility, shown)  # (B, K) bool
        if is_own(config.choice):
            refuse_other_clicks(self.backend, clicks, slate, shown, config.choice)
        # (B, 1, K) @ (B, K, D) -> (B, D)
        consumed = (xp.astype(clicks, xp.float32)[:, None, :] @ rows)[:, 0]
        rewards = consumed[:, self.dim + 2 : self.dim + 2 + len(config.reward_names)]
        if config.satisfaction:
            rewards[:, 1] *= config.satisfaction.engaged(state.satisfaction)
        self._change(state, draws, consumed)
        state.clock[:, 2:] += 1
        if config.session is None:
            return Outcome(clicks, shown, rewards)
        value = consumed[:, self.dim + 1]
        state.budget += config.session.refund * value - rewards[:, 1] - config.session.step_minutes
        ended = state.budget <= 0
        if not self.backend.any(ended):
            return Outcome(clicks, shown, rewards)
        if config.retention is None:
            return Outcome(clicks, shown, rewards, ended, churned=ended)
        gap, churned = self._leave(state, draws, ended)
        rewards[:, 2] = xp.where(gap > 0, 1 / xp.maximum(gap, xp.ones_like(gap)), 0 * gap)
        return Outcome(clicks, shown, rewards, ended, xp.astype(gap, xp.int64), churned)

    def click_probabilities(self, state: State, slate: Array) -> Array:
        """Return the exact click probability of each slot, ``(B, K)``; arguments as in `step`."""
        shown, _, utility = self._look(state, slate)
        return self._chances(utility, shown)

    def expected_reward(self, state: State, slate: Array, weights: dict[str, float]) -> Array:
        """Return the exact expected immediate reward of a slate, ``(B,)``.

        The immediate rewards are ``click`` and ``watch``; ``return`` comes later and is left out.
        """
        shown, rows, utility = self._look(state, slate)
        click = self._chances(utility, shown)
        payoff = self._payoff(state, rows[:, :, self.dim + 3], weights)
        if self.further is None:
            return (click * payoff).sum(1)
        return (click * (payoff + self.further.gain[slate])).sum(1) + self.further.constant

    def oracle_slate(
        self, state: State, candidates: Array | None, slate_size: int, weights: dict[str, float]
    ) -> Array:
        """Return candidate indices with the largest expected immediate reward, ``(B, K)``.

        Args:
            state: B users.
            candidates: Item ids, ``(B, C)`` int64, distinct in a row; None for the catalogue.
            slate_size: K.
            weights: Weight of each named reward.
        """
        utility, minutes, _ = self._candidates(state, candidates)
        payoff = self._payoffs(state, candidates, minutes, weights) + 0 * utility  # (B, C)
        return best_slate(self.xp, self.config.choice, utility, payoff, slate_size)

    def long_term_slate(
        self, state: State, candidates: Array | None, slate_size: int, weights: dict[str, float]
    ) -> Array:
        """Return candidate indices of a slate that looks ahead, ``(B, K)``.

        The slate maximises the immediate reward plus ``foresight`` times the expected change of
        satisfaction. Up to a constant, a click on an item of value v changes it by ``rate`` times
        (v - neglect); in worlds with several clicks by ``rate`` times (v - s), which ignores the
        effect of a step without a click. This is a one-step look-ahead that knows the latent
        state, not the optimal policy. Without satisfaction it is the oracle slate.

        Arguments are those of `oracle_slate`.
        """
        utility, minutes, value = self._candidates(state, candidates)
        payoff = self._payoffs(state, candidates, minutes, weights) + 0 * utility  # (B, C)
        part = self.config.satisfaction
        if part:
            base = part.neglect if self.config.choice.at_most_one else state.satisfaction[:, None]
            payoff = payoff + self.config.foresight * part.rate * (value - base)
        return best_slate(self.xp, self.config.choice, utility, payoff, slate_size)

    def latent(self, state: State) -> dict[str, Array]:
        """Return copies of the latent variables that this world has."""
        parts = {"interest": state.weights[:, : self.dim]}
        if self.config.satisfaction:
            parts["satisfaction"] = state.satisfaction
        if self.config.fatigue:
            parts["fatigue"] = state.fatigue
        if self.config.session:
            parts["budget"] = state.budget
        parts |= state.own
        return {name: self.xp.asarray(array, copy=True) for name, array in parts.items()}

    def draw_candidates(self, state: State, draws: Draws, count: int) -> Array | None:
        """Draw candidates ``(B, count)`` by the world's own generator; None if it has none."""
        if self.candidates is None:
            return None
        found = self.candidates.draw(self.xp, draws, state.view(self.dim), count)
        shape = (len(state.clock), count)
        part = self.config.candidates
        refuse_other_candidates(self.backend, found, shape, len(self.items), part)
        return self.backend.copy(found)  # rows are overwritten

    def _chances(self, utility: Array, shown: Array | None) -> Array:
        """Return the click probability of each slot, ``(B, K)``."""
        choice = self.config.choice
        chances = choice.probabilities(self.xp, utility, shown)
        if is_own(choice):
            refuse_other_chances(self.xp, chances, utility, choice)
        return chances

    def _look(self, state: State, slate: Array) -> tuple[Array | None, Array, Array]:
        """Return shown slots, item rows ``(B, K, D)`` and utilities ``(B, K)``."""
        rows = self.backend.take_rows(self.table, slate.reshape(-1)).reshape(*slate.shape, -1)
        utility = (rows @ state.weights[:, :, None])[:, :, 0]
        return shown_slots(self.backend, slate), rows, utility

    def _candidates(self, state: State, candidates: Array | None) -> tuple[Array, Array, Array]:
        """Return utility ``(B, C)``, minutes and value ``(B, C)`` or ``(1, C)`` of candidates."""
        utility = state.weights @ self.table.T  # (B, I)
        minutes, value = (self.table[:, self.dim + column][None] for column in (3, 1))
        if candidates is None:
            return utility, minutes, value
        users = (len(candidates), 1)
        take = self.xp.take_along_axis
        return (
            take(utility, candidates, axis=1),
            take(self.xp.tile(minutes, users), candidates, axis=1),
            take(self.xp.tile(value, users), candidates, axis=1),
        )

    def _payoff(self, state: State, minutes: Array, weights: dict[str, float]) -> Array:
        """Return the immediate reward of a click, same shape as ``minutes``."""
        if self.config.satisfaction:
            minutes = minutes * self.config.satisfaction.engaged(state.satisfaction)[:, None]
        return weights.get("click", 0.0) + weights.get("watch", 0.0) * minutes

    def _payoffs(
        self, state: State, candidates: Array | None, minutes: Array, weights: dict[str, float]
    ) -> Array:
        """Return the immediate reward of a click on each candidate, those of one's own included."""
        payoff = self._payoff(state, minutes, weights)
        if self.further is None:
            return payoff
        gain = self.further.gain
        return payoff + (gain[None] if candidates is None else gain[candidates])

    def _change(self, state: State, draws: Draws, consumed: Array) -> None:
        """Update interests, satisfaction and fatigue after what was consumed, ``(B, D)``."""
        xp, config, dim = self.xp, self.config, self.dim
        if config.drift:
            interest = state.weights[:, :dim]
            config.drift.step(xp, draws, interest, consumed[:, :dim], config.affinity)
        if config.satisfaction:
            value, count = consumed[:, dim + 1], consumed[:, dim + 2]
            self._satisfy(state, config.satisfaction.step(xp, state.satisfaction, value, count))
        if config.fatigue:
            self._tire(state, config.fatigue.step(state.fatigue, consumed[:, self._fatigued]))
        if self.effects:
            self.effects.after_step(state, draws, consumed)

    def _satisfy(self, state: State, satisfaction: Array) -> None:
        state.satisfaction = satisfaction
        if self.config.satisfaction:
            state.weights[:, self.dim + 2] = self.config.satisfaction.lift(satisfaction)

    def _tire(self, state: State, fatigue: Array) -> None:
        state.fatigue = fatigue
        if self.config.fatigue:
            state.weights[:, self._fatigued] = -self.config.fatigue.weight * fatigue

    def _leave(self, state: State, draws: Draws, ended: Array) -> tuple[Array, Array]:
        """Draw whether and when users return after the sessions that ended, ``(B,)``.

        Returning users start a new session.

        Returns:
            Gap in days ``(B,)`` float, 0 if there is none, and churned ``(B,)`` bool.
        """
        xp, config = self.xp, self.config
        # WorldConfig checks that a world with retention has the other two.
        assert config.session
        assert config.retention
        assert config.satisfaction
        gap, churned = config.retention.draw(xp, draws, state.satisfaction)
        if is_own(config.retention):
            refuse_other_gaps(xp, gap, churned, len(gap), config.retention)
        gap = xp.where(ended, gap, xp.zeros_like(gap))
        self._satisfy(state, config.satisfaction.rest(state.satisfaction, gap))
        if config.fatigue:
            self._tire(state, config.fatigue.rest(state.fatigue, gap))
        if self.effects:
            self.effects.after_session(state, draws, gap)
        state.budget = xp.where(ended, config.session.draw(xp, draws), state.budget)
        ended_number = xp.astype(ended, xp.int64)
        state.clock[:, 0] += xp.astype(gap, xp.int64)
        state.clock[:, 1] += ended_number
        state.clock[:, 2] *= 1 - ended_number
        return gap, churned & ended

    def _zeros(self, *shape: int) -> Array:
        return self.xp.zeros(shape, dtype=self.xp.float32, device=self.backend.device)


def _item_table(config: WorldConfig, items: Items) -> NDArray[np.float32]:
    """Return the item table of the module docstring, ``(I, D)``."""
    bait_cost = config.satisfaction.bait_cost if config.satisfaction else 0.0
    columns = [
        config.affinity * items.embedding,
        config.bait_appeal * (items.bait - 0.5) + config.quality_appeal * (items.quality - 0.5),
        (1 + items.quality - bait_cost * items.bait) / 2,
        np.ones(len(items.group)),
        items.minutes,
        np.zeros(len(items.group)),
    ]
    if config.fatigue:
        columns.append(np.eye(items.num_groups)[items.group])
    return np.column_stack(columns).astype(np.float32)
