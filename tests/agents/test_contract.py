"""What is declared as an agent is checked when it is loaded, not when it first acts."""

from importlib.metadata import EntryPoint

import pytest

import agents
from agents.baselines import RandomAgent
from recsim.errors import UserError


class NoConfig(RandomAgent):
    """Has no settings that could be checked."""

    Config = None


class Deaf(RandomAgent):
    """Cannot observe, and does not say what it needs."""

    observe = None
    needs_log = "no"


def not_a_class():
    """Builds nothing."""


@pytest.mark.parametrize(
    ("attribute", "faults"),
    [
        ("NoConfig", ["'Config' must be a pydantic model"]),
        ("Deaf", ["'needs_log' must be True or False", "'observe' must be a method"]),
        ("not_a_class", ["it is not a class"]),
    ],
)
def test_a_class_that_does_not_keep_the_contract_is_refused(monkeypatch, attribute, faults):
    point = EntryPoint("theirs", f"{__name__}:{attribute}", agents.GROUP)
    monkeypatch.setattr(agents, "entry_points", lambda group: [point])
    with pytest.raises(UserError, match="does not keep the contract") as told:
        agents.load("theirs")
    assert str(told.value).partition("Agent: ")[2].startswith("; ".join(faults))
    assert "does not keep" in agents.available()["theirs"], "the others are still listed"
