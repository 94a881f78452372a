"""Slates drawn from the scores: probabilities, temperature, and items already seen."""

import numpy as np
import pytest
from scipy.stats import chisquare

import agents
from agents.shared.plackett_luce import entropy, temperatures_of_entropy
from recsim.errors import UserError

ITEMS = 5


@pytest.fixture
def fitted(make_sequences):
    def build(slate_size=2, **settings):
        sequences = np.random.default_rng(0).integers(0, ITEMS, (20, 6))
        log = make_sequences(sequences, ITEMS)
        settings = {"dim": 8, "layers": 1, "steps": 20, "init_std": 0.3, **settings}
        agent = agents.make("sasrec", log.problem, seed=0, **settings)
        agent.fit(log)
        agent._slate_size = slate_size
        return agent

    return build


def observe(*histories):
    items = np.array(histories)
    return {
        "history_items": items,
        "history_clicks": (items >= 0).astype(np.int8),
        "candidates": np.tile(np.arange(ITEMS), (len(items), 1)),
    }


@pytest.mark.parametrize("settings", [{"temperature": 0.7}, {"entropy": 0.8}])
def test_slates_are_drawn_with_the_probabilities_given(fitted, settings):
    agent = fitted(**settings)
    obs = observe(*[[0, 3]] * 4000)
    listed = agent.slate_distribution(observe([0, 3]))
    assert listed.probabilities.sum() == pytest.approx(1)
    agent.begin(4000)
    decision = agent.act(obs)
    same = (decision.slates[:, None] == listed.slates).all(axis=2)  # (B, S)
    assert (same.sum(axis=1) == 1).all()
    counts = same.sum(axis=0)
    assert chisquare(counts, 4000 * listed.probabilities[0]).pvalue > 1e-3
    np.testing.assert_allclose(
        decision.slate_propensities, listed.probabilities[0][same.argmax(axis=1)], rtol=1e-6
    )


def test_seen_items_are_drawn_only_when_no_other_is_left(fitted):
    agent = fitted(slate_size=4, temperature=1.0, exclude_seen=True)
    agent.begin(200)
    decision = agent.act(observe(*[[0, 3]] * 200))
    assert set(decision.slates[:, :3].ravel().tolist()) == {1, 2, 4}
    assert set(decision.slates[:, 3].tolist()) <= {0, 3}
    # The third is the only one left; only the softmax of the unseen counts for the first.
    scores = agent.scores(observe([0, 3]))[0]
    first = np.exp(scores[decision.slates[:, 0]]) / np.exp(scores[[1, 2, 4]]).sum()
    np.testing.assert_allclose(decision.prefix_propensities[:, 0], first, rtol=1e-6)


def test_the_temperature_is_that_of_the_entropy_asked_for(fitted):
    agent = fitted(slate_size=1, entropy=0.4, exclude_seen=True)
    chance = agent.action_probabilities(observe([0, 3], [2, 2], [-1, -1]))[:, 0]  # (B, C)
    found = -(chance * np.log(np.where(chance > 0, chance, 1))).sum(axis=1)
    np.testing.assert_allclose(found, 0.4 * np.log([3, 4, 5]), rtol=1e-6)
    greedy = fitted(slate_size=1, exclude_seen=True).act(observe([0, 3], [2, 2], [-1, -1]))
    assert (chance.argmax(axis=1) == greedy.slates[:, 0]).all(), "the order stays"


def test_temperatures_of_extreme_rows_are_finite():
    logits = np.array([[0.0, 0.0, 0.0], [1e5, 0.0, -np.inf], [1.0, 1.0, 0.0]])
    found = temperatures_of_entropy(logits, np.array([0.5, 0.5, 0.1]))
    assert np.isfinite(found).all()
    assert (found > 0).all()
    reached = entropy(logits / found)
    # Where all are equal, no temperature changes it; two equal largest ones leave log 2 or more.
    np.testing.assert_allclose(reached, [np.log(3), 0.5, np.log(2)], rtol=1e-3)


def test_temperature_and_entropy_are_refused_together(fitted):
    with pytest.raises(UserError, match="'entropy' sets the temperature: remove 'temperature'"):
        fitted(temperature=1.0, entropy=0.5)


def test_ties_are_broken_by_the_seed_and_not_by_the_id(fitted):
    agent = fitted(slate_size=ITEMS)
    for value in agent.model.parameters():
        value.data.zero_()
    obs = observe([0, 3])
    slate = agent.act(obs).slates[0].tolist()
    assert sorted(slate) == list(range(ITEMS))
    assert slate != list(range(ITEMS))
    turned = {**obs, "candidates": obs["candidates"][:, ::-1]}
    items = turned["candidates"][0, agent.act(turned).slates[0]]
    assert items.tolist() == slate, "the order of candidates does not matter"
    # A saved agent breaks them alike.
    other = agents.make("sasrec", agent.problem, seed=7, dim=8, layers=1)
    other.load_state_dict(agent.state_dict())
    assert other.act(obs).slates.tolist() == [slate[: other.slate_size]]
