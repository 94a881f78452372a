"""The two faces of a simulation as Gymnasium environments: one episode, or a batch of episodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.episodes import Episodes, checked_seed, first_user_of
from envs.settings import EnvSettings
from envs.world.backend import Array
from recsim.arrays import Bools
from recsim.errors import EnvError

Arrays = dict[str, Array]


class Simulation(ABC):
    """B episodes at once, and everything that the two faces have in common.

    An episode that ends stays as it is until `replace` or `reset` begins another one.

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
    def observation_space(self) -> spaces.Dict:
        """Return the observation space of one episode."""

    @abstractmethod
    def action_space(self) -> spaces.Space[Any]:
        """Return the action space of one episode."""

    @abstractmethod
    def reset(self, options: Mapping[str, Any]) -> None:
        """Begin the episodes of ``episodes`` in every row.

        Args:
            options: Options of the environment's ``reset``.
        """

    @abstractmethod
    def step(self, action: Any) -> tuple[Array, Array, Array]:
        """Take one step; return reward, terminated and truncated, ``(B,)`` each."""

    @abstractmethod
    def replace(self, done: Array, info: dict[str, Any]) -> dict[str, Any]:
        """Pass to the next episodes in the rows where ``done``, ``(B,)``.

        Returns:
            A copy of ``info`` with the entries that describe the observation, not the last step,
            brought up to date.
        """

    @abstractmethod
    def observe(self) -> Arrays:
        """Return the observations, ``(B, ...)`` each; no later step changes the arrays."""

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """Return the info of the last step, ``(B, ...)`` each."""

    @abstractmethod
    def masks(self) -> Bools:
        """Return which actions are allowed, ``(B, ...)``."""

    @abstractmethod
    def describe(self) -> str:
        """Return the last step of the first row as text."""

    def first_observation(self) -> Arrays:
        """Return the observation of the first row."""
        return {name: array[0] for name, array in self.observe().items()}

    def first_info(self) -> dict[str, Any]:
        """Return the info of the first row: numbers in place of arrays ``(B,)``."""
        return first_row(self.info())


SimulationT = TypeVar("SimulationT", bound=Simulation)


class ScalarEnv(gym.Env[dict[str, Any], Any], Generic[SimulationT]):
    """The scalar face: a batch of one episode, without the batch axis.

    Args:
        simulation: Of one episode.
        render_mode: ``"ansi"`` or None.

    Attributes:
        Settings: What may be set by keyword, apart from ``render_mode``.
    """

    Settings: ClassVar[type[EnvSettings]]
    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

    def __init__(self, simulation: SimulationT, render_mode: str | None) -> None:
        self.simulation = simulation
        self.render_mode = render_mode
        self.observation_space = simulation.observation_space()
        self.action_space = simulation.action_space()

    @property
    def problem(self) -> Any:
        """The public facts that an agent is built for."""
        return self.simulation.problem

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Arrays, dict[str, Any]]:
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
        self.simulation.reset(others)
        return self.simulation.first_observation(), self.simulation.first_info()

    def step(self, action: Any) -> tuple[Arrays, float, bool, bool, dict[str, Any]]:
        """Take one step.

        Raises:
            ValueError: If the action is malformed or not allowed.
        """
        if isinstance(action, Mapping):
            batch: Any = {name: np.asarray(part)[None] for name, part in action.items()}
        else:
            batch = np.asarray(action)[None]
        simulation = self.simulation
        reward, terminated, truncated = simulation.step(batch)
        obs, info = simulation.first_observation(), simulation.first_info()
        return obs, reward.item(), terminated.item(), truncated.item(), info

    def action_masks(self) -> Bools:
        """Return which actions are allowed, as learners that mask actions expect it."""
        mask: Bools = self.simulation.masks()[0]
        return mask

    def render(self) -> str | None:
        """Return the last step as text."""
        return self.simulation.describe() if self.render_mode else None


class BatchEnv(VectorEnv[dict[str, Any], Any, Any], Generic[SimulationT]):
    """The vector face: an episode that ends is followed by a new one in the same step.

    Args:
        simulation: Of B episodes.

    Attributes:
        Settings: What may be set by keyword, apart from ``num_envs`` and ``max_episode_steps``.
    """

    Settings: ClassVar[type[EnvSettings]]
    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(self, simulation: SimulationT) -> None:
        self.simulation = simulation
        self.num_envs = simulation.size
        self.render_mode = None
        self.single_observation_space = simulation.observation_space()
        self.single_action_space = simulation.action_space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    @property
    def problem(self) -> Any:
        """The public facts that an agent is built for."""
        return self.simulation.problem

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Arrays, dict[str, Any]]:
        """Start new episodes in every row; see `ScalarEnv.reset`.

        Args:
            seed: A number: row i is user ``first_user + i`` under this seed, so that row 0 is the
                scalar face with the same seed. A sequence: row i is the scalar face with its own
                seed; a row with None goes on to its next episode. None: all rows do so.
            options: As in `ScalarEnv.reset`. With ``first_user`` a block of users is the same as in
                a larger batch: rows n, n + 1 ... of the batch with this seed.

        Raises:
            ValueError: If the number of seeds is not that of the rows.
            UserError: If an option is unknown or wrong, or a seed is not a whole number.
        """
        first, others = first_user_of(options or {}, self.simulation.reset_options)
        if isinstance(seed, Sequence | np.ndarray) and np.asarray(seed, object).ndim:
            if first is not None:
                raise EnvError("options['first_user'] needs one seed, not one per row.")
            super().reset(seed=None)
            self.simulation.episodes.begin_each(seed, self.np_random)
        else:
            super().reset(seed=None if seed is None else checked_seed(seed))
            self.simulation.episodes.begin(self.np_random, first, seed is not None)
        self.simulation.reset(others)
        return self.simulation.observe(), self.simulation.info()

    def step(self, actions: Any) -> tuple[Arrays, Array, Array, Array, dict[str, Any]]:
        """Take one step in every row.

        Raises:
            ValueError: If an action is malformed or not allowed.
        """
        simulation = self.simulation
        reward, terminated, truncated = simulation.step(actions)
        obs, info = simulation.observe(), simulation.info()
        done = terminated | truncated
        if bool(done.any()):
            final = {"final_obs": obs, "_final_obs": done, "final_info": info, "_final_info": done}
            info = simulation.replace(done, info) | final
            obs = simulation.observe()
        return obs, reward, terminated, truncated, info

    def action_masks(self) -> Bools:
        """Return which actions are allowed in every row, ``(B, ...)``."""
        return self.simulation.masks()


def first_row(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the info of the first row: numbers in place of arrays ``(B,)``, else arrays."""
    return {
        name: first_row(value)
        if isinstance(value, dict)
        else (value.item() if value.ndim == 1 else value[0])
        for name, value in info.items()
    }
