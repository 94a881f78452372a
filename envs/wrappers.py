"""Wrappers for vector environments where those of Gymnasium do not do, or not in every version."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EnvError


class RecordEpisodeStatistics(VectorWrapper):  # not generic before Gymnasium 1.2
    """Puts return and length of an episode into ``info`` when it ends, in every autoreset mode.

    ``info["episode"]["r"]`` and ``["l"]`` hold the sum of rewards and the number of steps,
    ``(B,)``, where ``info["_episode"]`` is True, 0 elsewhere. Use it in place of Gymnasium's
    wrapper of this name: before Gymnasium 1.4 that counts wrong returns and lengths with
    ``SAME_STEP``, the default of the environments here.

    Attributes:
        return_queue: Returns of the last episodes.
        length_queue: Lengths of the last episodes.
        episode_count: Number of episodes that have ended.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], buffer_length: int = 100, stats_key: str = "episode"
    ) -> None:
        """Wrap a vector environment.

        Args:
            env: The environment; its ``metadata`` must have an ``autoreset_mode``.
            buffer_length: How many of the last episodes the queues hold.
            stats_key: Key in ``info``.

        Raises:
            EnvError: If the environment does not say how it resets.
        """
        super().__init__(env)
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise EnvError(
                f"metadata['autoreset_mode'] of {env} must be a gymnasium.vector.AutoresetMode, "
                f"not {mode!r}."
            )
        self._resets_next = mode == AutoresetMode.NEXT_STEP
        self._key = stats_key
        self._returns: Floats = np.zeros(env.num_envs)
        self._lengths: Ints = np.zeros(env.num_envs, dtype=np.int64)
        self._over: Bools = np.zeros(env.num_envs, dtype=np.bool_)
        self.episode_count = 0
        self.return_queue: deque[float] = deque(maxlen=buffer_length)
        self.length_queue: deque[int] = deque(maxlen=buffer_length)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment, or the rows of ``options["reset_mask"]``."""
        result = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        mask = None if options is None else options.get("reset_mask")
        self._begin(slice(None) if mask is None else np.asarray(mask))
        return result

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step, and add the statistics of the episodes that end."""
        obs, rewards, terminated, truncated, infos = self.env.step(actions)
        fresh = self._over  # with NEXT_STEP this step has only reset them
        self._begin(fresh)
        self._returns += np.where(fresh, 0.0, np.asarray(rewards))
        self._lengths += ~fresh
        done = np.logical_or(np.asarray(terminated), np.asarray(truncated))
        if done.any():
            infos = infos | {
                self._key: {
                    "r": np.where(done, self._returns, 0.0),
                    "l": np.where(done, self._lengths, 0),
                },
                f"_{self._key}": done,
            }
            self.episode_count += int(done.sum())
            self.return_queue.extend(self._returns[done].tolist())
            self.length_queue.extend(self._lengths[done].tolist())
            if self._resets_next:
                self._over = done.copy()
            else:
                self._begin(done)
        return obs, rewards, terminated, truncated, infos

    def _begin(self, rows: slice | Bools) -> None:
        """Start new episodes in some rows."""
        self._returns[rows] = 0.0
        self._lengths[rows] = 0
        self._over = np.zeros_like(self._over) if isinstance(rows, slice) else self._over & ~rows
