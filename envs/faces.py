"""The two faces of a simulation as Gymnasium environments: one episode, or a batch of episodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.actions import alone
from envs.autoreset import RESET_MASK, autoreset_of, reset_rows
from envs.episodes import Episodes, checked_seed, first_user_of
from envs.settings import EnvSettings
from envs.world.backend import Array, to_numpy
from recsim.arrays import Bools, Ints
from recsim.errors import EnvError, did_you_mean

Arrays = dict[str, Array]


class Simulation(ABC):
    """B episodes at once, and everything that the two faces have in common.

    An episode that ends stays as it is until `begin` begins another one.

    Args:
        size: B.

    Class attributes:
        reset_options: Names of the options of ``reset`` beside ``first_user``.

    Attributes:
        problem: The public facts.
        episodes: The episode of each row, with the key of its random numbers.

    Raises:
        EnvError: If ``size`` is not a positive whole number.
    """

    reset_options: ClassVar[frozenset[str]] = frozenset()

    problem: Any

    def __init__(self, size: int) -> None:
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise EnvError(f"num_envs is {size!r}; it must be a whole number of at least 1.")
        self.size = int(size)
        self.episodes = Episodes(self.size)

    @abstractmethod
    def observation_space(self) -> spaces.Dict | spaces.Box:
        """Return the observation space of one episode."""

    @abstractmethod
    def action_space(self) -> spaces.Space[Any]:
        """Return the action space of one episode."""

    @abstractmethod
    def begin(self, rows: Ints | None, options: Mapping[str, Any]) -> None:
        """Begin the episodes of ``episodes``.

        Args:
            rows: Rows to begin them in; None for all, as the first call must have it.
            options: Options of the environment's ``reset``.
        """

    @abstractmethod
    def step(self, action: Any, idle: Bools | None = None) -> tuple[Array, Array, Array]:
        """Take one step.

        Args:
            action: Actions, ``(B, ...)``.
            idle: Rows whose episode is over and whose action is ignored, ``(B,)``; what they get
                has no meaning, and `begin` must follow. None if there are none.

        Returns:
            Reward, terminated and truncated, ``(B,)`` each, which callers may overwrite.
        """

    @abstractmethod
    def observe(self) -> Any:
        """Return the observations; no later step changes the arrays.

        Returns:
            A dict of arrays ``(B, ...)``, or one array ``(B, P)``.
        """

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """Return the info of the last step, ``(B, ...)`` each.

        Keys, shapes and dtypes are the same at every step, and after a reset.
        """

    @abstractmethod
    def outlook(self) -> dict[str, Any]:
        """Return the entries of `info` that describe the observation, not the last step."""

    @abstractmethod
    def masks(self) -> Bools:
        """Return which actions are allowed, ``(B, ...)``."""

    @abstractmethod
    def describe(self) -> str:
        """Return the last step of the first row as text."""

    def first_observation(self) -> Any:
        """Return the observation of the first row."""
        return {name: array[0] for name, array in self.observe().items()}

    def first_info(self) -> dict[str, Any]:
        """Return the info of the first row: numbers in place of arrays ``(B,)``."""
        return first_row(self.info())


SimulationT = TypeVar("SimulationT", bound=Simulation)


class ScalarEnv(gym.Env[Any, Any], Generic[SimulationT]):
    """The scalar face: a batch of one episode, without the batch axis.

    Args:
        simulation: Of one episode.
        render_mode: One of ``metadata["render_modes"]``, or None.

    Attributes:
        Settings: What may be set by keyword, apart from ``render_mode``.
    """

    Settings: ClassVar[type[EnvSettings]]
    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

    def __init__(self, simulation: SimulationT, render_mode: str | None) -> None:
        self.simulation = simulation
        self.render_mode = checked_render_mode(render_mode, self.metadata["render_modes"])
        self._running = False
        self.observation_space = simulation.observation_space()
        self.action_space = simulation.action_space()

    @property
    def problem(self) -> Any:
        """The public facts that an agent is built for."""
        return self.simulation.problem

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a new episode.

        All random numbers of an episode are a function of the seed, the user's number, the number
        of episodes since the seed was given, and the step.

        Args:
            seed: Seed of all random numbers; None for the next episode under the present seed.
            options: ``first_user``: number of the user under this seed, 0 by default; it needs a
                seed. And those of the environment, see its class.

        Raises:
            UserError: If an option is unknown or wrong, or the seed is not a whole number.
        """
        first, others = first_user_of(options or {}, self.simulation.reset_options)
        super().reset(seed=None if seed is None else checked_seed(seed))
        self.simulation.episodes.begin(self.np_random, first, seed is not None)
        self.simulation.begin(None, others)
        self._running = True
        return self.simulation.first_observation(), self.simulation.first_info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun, or it is over.
            ValueError: If the action is malformed or not allowed.
        """
        if not self._running:
            raise ResetNeeded("Call reset before the next step: no episode is running.")
        if isinstance(action, Mapping):
            batch: Any = {name: alone(part) for name, part in action.items()}
        else:
            batch = alone(action)
        simulation = self.simulation
        rewards, terminations, truncations = simulation.step(batch)
        obs, info = simulation.first_observation(), simulation.first_info()
        terminated, truncated = terminations.item(), truncations.item()
        self._running = not (terminated or truncated)
        return obs, rewards.item(), terminated, truncated, info

    def action_masks(self) -> Bools:
        """Return which actions are allowed, as learners that mask actions expect it."""
        mask: Bools = self.simulation.masks()[0]
        return mask

    def render(self) -> Any:
        """Return the last step as text, with ``render_mode="ansi"``."""
        return self.simulation.describe() if self.render_mode == "ansi" else None


class BatchEnv(VectorEnv[Any, Any, Any], Generic[SimulationT]):
    """The vector face: many episodes, each followed by a new one as ``autoreset_mode`` says.

    Args:
        simulation: Of B episodes.
        autoreset_mode: A `gymnasium.vector.AutoresetMode` or its name.
        render_mode: None: a batch is not rendered.

    Attributes:
        Settings: What may be set by keyword, apart from ``num_envs``, ``max_episode_steps`` and
            ``autoreset_mode``.

    Raises:
        EnvError: If there is no such mode.
    """

    Settings: ClassVar[type[EnvSettings]]
    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        simulation: SimulationT,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise EnvError(
                f"render_mode is {render_mode!r}; a vector environment is not rendered: make the "
                "environment of one user with gymnasium.make."
            )
        self.simulation = simulation
        self.num_envs = simulation.size
        self.render_mode = None
        self.autoreset_mode = autoreset_of(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = simulation.observation_space()
        self.single_action_space = simulation.action_space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._running = False
        self._over: Bools = np.zeros(self.num_envs, dtype=np.bool_)  # episodes to be reset

    @property
    def problem(self) -> Any:
        """The public facts that an agent is built for."""
        return self.simulation.problem

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; see `ScalarEnv.reset`.

        Args:
            seed: A number: row i is user ``first_user + i`` under this seed, so that row 0 is the
                scalar face with the same seed. A sequence: row i is the scalar face with its own
                seed; a row with None goes on to its next episode. None: all rows do so.
            options: As in `ScalarEnv.reset`. With ``first_user`` a block of users is the same as in
                a larger batch: rows n, n + 1 ... of the batch with this seed. And ``reset_mask``:
                booleans ``(B,)``, the rows to reset; the others stay as they are, and their
                observation and info are those of their last step.

        Raises:
            ValueError: If the number of seeds is not that of the rows.
            UserError: If an option is unknown or wrong, or a seed is not a whole number.
            gymnasium.error.ResetNeeded: If the first reset is of some rows only.
        """
        options = dict(options or {})
        rows = reset_rows(options.pop(RESET_MASK, None), self.num_envs)
        if rows is not None and not self._running:
            raise ResetNeeded("Reset all rows first: the first reset cannot have a reset_mask.")
        known = self.simulation.reset_options | {RESET_MASK}
        first, others = first_user_of(options, known)
        episodes = self.simulation.episodes
        if isinstance(seed, Sequence | np.ndarray) and np.asarray(seed, object).ndim:
            if first is not None:
                raise EnvError("options['first_user'] needs one seed, not one per row.")
            super().reset(seed=None)
            episodes.begin_each(seed, self.np_random, rows)
        else:
            super().reset(seed=None if seed is None else checked_seed(seed))
            episodes.begin(self.np_random, first, seed is not None, rows)
        self.simulation.begin(rows, others)
        self._running = True
        self._over[slice(None) if rows is None else rows] = False
        return self.simulation.observe(), self.simulation.info()

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Take one step in every row; the action of a row that is only reset is ignored.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun, or one is over and has to be reset
                by the caller.
            ValueError: If an action is malformed or not allowed.
        """
        simulation, idle = self.simulation, self._idle()
        reward, terminated, truncated = simulation.step(actions, idle)
        if idle is not None:
            rows = np.flatnonzero(idle)
            self._begin_next(rows)
            reward[rows], terminated[rows], truncated[rows] = 0, False, False
        obs, info = simulation.observe(), simulation.info()
        done = terminated | truncated
        if self.autoreset_mode != AutoresetMode.SAME_STEP:
            self._over = to_numpy(done).copy()
        elif bool(done.any()):
            final = {"final_obs": obs, "_final_obs": done, "final_info": info, "_final_info": done}
            self._begin_next(np.flatnonzero(to_numpy(done)))
            obs, info = simulation.observe(), info | simulation.outlook() | final
        return obs, reward, terminated, truncated, info

    def _idle(self) -> Bools | None:
        """Return the rows that are only reset in the next step, ``(B,)``; None if there are none.

        Raises:
            gymnasium.error.ResetNeeded: See `step`.
        """
        if not self._running:
            raise ResetNeeded("Call reset before the next step: no episode is running.")
        if not self._over.any():
            return None
        if self.autoreset_mode == AutoresetMode.DISABLED:
            rows = np.flatnonzero(self._over)
            raise ResetNeeded(
                f"The episodes of {len(rows)} rows are over, the first is row {rows[0]}: call "
                "reset(options={'reset_mask': terminated | truncated}) before the next step."
            )
        return self._over

    def _begin_next(self, rows: Ints) -> None:
        """Begin the next episodes of some rows."""
        self.simulation.episodes.next(rows)
        self.simulation.begin(rows, {})

    def action_masks(self) -> Bools:
        """Return which actions are allowed in every row, ``(B, ...)``."""
        return self.simulation.masks()


def checked_render_mode(mode: str | None, known: Sequence[str]) -> str | None:
    """Return a render mode.

    Raises:
        EnvError: If it is not among the known ones.
    """
    if mode is None or mode in known:
        return mode
    raise EnvError(f"render_mode is {mode!r}.{did_you_mean(str(mode), known) or ' There is none.'}")


def first_row(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the info of the first row: numbers in place of arrays ``(B,)``, else arrays."""
    return {
        name: first_row(value)
        if isinstance(value, dict)
        else (value.item() if value.ndim == 1 else value[0])
        for name, value in info.items()
    }
