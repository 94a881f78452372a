"""The faces of environments that show slates."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import AutoresetMode

from envs.faces import BatchEnv, ScalarEnv
from envs.slates.drawing import Story, Window, image
from envs.slates.simulation import SlateSimulation
from envs.world.backend import Array
from recsim.errors import EnvError
from recsim.problem import Problem


class SlateEnv(ScalarEnv[SlateSimulation]):
    """One user who is shown slates."""

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["ansi", "rgb_array", "human"],
        "render_fps": 2,
    }

    def __init__(self, simulation: SlateSimulation, render_mode: str | None) -> None:
        super().__init__(simulation, render_mode)
        self._story: Story | None = None
        if render_mode in ("rgb_array", "human"):
            self._story = Story(self.problem.item_groups, self.problem.item_names)
        self._window = Window(1 / self.metadata["render_fps"])

    @property
    def problem(self) -> Problem:
        """The public facts: catalogue, slate size, reward names and weights."""
        return self.simulation.problem

    @property
    def feature_layout(self) -> dict[str, slice]:
        """Blocks of an observation with ``observation="features"``, by name; empty with ids."""
        return self.simulation.feature_layout

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a new episode; see `ScalarEnv.reset`."""
        obs, info = super().reset(seed=seed, options=options)
        if self._story is not None:
            self._story.begin(self.simulation.describe(), self._satisfaction())
            self._show()
        return obs, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step; see `ScalarEnv.step`."""
        obs, reward, terminated, truncated, info = super().step(action)
        if self._story is not None:
            self._story.add(info, self.simulation.describe(), self._satisfaction())
            self._show()
        return obs, reward, terminated, truncated, info

    def render(self) -> Any:
        """Return the last step as text, or as a picture ``(400, 640, 3)``.

        With ``render_mode="human"`` every reset and step shows the picture in a window, and this
        method returns None.
        """
        if self.render_mode == "rgb_array" and self._story is not None:
            return image(self._story)
        return super().render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._window.close()

    def _satisfaction(self) -> float | None:
        """Return the satisfaction of the user; None in a world without it."""
        latent = self.simulation.world.latent(self.simulation.state).get("satisfaction")
        return None if latent is None else float(latent[0])

    def _show(self) -> None:
        if self.render_mode == "human" and self._story is not None:
            self._window.show(self._story)


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
    def feature_layout(self) -> dict[str, slice]:
        """Blocks of an observation with ``observation="features"``, by name; empty with ids."""
        return self.simulation.feature_layout

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
