"""Explicit policies: their methods agree with each other."""

import itertools

import numpy as np
import pytest

from recsim.errors import UserError
from recsim.estimators.slates import policies as ask
from recsim.estimators.slates.distribution import SlateDistribution, plackett_luce
from recsim.estimators.slates.explicit_policies import (
    IndependentSlots,
    PlackettLuceSlates,
    UniformSlates,
)
from recsim.estimators.slates.pseudo_inverse import pseudo_inverse_weights

# Three users with four candidates each, in different order and with different ids.
CANDIDATES = np.array([[7, 3, 5, 1], [1, 3, 5, 7], [5, 9, 1, 3]])
K, C = 3, 4
SCORES = np.array([[0.0, 1.0, -1.0, 0.5], [2.0, 0.0, 0.0, 1.0], [0.3, 0.2, 0.1, 0.0]])
OBS = {"candidates": CANDIDATES, "user_features": SCORES}
TABLE = np.random.default_rng(0).dirichlet(np.ones(C), K)

POLICIES = {
    "uniform": UniformSlates(K),
    "independent": IndependentSlots(TABLE),
    "plackett_luce": PlackettLuceSlates(lambda obs: obs["user_features"], K),
}


def listed(name: str) -> SlateDistribution:
    """Return all slates of a policy, from its definition."""
    if name == "plackett_luce":
        return plackett_luce(SCORES, K)
    if name == "uniform":
        return plackett_luce(np.zeros((3, C)), K)
    slates = np.array(list(itertools.product(range(C), repeat=K)))
    chance = TABLE[np.arange(K), slates].prod(axis=1)
    return SlateDistribution(slates, np.repeat(chance[None], 3, axis=0), C)


@pytest.fixture(params=POLICIES)
def case(request):
    return POLICIES[request.param], listed(request.param)


def one_user(row, times):
    return {name: np.repeat(column[row : row + 1], times, axis=0) for name, column in OBS.items()}


def slates_of(distribution, row):
    """Yield the slates of one user as item ids, with their probabilities."""
    for slate, chance in zip(distribution.slates, distribution.probabilities[row], strict=True):
        yield slate, CANDIDATES[row][slate], chance


def test_marginals_and_items_at_their_positions(case):
    policy, distribution = case
    expected = distribution.marginals()
    np.testing.assert_allclose(ask.marginals(policy, OBS, K), expected, atol=1e-12)
    items = CANDIDATES[:, [2, 0, 3]]
    probabilities = policy.propensities(OBS, items)
    np.testing.assert_allclose(probabilities, expected[:, np.arange(K), [2, 0, 3]], atol=1e-12)


def test_marginals_come_from_the_list_of_slates():
    whole = POLICIES["plackett_luce"]

    class Lists:
        def propensities(self, obs, items):
            return None

        def slate_distribution(self, obs):
            return whole.slate_distribution(obs)

    items = CANDIDATES[:, [2, 0, 3]].copy()
    expected = whole.propensities(OBS, items)
    items[0, 2] = -1  # the value at an empty position is ignored
    probabilities = ask.item_propensities(Lists(), OBS, items)
    np.testing.assert_allclose(probabilities[1:], expected[1:])
    np.testing.assert_allclose(probabilities[0, :2], expected[0, :2])
    np.testing.assert_allclose(ask.marginals(Lists(), OBS, K), whole.action_probabilities(OBS))


def test_prefixes_and_next_items(case):
    policy, distribution = case
    for row in range(3):
        for slate, items, chance in slates_of(distribution, row):
            prefixes = ask.prefix_propensities(policy, one_user(row, 1), items[None])
            expected = distribution.prefix_probabilities(np.repeat(slate[None], 3, axis=0))
            np.testing.assert_allclose(prefixes[0], expected[row], atol=1e-12)
            assert prefixes[0, -1] == pytest.approx(chance, abs=1e-12)


def test_next_probabilities_agree_with_prefixes(case):
    policy, _ = case
    items = np.take_along_axis(CANDIDATES, np.array([[1, 0, 2], [0, 3, 1], [3, 2, 0]]), axis=1)

    class OnlyPrefixes:
        """Has only prefix probabilities, so that next items are computed one by one."""

        def prefix_propensities(self, obs, items):
            return policy.prefix_propensities(obs, items)

        def propensities(self, obs, items):
            return None

    direct = ask.next_probabilities(policy, OBS, items)
    one_by_one = ask.next_probabilities(OnlyPrefixes(), OBS, items)
    np.testing.assert_allclose(direct, one_by_one, atol=1e-12)
    np.testing.assert_allclose(direct.sum(axis=2), 1.0)


