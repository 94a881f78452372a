import pytest
import torch

from agents.gru_thompson import GRUThompsonConfig
from agents.gru_thompson.choices import from_log
from agents.gru_thompson.config import FitConfig
from agents.gru_thompson.losses import terms
from reproductions.gru_thompson.distance import DistanceWorld
from reproductions.gru_thompson.published import (
    PublishedAgent,
    PublishedModel,
    published_settings,
)

WORLD = DistanceWorld(num_items=20, num_groups=4, slate_size=3)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


@pytest.fixture
def model(generator):
    config = FitConfig(dim=2, state="linear")
    return PublishedModel(config, torch.arange(20) % 4, 3, 6, generator)


@pytest.fixture(scope="module")
def log():
    cohort = WORLD.start(40, 0)
    cohort.log_for(6)
    return cohort.to_log()


def test_users_start_near_0_and_clicks_on_the_first_item_do_not_count(model):
    mean, deviation = model.start(torch.tensor([[-1], [0], [1]]))
    assert mean[:2].abs().max() == 0
    torch.testing.assert_close(deviation[:2], torch.full((2, 2), 2e-4))
    torch.testing.assert_close(mean[2], model.items.mean()[1])


def test_the_divergence_of_the_initial_states_is_not_scaled(model, log, generator):
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("width"):
                value.fill_(-30.0)  # deviations near 0
    choices = from_log(log).select(slice(0, 6))
    full = terms(model, "linear", choices, 6, generator)
    pairs = [choices.select(torch.tensor([a, b])) for a in range(6) for b in range(a)]
    parts = [terms(model, "linear", pair, 6, generator) for pair in pairs]
    starts = torch.stack([part.starts for part in parts]).mean()
    torch.testing.assert_close(starts, full.starts * 2 / 6, rtol=1e-3, atol=0)


def test_scales_are_absolute_values_that_start_near_0(model, generator):
    scales = model.group_scales(generator)
    assert (scales >= 1e-3).all()
    assert scales.mean() < 0.05
    assert (model.matrices["z"].mean().diagonal() < 0.9).all(), "not the identity"


@pytest.mark.parametrize("state", ["gru", "linear", "lingru", "markov"])
@pytest.mark.parametrize("training", ["staged", "end_to_end"])
@pytest.mark.parametrize("likelihood", ["slate", "all_items"])
def test_the_agent_acts_after_every_kind_of_training(log, state, training, likelihood):
    config = GRUThompsonConfig(
        **published_settings(40),
        dim=2,
        steps=4,
        evaluate_every=2,
        state=state,
        training=training,
        likelihood=likelihood,
    )
    agent = PublishedAgent(config, log.problem, 3)
    agent.fit(log)
    people = WORLD.start(8, 1)
    people.log_for(3)
    decision = agent.act(people.observation())
    assert decision.slates.shape == (8, 3)
    assert decision.propensities is None
