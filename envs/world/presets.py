"""Presets: the known problems of the field, each a world with a reward and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from envs.world.catalogue import Catalogue
from envs.world.choice import Cascade, MultinomialLogit, PositionBased
from envs.world.dynamics import GroupFatigue, InterestDrift, Satisfaction, SessionBudget
from envs.world.part import Part
from envs.world.population import Population
from envs.world.registry import CONTRACTS, merged, part_of
from envs.world.retention import Retention
from envs.world.world import WorldConfig
from recsim.errors import EnvError, did_you_mean
from recsim.settings import validated


class Preset(Part):
    """A world, its reward and the limits of an episode.

    Attributes:
        description: One line for lists of presets.
        world: The parts.
        rewards: Weight of each named reward in the scalar.
        slate_size: Items shown at a time, K.
        max_steps: Slates after which an episode is truncated.
        max_days: Day from which an episode is truncated; only with retention.
    """

    description: str
    world: WorldConfig
    rewards: dict[str, float] = Field(default_factory=lambda: {"click": 1.0})
    slate_size: int = 5
    max_steps: int | None = 60
    max_days: int | None = None


PRESETS: dict[str, Preset] = {
    "interest_evolution": Preset(
        description="interests drift towards what is consumed, within a time budget",
        world=WorldConfig(
            drift=InterestDrift(rate=0.15, noise=0.1),
            session=SessionBudget(minutes=90, spread=0.3, step_minutes=4.0, refund=2.0),
            choice=MultinomialLogit(no_click=3.5),
        ),
        rewards={"click": 0.0, "watch": 1.0},
        max_steps=200,
    ),
    "interest_exploration": Preset(
        description="the system knows almost nothing about new users and must explore",
        world=WorldConfig(
            catalogue=Catalogue(group_skew=1.0, feature_noise=0.2),
            population=Population(spread=0.4, feature_noise=1.5),
            choice=Cascade(threshold=3.0, patience=0.9),
            quality_appeal=2.0,
        ),
    ),
    "long_term_satisfaction": Preset(
        description="bait gets clicks now but lowers satisfaction and thereby later clicks",
        world=WorldConfig(
            catalogue=Catalogue(bait_quality_correlation=-0.8),
            satisfaction=Satisfaction(rate=0.2, appeal=10.0, engagement=0.8, neglect=0.5),
            choice=MultinomialLogit(no_click=4.0),
            affinity=2.0,
            bait_appeal=2.0,
            foresight=20.0,
        ),
        max_steps=120,
    ),
    "boredom": Preset(
        description="users tire of a group of items and recover when shown others",
        world=WorldConfig(
            fatigue=GroupFatigue(weight=8.0, memory=0.85),
            choice=MultinomialLogit(no_click=3.0),
            population=Population(spread=1.5),
        ),
    ),
    "position_bias": Preset(
        description="lower positions are rarely examined; several clicks are possible",
        world=WorldConfig(
            choice=PositionBased(threshold=2.5, bias=1.0),
            quality_appeal=2.0,
        ),
        slate_size=8,
    ),
    "retention": Preset(
        description="satisfied users return soon, others late or never; bait drives users away",
        world=WorldConfig(
            catalogue=Catalogue(bait_quality_correlation=-0.8, completion=0.0, length_spread=0.2),
            satisfaction=Satisfaction(rate=0.15, appeal=2.0, neglect=0.4, recovery=0.1),
            session=SessionBudget(minutes=20, spread=0.3, step_minutes=1.0),
            retention=Retention(churn=-2.5, churn_slope=8.0, hazard=0.0, hazard_slope=8.0),
            choice=MultinomialLogit(no_click=3.0),
            affinity=3.0,
            bait_appeal=3.0,
            foresight=50.0,
        ),
        rewards={"click": 1.0, "watch": 0.0, "return": 0.0},
        max_steps=600,
        max_days=60,
    ),
}


def preset(name: str) -> Preset:
    """Return the preset called ``name``.

    Raises:
        EnvError: If there is none; the message names the nearest.
    """
    if name not in PRESETS:
        raise EnvError(f"Unknown preset {name!r}.{did_you_mean(name, PRESETS)}")
    return PRESETS[name]


def override(world: WorldConfig, changes: Mapping[str, Any]) -> WorldConfig:
    """Return a copy of ``world`` with ``changes``, nested as the parts are.

    ``{"drift": None}`` removes a part; ``{"drift": {"rate": 0.3}}`` changes one parameter of it, or
    adds the part; a different ``kind`` replaces the choice model.

    Raises:
        EnvError: If a key or a value is wrong.
    """
    if not isinstance(changes, Mapping):
        return validated(WorldConfig, changes, "world", error=EnvError)
    settings: dict[str, Any] = dict(world)
    faults = []
    for key, value in changes.items():
        base = settings.get(key)
        if key in CONTRACTS:
            try:
                settings[key] = part_of(key, value, f"world.{key}", base)
            except EnvError as error:
                faults.append(str(error))
        else:
            plain = base.model_dump() if isinstance(base, Part) else base
            settings[key] = merged(plain, value)
    try:
        changed = validated(WorldConfig, settings, "world", error=EnvError)
    except EnvError as error:
        faults.append(str(error))
    if faults:
        raise EnvError("\n".join(faults))
    return changed
