"""The two faces of a simulation as Gymnasium environments: one user, or a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, SupportsInt

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.slates.simulation import Shown, Simulation
from envs.slates.transcript import transcript
from envs.world.backend import Array
from recsim.errors import UserError
from recsim.problem import Problem


class OneUserEnv(gym.Env[dict[str, Any], Any]):
    """The scalar face: a batch of one, without its user axis.

    Args:
        simulation: The engine, built for one user.
        render_mode: ``"ansi"`` or None.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

    def __init__(self, simulation: Simulation, render_mode: str | None) -> None:
        self.simulation = simulation
        self.render_mode = render_mode
        self.observation_space = simulation.space()
        self.action_space = simulation.action_space()
        self._last: dict[str, Any] = {}

    @property
    def problem(self) -> Problem:
        """The public facts: catalogue, slate size, reward names and weights."""
        return self.simulation.problem

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Start with a new user; ``options`` are not used."""
        super().reset(seed=seed)
        stream = self.simulation.backend.stream(self.np_random)
        obs, info = self.simulation.reset(stream)
        self._last = {}
        return self._first(obs), _first(info)

    def step(
        self, action: Any
    ) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Show a slate, or with ``action="slot"`` add an item to it.

        Raises:
            ValueError: The action has the wrong shape, or an index that is no candidate.
        """
        batch = self.simulation.step(np.asarray(action)[None])
        obs, reward, terminated, truncated, shown, revealed = batch
        info: dict[str, Any] = {}
        if shown is not None:
            info = self._last = self._describe(shown)
        if revealed:
            info = info | _first(revealed)
        return self._first(obs), reward.item(), terminated.item(), truncated.item(), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions, for learners that mask them.

        Returns:
            With ``action="slot"``, ``(C,)``: False where the item is in the slate already. Else all
            True, ``(K*C,)``, slot by slot: no mask of independent slots can forbid a repeat.
        """
        mask: NDArray[np.bool_] = _action_masks(self.simulation)[0]
        return mask

    def render(self) -> str | None:
        """The last step as text."""
        return transcript(self._last) if self.render_mode else None

    def _describe(self, shown: Shown) -> dict[str, Any]:
        """What `Simulation.describe` says of the one user, in plain numbers."""
        outcome = shown.outcome
        ended, gap, churned = outcome.session_end, outcome.gap, outcome.churned
        return {
            "rewards": dict(zip(self.problem.rewards, outcome.rewards[0].tolist(), strict=True)),
            "items": shown.items[0],
            "clicks": shown.clicks[0],
            "session_end": ended is not None and ended.item(),
            "gap_days": 0 if gap is None else gap.item(),
            "churned": churned is not None and churned.item(),
        }

    def _first(self, obs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        first = {name: array[0] for name, array in obs.items()}
        if self.simulation.whole_catalogue:
            first["candidates"] = first["candidates"].copy()
        return first


class ManyUsersEnv(VectorEnv[dict[str, Array], Array, Array]):
    """The vector face: restarts episodes in the step in which they end.

    Args:
        simulation: The engine.
        max_episode_steps: Steps of the environment after which an episode is truncated, or None.

    Raises:
        UserError: ``max_episode_steps`` does not end with a slate.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(self, simulation: Simulation, max_episode_steps: int | None) -> None:
        self.simulation = simulation
        if max_episode_steps is not None:
            slates, rest = divmod(max_episode_steps, simulation.steps_per_slate)
            if rest or slates < 1:
                raise UserError(
                    f"max_episode_steps is {max_episode_steps}; it must be a positive multiple of "
                    f"the {simulation.steps_per_slate} steps that a slate takes."
                )
            simulation.max_steps = min(slates, simulation.max_steps or slates)
        self.num_envs = simulation.num_users
        self.render_mode = None
        self.single_observation_space = simulation.space()
        self.single_action_space = simulation.action_space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    @property
    def problem(self) -> Problem:
        """The public facts: catalogue, slate size, reward names and weights."""
        return self.simulation.problem

    @property
    def max_days(self) -> int | None:
        """Day from which on an episode is truncated; None for no limit."""
        return self.simulation.max_days

    def reset(
        self,
        *,
        seed: SupportsInt | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Start with new users in every row; ``options`` are not used.

        Raises:
            ValueError: ``seed`` is a list; the users share one generator.
        """
        if isinstance(seed, list):
            raise ValueError("The environment has one generator for all users: seed is a number.")
        super().reset(seed=None if seed is None else int(seed))
        return self.simulation.reset(self.simulation.backend.stream(self.np_random))

    def step(self, actions: Array) -> tuple[dict[str, Array], Array, Array, Array, dict[str, Any]]:
        """Show a slate to every user.

        Raises:
            ValueError: The actions have the wrong shape, or an index that is no candidate.
        """
        simulation = self.simulation
        obs, reward, terminated, truncated, shown, info = simulation.step(actions)
        reward = simulation.xp.astype(reward, simulation.xp.float64)
        if shown is not None:
            info = simulation.describe(shown) | info
        done = terminated | truncated
        if bool(done.any()):
            rows = simulation.xp.nonzero(done)[0]
            final_obs, final_info = obs, info
            obs, info = simulation.replace(rows, info)
            info = info | {"final_obs": final_obs, "_final_obs": done}
            info |= {"final_info": final_info, "_final_info": done}
        return obs, reward, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Valid actions of every user; see `OneUserEnv.action_masks`."""
        return _action_masks(self.simulation)


def _first(info: Mapping[str, Any]) -> dict[str, Any]:
    """Info of the first user: numbers where the batch has ``(B,)``, arrays else."""
    return {
        name: _first(value)
        if isinstance(value, dict)
        else (value.item() if value.ndim == 1 else value[0])
        for name, value in info.items()
    }


def _action_masks(simulation: Simulation) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = simulation.backend.to_numpy(simulation.action_mask()) > 0  # (B, C)
    return mask if simulation.slots else np.tile(mask, (1, simulation.problem.slate_size))
