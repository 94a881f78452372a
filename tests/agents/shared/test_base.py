"""What agents inherit: errors, and saving with all their random generators."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from agents.shared.base import BaseConversationAgent, BaseCritiquingAgent, BaseSlateAgent
from agents.shared.torch_agent import TorchAgent
from recsim.contracts.slates import AgentConfig
from recsim.errors import AgentError, UserError


class Config(AgentConfig):
    dim: int = 2
    device: str = "cpu"


class Fair(BaseSlateAgent):
    """Draws numbers."""

    name = "fair"

    def __init__(self, config, problem, seed):
        super().__init__(config, problem, seed)
        self._coins = np.random.default_rng(seed)

    def draw(self):
        return self._coins.random(3)


class Linear(TorchAgent[nn.Linear], Fair):
    """Draws numbers with torch too."""

    name = "linear"
    sizes: ClassVar[tuple[str, ...]] = ("dim",)

    def __init__(self, config, problem, seed):
        super().__init__(config, problem, seed)
        self._generator = self._new_generator()

    def fit(self, log):
        self._model = self._rebuild({})

    def draw(self):
        return [*super().draw(), *torch.rand(3, generator=self._generator).tolist()]

    def _rebuild(self, state):
        return nn.Linear(self._config.dim, 1)


class Pair(Linear):
    """Has two networks."""

    parts = ("first", "second")

    def _rebuild(self, state):
        return nn.ModuleDict({name: nn.Linear(self._config.dim, 1) for name in self.parts})


@pytest.mark.parametrize("kind", [Fair, Linear, Pair])
def test_random_generators_continue_where_they_stopped(make_problem, kind):
    problem = make_problem()
    agent, other = (kind(Config(), problem, seed) for seed in (0, 1))
    agent.draw()
    other.load_state_dict(agent.state_dict())
    np.testing.assert_array_equal(agent.draw(), other.draw())


@pytest.mark.parametrize("kind", [Linear, Pair])
def test_networks_are_saved_as_copies(make_problem, kind):
    agent, other = (kind(Config(), make_problem(), 0) for _ in range(2))
    agent.fit(None)
    state = agent.state_dict()
    before = repr(state)
    other.load_state_dict(state)
    for one, same in zip(agent.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(one, same)
    with torch.no_grad():
        for values in agent.model.parameters():
            values.zero_()
    assert repr(state) == before
    other.load_state_dict(kind(Config(), make_problem(), 0).state_dict())
    with pytest.raises(
        AgentError, match="agent 'linear' must be fitted on a log before it can act: agent"
    ):
        other.model  # noqa: B018


def test_a_state_that_does_not_fit_is_refused(make_problem):
    agent, wider = (Linear(Config(dim=dim), make_problem(), 0) for dim in (2, 3))
    agent.fit(None)
    message = "'linear' was fitted on another catalogue or with another 'dim': size mismatch for"
    with pytest.raises(AgentError, match=message):
        wider.load_state_dict(agent.state_dict())
    message = "it has no 'generator', so it was not saved by 'linear' with these settings"
    with pytest.raises(AgentError, match=message):
        agent.load_state_dict(Fair(Config(), make_problem(), 0).state_dict())


def test_a_missing_device_is_refused(make_problem):
    with pytest.raises(UserError, match="agent 'linear': no device 'nowhere' here"):
        Linear(Config(device="nowhere"), make_problem(), 0)


def test_a_slate_agent_checks_what_it_needs(make_problem, make_log):
    problem = make_problem(users=3)
    agent = Fair(Config(), problem, 0)
    agent.require_user_features(make_log(problem, 2))
    with pytest.raises(AgentError, match="'fair' expects 3 user features; the log has 2"):
        agent.require_user_features(make_log(make_problem(users=2), 2))
    agent.require(True, "clicks")
    with pytest.raises(AgentError, match="'fair' learns from clicks, but the log has none"):
        agent.require(False, "clicks")
    assert agent.fit(make_log(problem, 2)).rows == 0


def test_agents_of_the_other_kinds():
    class Asks(BaseConversationAgent):
        name = "asks"

    class Shows(BaseCritiquingAgent):
        name = "shows"

    assert "must be fitted before it can act." in str(Asks(Config(), None, 0).unfitted())
    shows, other = Shows(Config(), None, 3), Shows(Config(), None, 4)
    other.load_state_dict(shows.state_dict())
    assert other.state_dict() == {"seed": 3}
