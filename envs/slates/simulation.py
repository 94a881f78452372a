"""The engine behind both faces of ``SlateRec-v0``: a world, and what a real system sees of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from envs.slates.users import Users, UserWorld
from envs.world.backend import Array, Backend, Stream
from envs.world.world import Outcome
from recsim.problem import Problem

Observation = dict[str, Array]


class Shown(NamedTuple):
    """What was shown to B users, and what they made of it.

    Attributes:
        items: Item ids, -1 where a slot showed nothing, ``(B, K)``.
        clicks: 1 where the item was clicked, int8 ``(B, K)``.
        outcome: What it did to the users.
    """

    items: Array
    clicks: Array
    outcome: Outcome


class Simulation:
    """B users, their observations and their episodes; nothing is reset behind the caller's back.

    Args:
        world: Where the users live.
        problem: The public facts; its rewards are those of the world's outcomes, in their order.
        num_users: B.
        whole_catalogue: Whether all items are offered, in the order of the ids, or
            ``problem.num_candidates`` are drawn anew at each step.
        history: Slates kept in the observation, H.
        max_steps: Slates after which an episode is truncated, or None.
        max_days: Day from which on an episode is truncated, or None.
        slots: Whether an action is one item at a time instead of a slate.
        reveal_state: Whether info holds the latent state and the oracle.
        backend: Where the arrays live.
    """

    state: Users
    stream: Stream
    history_items: Array
    history_clicks: Array
    feedback: Array
    candidates: Array
    _partial: Array
    _filled: int

    def __init__(
        self,
        world: UserWorld,
        problem: Problem,
        num_users: int,
        *,
        whole_catalogue: bool,
        history: int,
        max_steps: int | None,
        max_days: int | None,
        slots: bool,
        reveal_state: bool,
        backend: Backend,
    ) -> None:
        self.world = world
        self.problem = problem
        self.xp: Any = backend.xp
        self._copy = backend.copy
        self.backend = backend
        self.num_users = num_users
        self.max_steps = max_steps
        self.max_days = max_days
        self.slots = slots
        self.steps_per_slate = problem.slate_size if slots else 1
        self.reveal_state = reveal_state
        self.whole_catalogue = whole_catalogue
        items = problem.num_items
        self._weights = backend.asarray(
            np.array(list(self.problem.rewards.values()), dtype=np.float32)
        )
        self._width = history * problem.slate_size
        self._history = backend.asarray(np.array([history]))
        # Candidate c of a user is drawn from its own stratum of the catalogue, so that the
        # candidates of a step are distinct and every item has nearly the same chance.
        edges = np.arange(problem.num_candidates + 1) * items // problem.num_candidates
        self._low = backend.asarray(edges[None, :-1])
        self._size = backend.asarray(np.diff(edges)[None].astype(np.float32))
        self._ids = backend.asarray(np.tile(np.arange(items), (num_users, 1)))
        self._false = self._zeros(num_users, dtype=self.xp.bool)
        self._no_days = self._zeros(num_users, dtype=self.xp.int64)

    def reset(self, stream: Stream) -> tuple[Observation, dict[str, Any]]:
        """Draw new users in every row."""
        self.stream = stream
        self.state = self.world.draw_users(stream, self.num_users)
        self._forget()
        self._draw_candidates()
        return self.observe(), self._reveal()

    def step(
        self, action: Array
    ) -> tuple[Observation, Array, Array, Array, Shown | None, dict[str, Any]]:
        """Show the slates; see `envs.slates.env.SlateRecEnv` for the meaning of what comes back.

        Returns:
            Observation, reward, terminated, truncated, what happened (None while a slate is not
            complete), and what is revealed.

        Raises:
            ValueError: The action has the wrong shape, or an index that is no candidate.
        """
        action = self._checked(action)
        if self.slots:
            self._partial[:, self._filled] = action
            self._filled += 1
            if self._filled < self.problem.slate_size:
                nothing = self._zeros(self.num_users, dtype=self.xp.float32)
                never = self._false
                return self.observe(), nothing, self._copy(never), self._copy(never), None, {}
            action, self._filled = self._partial, 0
            self._partial = self.xp.full_like(self._partial, -1)
        xp = self.xp
        items = action if self.whole_catalogue else self._lookup(action)
        revealed: dict[str, Any] = {}
        if self.reveal_state:
            weights = self.problem.rewards
            revealed["expected_reward"] = self.world.expected_reward(self.state, items, weights)
            revealed["oracle_reward"] = self._oracle_reward
        outcome = self.world.step(self.state, items, self.stream)
        if outcome.shown is not None:
            items = xp.where(outcome.shown, items, xp.full_like(items, -1))
        clicks = outcome.clicks.view(xp.int8)
        self._remember(items, clicks, outcome.rewards)
        self._draw_candidates()
        terminated, truncated = self._ends(outcome)
        reward = outcome.rewards @ self._weights
        if self.reveal_state:
            revealed |= self._reveal()
        shown = Shown(items, clicks, outcome)
        return self.observe(), reward, terminated, truncated, shown, revealed

    def describe(self, shown: Shown) -> dict[str, Any]:
        """What a step did to every user, for info; named rewards are float64."""
        outcome, xp = shown.outcome, self.xp
        rewards = xp.astype(outcome.rewards, xp.float64)
        ended, gap, churned = outcome.session_end, outcome.gap, outcome.churned
        return {
            "rewards": {name: rewards[:, i] for i, name in enumerate(self.problem.rewards)},
            "items": shown.items,
            "clicks": shown.clicks,
            "session_end": self._copy(self._false if ended is None else ended),
            "gap_days": self._copy(self._no_days) if gap is None else gap,
            "churned": self._copy(self._false if churned is None else churned),
        }

    def replace(self, rows: Array, info: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """Let new users take the place of ``rows`` (indices).

        Returns:
            The observation of all rows, and ``info`` with what it reveals of the new users.
        """
        self.state.put(rows, self.world.draw_users(self.stream, len(rows)))
        self.history_items[rows] = -1
        self.history_clicks[rows] = 0
        self.feedback = self._copy(self.feedback)  # info shows the same array
        self.feedback[rows] = 0
        if not self.whole_catalogue:
            self.candidates[rows] = self._strata(len(rows))
        if self.reveal_state:
            info = info | self._put(rows, info, self._reveal(rows))
        return self.observe(), info

    def _put(self, rows: Array, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """``new`` (rows, ...) in the place of ``rows`` in copies of the same keys of ``old``."""
        merged: dict[str, Any] = {}
        for name, value in new.items():
            if isinstance(value, dict):
                merged[name] = self._put(rows, old[name], value)
            else:
                merged[name] = self._copy(old[name])
                merged[name][rows] = value
        return merged

    def observe(self) -> Observation:
        """The observation of every user, as arrays that no later step changes.

        Where the whole catalogue is offered, ``candidates`` is one array for all steps.
        """
        state, copy = self.state, self._copy
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
        return obs

    def action_mask(self) -> Array:
        """1 for each candidate that the slate does not hold yet, int8 ``(B, C)``."""
        mask = self._zeros(self.num_users, self.problem.num_candidates, dtype=self.xp.int8) + 1
        rows = self.xp.arange(self.num_users, device=self.backend.device)[:, None]
        if self.slots and self._filled:
            mask[rows, self._partial[:, : self._filled]] = 0
        return mask

    def space(self) -> spaces.Dict:
        """Observation space of one user."""
        problem = self.problem
        last, far = problem.num_items - 1, np.iinfo(np.int64).max
        largest = float(np.finfo(np.float32).max)

        def integers(low: int, high: int, *shape: int, dtype: Any = np.int64) -> spaces.Box:
            return spaces.Box(low, high, shape, dtype)

        def reals(low: float, dim: int) -> spaces.Box:
            return spaces.Box(low, largest, (dim,), np.float32)

        keys: dict[str, spaces.Space[Any]] = {
            "user_features": reals(-largest, problem.user_feature_dim),
            "history_items": integers(-1, last, self._width),
            "history_clicks": integers(0, 1, self._width, dtype=np.int8),
            "history_length": integers(0, self._width // problem.slate_size, 1),
            "feedback": reals(0, len(problem.rewards)),
            "candidates": integers(0, last, problem.num_candidates),
            "time": integers(0, far, 3),
        }
        if self.slots:
            keys["partial_slate"] = integers(-1, last, problem.slate_size)
            keys["action_mask"] = integers(0, 1, problem.num_candidates, dtype=np.int8)
        return spaces.Dict(keys)

    def action_space(self) -> spaces.MultiDiscrete | spaces.Discrete:
        """Action space of one user."""
        candidates = self.problem.num_candidates
        if self.slots:
            return spaces.Discrete(candidates)
        return spaces.MultiDiscrete([candidates] * self.problem.slate_size)

    def _checked(self, action: Array) -> Array:
        """The action as int64 ``(B, K)``, or ``(B,)`` with ``slots``, on the device."""
        if self.backend.name == "numpy":
            action = np.array(action)  # a copy: it goes into info
            if action.dtype != np.int64:
                if action.dtype.kind not in "iu":
                    raise ValueError(f"Actions are integers, not {action.dtype}.")
                action = action.astype(np.int64)
        else:
            action = self.xp.asarray(
                action, dtype=self.xp.int64, device=self.backend.device, copy=True
            )
        want = (self.num_users,) if self.slots else (self.num_users, self.problem.slate_size)
        if action.shape != want:
            raise ValueError(f"The action has shape {tuple(action.shape)}, expected {want}.")
        if self.backend.any_outside(action, self.problem.num_candidates):
            wrong = (action < 0) | (action >= self.problem.num_candidates)
            row = int(self.xp.nonzero(wrong)[0][0])
            raise ValueError(
                f"The action of user {row} is {action[row].tolist()}; every entry must index a "
                f"candidate, 0 ... {self.problem.num_candidates - 1}."
            )
        return action

    def _lookup(self, action: Array) -> Array:
        return self.xp.take_along_axis(self.candidates, action, axis=1)

    def _strata(self, users: int) -> Array:
        """Candidates of ``users`` users, item ids ``(users, C)``."""
        xp = self.xp
        chance = self.stream.uniform((users, self.problem.num_candidates))
        return self._low + xp.astype(xp.minimum(chance * self._size, self._size - 1), xp.int64)

    def _draw_candidates(self) -> None:
        if not self.whole_catalogue:
            self.candidates = self._strata(self.num_users)

    def _forget(self) -> None:
        users, xp = self.num_users, self.xp
        self.history_items = self._zeros(users, self._width, dtype=xp.int64) - 1
        self.history_clicks = self._zeros(users, self._width, dtype=xp.int8)
        self.feedback = self._zeros(users, len(self.problem.rewards), dtype=xp.float32)
        self._filled = 0
        self._partial = self._zeros(users, self.problem.slate_size, dtype=xp.int64) - 1

    def _remember(self, items: Array, clicks: Array, rewards: Array) -> None:
        slate = self.problem.slate_size
        xp = self.xp
        self.history_items = xp.concat([self.history_items[:, slate:], items], axis=1)
        self.history_clicks = xp.concat([self.history_clicks[:, slate:], clicks], axis=1)
        self.feedback = rewards

    def _partial_items(self) -> Array:
        """Item ids chosen so far, padded with -1, ``(B, K)``."""
        index = self.xp.maximum(self._partial, self.xp.zeros_like(self._partial))
        items = index if self.whole_catalogue else self._lookup(index)
        return self.xp.where(self._partial < 0, self._partial, items)

    def _ends(self, outcome: Outcome) -> tuple[Array, Array]:
        """Terminated: the user left for good. Truncated: a limit was reached before that."""
        clock = self.state.clock
        truncated = self._copy(self._false)
        if self.max_steps is not None:
            truncated |= clock[:, 3] >= self.max_steps
        if self.max_days is not None:
            truncated |= clock[:, 0] >= self.max_days
        if outcome.churned is None:
            return self._copy(self._false), truncated
        return self._copy(outcome.churned), truncated & ~outcome.churned

    def _reveal(self, rows: Array | None = None) -> dict[str, Any]:
        """Latent state and oracle of the states that the next slates meet, of ``rows`` or all."""
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
            self._oracle_reward = self._copy(self._oracle_reward)  # info shows the same array
            self._oracle_reward[rows] = reward
        return {
            "oracle_slate": oracle,
            "long_term_slate": foresighted,
            "state": world.latent(state),
        }

    def _zeros(self, *shape: int, dtype: Any) -> Array:
        return self.xp.zeros(shape, dtype=dtype, device=self.backend.device)
