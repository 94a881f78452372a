"""What can be wrong with a scenario of sessions: conversations, or critiques."""

from __future__ import annotations

from collections.abc import Iterable

from recsim.contracts.kinds import AnyProblem
from recsim.errors import UserError, did_you_mean
from recsim.scenario.building import make_agent
from recsim.scenario.schema import Scenario

__all__ = ["check_sessions"]

# Keys of a scenario that say nothing of sessions.
_WITHOUT_EFFECT = ("training_log", "steps", "rounds", "refit", "axis", "learn", "front")


def check_sessions(
    scenario: Scenario, problem: AnyProblem, *, of: str, action: str, known: Iterable[str]
) -> None:
    """Refuse a scenario of sessions that could not run.

    Args:
        scenario: The scenario.
        problem: The public facts of its environment.
        of: What the sessions are called.
        action: How agents act in them.
        known: The metrics that there are.

    Raises:
        UserError: Says which key is wrong, and what would be right.
    """
    assert scenario.env is not None
    for key in _WITHOUT_EFFECT:
        if key in scenario.model_fields_set:
            raise UserError(f"{key!r} has no effect on {of}: remove it.")
    if scenario.env.options.get("action", action) != action:
        raise UserError(f"env.action: agents of a scenario say what they show: use {action!r}.")
    for spec in scenario.agents:
        agent = make_agent(spec, problem, seed=0)
        if spec.training_log is not None:
            raise UserError(
                f"agents: {spec.label}: 'training_log' has no effect on {of}: remove it."
            )
        if spec.practice and not hasattr(agent, "observe"):
            raise UserError(
                f"agents: {spec.label}: 'practice' has no effect: {spec.name!r} does not learn "
                f"from the {of} that it holds."
            )
    for name in scenario.metrics or ():
        if name not in known:
            raise UserError(f"metrics: unknown metric {name!r}.{did_you_mean(name, known)}")
