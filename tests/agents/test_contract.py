"""The class of an agent is checked when it is loaded, not when it first acts."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

import agents
from agents import AgentConfig
from agents.baselines import RandomAgent
from recsim.critiquing import CritiquingProblem
from recsim.errors import AgentError, UserError


class NoConfig(RandomAgent):
    """Has no settings."""

    Config = None


class CannotObserve(RandomAgent):
    """Cannot observe, and does not declare what it needs."""

    observe = None
    needs_log = "no"


class CannotAct:
    """A critiquing agent that cannot act."""

    Config = AgentConfig
    critiquing = True

    def __init__(self, config, problem, seed):
        self.problem = problem

    def fit(self, data):
        """Learn nothing."""

    def begin(self, sessions):
        """Forget nothing."""

    def state_dict(self):
        """Return nothing."""
        return {}

    def load_state_dict(self, state):
        """Restore nothing."""


class Shows(CannotAct):
    """Shows nothing in particular."""

    def act(self, obs):
        """Show."""


def not_a_class():
    """Builds nothing."""


@pytest.mark.parametrize(
    ("attribute", "faults"),
    [
        ("NoConfig", ["'Config' must be a pydantic model"]),
        ("CannotObserve", ["'needs_log' must be True or False", "'observe' must be a method"]),
        ("not_a_class", ["it is not a class"]),
        ("CannotAct", ["'act' must be a method"]),
    ],
)
def test_a_class_that_does_not_keep_the_contract_is_refused(monkeypatch, attribute, faults):
    point = EntryPoint("theirs", f"{__name__}:{attribute}", "recsim.agents")
    monkeypatch.setattr("recsim.registry.entry_points", lambda group: [point])
    with pytest.raises(AgentError, match="does not keep the contract") as error:
        agents.load("theirs")
    assert str(error.value).partition("Agent: ")[2].startswith("; ".join(faults))
    contract = "critiquing.CritiquingAgent" if attribute == "CannotAct" else "slates.Agent"
    assert f"the contract of recsim.contracts.{contract}: " in str(error.value)
    assert {"theirs", "linucb"} <= agents.available().keys(), "the others are still listed"


def test_an_agent_is_built_only_for_problems_of_its_kind(monkeypatch, make_problem):
    point = EntryPoint("shows", f"{__name__}:Shows", "recsim.agents")
    monkeypatch.setattr("recsim.registry.entry_points", lambda group: [point])
    problem = CritiquingProblem(
        num_users=1,
        num_items=1,
        num_aspects=1,
        max_turns=1,
        item_aspects=np.ones((1, 1), dtype=bool),
        aspect_names=("a",),
        item_names=("i",),
    )
    assert isinstance(agents.make("shows", problem), agents.CritiquingAgent)
    message = "'shows' is critiqued by users; this environment shows slates. Agents for it: .*lin"
    with pytest.raises(UserError, match=message):
        agents.make("shows", make_problem())
    message = "'linucb' recommends slates to users; this environment takes critiques. .*shows"
    with pytest.raises(UserError, match=message):
        agents.make("linucb", problem)
    message = "'fact_crs' holds conversations with users; this environment takes critiques."
    with pytest.raises(UserError, match=message):
        agents.make("fact_crs", problem)
