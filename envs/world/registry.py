"""Kinds of parts by name, and from what a person wrote to a part of a world.

The name of an entry is ``<slot>.<kind>``, e.g. ``choice.cascade``. Other packages add kinds under
the entry-point group ``recsim.world``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic import BeforeValidator

from envs.world.contracts import (
    CandidatesPart,
    CataloguePart,
    ChoicePart,
    DynamicsPart,
    PopulationPart,
    RetentionPart,
    RewardPart,
)
from envs.world.part import Part
from recsim.errors import EnvError, did_you_mean
from recsim.registry import Registry
from recsim.settings import validated

# The class that every part of a slot inherits from.
CONTRACTS: dict[str, type[Part]] = {
    "catalogue": CataloguePart,
    "population": PopulationPart,
    "choice": ChoicePart,
    "retention": RetentionPart,
    "dynamics": DynamicsPart,
    "candidates": CandidatesPart,
    "reward": RewardPart,
}
# The kind that settings without ``kind`` are of, where the preset has no part in the slot.
_DEFAULTS = {
    "catalogue": "drawn",
    "population": "drawn",
    "choice": "multinomial_logit",
    "retention": "hazard",
}
# Keys that only one kind of the slot has, so that ``kind`` need not be written.
_IMPLIED = {
    "catalogue": {"path": "table", "data": "table"},
    "population": {"path": "table", "data": "table"},
}


def _check(name: str, target: str, loaded: Any) -> None:
    slot = name.partition(".")[0]
    if slot == "preset":  # see `envs.world.presets.preset`
        return
    contract = CONTRACTS.get(slot)
    if contract is None:
        raise EnvError(
            f"world part {name!r} ({target}): names are <slot>.<kind>, and there is no slot "
            f"{slot!r}.{did_you_mean(slot, [*CONTRACTS, 'preset'])}"
        )
    if not (inspect.isclass(loaded) and issubclass(loaded, contract)):
        raise EnvError(
            f"world part {name!r} ({target}) must be a subclass of "
            f"envs.world.contracts.{contract.__name__}, not {loaded!r}."
        )


PARTS = Registry(
    "recsim.world",
    "world part",
    {
        "catalogue.drawn": "envs.world.catalogue:Catalogue",
        "catalogue.table": "envs.world.own_items:TableCatalogue",
        "choice.cascade": "envs.world.choice:Cascade",
        "choice.multinomial_logit": "envs.world.choice:MultinomialLogit",
        "choice.position_based": "envs.world.choice:PositionBased",
        "retention.hazard": "envs.world.retention:Retention",
        "population.drawn": "envs.world.population:Population",
        "population.table": "envs.world.own_users:TablePopulation",
    },
    _check,
    EnvError,
)


def describe_parts() -> dict[str, str]:
    """Return every part with the first line of its docstring; of a wrong one, what is wrong."""
    described = {}
    for name, line in PARTS.describe().items():
        slot = name.partition(".")[0]
        if slot in CONTRACTS:
            described[name] = line
        elif slot != "preset":
            near = did_you_mean(slot, [*CONTRACTS, "preset"])
            described[name] = f"names are <slot>.<kind>; there is no slot {slot!r}.{near}"
    return described


def kinds(slot: str) -> list[str]:
    """Return the kinds of a slot, sorted."""
    return [name.partition(".")[2] for name in PARTS.names() if name.startswith(f"{slot}.")]


def part_of(slot: str, given: Any, where: str, base: Part | None = None) -> Any:
    """Return the part that was given for a slot.

    Args:
        slot: A key of `CONTRACTS`.
        given: A part, or its settings as a mapping, with the ``kind`` among them; anything else is
            returned as it is.
        where: Prefix of key paths in messages.
        base: The part that is there already: settings of the same kind change it. Any other kind
            replaces it.

    Raises:
        EnvError: If there is no such kind, a setting is wrong, or the part belongs elsewhere.
    """
    contract = CONTRACTS[slot]
    if isinstance(given, contract):
        return given
    if inspect.isclass(given):
        raise EnvError(f"{where}: {given.__name__} is a class: give an instance of it.")
    if isinstance(given, Part):
        raise EnvError(
            f"{where}: {type(given).__name__} is a part of another slot: one of this slot inherits "
            f"from envs.world.contracts.{contract.__name__}."
        )
    if not isinstance(given, Mapping):
        return given
    known = kinds(slot)
    default = getattr(base, "kind", _DEFAULTS.get(slot))
    kind = given.get("kind", _implied(slot, given) or default)
    if kind is None:
        raise EnvError(f"{where}: 'kind' is missing.{did_you_mean('', known)}")
    if kind not in known:
        raise EnvError(f"{where}: unknown kind {kind!r}.{did_you_mean(str(kind), known)}")
    settings: Mapping[str, Any] = given
    if base is not None and getattr(base, "kind", None) == kind:
        settings = merged(base.model_dump(exclude_unset=True), given)
        for one, other in (("path", "data"), ("data", "path")):
            if one in given and other not in given:  # another source replaces the first
                settings = {key: value for key, value in settings.items() if key != other}
    part = PARTS.load(f"{slot}.{kind}")
    return validated(part, {**settings, "kind": kind}, where, error=EnvError)


def open_slot(slot: str) -> BeforeValidator:
    """Return the validator of a slot: it accepts any part of the slot, or the settings of one."""

    def resolve(given: Any) -> Any:
        try:
            return part_of(slot, given, slot)
        except EnvError as error:
            raise ValueError(str(error)) from None

    return BeforeValidator(resolve)


def open_slots(slot: str) -> BeforeValidator:
    """Return the validator of a slot that holds any number of parts."""

    def resolve(given: Any) -> Any:
        try:
            return parts_of(slot, given, slot)
        except EnvError as error:
            raise ValueError(str(error)) from None

    return BeforeValidator(resolve)


def parts_of(slot: str, given: Any, where: str) -> Any:
    """Return the parts of a list; arguments and errors are those of `part_of`."""
    if not isinstance(given, list | tuple):
        return given
    return tuple(part_of(slot, each, f"{where}.{place}") for place, each in enumerate(given))


def is_own(part: Part) -> bool:
    """Return whether a part is not one of this package, so that what it returns is checked."""
    return not type(part).__module__.startswith(__name__.partition(".")[0] + ".")


def merged(base: Any, changes: Any) -> Any:
    """Return settings with changes, nested as the settings are."""
    if not (isinstance(base, dict) and isinstance(changes, Mapping)):
        return changes
    return {**base, **{key: merged(base.get(key), value) for key, value in changes.items()}}


def _implied(slot: str, given: Mapping[str, Any]) -> str | None:
    return next((kind for key, kind in _IMPLIED.get(slot, {}).items() if key in given), None)
