"""The faces of environments that show slates."""

from __future__ import annotations

from gymnasium.vector import AutoresetMode

from envs.faces import BatchEnv, ScalarEnv
from envs.slates.simulation import SlateSimulation
from envs.world.backend import Array
from recsim.errors import EnvError
from recsim.problem import Problem


class SlateEnv(ScalarEnv[SlateSimulation]):
    """One user who is shown slates."""

    @property
    def problem(self) -> Problem:
        """The public facts: catalogue, slate size, reward names and weights."""
        return self.simulation.problem


class SlateBatchEnv(BatchEnv[SlateSimulation]):
    """Many users who are shown slates.

    Args:
        simulation: Of B users.
        max_episode_steps: Steps of the environment after which an episode is truncated, or None.
        autoreset_mode: See `BatchEnv`.
        render_mode: See `BatchEnv`.

    Raises:
        EnvError: If ``max_episode_steps`` does not end with a slate.
    """

    def __init__(
        self,
        simulation: SlateSimulation,
        max_episode_steps: int | None,
        autoreset_mode: AutoresetMode | str,
        render_mode: str | None,
    ) -> None:
        if max_episode_steps is not None:
            slates, rest = divmod(max_episode_steps, simulation.steps_per_slate)
            if rest or slates < 1:
                raise EnvError(
                    f"max_episode_steps is {max_episode_steps}; it must be a positive multiple of "
                    f"the {simulation.steps_per_slate} steps that a slate takes."
                )
            simulation.max_steps = min(slates, simulation.max_steps or slates)
        super().__init__(simulation, autoreset_mode, render_mode)

    @property
    def problem(self) -> Problem:
        """The public facts: catalogue, slate size, reward names and weights."""
        return self.simulation.problem

    @property
    def user_groups(self) -> Array | None:
        """Group of items nearest to each user's interest now, ``(B,)``; None if there is none."""
        return None

    @property
    def changes_users(self) -> bool:
        """Whether what is shown changes users, so that the best next slate need not be the best."""
        return True

    @property
    def max_days(self) -> int | None:
        """Day from which on an episode is truncated; None for no limit."""
        return self.simulation.max_days
