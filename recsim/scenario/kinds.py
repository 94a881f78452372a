"""The kinds of questions that a scenario can ask, found by name or by the keys that it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from recsim.errors import ScenarioError, UserError
from recsim.registry import Registry
from recsim.scenario.schema import Scenario
from recsim.settings import explain

__all__ = ["KINDS", "explain_fault", "kind_of_scenario", "parse_scenario", "relevant_faults"]


def _check(name: str, target: str, loaded: Any) -> None:
    if not (isinstance(loaded, type) and issubclass(loaded, Scenario)):
        raise UserError(
            f"kind of trial {name!r} ({target}) is not a subclass of "
            f"{Scenario.__module__}.{Scenario.__name__}."
        )


KINDS = Registry(
    "recsim.trials",
    "kind of trial",
    {
        "simulation": "recsim.trials.simulation:Simulation",
        "conversations": "recsim.trials.conversations:Conversations",
        "critiquing": "recsim.trials.critiquing:Critiquing",
        "holdout": "recsim.trials.holdout:Holdout",
        "logs": "recsim.trials.logs:Logs",
        "accuracy": "recsim.trials.accuracy:Accuracy",
    },
    _check,
)


def kind_of_scenario(content: Mapping[str, Any]) -> type[Scenario]:
    """Return the kind that a scenario names, or the one whose keys it has.

    Raises:
        UserError: If the kind is unknown, or the keys are those of no kind or of several.
    """
    content = dict(content)
    if content.get("kind"):
        kind: type[Scenario] = KINDS.load(str(content["kind"]))
        return kind
    # Another package's kind must be asked for by name: installing one changes no scenario.
    kinds: list[type[Scenario]] = [KINDS.load(name) for name in KINDS.builtin]
    claiming = [kind for kind in kinds if kind.claims(content)]
    if len(claiming) != 1:
        given = [key for key in ("env", "data", "benchmark") if content.get(key) is not None]
        words = " and ".join(map(repr, given)) or "none"
        raise ScenarioError(
            "give exactly one of 'env' (simulated users), 'data' (a log) and 'benchmark' (many "
            f"logs, to judge estimators by), not {words}"
        )
    (claimed,) = claiming
    return claimed


def parse_scenario(content: Mapping[str, Any]) -> Scenario:
    """Return the scenario that plain data describe.

    Raises:
        ScenarioError: Lists every mistake with its key path.
    """
    kind = kind_of_scenario(content)
    try:
        return kind.model_validate(dict(content))
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
        owners = [name for name, other in _loaded().items() if key in other.model_fields]
        if owners:
            return (
                f"{key!r} has no effect in a scenario of kind {kind.name_of_kind!r} (it belongs to "
                f"{', '.join(owners)}): remove it."
            )
    return explain(fault, kind)


def _loaded() -> dict[str, type[BaseModel]]:
    return {name: KINDS.load(name) for name in KINDS.builtin}
