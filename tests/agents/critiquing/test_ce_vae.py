"""CE-VAE: critiques of predictions and loss by hand, and learning."""

import numpy as np
import pytest
import torch

from agents.critiquing.ce_vae import CEVAEAgent, CEVAEConfig
from agents.critiquing.ce_vae.agent import critiqued_aspects
from agents.critiquing.ce_vae.model import CEVAE, losses
from agents.critiquing.ce_vae.training import mean_reciprocal_rank
from agents.critiquing.popularity import RandomCritiqueAgent
from agents.critiquing.scoring import ScoringConfig
from recsim.critiquing import planted_reviews
from recsim.errors import AgentError, UserError

PREDICTED = np.array([[1.0, 5.0, 3.0, 2.0]])


def test_critiqued_aspects_become_the_lowest_or_highest():
    after = critiqued_aspects(PREDICTED, np.array([[0, -1, 1, 0]]), redistribute=False)
    assert after.tolist() == [[1, 1, 5, 2]]


def test_the_loss_of_a_critiqued_aspect_is_redistributed():
    after = critiqued_aspects(PREDICTED, np.array([[0, -1, 0, 0]]), redistribute=True)
    # 5 falls to 1, and the difference 4 is shared by three aspects.
    np.testing.assert_allclose(after, [[1 + 4 / 3, 1, 3 + 4 / 3, 2 + 4 / 3]])
    everything = critiqued_aspects(PREDICTED, np.full((1, 4), -1), redistribute=True)
    assert everything.tolist() == [[1, 1, 1, 1]]


def small_model():
    """Two items, one aspect, one dimension; the encoder gives 1 - 0.5 = 0.5 for the first item."""
    model = CEVAE(2, 1, 1, torch.Generator().manual_seed(0))
    weights = {
        "encoder.weight": [[1.0, 0.0], [0.0, 0.0]],
        "encoder.bias": [-0.5, -30.0],  # a deviation of exp(-30): no noise
        "items.weight": [[2.0], [1.0]],
        "items.bias": [0.0, 0.0],
        "aspects.weight": [[4.0]],
        "aspects.bias": [-1.0],
        "inverse.weight": [[1.0]],
        "inverse.bias": [0.0],
    }
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return model


def test_the_loss_by_hand():
    model, taken = small_model(), torch.tensor([[1.0, 0.0]])
    keys = {"corruption": 0.0, "generator": torch.Generator().manual_seed(0)}
    errors = losses(model, taken, torch.tensor([[1.0]]), beta=0.0, **keys)
    # Latent 0.5: items (1, 0.5) for (1, 0), aspect 1 for 1, inverse 1 for 0.5.
    assert errors.tolist() == pytest.approx([0.25 + 0 + 0.25])
    with_prior = losses(model, taken, torch.tensor([[1.0]]), beta=2.0, **keys)
    assert (with_prior - errors).tolist() == pytest.approx([0.5**2 - 1 + 60.0])


def test_the_target_of_the_inverse_has_no_gradient():
    model, taken = small_model(), torch.tensor([[1.0, 0.0]])
    generator = torch.Generator().manual_seed(0)
    losses(model, taken, torch.ones(1, 1), beta=0.0, corruption=0.0, generator=generator).backward()
    # d/dz: 2 * (0 * 2 + 0.5 * 1) from items, 0 from the aspect, 2 * 0.5 * 4 from its inverse.
    assert model.encoder.bias.grad[0].item() == pytest.approx(1 + 4)


def test_reciprocal_rank_is_among_items_without_a_review():
    # Scores (1, 0.5): item 0 is better but has a review.
    assert mean_reciprocal_rank(
        small_model(), torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([1])
    ) == pytest.approx(1.0)
    # Without reviews, the latent vector is relu(-0.5) = 0 and all scores are equal.
    assert mean_reciprocal_rank(
        small_model(), torch.zeros(1, 2), torch.tensor([0]), torch.tensor([1])
    ) == pytest.approx(1.0)


