"""Counting the unsupported actions of a policy of slates."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import EstimationError, UserError
from recsim.estimators import estimate_logging, evaluate_slates, evaluate_trajectories
from recsim.estimators.slates.distribution import SlateDistribution
from recsim.estimators.slates.explicit_policies import UniformSlates

ROWS = 20


class Fixed:
    """Shows candidate i in a slate of one with probability ``chances[i]``."""

    def __init__(self, chances):
        self.chances = np.array(chances)

    def propensities(self, obs, items):
        return np.where(items < 0, 1.0, self.chances[items])

    def action_probabilities(self, obs):
        return np.broadcast_to(self.chances, (len(obs["candidates"]), 1, len(self.chances)))


class Listed:
    """Shows one of a few slates, all candidates being the catalogue."""

    def __init__(self, chances):
        self.slates = np.array(list(chances))
        self.chances = np.array(list(chances.values()))

    def slate_distribution(self, obs):
        chances = np.tile(self.chances, (len(obs["candidates"]), 1))
        return SlateDistribution(self.slates, chances, 4)

    def propensities(self, obs, items):
        return None


def uniform(obs, items):
    return np.full(items.shape, 0.25)


def counts(values):
    (same,) = {(value.unsupported, value.unsupported_share) for value in values}
    return same


def single(random_log, **columns):
    even = np.full((ROWS, 1), 0.5)
    slate = np.tile([[0], [1]], (ROWS // 2, 1))
    return random_log(ROWS, items=4, slots=1, slate=slate, propensity=even, **columns)


@pytest.mark.parametrize("evaluated", [evaluate_slates, evaluate_trajectories])
@pytest.mark.parametrize("policy", [Fixed([0.1, 0.2, 0.3, 0.4]), uniform])
def test_slates_of_one_item(random_log, evaluated, policy):
    log, names = single(random_log), ("tis", "pdis")
    if evaluated is evaluate_slates:
        names = ("sips", "iips")
    share = 0.5 if policy is uniform else 0.7
    values = evaluated(log, policy, names, samples=10)
    assert counts(values) == (2, pytest.approx(share))  # items 2 and 3
    for value in values:
        assert any("are pairs of item and position that" in text for text in value.warnings)
    exact = evaluated(log, policy, names, samples=10, logging=Fixed([0.5, 0.5, 0.0, 0.0]))
    assert counts(exact) == (2 * ROWS, pytest.approx(share))
    guessed = evaluated(log, policy, names, samples=10, logging=estimate_logging(log))
    assert counts(guessed) == (2, pytest.approx(share))
    assert counts(evaluated(log, policy, names, samples=10, overlap=False)) == (None, None)
    supported = evaluated(log, Fixed([0.5, 0.5, 0.0, 0.0]), names, samples=10)
    assert counts(supported) == (0, 0.0)


def pairs(random_log):
    slate = np.tile([[0, 1], [2, 0]], (ROWS // 2, 1))
    return random_log(
        ROWS,
        items=4,
        slots=2,
        slate=slate,
        propensity=np.full((ROWS, 2), 0.5),
        slate_propensity=np.full(ROWS, 0.5),
    )


@pytest.mark.parametrize("evaluated", [evaluate_slates, evaluate_trajectories])
def test_slates_that_can_be_listed(random_log, evaluated):
    log, names = pairs(random_log), ("sips",) if evaluated is evaluate_slates else ("tis",)
    # Item 3 never comes first, which costs 0.3, nor item 2 second, which costs 0.4.
    policy = Listed({(0, 1): 0.6, (3, 2): 0.3, (0, 2): 0.1})
    values = evaluated(log, policy, names, samples=10)
    assert counts(values) == (2, pytest.approx((0.3 + 0.4) / 2))
    logging = Listed({(0, 1): 0.5, (2, 0): 0.5})
    values = evaluated(log, policy, names, samples=10, logging=logging)
    assert counts(values) == (2 * ROWS, pytest.approx((0.3 + 0.4) / 2))
    assert any("35.0% of what the policy" in text for text in values[0].warnings)
    # A logging policy that shows more than this log does supports more.
    values = evaluated(log, policy, names, samples=10, logging=UniformSlates(2))
    assert counts(values) == (0, 0.0)


def test_slates_that_cannot_be_listed_are_not_counted(random_log, monkeypatch):
    log = pairs(random_log)
    prefixes = replace(log, prefix_propensity=np.full((ROWS, 2), 0.5))
    assert counts(evaluate_slates(prefixes, uniform, ("iips",), samples=10)) == (None, None)
    wanted = evaluate_slates(prefixes, uniform, ("iips",), samples=10, overlap=True)
    assert counts(wanted) == (2 + 2, pytest.approx(0.5))
    policy = Listed({(0, 1): 0.5, (2, 0): 0.5})
    monkeypatch.setattr("recsim.estimators.slates.overlap.MOST_LISTED", 11)  # of 12
    assert counts(evaluate_slates(log, policy, ("sips",), samples=10)) == (None, None)

    class Silent:
        def prefix_propensities(self, obs, items):
            return np.full(items.shape, 0.25)

        def propensities(self, obs, items):
            return None

    assert counts(evaluate_slates(log, Silent(), ("sips",), samples=10)) == (None, None)
    with pytest.raises(UserError, match="Silent does not know the probability of what it shows"):
        evaluate_slates(log, Silent(), ("sips",), samples=10, overlap=True)


@pytest.mark.parametrize("each", [0.3, 0.4])
def test_a_policy_whose_probabilities_do_not_sum_to_one_is_refused(random_log, each):
    class Wrong:
        def propensities(self, obs, items):
            return np.full(items.shape, each)

        def action_probabilities(self, obs):
            return np.full((len(obs["candidates"]), 1, obs["candidates"].shape[1]), each)

    log = random_log(30, items=3, slots=1)
    for estimate in (evaluate_slates, evaluate_trajectories):
        with pytest.raises(EstimationError, match=r"they sum to (0\.9|1\.2)"):
            estimate(log, Wrong(), samples=10)
