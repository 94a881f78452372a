"""Baselines that ignore critiques."""

import numpy as np
import pytest

from agents.critiquing.popularity import PopularCritiqueAgent, RandomCritiqueAgent
from agents.critiquing.scoring import ScoringConfig
from recsim.critiquing import planted_reviews
from recsim.errors import AgentError


def test_the_item_with_most_train_reviews_comes_first(data, problem_of, observe):
    agent = PopularCritiqueAgent(ScoringConfig(), problem_of(data), 0)
    agent.fit(data)
    obs = observe(data, 5)
    agent.begin(np.arange(5))
    showing = agent.act(obs)
    train = data.rows("train")
    counts = [int((data.item[train] == item).sum()) for item in range(data.num_items)]
    assert showing.scores.tolist() == [counts] * 5
    allowed = np.where(obs["action_mask"] > 0, counts, -1).argmax(axis=1)
    np.testing.assert_array_equal(showing.justification, data.item_aspects[allowed])
    for item, aspects in zip(allowed, showing.aspects, strict=True):
        mentions = data.aspects[train][data.item[train] == item].sum(axis=0)
        np.testing.assert_array_equal(aspects, mentions)


def test_all_orders_are_equally_likely_and_constant_in_a_session(data, problem_of, observe):
    agent = RandomCritiqueAgent(ScoringConfig(), problem_of(data), 3)
    agent.begin(np.arange(2000))
    first = agent.act(observe(data, 2000, critiques=0)).scores
    later = agent.act(observe(data, 2000, critiques=3)).scores
    np.testing.assert_array_equal(first, later)
    best = np.bincount(first.argmax(axis=1), minlength=data.num_items)
    # Each item is best 2000 / 60 = 33.3 times, with a standard deviation of 5.7.
    assert abs(best - 2000 / 60).max() < 5 * 5.7
    assert abs(np.corrcoef(first[:-1].ravel(), first[1:].ravel())[0, 1]) < 0.02


def test_popularity_must_be_fitted(data, problem_of, observe):
    agent = PopularCritiqueAgent(ScoringConfig(), problem_of(data), 0)
    with pytest.raises(AgentError, match="'critique_popularity' must be fitted"):
        agent.act(observe(data, 2))


def test_counts_of_another_catalogue_are_rejected(data, problem_of):
    agent = PopularCritiqueAgent(ScoringConfig(), problem_of(data), 0)
    with pytest.raises(AgentError, match="it has 3 items; there are 60"):
        agent.load_state_dict({"seed": 0, "counts": np.zeros(3)})


def test_the_filter_improves_success(problem_of, success):
    for kind in (PopularCritiqueAgent, RandomCritiqueAgent):
        gains = []
        for seed in range(3):
            data = planted_reviews(users=150, num_items=100, seed=seed)
            rates = []
            for aspect_filter in (True, False):
                config = ScoringConfig(aspect_filter=aspect_filter)
                agent = kind(config, problem_of(data), seed)
                agent.fit(data)
                rates.append(success(agent, data))
            gains.append(rates[0] - rates[1])
        # A share of 150 sessions has a standard error of 0.04 at most.
        assert min(gains) > 0.15, kind
