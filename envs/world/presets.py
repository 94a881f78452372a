"""Presets: the known problems of the field, each a world with a reward and limits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from envs.world.catalogue import Catalogue
from envs.world.choice import Cascade, MultinomialLogit, PositionBased
from envs.world.config import WorldConfig
from envs.world.dynamics import GroupFatigue, InterestDrift, Satisfaction, SessionBudget
from envs.world.part import Part
from envs.world.population import Population
from envs.world.registry import CONTRACTS, PARTS, merged, part_of, parts_of
from envs.world.retention import Retention
from recsim.errors import EnvError, did_you_mean, listed
from recsim.files import found_beside
from recsim.settings import validated


def _weight(value: Any, number: ValidatorFunctionWrapHandler) -> Any:
    """Return a weight; a function, or a pair of weight and function, is checked later."""
    return value if callable(value) or isinstance(value, list | tuple) else number(value)


Weight = Annotated[float, WrapValidator(_weight)]
"""Weight of a reward; for a function see `envs.world.rewards.named_rewards`."""


class Preset(Part):
    """A world, its reward and the limits of an episode.

    Attributes:
        description: One line for lists of presets.
        world: The parts.
        rewards: Weight of each named reward in the scalar; see docs/own_worlds.md.
        slate_size: Items shown at a time, K.
        max_steps: Slates after which an episode is truncated.
        max_days: Day from which an episode is truncated; only with retention.
    """

    description: str
    world: WorldConfig
    rewards: dict[str, Weight] = Field(default_factory=lambda: {"click": 1.0})
    slate_size: int = Field(5, ge=1)
    max_steps: int | None = Field(60, ge=0)
    max_days: int | None = Field(None, ge=0)


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


def preset(name: str | Preset) -> Preset:
    """Return a preset.

    Args:
        name: Its name, of this package or of another one; a YAML file; or a preset.

    Raises:
        EnvError: If there is none, it is declared twice, or its file is wrong; the message names
            the nearest.
    """
    if isinstance(name, Preset):
        return name
    if _is_file(name):
        return read_preset(name)
    others = _others()
    if name in PRESETS and name in others:
        target = listed(sorted(others[name]))
        raise EnvError(
            f"preset {name!r} of {target} has the name of a preset of this package: uninstall or "
            "rename it."
        )
    if name in PRESETS:
        return PRESETS[name]
    if name not in others:
        raise EnvError(f"Unknown preset {name!r}.{did_you_mean(name, [*PRESETS, *others])}")
    loaded = PARTS.load(f"preset.{name}")
    if isinstance(loaded, str | Path):
        return read_preset(loaded)
    if not isinstance(loaded, Preset):
        raise EnvError(
            f"preset {name!r} must be an envs.world.presets.Preset or the path of a YAML file, not "
            f"{loaded!r}."
        )
    return loaded


def describe_presets() -> dict[str, str]:
    """Return every preset with its one-line description, those of other packages included."""
    described = {name: preset.description for name, preset in PRESETS.items()}
    for name in sorted(_others()):
        try:
            described[name] = preset(name).description
        except Exception as error:  # one broken package does not hide the others
            described[name] = str(error)
    return described


def read_preset(file: str | Path, below: tuple[str, ...] = ()) -> Preset:
    """Read a preset from a YAML file.

    Its keys are those of `Preset`, where ``world`` are changes to that of the preset ``base``, from
    which the others are taken too; without ``base``, to a world of default parts. A file that the
    world names and that is not found from the working directory is looked for beside this one.

    Args:
        file: The file.
        below: Files that are based on it.

    Raises:
        EnvError: If the file is missing or not valid, or a key is wrong; names the file.
    """
    path = Path(file)
    content = _content(path)
    chain = (*below, str(path))
    try:
        if str(path) in below:
            raise EnvError(f"base: {' is based on '.join(chain)}.")
        base = content.pop("base", None)
        if base is not None and not isinstance(base, str):
            raise EnvError(f"base: must be the name of a preset, not {base!r}.")
        start = Preset(description=path.stem, world=WorldConfig())
        if base is not None:
            start = read_preset(base, chain) if _is_file(base) else preset(base)
        settings = dict(start)
        changes = content.pop("world", None) or {}
        for key in ("catalogue", "population") if isinstance(changes, Mapping) else ():
            part = changes.get(key)
            if isinstance(part, dict) and isinstance(part.get("path"), str):
                part["path"] = found_beside(part["path"], path.parent)
        settings["world"] = override(settings["world"], changes)
        if isinstance(content.get("rewards"), Mapping):
            content["rewards"] = {**settings["rewards"], **content["rewards"]}
        unknown = sorted(set(content) - set(Preset.model_fields))
        if unknown:
            known = [*Preset.model_fields, "base"]
            raise EnvError(f"{unknown[0]}: unknown key.{did_you_mean(str(unknown[0]), known)}")
        return validated(Preset, {**settings, **content}, "preset", error=EnvError)
    except EnvError as error:
        raise EnvError(f"{path}: {error}") from None


def _content(path: Path) -> dict[str, Any]:
    """Return the keys of a YAML file.

    Raises:
        EnvError: If there is no such file, or it holds something else.
    """
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise EnvError(f"{path}: not a text file in UTF-8, so not a preset.") from None
    except OSError as error:
        raise EnvError(f"preset {path} cannot be read: {error.strerror}.") from None
    try:
        content = OmegaConf.to_container(OmegaConf.create(text), resolve=True) if text else None
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        line = str(error).strip().partition("\n")[0].rstrip(".")
        raise EnvError(f"{path}: not valid YAML: {line}.") from None
    # OmegaConf reads a document that is one word as {word: None}.
    bare = isinstance(content, dict) and list(content) == [text.strip()]
    if not isinstance(content, dict) or not content or bare:
        raise EnvError(f"{path}: a preset is a list of 'key: value' lines.")
    return {str(key): value for key, value in content.items()}


def _is_file(name: str) -> bool:
    return Path(name).suffix in (".yaml", ".yml")


def _others() -> dict[str, set[str]]:
    """Return where the presets of other packages are, by name."""
    return {
        name.removeprefix("preset."): targets
        for name, targets in PARTS.targets().items()
        if name.startswith("preset.")
    }


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
        if key in CONTRACTS and key in WorldConfig.model_fields:
            try:
                if key == "dynamics":
                    settings[key] = parts_of(key, value, f"world.{key}")
                else:
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
