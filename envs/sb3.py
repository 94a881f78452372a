"""An adapter for training with stable-baselines3 on a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from recsim.errors import EnvError


class SB3VecEnv(VecEnv):
    """Adapts a vector environment with ``AutoresetMode.SAME_STEP`` on numpy.

    stable-baselines3 does not accept Gymnasium's vector environments. It expects the last
    observation of an episode as ``terminal_observation`` in the info of that row, and
    ``TimeLimit.truncated`` if a limit ended it. Infos of rows whose episode continues are empty.

    Example:
        >>> env = SB3VecEnv(gymnasium.make_vec("recsim:SlateRec-v0", num_envs=64))
        >>> PPO("MultiInputPolicy", env).learn(100_000)

    Args:
        env: The environment to train on.

    Raises:
        EnvError: If the environment has another autoreset mode.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise EnvError(f"SB3VecEnv needs an environment with SAME_STEP autoreset, not {mode}.")
        self.env = env
        self._actions: NDArray[Any] | None = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        """Start new episodes, with the seed that was given to `seed`, if any."""
        obs, _ = self.env.reset(seed=self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        return obs

    def step_async(self, actions: NDArray[Any]) -> None:
        """Store the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step all users."""
        obs, reward, terminated, truncated, info = self.env.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = terminated | truncated
        for row in np.flatnonzero(done).tolist():
            last = _row(info["final_obs"], row)
            infos[row] = {
                "terminal_observation": last,
                "TimeLimit.truncated": bool(truncated[row] and not terminated[row]),
            }
        return obs, np.asarray(reward, dtype=np.float32), done, infos

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the environment's attribute, once for each row."""
        value = getattr(self.env.unwrapped, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the environment, for all rows."""
        setattr(self.env.unwrapped, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of the environment that returns one result for each row."""
        results = getattr(self.env.unwrapped, method_name)(*method_args, **method_kwargs)
        return [results[row] for row in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """Return False for every row: wrappers are around the whole batch."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return None for every row: there are no images."""
        return [None] * self.num_envs


def _row(obs: Any, row: int) -> Any:
    """Return the observation of one row, from a dict of arrays or one array."""
    if isinstance(obs, dict):
        return {name: array[row] for name, array in obs.items()}
    return obs[row]
