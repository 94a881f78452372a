"""The probabilities of policies, and counting unsupported actions."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import EstimationError, UserError
from recsim.estimators import (
    SampledPolicy,
    estimate_logging,
    evaluate,
    policy_samples,
    with_propensities,
)
from recsim.estimators.overlap import OverlapSums
from recsim.estimators.policies import action_probabilities, propensities


def uniform(obs, items):
    return np.full(items.shape, 1 / obs["candidates"].shape[1])


class Fixed:
    """Shows item i at any position with probability ``chances[i]``."""

    def __init__(self, chances, slots=1):
        self.chances = np.asarray(chances, dtype=float)
        self.slots = slots

    def propensities(self, obs, items):
        return np.where(items < 0, 1.0, self.chances[items])

    def action_probabilities(self, obs):
        every = self.chances[obs["candidates"]]  # (B, C)
        return np.repeat(every[:, None, :], self.slots, axis=1)


class Coin:
    """An agent that shows candidate 0 or 1 first, without knowing its probabilities."""

    def __init__(self, seed=0, chance=0.3):
        self.rng = np.random.default_rng(seed)
        self.chance = chance

    def begin(self, batch_size):
        pass

    def act(self, obs):
        first = (self.rng.random(len(obs["candidates"])) < self.chance).astype(int)

        class Decision:
            slates = np.stack([first, 1 - first], axis=1)

        return Decision

    def propensities(self, obs, items):
        return None


OBS = {"candidates": np.array([[4, 2, 0], [1, 2, 3]])}


def test_a_policy_without_the_method_is_called_for_each_candidate():
    calls = []

    def policy(obs, items):
        calls.append(items.tolist())
        return np.full(items.shape, 1 / 3)

    probabilities = action_probabilities(policy, OBS, 2)
    assert probabilities.shape == (2, 2, 3)
    assert (probabilities == 1 / 3).all()
    assert calls == [[[4, 4], [1, 1]], [[2, 2], [2, 2]], [[0, 0], [3, 3]]]


def test_values_that_are_not_probabilities_are_refused():
    class Wrong(Fixed):
        def action_probabilities(self, obs):
            return self.chances

    many = {"candidates": np.tile(np.arange(201), (2, 1))}
    with pytest.raises(EstimationError, match=r"action probabilities \(2, 1, 3\), not \(2, 1, 1\)"):
        action_probabilities(Wrong(np.zeros((2, 1, 3))), {"candidates": np.zeros((2, 1), int)}, 1)
    too_much = np.full((2, 1, 3), 0.4)
    with pytest.raises(EstimationError, match=r"for row 7, position 0: they sum to 1\.2"):
        action_probabilities(Wrong(too_much), OBS, 1, first_row=7)
    too_little = np.tile([[[0.5, 0.4, 0.1]], [[0.5, 0.4, 0.0]]], (1, 1, 1))
    with pytest.raises(EstimationError, match=r"do not sum to 1, for row 8, .* they sum to 0\.9"):
        action_probabilities(Wrong(too_little), OBS, 1, first_row=7)
    nothing_left = np.array([[[0.5, 0.4, 0.1]], [[0.0, 0.0, 0.0]]])
    assert action_probabilities(Wrong(nothing_left), OBS, 1) is nothing_left
    negative = np.tile([0.5, 0.6, -0.1], (2, 1, 1))
    with pytest.raises(EstimationError, match="below 0 or with a sum above 1, for row 0"):
        action_probabilities(Wrong(negative), OBS, 1)
    with pytest.raises(UserError, match=r"one of its 201 candidates at a time; with more than 200"):
        action_probabilities(uniform, many, 1)
    with pytest.raises(UserError, match="estimate its probabilities from draws: 'draws: 100' in"):
        propensities(Coin(), OBS, np.array([[4], [1]]))


def test_sampled_probabilities_are_shares_of_draws():
    agent = Coin()
    before = agent.rng.bit_generator.state
    sampled = SampledPolicy(agent, draws=4000)
    shares = sampled.action_probabilities(OBS)
    assert agent.rng.bit_generator.state == before  # a copy draws
    # Four standard errors of a share of 4000 are 0.03.
    np.testing.assert_allclose(shares[:, 0], [[0.7, 0.3, 0.0]] * 2, atol=0.03)
    np.testing.assert_allclose(shares[:, 1], [[0.3, 0.7, 0.0]] * 2, atol=0.03)
    again = SampledPolicy(Coin(), draws=4000)
    items = np.array([[4, 2], [-1, 3]])
    assert again.propensities(OBS, items)[0].tolist() == [shares[0, 0, 0], shares[0, 1, 1]]
    assert again.propensities(OBS, items)[1, 0] == 1.0
    assert again.propensities(OBS, items)[1, 1] == 0.0


def test_smoothing_adds_draws_of_every_candidate():
    certain = SampledPolicy(Coin(chance=0.0), draws=7, smoothing=1)
    shares = certain.action_probabilities(OBS)
    np.testing.assert_allclose(shares[:, 0], [[8 / 10, 1 / 10, 1 / 10]] * 2)
    np.testing.assert_allclose(shares.sum(axis=2), 1.0)
    with pytest.raises(UserError, match="draws must be at least 1"):
        SampledPolicy(Coin(), draws=0)


def test_values_report_the_number_of_draws(random_log):
    log = random_log(50, items=4, slots=2)
    known = evaluate(log, uniform, ("ips",), samples=10)[0]
    sampled = evaluate(log, SampledPolicy(Coin(), draws=30), ("ips", "snips"), samples=10)
    assert [value.policy_draws for value in sampled] == [30, 30]
    assert known.policy_draws == 0


def overlap_of(log, policy, logging=None):
    sums = OverlapSums(exact=logging is not None)
    list(policy_samples(log, policy, logging=logging, overlap=sums, batch_rows=3))
    return sums.result()


def test_unsupported_actions_of_a_known_logging_policy(random_log):
    even = np.full((10, 1), 0.5)
    log = random_log(10, items=4, slots=1, slate=np.tile([[0], [1]], (5, 1)), propensity=even)
    logging = Fixed([0.5, 0.5, 0.0, 0.0])
    overlap = overlap_of(log, Fixed([0.1, 0.2, 0.3, 0.4]), logging)
    assert (overlap.unsupported, overlap.exact) == (20, True)  # two actions in each of ten rows
    assert overlap.share == pytest.approx(0.7)
    assert overlap.warnings == (
        "70.0% of what the policy would show are actions that the logging policy never takes "
        "(20 of them): the log says nothing about these",
    )
    supported = overlap_of(log, Fixed([1.0, 0.0, 0.0, 0.0]), logging)
    assert (supported.unsupported, supported.share, supported.warnings) == (0, 0.0, ())


def test_unsupported_actions_of_an_unknown_logging_policy(random_log):
    # Items 0 and 1 at position 0, items 1 and 2 at position 1.
    slate = np.tile([[0, 1], [1, 2]], (5, 1))
    log = random_log(10, items=4, slots=2, slate=slate, propensity=np.full((10, 2), 0.5))
    overlap = overlap_of(log, Fixed([0.25] * 4, slots=2))
    assert (overlap.unsupported, overlap.exact) == (4, False)  # 2 and 3 at 0, 0 and 3 at 1
    assert overlap.share == pytest.approx(0.5)
    # On a page of other positions there is nothing in common.
    moved = replace(log, position=np.tile([[0, 1], [2, 3]], (5, 1)))
    assert overlap_of(moved, Fixed([0.25] * 4, slots=2)).unsupported == 4 * 3


def test_only_candidates_can_be_unsupported(random_log):
    candidates = np.tile([[0, 1], [2, 3]], (5, 1))
    log = random_log(10, items=4, slots=1, slate=np.tile([[0], [2]], (5, 1)))
    log = replace(log, candidates=candidates, problem=replace(log.problem, num_candidates=2))
    overlap = overlap_of(log, Fixed([0.5] * 4))
    assert overlap.unsupported == 2  # items 1 and 3
    assert overlap.share == pytest.approx(0.5)


def test_values_report_unsupported_actions(random_log):
    log = random_log(40, items=4, slots=1, slate=np.tile([[0], [1]], (20, 1)))
    (value,) = evaluate(log, Fixed([0.25] * 4), ("ips",), samples=10)
    assert (value.unsupported, value.unsupported_share) == (2, pytest.approx(0.5))
    assert "unsupported actions 2" in str(value)
    assert any("50.0% of what the policy would show" in text for text in value.warnings)
    # A function must be called for every candidate, so this is done on request only.
    (unknown,) = evaluate(log, uniform, ("ips",), samples=10)
    assert (unknown.unsupported, unknown.unsupported_share) == (None, None)
    (known,) = evaluate(log, uniform, ("ips",), samples=10, overlap=True)
    assert known.unsupported == 2
    even = replace(log, propensity=np.full((40, 1), 0.5))
    logging = Fixed([0.5, 0.5, 0.0, 0.0])
    (exact,) = evaluate(even, uniform, ("ips",), samples=10, overlap=True, logging=logging)
    assert exact.unsupported == 2 * 40


def test_an_estimated_logging_policy_counts_nothing_exactly(random_log):
    # What was never shown has an estimated mu of 0, which is not exact.
    log = random_log(40, items=4, slots=1, slate=np.tile([[0], [1]], (20, 1)))
    estimated = estimate_logging(log)
    for known in (log, replace(log, propensity=None)):
        (value,) = evaluate(known, uniform, ("ips",), samples=10, overlap=True, logging=estimated)
        assert (value.unsupported, value.unsupported_share) == (2, pytest.approx(0.5))
        assert any("pairs of item and position" in text for text in value.warnings)


def skewed_log(random_log, rows=400):
    """Draw a log in which item 0 is shown nearly always, and the others have higher rewards."""
    chances = np.array([0.97, 0.01, 0.01, 0.01])
    slate = np.random.default_rng(0).choice(4, size=(rows, 1), p=chances)
    return random_log(rows, items=4, slots=1, slate=slate, propensity=chances[slate])


@pytest.mark.parametrize("names", [("switch",), ("ips",)])
def test_a_logging_policy_must_agree_with_the_logged_propensities(random_log, names):
    log = skewed_log(random_log)
    message = (
        r"row 0, position 0: the logged propensity is 0\.97, but the policy given as 'logging' "
    )
    with pytest.raises(UserError, match=message + r"shows this item with probability 0\.25\. Give"):
        evaluate(log, uniform, names, tau=5, samples=10, logging=Fixed([0.25] * 4))
    # The row is that of the log, not of the block or piece.
    rounded = np.where(np.arange(400)[:, None] == 250, 0.9, log.propensity * 1.0009)
    rounded = replace(log, propensity=rounded)
    logging = Fixed([0.97, 0.01, 0.01, 0.01])
    pieces = [rounded.select(slice(0, 100)), rounded.select(slice(100, 400))]
    with pytest.raises(UserError, match="row 250, position 0"):
        evaluate(pieces, uniform, names, samples=10, logging=logging)
    assert evaluate(rounded.select(slice(0, 250)), uniform, names, samples=10, logging=logging)


def test_switch_needs_the_propensities_of_an_estimated_logging_policy(random_log):
    log = skewed_log(random_log)
    estimated = estimate_logging(log)
    with pytest.raises(UserError, match=r"or use with_propensities\(log, logging\) to replace"):
        evaluate(log, uniform, ("switch",), samples=10, logging=estimated)
    own = with_propensities(log, estimated)
    assert evaluate(own, uniform, ("switch",), samples=10, logging=estimated)
    missing = replace(log, propensity=None)
    (same,) = evaluate(missing, uniform, ("switch",), samples=10, logging=estimated)
    assert same.value == pytest.approx(
        evaluate(own, uniform, ("switch",), samples=10, logging=estimated)[0].value
    )


def test_prefixes_are_counted_too():
    # The first of two candidates stands first, and the second after it, in 3 of 10 draws.
    sampled = SampledPolicy(Coin(), draws=4000)
    items = np.array([[2, 4], [2, 3]])
    shares = sampled.prefix_propensities(OBS, items)
    # Four standard errors of a share of 4000 are 0.03.
    np.testing.assert_allclose(shares, [[0.3, 0.3], [0.3, 0.0]], atol=0.03)
    assert shares[0, 0] == shares[0, 1]
    assert shares[1, 1] == 0.0
    padded = sampled.prefix_propensities(OBS, np.array([[4, -1], [-1, 2]]))
    np.testing.assert_allclose(padded, [[0.7, 0.7], [1.0, 0.7]], atol=0.03)


def test_smoothing_adds_draws_of_every_prefix():
    certain = SampledPolicy(Coin(chance=0.0), draws=7, smoothing=1)
    every = np.array([[4, 2], [4, 0], [2, 4], [2, 0], [0, 4], [0, 2]])
    obs = {"candidates": np.tile([4, 2, 0], (6, 1))}
    shares = certain.prefix_propensities(obs, every)
    np.testing.assert_allclose(shares[:, 0], np.array([8, 8, 1, 1, 1, 1]) / 10)
    np.testing.assert_allclose(shares[:, 1], np.array([8, 1, 1, 1, 1, 1]) / 13)
    padded = certain.prefix_propensities(obs, np.full((6, 2), -1))
    assert (padded == 1.0).all()
