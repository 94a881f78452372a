"""The kinds of scenarios, chosen by name or by the keys that a scenario has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from recsim.errors import ScenarioError, UserError, listed
from recsim.registry import Registry
from recsim.scenario.schema import Scenario
from recsim.settings import explain


def _check(name: str, target: str, loaded: Any) -> None:
    if not (isinstance(loaded, type) and issubclass(loaded, Scenario)):
        raise UserError(
            f"kind of trial {name!r} ({target}) is not a subclass of "
            f"{Scenario.__module__}.{Scenario.__name__}."
        )
    missing = ", ".join(sorted(loaded.__abstractmethods__))
    if missing:
        raise UserError(f"kind of trial {name!r} ({target}) lacks methods: {missing}.")
    own = getattr(loaded, "name_of_kind", None)
    if own != name:
        raise UserError(
            f"kind of trial {name!r} ({target}) has the 'name_of_kind' {own!r}: use one name."
        )


KINDS = Registry(
    "recsim.trials",
    "kind of trial",
    {
        "simulation": "recsim.trials.simulation:Simulation",
        "conversations": "recsim.trials.conversations:Conversations",
        "critiquing": "recsim.trials.critiquing:Critiquing",
        "holdout": "recsim.trials.holdout:Holdout",
        "next_item": "recsim.trials.next_item:NextItem",
        "logs": "recsim.trials.logs:Logs",
        "accuracy": "recsim.trials.accuracy:Accuracy",
    },
    _check,
)


def kind_and_keys(content: Mapping[str, Any]) -> tuple[type[Scenario], dict[str, Any]]:
    """Return the kind of a scenario, and its keys.

    The kind is the one that the scenario names, or else the one whose keys it has. Keys of other
    kinds may be null, which means that they are not given; they are left out.

    Raises:
        UserError: If the kind is unknown, or the keys are those of no kind or of several.
    """
    kind = _kind(dict(content))
    nulls = {key for key, value in content.items() if value is None} - kind.model_fields.keys()
    dropped = {key for key in nulls if _kinds_with(key)}
    return kind, {key: value for key, value in content.items() if key not in dropped}


def _kind(content: dict[str, Any]) -> type[Scenario]:
    if content.get("kind"):
        kind: type[Scenario] = KINDS.load(str(content["kind"]))
        return kind
    # Kinds of other packages are only used by name: installing one changes no scenario.
    kinds: list[type[Scenario]] = [KINDS.load(name) for name in KINDS.builtin]
    claiming = [kind for kind in kinds if kind.claims(content)]
    if len(claiming) != 1:
        given = [key for key in ("env", "data", "benchmark") if content.get(key) is not None]
        words = listed(map(repr, given)) or "none"
        raise ScenarioError(
            "give exactly one of 'env' (simulated users), 'data' (a log) and 'benchmark' (many "
            f"logs, to test estimators on), not {words}."
        )
    (claimed,) = claiming
    return claimed


def parse_scenario(content: Mapping[str, Any]) -> Scenario:
    """Return the scenario that plain data describe.

    Raises:
        ScenarioError: Lists every mistake with its key path.
    """
    kind, keys = kind_and_keys(content)
    try:
        return kind.model_validate(keys)
    except ValidationError as error:
        raise ScenarioError(
            "\n".join(
                f"{'.'.join(map(str, fault['loc'])) or 'scenario'}: {explain_fault(fault, kind)}"
                for fault in relevant_faults(error)
            )
        ) from None


def relevant_faults(error: ValidationError) -> list[ErrorDetails]:
    """Return the faults, without those that only follow from an unknown key."""
    faults = error.errors(include_url=False)
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    # A missing key next to an unknown one is nearly always the unknown one misspelt.
    parents = {fault["loc"][:-1] for fault in unknown}
    # A list whose entries are wrong is also reported as too short.
    inside = {fault["loc"][:n] for fault in faults for n in range(len(fault["loc"]))}
    return [
        fault
        for fault in faults
        if not (fault["type"] == "missing" and fault["loc"][:-1] in parents)
        and not (fault["type"] == "too_short" and fault["loc"] in inside)
    ]


def explain_fault(fault: ErrorDetails, kind: type[Scenario]) -> str:
    """Say what is wrong with one key, and what would be right.

    A key that another kind has is named as such.
    """
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        key = str(fault["loc"][0])
        owners = _kinds_with(key)
        if owners:
            return (
                f"has no effect in a scenario of kind {kind.name_of_kind!r}, only in "
                f"{listed(owners)}: remove it."
            )
    return explain(fault, kind)


def _kinds_with(key: str) -> list[str]:
    """Return the built-in kinds that have a key."""
    return [name for name in KINDS.builtin if key in KINDS.load(name).model_fields]