def test_weights_are_those_of_the_matrix(case):
    policy, distribution = case
    target = plackett_luce(SCORES[::-1], K).marginals()
    slates = np.array([[1, 0, 2], [0, 3, 1], [3, 2, 0]])
    expected, _ = pseudo_inverse_weights(slates, target, distribution.second_moments())
    probabilities, determined = ask.additive_weights(policy, OBS, slates, target)
    np.testing.assert_allclose(probabilities, expected, atol=1e-8)
    assert determined.all()


def test_draws_follow_the_probabilities(case):
    policy, distribution = case
    for row in range(3):
        drawn = policy.draw(one_user(row, 20_000), np.random.default_rng(row))
        for slate, _, chance in slates_of(distribution, row):
            share = (drawn == slate).all(axis=1).mean()
            assert abs(share - chance) < 5 * np.sqrt(chance / 20_000) + 1e-9


def test_empty_positions_and_items_that_are_not_candidates():
    short = np.array([[7, 3, -1], [1, -1, -1], [5, 9, 1]])
    uniform = POLICIES["uniform"].prefix_propensities(OBS, short)
    np.testing.assert_allclose(
        uniform, [[1 / 4, 1 / 12, 1 / 12], [1 / 4] * 3, [1 / 4, 1 / 12, 1 / 24]]
    )
    luce = POLICIES["plackett_luce"].prefix_propensities(OBS, short)
    assert luce[0, 1] == luce[0, 2]
    assert luce[1, 0] == luce[1, 2]
    assert POLICIES["independent"].propensities(OBS, short)[0, 2] == 1.0
    stranger = np.array([[7, 7, 8]] * 3)
    assert POLICIES["uniform"].prefix_propensities(OBS, stranger)[0].tolist() == [0.25, 0.0, 0.0]
    luce = POLICIES["plackett_luce"].prefix_propensities(OBS, stranger[:, [2, 0, 1]])
    assert luce[0].tolist() == [0.0, 0.0, 0.0]


def test_candidate_index_with_one_list_for_all_and_with_many():
    items = np.array([[5, 1], [1, 7], [9, 9]])
    assert ask.candidate_index(CANDIDATES, items).tolist() == [[2, 3], [0, 3], [1, 1]]
    one = np.broadcast_to(np.array([4, 2, 9]), (2, 3))
    assert ask.candidate_index(one, np.array([[9, 4], [2, 9]])).tolist() == [[2, 0], [1, 2]]
    with pytest.raises(UserError, match="row 1, position 0: item 3 is not a candidate"):
        ask.candidate_index(one, np.array([[9, 4], [3, 9]]))


def test_errors_name_the_method_that_is_missing():
    class Marginals:
        def propensities(self, obs, items):
            return np.full(items.shape, 0.5)

    items = CANDIDATES[:, :2]
    with pytest.raises(UserError, match="Marginals knows the probability of each item at its pos"):
        ask.prefix_propensities(Marginals(), OBS, items)
    assert ask.prefix_propensities(Marginals(), OBS, items[:, :1]).tolist() == [[0.5]] * 3
    with pytest.raises(UserError, match="Marginals, the logging policy, cannot list its slates"):
        ask.additive_weights(Marginals(), OBS, np.zeros((3, 2), dtype=int), np.zeros((3, 2, 4)))


def test_a_deterministic_policy_needs_only_propensities():
    class Fixed:
        def propensities(self, obs, items):
            return np.where(items == [[7, 3, 5]], 1.0, 0.0)

    items = np.array([[7, 3, 5], [7, 1, 5], [7, 3, -1]])
    probabilities = ask.prefix_propensities(Fixed(), OBS, items)
    assert probabilities.tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 1]]


def test_a_logged_item_with_probability_zero_is_refused():
    table = np.array([[0.5, 0.5, 0.0, 0.0]] * K)
    logging, target = IndependentSlots(table), np.full((3, K, C), 0.25)
    slates = np.array([[0, 1, 0], [0, 1, 3], [0, 0, 0]])
    with pytest.raises(UserError, match="row 1, position 2: the logged item has probability 0"):
        ask.additive_weights(logging, OBS, slates, target)
    _, determined = ask.additive_weights(logging, OBS, np.zeros((3, K), dtype=int), target)
    assert not determined.any()
