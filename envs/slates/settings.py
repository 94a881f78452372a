"""Settings of the environments that show slates to simulated users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from envs.settings import EnvSettings
from envs.world.presets import Preset, Weight

Limit = Annotated[int, Field(ge=0)]


class SlateSettings(EnvSettings):
    """What ``SlateRec-v0`` and ``LearnedRec-v0`` have in common.

    Attributes:
        rewards: Weights of named rewards; the others keep their defaults.
        slate_size: K; None for the default of the preset or the log.
        num_candidates: C, drawn at each step; None for the whole catalogue.
        history: Slates kept in the observation, H.
        max_steps: Slates after which an episode is truncated; 0 for no limit.
        max_days: Day from which on an episode is truncated; 0 for no limit.
        action: ``"slate"`` for a slate at a time, ``"slot"`` for an item at a time.
        observation: ``"ids"`` for a dict with the ids of items, ``"features"`` for one flat vector
            with their features.
        reveal_state: Whether info holds the latent state and the oracle.
    """

    rewards: Mapping[str, float] | None = None
    slate_size: int | None = Field(None, ge=1)
    num_candidates: int | None = Field(None, ge=1)
    history: int = Field(5, ge=1)
    max_steps: Limit | None = None
    max_days: Limit | None = None
    action: Literal["slate", "slot"] = "slate"
    observation: Literal["ids", "features"] = "ids"
    reveal_state: bool = False


def _preset(value: Any) -> Any:
    if not isinstance(value, str | Preset):
        raise ValueError(f"must be the name of a preset, a YAML file or a Preset, not {value!r}")
    return value


class SlateRecSettings(SlateSettings):
    """Settings of ``SlateRec-v0``; limits of None are those of the preset.

    Attributes:
        rewards: Weights of named rewards; also functions of `envs.world.contracts.Step`, or pairs
            of weight and function.
        preset: World to start from: a name, a YAML file, or an `envs.world.presets.Preset`.
        world: Changes to it, nested as in `envs.world.config.WorldConfig`.
    """

    env_id: ClassVar[str] = "SlateRec-v0"

    rewards: Mapping[str, Weight] | None = None
    preset: Annotated[Any, AfterValidator(_preset)] = "interest_evolution"
    world: Mapping[str, Any] | None = None


class SlateRecVectorSettings(SlateRecSettings):
    """Settings of ``SlateRec-v0`` with many users: those of one user, and where arrays live.

    Attributes:
        backend: Array library.
        device: Torch device, e.g. ``"cuda"``; None for the CPU.
    """

    backend: Literal["numpy", "torch"] = "numpy"
    device: str | None = None
