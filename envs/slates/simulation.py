"""B users who are shown slates: a world, and what a real system observes of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import spaces

from envs.actions import ignored, whole_numbers
from envs.faces import Simulation, first_row
from envs.slates.candidates import DrawnCandidates
from envs.slates.features import FeatureObservation
from envs.slates.settings import SlateSettings
from envs.slates.shown import Shown
from envs.slates.spaces import action_space, observation_space
from envs.slates.transcript import transcript
from envs.slates.users import UserWorld
from envs.world.backend import Array, Backend, to_numpy
from envs.world.state import Outcome
from envs.world.users import Users
from recsim.arrays import Bools, Ints
from recsim.draws import Draws
from recsim.problem import Problem


class SlateSimulation(Simulation):
    """B users, their observations and their episodes.

    Args:
        world: The users' world.
        problem: The public facts; its rewards are those of the world's outcomes, in their order.
        size: B.
        settings: Candidates, history, limits, kinds of action and observation, and whether the
            state is revealed.
        backend: Where the arrays live.
    """

    problem: Problem
    state: Users
    draws: Draws
    history_items: Array
    history_clicks: Array
    feedback: Array
    candidates: Array
    _partial: Array
    _filled: Ints
    _nothing: Shown  # a step without slates
    _shown: Shown  # by the last step

    def __init__(
        self,
        world: UserWorld,
        problem: Problem,
        size: int,
        settings: SlateSettings,
        backend: Backend,
    ) -> None:
        super().__init__(size)
        self.world = world
        self.problem = problem
        self.backend = backend
        self.max_steps = settings.max_steps or None
        self.max_days = settings.max_days or None
        self.slots = settings.action == "slot"
        self.steps_per_slate = problem.slate_size if self.slots else 1
        self.reveal_state = settings.reveal_state
        self._exact = self.reveal_state and not world.inexact
        self.whole_catalogue = settings.num_candidates is None
        self._as_features = settings.observation == "features"
        weights = list(problem.rewards.values())
        self._weights = backend.asarray(np.array(weights, dtype=np.float32))
        self._width = settings.history * problem.slate_size
        self._history = backend.asarray(np.array([settings.history]))
        self._strata = DrawnCandidates(world, problem, backend)
        self._ids = backend.asarray(np.tile(np.arange(problem.num_items), (size, 1)))
        self._last: Shown | None = None  # with the last complete slate of the first user
        self._revealed: dict[str, Any] = {}

    @property
    def xp(self) -> Any:
        """The array namespace."""
        return self.backend.xp

    @cached_property
    def features(self) -> FeatureObservation | None:
        """What turns observations into features; None if they are ids."""
        if not self._as_features:
            return None
        bounds = self.world.bounds(self.problem.slate_size)
        return FeatureObservation(self.problem, bounds, self.backend, **self._shape)

    @property
    def feature_layout(self) -> dict[str, slice]:
        """Blocks of the vectors of observations, by name; empty if observations are ids."""
        return {} if self.features is None else dict(self.features.layout)

    def begin(self, rows: Ints | None, options: Mapping[str, Any]) -> None:
        """Draw new users; there are no options. See `Simulation.begin`."""
        if rows is None:
            self.draws = self.backend.draws(self.episodes.keys())
            self.state = self.world.draw_users(self.draws)
            self._forget()
            if not self.whole_catalogue:
                self.candidates = self._strata.draw(self.state, self.draws)
            self._revealed = self._reveal()
            shape, count = (self.size, self.problem.slate_size), len(self.problem.rewards)
            oracle = self._oracle_reward if self._exact else None
            self._shown = self._nothing = Shown.nothing(self.backend, shape, count, oracle)
            self._last = None
            return
        at = self.backend.asarray(rows)
        self.draws.put(at, self.backend.lanes(self.episodes.keys(rows)))
        new = self.draws.take(at)
        self.state.put(at, self.world.draw_users(new))
        self.history_items[at] = -1
        self.history_clicks[at] = 0
        self.feedback = self.backend.copy(self.feedback)  # that of `_shown`
        self.feedback[at] = 0
        self._partial[at], self._filled[rows] = -1, 0
        if not self.whole_catalogue:
            self.candidates[at] = self._strata.draw(self.state.take(at), new)
        self._shown = self._shown.put(at, self._nothing.take(at), self.backend)
        if rows[0] == 0:
            self._last = None
        self._revealed = self._put(at, self._revealed, self._reveal(at))

    def step(self, action: Array, idle: Bools | None = None) -> tuple[Array, Array, Array]:
        """Show the slates, or with slots add one item to each; see `Simulation.step`.

        Returns:
            Reward (float64), terminated and truncated, ``(B,)`` each.

        Raises:
            ValueError: If the action has the wrong shape or type, or an index that is not a
                candidate.
        """
        action = self._checked(action, idle)
        if not self.slots:
            return self._react(action if self.whole_catalogue else self._lookup(action), None)
        rows = self._fill(action, idle)
        items, at = self._partial_items(), self.backend.asarray(rows)
        self._partial[at], self._filled[rows] = -1, 0
        if len(rows) == self.size:
            return self._react(items, None)
        reward = self._zeros(self.size, dtype=self.xp.float64)
        terminated, truncated = (self.backend.copy(self._nothing.churned) for _ in range(2))
        self._shown = self._nothing
        if len(rows):
            reward[at], terminated[at], truncated[at] = self._react(items[at], at)
        return reward, terminated, truncated

    def _fill(self, action: Array, idle: Bools | None) -> Ints:
        """Add an item to the slates, ``(B,)``; return the rows whose slates are complete."""
        rows = np.arange(self.size) if idle is None else np.flatnonzero(~idle)
        at = self.backend.asarray(rows)
        self._partial[at, self.backend.asarray(self._filled[rows])] = action[at]
        self._filled[rows] += 1
        return np.flatnonzero(self._filled == self.problem.slate_size)

    def _react(self, items: Array, rows: Array | None) -> tuple[Array, Array, Array]:
        """Show items, ``(N, K)``, to the users in ``rows`` (indices; None for all).

        Returns:
            Reward, terminated and truncated, ``(N,)`` each.
        """
        xp, slate = self.xp, self.problem.slate_size
        self.draws.advance(rows)
        state, draws, none = self.state, self.draws, self._nothing
        if rows is not None:
            state, draws, none = state.take(rows), draws.take(rows), none.take(rows)
        expected = oracle = None
        if self._exact:
            expected = self.world.expected_reward(state, items, self.problem.rewards)
            oracle = self._oracle_reward if rows is None else self._oracle_reward[rows]
        outcome = self.world.step(state, items, draws)
        if outcome.shown is not None:
            items = xp.where(outcome.shown, items, xp.full_like(items, -1))
        shown = Shown(
            items=items,
            clicks=outcome.clicks.view(xp.int8),
            rewards=outcome.rewards,
            session_end=none.session_end if outcome.session_end is None else outcome.session_end,
            gap_days=none.gap_days if outcome.gap is None else outcome.gap,
            churned=none.churned if outcome.churned is None else outcome.churned,
            expected_reward=expected,
            oracle_reward=oracle,
        )
        if rows is None:
            self._shown = self._last = shown
        else:
            self.state.put(rows, state)
            self._shown = self._nothing.put(rows, shown, self.backend)
            if rows[0] == 0:
                self._last = shown
        every = slice(None) if rows is None else rows
        items, clicks = self.history_items[every, slate:], self.history_clicks[every, slate:]
        self._store("history_items", rows, xp.concat([items, shown.items], axis=1))
        self._store("history_clicks", rows, xp.concat([clicks, shown.clicks], axis=1))
        self._store("feedback", rows, shown.rewards)
        if not self.whole_catalogue:
            self._store("candidates", rows, self._strata.draw(state, draws))
        revealed = self._reveal(rows)
        self._revealed = revealed if rows is None else self._put(rows, self._revealed, revealed)
        return self._ends(state.clock, outcome)

    def _store(self, name: str, rows: Array | None, values: Array) -> None:
        """Replace an array of the state, or a copy of it in ``rows`` (indices)."""
        if rows is not None:
            new = self.backend.copy(getattr(self, name))
            new[rows], values = values, new
        setattr(self, name, values)

    def info(self) -> dict[str, Any]:
        """Return how every user reacted to the last slate, and what is revealed.

        Named rewards are float64. Before the first slate of an episode, and while a slate is
        incomplete, nothing is shown: items are -1, everything else is 0 or False.
        """
        return self._shown.info(self.problem.rewards, self.backend) | self.outlook()

    def outlook(self) -> dict[str, Any]:
        """Return the latent state and oracle slates for the next step, if they are revealed."""
        return self._copied(self._revealed)

    def first_info(self) -> dict[str, Any]:
        """Return the info of the first user as plain numbers; cheaper than by way of arrays."""
        first = self._shown.first(self.problem.rewards, self.backend)
        return first | first_row(self.outlook()) if self._revealed else first

    def first_observation(self) -> Any:
        """Return the observation of the first user."""
        if self.features is not None:
            return self.observe()[0]
        first = super().first_observation()
        if self.whole_catalogue:
            first["candidates"] = first["candidates"].copy()
        return first

    def describe(self) -> str:
        """Return the last slate of the first user as text."""
        last = self._last
        info = {} if last is None else last.first(self.problem.rewards, self.backend)
        return transcript(info, self.problem.item_names)

    def _copied(self, info: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self._copied(value) if isinstance(value, dict) else self.backend.copy(value)
            for name, value in info.items()
        }

    def _put(self, rows: Array, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """Return copies of the entries of ``old`` that ``new`` has, with ``rows`` from ``new``."""
        merged: dict[str, Any] = {}
        for name, value in new.items():
            if isinstance(value, dict):
                merged[name] = self._put(rows, old[name], value)
            else:
                merged[name] = self.backend.copy(old[name])
                merged[name][rows] = value
        return merged

    def observe(self) -> Any:
        """Return the observation of every user: a dict of arrays, or vectors ``(B, P)``.

        Where the whole catalogue is offered, ``candidates`` is the same array at every step.
        """
        state, copy = self.state, self.backend.copy
        obs = {
            "user_features": copy(state.features),
            "history_items": copy(self.history_items),
            "history_clicks": copy(self.history_clicks),
            "history_length": self.xp.minimum(state.clock[:, 3:], self._history),
            "feedback": copy(self.feedback),
            "candidates": self._ids if self.whole_catalogue else copy(self.candidates),
            "time": copy(state.clock[:, :3]),
        }
        if self.slots:
            obs["partial_slate"] = self._partial_items()
            obs["action_mask"] = self.action_mask()
        return obs if self.features is None else self.features.of(obs)

    def action_mask(self) -> Array:
        """Return 1 for each candidate that is not in the slate yet, int8 ``(B, C)``."""
        mask = self._zeros(self.size, self.problem.num_candidates, dtype=self.xp.int8) + 1
        if self.slots and self._filled.any():
            rows, slots = self.xp.nonzero(self._partial >= 0)
            mask[rows, self._partial[rows, slots]] = 0
        return mask

    def masks(self) -> Bools:
        """Return which actions are allowed, for learners that mask actions.

        Returns:
            With slots, ``(B, C)``: False where the item is in the slate already. Else all True,
            ``(B, K*C)``, slot by slot: masks of independent slots cannot rule out repeats.
        """
        mask: Bools = to_numpy(self.action_mask()) > 0
        return mask if self.slots else np.tile(mask, (1, self.problem.slate_size))

    def observation_space(self) -> spaces.Dict | spaces.Box:
        """Return the observation space of one user."""
        if self.features is not None:
            return self.features.space()
        bounds = self.world.bounds(self.problem.slate_size)
        return observation_space(self.problem, bounds, **self._shape)

    @property
    def _shape(self) -> dict[str, Any]:
        """Arguments of `observation_space` and `FeatureObservation`."""
        return {
            "history": self._width // self.problem.slate_size,
            "slots": self.slots,
            "max_steps": self.max_steps,
            "max_days": self.max_days,
        }

    def action_space(self) -> spaces.MultiDiscrete | spaces.Discrete:
        """Return the action space of one user."""
        return action_space(self.problem, self.slots)

    def _checked(self, action: Any, idle: Bools | None) -> Array:
        """Return the action as int64 ``(B, K)``, or ``(B,)`` with slots, on the device.

        It is a copy, with 0 in idle rows.
        """
        xp, count = self.xp, self.problem.num_candidates
        want = (self.size,) if self.slots else (self.size, self.problem.slate_size)
        fits = getattr(action, "dtype", None) == xp.int64 and action.shape == want
        if fits:
            action = xp.asarray(action, device=self.backend.device, copy=True)
            if idle is not None:
                action[idle] = 0
        if not fits or self.backend.any_outside(action, count):
            plain = ignored(to_numpy(action) if hasattr(action, "cpu") else action, idle, 0)
            note = ", the index of a candidate" if self.slots else ", indices of candidates"
            checked = whole_numbers(plain, want, 0, count, "The action", note=note)
            action = self.backend.asarray(checked)
        return action

    def _lookup(self, action: Array) -> Array:
        return self.xp.take_along_axis(self.candidates, action, axis=1)

    def _forget(self) -> None:
        users, xp = self.size, self.xp
        self.history_items = self._zeros(users, self._width, dtype=xp.int64) - 1
        self.history_clicks = self._zeros(users, self._width, dtype=xp.int8)
        self.feedback = self._zeros(users, len(self.problem.rewards), dtype=xp.float32)
        self._filled = np.zeros(users, dtype=np.int64)
        self._partial = self._zeros(users, self.problem.slate_size, dtype=xp.int64) - 1

    def _partial_items(self) -> Array:
        """Return the item ids chosen so far, padded with -1, ``(B, K)``."""
        index = self.xp.maximum(self._partial, self.xp.zeros_like(self._partial))
        items = index if self.whole_catalogue else self._lookup(index)
        return self.xp.where(self._partial < 0, self._partial, items)

    def _ends(self, clock: Array, outcome: Outcome) -> tuple[Array, Array, Array]:
        """Return reward, terminated (the user left) and truncated (a limit came first)."""
        reward = self.backend.as_float64(outcome.rewards @ self._weights)
        none = clock[:, 0] < 0
        truncated = clock[:, 3] >= self.max_steps if self.max_steps is not None else none
        if self.max_days is not None:
            truncated = truncated | (clock[:, 0] >= self.max_days)
        if outcome.churned is None:
            return reward, self.backend.copy(none), self.backend.copy(truncated)
        return reward, self.backend.copy(outcome.churned), truncated & ~outcome.churned

    def _reveal(self, rows: Array | None = None) -> dict[str, Any]:
        """Return latent state and oracle slates for the next step, of ``rows`` or of all."""
        if not self.reveal_state:
            return {}
        world, size, weights = self.world, self.problem.slate_size, self.problem.rewards
        state = self.state if rows is None else self.state.take(rows)
        candidates = None
        if not self.whole_catalogue:
            candidates = self.candidates if rows is None else self.candidates[rows]
        oracle = world.oracle_slate(state, candidates, size, weights)
        foresighted = oracle
        if world.foresighted:
            foresighted = world.long_term_slate(state, candidates, size, weights)
        items = oracle
        if candidates is not None:
            items = self.xp.take_along_axis(candidates, oracle, axis=1)
        reward = world.expected_reward(state, items, weights)
        if rows is None:
            self._oracle_reward = reward
        else:
            self._oracle_reward = self.backend.copy(self._oracle_reward)  # that of `_shown`
            self._oracle_reward[rows] = reward
        return {
            "oracle_slate": oracle,
            "long_term_slate": foresighted,
            "state": world.latent(state),
        }

    def _zeros(self, *shape: int, dtype: Any) -> Array:
        return self.xp.zeros(shape, dtype=dtype, device=self.backend.device)
