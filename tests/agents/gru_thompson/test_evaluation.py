import math

import numpy as np
import pytest
import torch

from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson.choices import from_log
from agents.gru_thompson.evaluation import likelihoods
from recsim.errors import AgentError
from reproductions.gru_thompson.distance import DistanceWorld


@pytest.fixture(scope="module")
def logs():
    world = DistanceWorld(num_items=40, num_groups=5, slate_size=3, seed=1)
    made = []
    for users, seed in ((300, 1), (1000, 2)):
        cohort = world.start(users, seed)
        cohort.log_for(10)
        made.append(cohort.to_log())
    return made


@pytest.fixture(scope="module")
def agent(logs):
    config = GRUThompsonConfig(
        dim=2, state="linear", steps=200, learning_rate=0.1, likelihood_temperature=0.2, top=10
    )
    made = GRUThompsonAgent(config, logs[0].problem, 0)
    made.fit(logs[0])
    return made


def test_the_log_probability_of_a_choice_by_hand():
    """One user and two items with known vectors: the state becomes that of the clicked item."""
    problem = DistanceWorld(num_items=2, num_groups=1, slate_size=2).start(1, 0).problem
    agent = GRUThompsonAgent(GRUThompsonConfig(dim=2, state="markov", steps=1), problem, 0)
    cohort = DistanceWorld(num_items=2, num_groups=1, slate_size=2).start(1, 0)
    cohort.log_for(2)
    choices = from_log(cohort.to_log())
    choices.items[0] = torch.tensor([[0, 1], [0, 1]])
    choices.choice[0], choices.click[0] = torch.tensor([1, 2]), torch.tensor([0, 1])
    agent.fit(cohort.to_log())
    model = agent._model
    with torch.no_grad():
        model.items.location[:] = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    nothing = float(model.bias.mean()[3].detach())
    values = agent.log_probabilities(choices.after(1))
    # Before the second step the preference is item 0: distances 0 (1e-5 in effect) and 5.
    total = math.exp(nothing) + 1 + math.exp(-5)
    assert math.isnan(values[0, 0])
    assert values[0, 1] == pytest.approx(-5 - math.log(total), abs=1e-4)


def test_a_fitted_agent_beats_both_references(agent, logs):
    choices = from_log(logs[1]).after(5)
    rows = likelihoods(agent, choices, from_log(logs[0]))
    assert [(row.choice_set, row.kind) for row in rows] == [("slate", 4), ("all_items", 4)]
    for row in rows:
        assert row.choices == 1000 * 5
        assert row.uniform == pytest.approx(-math.log(4))
        assert row.model > row.popularity + 0.02
        assert row.model > row.uniform + 0.05
    again = likelihoods(agent, choices, from_log(logs[0]))
    assert again == rows


def test_kinds_partition_the_choices(agent, logs):
    choices = from_log(logs[1]).after(5)
    kind = np.tile(np.arange(10) % 2, (1000, 1))
    rows = likelihoods(agent, choices, from_log(logs[0]), kind=kind)
    slate = [row for row in rows if row.choice_set == "slate"]
    assert [(row.kind, row.choices) for row in slate] == [(0, 2000), (1, 3000)]
    (whole, _) = likelihoods(agent, choices, from_log(logs[0]))
    mean = sum(row.choices * row.model for row in slate) / 5000
    assert mean == pytest.approx(whole.model)


def test_hits_and_likelihood(agent, logs):
    evaluation = agent.evaluate(from_log(logs[1]), 5)
    (slate, _) = likelihoods(agent, from_log(logs[1]).after(5), from_log(logs[0]))
    assert evaluation.likelihood == pytest.approx(slate.model, abs=1e-5)
    assert 0.3 < evaluation.hits <= 1  # at random: a quarter
    with pytest.raises(AgentError, match="there are no choices from step 10"):
        agent.evaluate(from_log(logs[1]), 10)


def test_only_a_fitted_agent_can_evaluate_choices(logs):
    agent = GRUThompsonAgent(GRUThompsonConfig(), logs[0].problem, 0)
    with pytest.raises(AgentError, match="must be fitted"):
        agent.log_probabilities(from_log(logs[0]))
