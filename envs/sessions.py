"""The two faces of an environment of sessions that take turns: one session, or a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, SupportsInt

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


class Setting(Protocol):
    """B sessions; all that the faces do not decide."""

    size: int

    @property
    def problem(self) -> Any:
        """The public facts."""

    @property
    def training_data(self) -> Any:
        """What a recommender may learn from."""

    @property
    def episode_users(self) -> Ints:
        """User of each episode that there can be, ``(N,)``."""

    def observation_space(self) -> spaces.Dict:
        """Observation of one session."""

    def action_space(self) -> spaces.Space[Any]:
        """Action of one session."""

    def restart(
        self, generator: np.random.Generator, options: Mapping[str, Any], seeded: bool
    ) -> None:
        """Begin all sessions anew; with a seed, their numbering and randomness too."""

    def begin(self, rows: Ints, generator: np.random.Generator) -> None:
        """Begin new sessions in some rows."""

    def step(self, action: Any) -> tuple[Floats, Bools, Bools]:
        """Take a turn; return reward, terminated and truncated, each ``(B,)``."""

    def observe(self) -> Arrays:
        """Return what an agent sees, copies."""

    def info(self) -> Arrays:
        """Return how the sessions stand; ``action_mask`` is that of `masks`."""

    def masks(self) -> Bools:
        """Return which actions are allowed, ``(B, ...)``."""

    def describe(self, row: int) -> str:
        """Return the last turn of a session as text."""


class OneSessionEnv(gym.Env[dict[str, Any], Any]):
    """The scalar face: a batch of one, without its axis of sessions.

    Args:
        setting: Of one session.
        render_mode: ``"ansi"`` or None.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

    def __init__(self, setting: Setting, render_mode: str | None) -> None:
        self.setting: Any = setting
        self.render_mode = render_mode
        self.observation_space = setting.observation_space()
        self.action_space = setting.action_space()
        self._running = False

    @property
    def problem(self) -> Any:
        """The public facts."""
        return self.setting.problem

    @property
    def training_data(self) -> Any:
        """What a recommender may learn from: the train and valid parts."""
        return self.setting.training_data

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Arrays, dict[str, Any]]:
        """Start a session.

        Args:
            seed: Seed of everything drawn.
            options: ``index``: number of the episode that it is about.

        Raises:
            UserError: An option is unknown, or there is no such episode.
        """
        super().reset(seed=seed)
        self.setting.restart(self.np_random, options or {}, seed is not None)
        self._running = True
        return _first(self.setting.observe()), _plain(self.setting.info())

    def step(self, action: Any) -> tuple[Arrays, float, bool, bool, dict[str, Any]]:
        """Take a turn.

        Raises:
            gymnasium.error.ResetNeeded: No session has begun, or it is over.
            ValueError: The action is malformed, or illegal where that is an error.
        """
        if not self._running:
            raise gym.error.ResetNeeded("Call reset before the next step: no session is running.")
        if isinstance(action, Mapping):
            batch: Any = {name: np.asarray(part)[None] for name, part in action.items()}
        else:
            batch = np.asarray(action)[None]
        reward, terminated, truncated = self.setting.step(batch)
        self._running = not (terminated | truncated).item()
        obs, info = _first(self.setting.observe()), _plain(self.setting.info())
        return obs, reward.item(), terminated.item(), truncated.item(), info

    def action_masks(self) -> Bools:
        """Return which actions are legal: a row of ``info["action_mask"]``."""
        mask: Bools = self.setting.masks()[0]
        return mask

    def render(self) -> str | None:
        """The last turn as text."""
        return self.setting.describe(0) if self.render_mode else None


class ManySessionsEnv(VectorEnv[dict[str, Any], Any, Any]):
    """The vector face: who is done starts anew in the same step.

    Args:
        setting: Of B sessions.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(self, setting: Setting) -> None:
        self.setting: Any = setting
        self.num_envs = setting.size
        self.render_mode = None
        self.single_observation_space = setting.observation_space()
        self.single_action_space = setting.action_space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    @property
    def problem(self) -> Any:
        """The public facts."""
        return self.setting.problem

    @property
    def training_data(self) -> Any:
        """What a recommender may learn from: the train and valid parts."""
        return self.setting.training_data

    @property
    def num_episodes(self) -> int:
        """How many episodes there can be, N."""
        return len(self.setting.episode_users)

    @property
    def episode_users(self) -> Ints:
        """User of each of these episodes, ``(N,)``: the unit of resampling."""
        users: Ints = self.setting.episode_users
        return users

    def reset(
        self,
        *,
        seed: SupportsInt | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Arrays, dict[str, Any]]:
        """Start new sessions in every row; see `OneSessionEnv.reset`.

        Raises:
            ValueError: ``seed`` is a list; the sessions share one generator.
            UserError: An option is unknown, or there is no such episode.
        """
        if isinstance(seed, list):
            raise ValueError(f"{type(self).__name__} has one seed for all: give a number.")
        super().reset(seed=None if seed is None else int(seed))
        self.setting.restart(self.np_random, options or {}, seed is not None)
        return self.setting.observe(), self.setting.info()

    def step(self, actions: Any) -> tuple[Arrays, Floats, Bools, Bools, dict[str, Any]]:
        """Take a turn in every session.

        Raises:
            ValueError: An action is malformed, or illegal where that is an error.
        """
        setting = self.setting
        reward, terminated, truncated = setting.step(actions)
        obs, info = setting.observe(), setting.info()
        done = terminated | truncated
        if done.any():
            final = {"final_obs": obs, "_final_obs": done}
            final |= {"final_info": dict(info), "_final_info": done}
            setting.begin(np.flatnonzero(done), self.np_random)
            obs, info["action_mask"] = setting.observe(), setting.masks().astype(np.int8)
            info |= final
        return obs, reward, terminated, truncated, info

    def action_masks(self) -> Bools:
        """Return which actions are legal in every session: ``info["action_mask"]``."""
        masks: Bools = self.setting.masks()
        return masks


def _first(obs: Arrays) -> Arrays:
    return {name: array[0] for name, array in obs.items()}


def _plain(info: Arrays) -> dict[str, Any]:
    """Info of the one session: numbers where the batch has ``(B,)``, arrays else."""
    return {name: v.item() if v.ndim == 1 else v[0] for name, v in info.items()}
