"""B users who are shown slates: a world, and what a real system observes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from envs.faces import Arrays, Simulation, first_row
from envs.slates.settings import SlateSettings
from envs.slates.transcript import transcript
from envs.slates.users import UserWorld
from envs.world.backend import Array, Backend
from envs.world.users import Users
from envs.world.world import Outcome
from recsim.arrays import Bools
from recsim.draws import Draws, Purpose
from recsim.problem import Problem

CANDIDATES = Purpose("candidates")


class Shown(NamedTuple):
    """The slates that B users were shown, and how they reacted.

    Attributes:
        items: Item ids, -1 where a slot showed nothing, ``(B, K)``.
        clicks: 1 where the item was clicked, int8 ``(B, K)``.
        outcome: Effects on the users.
    """

    items: Array
    clicks: Array
    outcome: Outcome


class SlateSimulation(Simulation):
    """B users, their observations and their episodes.

    Args:
        world: The users' world.
        problem: The public facts; its rewards are those of the world's outcomes, in their order.
        size: B.
        settings: Candidates, history, limits, kind of action, and whether the state is revealed.
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
    _filled: int

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
        self.xp: Any = backend.xp
        self._copy = backend.copy
        self.backend = backend
        self.max_steps = settings.max_steps or None
        self.max_days = settings.max_days or None
        self.slots = settings.action == "slot"
        self.steps_per_slate = problem.slate_size if self.slots else 1
        self.reveal_state = settings.reveal_state
        self.whole_catalogue = settings.num_candidates is None
        items = problem.num_items
        self._weights = backend.asarray(
            np.array(list(self.problem.rewards.values()), dtype=np.float32)
        )
        self._width = settings.history * problem.slate_size
        self._history = backend.asarray(np.array([settings.history]))
        # Candidate c of a user is drawn from its own stratum of the catalogue, so that the
        # candidates of a step are distinct and every item has nearly the same chance.
        edges = np.arange(problem.num_candidates + 1) * items // problem.num_candidates
        self._low = backend.asarray(edges[None, :-1])
        self._size = backend.asarray(np.diff(edges)[None].astype(np.float32))
        self._ids = backend.asarray(np.tile(np.arange(items), (size, 1)))
        self._false = self._zeros(size, dtype=self.xp.bool)
        self._no_days = self._zeros(size, dtype=self.xp.int64)
        self._shown: Shown | None = None  # by the last step; None while a slate is incomplete
        self._last: Shown | None = None  # the last complete slate of the episode
        self._revealed: dict[str, Any] = {}

    def reset(self, options: Mapping[str, Any]) -> None:
        """Draw new users in every row; there are no options."""
        self.draws = self.backend.draws(self.episodes.keys())
        self.state = self.world.draw_users(self.draws)
        self._forget()
        self._draw_candidates()
        self._shown = self._last = None
        self._revealed = self._reveal()

    def step(self, action: Array) -> tuple[Array, Array, Array]:
        """Show the slates, or with slots add one item to each.

        Returns:
            Reward (float64), terminated and truncated, ``(B,)`` each.

        Raises:
            ValueError: If the action has the wrong shape, or an index that is not a candidate.
        """
        action = self._checked(action)
        xp = self.xp
        if self.slots:
            self._partial[:, self._filled] = action
            self._filled += 1
            if self._filled < self.problem.slate_size:
                self._shown, self._revealed = None, {}
                nothing = self._zeros(self.size, dtype=xp.float64)
                return nothing, self._copy(self._false), self._copy(self._false)
            action, self._filled = self._partial, 0
            self._partial = xp.full_like(self._partial, -1)
        items = action if self.whole_catalogue else self._lookup(action)
        revealed: dict[str, Any] = {}
        if self.reveal_state:
            weights = self.problem.rewards
            revealed["expected_reward"] = self.world.expected_reward(self.state, items, weights)
            revealed["oracle_reward"] = self._oracle_reward
        self.draws.advance()
        outcome = self.world.step(self.state, items, self.draws)
        if outcome.shown is not None:
            items = xp.where(outcome.shown, items, xp.full_like(items, -1))
        clicks = outcome.clicks.view(xp.int8)
        self._remember(items, clicks, outcome.rewards)
        self._draw_candidates()
        terminated, truncated = self._ends(outcome)
        self._shown = self._last = Shown(items, clicks, outcome)
        self._revealed = revealed | self._reveal()
        reward = self.backend.as_float64(outcome.rewards @ self._weights)
        return reward, terminated, truncated

    def info(self) -> dict[str, Any]:
        """Return how every user reacted to the last slate, and what is revealed.

        Named rewards are float64. Reactions are left out before the first slate of an episode and
        while a slate is incomplete.
        """
        if self._shown is None:
            return dict(self._revealed)
        items, clicks, outcome = self._shown
        rewards = self.backend.as_float64(outcome.rewards)
        ended, gap, churned = outcome.session_end, outcome.gap, outcome.churned
        return {
            "rewards": {name: rewards[:, i] for i, name in enumerate(self.problem.rewards)},
            "items": items,
            "clicks": clicks,
            "session_end": self._copy(self._false if ended is None else ended),
            "gap_days": self._copy(self._no_days) if gap is None else gap,
            "churned": self._copy(self._false if churned is None else churned),
            **self._revealed,
        }

    def first_info(self) -> dict[str, Any]:
        """Return the info of the first user as plain numbers; cheaper than by way of arrays."""
        revealed = first_row(self._revealed)
        return revealed if self._shown is None else self._reaction(self._shown) | revealed

    def first_observation(self) -> Arrays:
        """Return the observation of the first user."""
        first = super().first_observation()
        if self.whole_catalogue:
            first["candidates"] = first["candidates"].copy()
        return first

    def describe(self) -> str:
        """Return the last slate of the first user as text."""
        return transcript({} if self._last is None else self._reaction(self._last))

    def replace(self, done: Array, info: dict[str, Any]) -> dict[str, Any]:
        """Draw new users in the rows where ``done``; ``info`` reveals their state."""
        rows = self.xp.nonzero(done)[0]
        keys = self.episodes.next(self.backend.to_numpy(rows))
        self.draws.put(rows, self.backend.lanes(keys))
        new = self.draws.take(rows)
        self.state.put(rows, self.world.draw_users(new))
        self.history_items[rows] = -1
        self.history_clicks[rows] = 0
        self.feedback = self._copy(self.feedback)  # info holds the same array
        self.feedback[rows] = 0
        if not self.whole_catalogue:
            self.candidates[rows] = self._strata(new)
        if self.reveal_state:
            info = info | self._put(rows, info, self._reveal(rows))
        return info

    def _reaction(self, shown: Shown) -> dict[str, Any]:
        """Return how the first user reacted to a slate, in plain numbers."""
        items, clicks, outcome = shown
        ended, gap, churned = outcome.session_end, outcome.gap, outcome.churned
        return {
            "rewards": dict(zip(self.problem.rewards, outcome.rewards[0].tolist(), strict=True)),
            "items": items[0],
            "clicks": clicks[0],
            "session_end": ended is not None and ended[0].item(),
            "gap_days": 0 if gap is None else gap[0].item(),
            "churned": churned is not None and churned[0].item(),
        }

    def _put(self, rows: Array, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """Return copies of the entries of ``old`` that ``new`` has, with ``rows`` from ``new``."""
        merged: dict[str, Any] = {}
        for name, value in new.items():
            if isinstance(value, dict):
                merged[name] = self._put(rows, old[name], value)
            else:
                merged[name] = self._copy(old[name])
                merged[name][rows] = value
        return merged

    def observe(self) -> Arrays:
        """Return the observation of every user.

        Where the whole catalogue is offered, ``candidates`` is the same array at every step.
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
        """Return 1 for each candidate that is not in the slate yet, int8 ``(B, C)``."""
        mask = self._zeros(self.size, self.problem.num_candidates, dtype=self.xp.int8) + 1
        rows = self.xp.arange(self.size, device=self.backend.device)[:, None]
        if self.slots and self._filled:
            mask[rows, self._partial[:, : self._filled]] = 0
        return mask

    def masks(self) -> Bools:
        """Return which actions are allowed, for learners that mask actions.

        Returns:
            With slots, ``(B, C)``: False where the item is in the slate already. Else all True,
            ``(B, K*C)``, slot by slot: masks of independent slots cannot rule out repeats.
        """
        mask: Bools = self.backend.to_numpy(self.action_mask()) > 0
        return mask if self.slots else np.tile(mask, (1, self.problem.slate_size))

    def observation_space(self) -> spaces.Dict:
        """Return the observation space of one user."""
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
        """Return the action space of one user."""
        candidates = self.problem.num_candidates
        if self.slots:
            return spaces.Discrete(candidates)
        return spaces.MultiDiscrete([candidates] * self.problem.slate_size)

    def _checked(self, action: Array) -> Array:
        """Return the action as int64 ``(B, K)``, or ``(B,)`` with slots, on the device."""
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
        want = (self.size,) if self.slots else (self.size, self.problem.slate_size)
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

    def _strata(self, draws: Draws) -> Array:
        """Draw the candidates of users, item ids ``(N, C)``."""
        xp = self.xp
        chance = draws.uniform(CANDIDATES, self.problem.num_candidates)
        return self._low + xp.astype(xp.minimum(chance * self._size, self._size - 1), xp.int64)

    def _draw_candidates(self) -> None:
        if not self.whole_catalogue:
            self.candidates = self._strata(self.draws)

    def _forget(self) -> None:
        users, xp = self.size, self.xp
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
        """Return the item ids chosen so far, padded with -1, ``(B, K)``."""
        index = self.xp.maximum(self._partial, self.xp.zeros_like(self._partial))
        items = index if self.whole_catalogue else self._lookup(index)
        return self.xp.where(self._partial < 0, self._partial, items)

    def _ends(self, outcome: Outcome) -> tuple[Array, Array]:
        """Return terminated (the user left for good) and truncated (a limit came first)."""
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
            self._oracle_reward = self._copy(self._oracle_reward)  # info shows the same array
            self._oracle_reward[rows] = reward
        return {
            "oracle_slate": oracle,
            "long_term_slate": foresighted,
            "state": world.latent(state),
        }

    def _zeros(self, *shape: int, dtype: Any) -> Array:
        return self.xp.zeros(shape, dtype=dtype, device=self.backend.device)