def test_one_critique_averages_the_user_and_the_inverse(data, problem_of, observe):
    agent = CEVAEAgent(CEVAEConfig(dim=6, epochs=3), problem_of(data), 0)
    agent.fit(data)
    obs = observe(data, 4, critiques=1)
    arrays = agent.state_dict()["arrays"]
    before = arrays["users"][obs["user"][:, 0]]
    aspects = before @ arrays["aspects_weight"].T + arrays["aspects_bias"]
    for row in range(4):
        aspects[row, obs["critiqued"][row] < 0] = aspects[row].min()
    back = np.maximum(aspects @ arrays["inverse_weight"].T + arrays["inverse_bias"], 0)
    np.testing.assert_allclose(agent.latent(obs), (before + back) / 2, rtol=1e-5)
    np.testing.assert_array_equal(agent.latent(observe(data, 4, critiques=0)), before)


def test_the_justification_has_the_highest_predictions_without_a_critique(
    data, problem_of, observe
):
    agent = CEVAEAgent(CEVAEConfig(dim=6, epochs=3, explained=4), problem_of(data), 0)
    agent.fit(data)
    obs = observe(data, 20, critiques=3)
    justification = agent.act(obs).justification
    assert (justification.sum(axis=1) == 4).all()
    assert not (justification & (obs["critiqued"] < 0)).any()
    # 9 of 10 aspects were critiqued: only one is left.
    assert (agent.act(observe(data, 20, critiques=9)).justification.sum(axis=1) == 1).all()


def test_training_stops_when_validation_items_are_no_longer_ranked_better(data, problem_of):
    agent = CEVAEAgent(CEVAEConfig(dim=20, patience=2, evaluate_every=2), problem_of(data), 0)
    losses = agent.fit(data).losses
    ranks = [entry["mrr"] for entry in losses]
    assert len(ranks) - 1 - int(np.argmax(ranks)) == 2
    assert losses[-1]["step"] < 300
    without = CEVAEAgent(CEVAEConfig(dim=4, epochs=7), problem_of(data), 0)
    assert [entry["step"] for entry in without.fit(data.select("train")).losses] == [5, 7]


def test_it_is_better_than_chance_and_the_filter_helps(problem_of, success):
    rates = []
    for seed in range(3):
        data = planted_reviews(users=150, num_items=100, seed=seed)
        agents = (
            RandomCritiqueAgent(ScoringConfig(), problem_of(data), seed),
            CEVAEAgent(CEVAEConfig(dim=30), problem_of(data), seed),
            CEVAEAgent(CEVAEConfig(dim=30, aspect_filter=True), problem_of(data), seed),
        )
        agents[0].fit(data)
        agents[1].fit(data)
        agents[2].load_state_dict(agents[1].state_dict())
        without = success(agents[1], data, critiques=False)
        rates.append([without, *(success(agent, data) for agent in agents)])
    without, chance, plain, filtered = np.array(rates).T
    # The standard error of a rate over 150 sessions is at most 0.04.
    assert min(without - chance) > 0.15
    assert np.mean(plain - without) > 0.04
    assert min(filtered - plain) > 0.3


def test_a_state_of_another_catalogue_is_rejected(data, problem_of):
    other = planted_reviews(users=20, num_items=30, num_aspects=10, reviews=5)
    agent = CEVAEAgent(CEVAEConfig(dim=3, epochs=1), problem_of(other), 0)
    agent.fit(other)
    with pytest.raises(AgentError, match="it has 30 items; there are 60"):
        CEVAEAgent(CEVAEConfig(dim=3), problem_of(data), 0).load_state_dict(agent.state_dict())


def test_an_unknown_device_is_rejected(data, problem_of):
    with pytest.raises(UserError, match="'ce_vae': no device 'nowhere' here"):
        CEVAEAgent(CEVAEConfig(device="nowhere"), problem_of(data), 0)
