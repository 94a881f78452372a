"""Pseudo-inverse weights against exact fractions, closed forms and the enumeration of slates."""

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators.slates.distribution import (
    SlateDistribution,
    all_slates,
    draw_plackett_luce,
    plackett_luce,
    plackett_luce_prefixes,
)
from recsim.estimators.slates.pseudo_inverse import (
    product_weights,
    pseudo_inverse_weights,
    uniform_weights,
)

# Plackett-Luce over four candidates, two positions; strengths exp(score) are whole numbers.
LOGGING, TARGET = (4, 3, 2, 1), (1, 1, 3, 5)
C, K = 4, 2
SLATES = list(itertools.permutations(range(C), K))


def luce(strengths, slate) -> F:
    """Return the probability of a slate, item by item."""
    left, chance = sum(strengths), F(1)
    for item in slate:
        chance *= F(strengths[item], left)
        left -= strengths[item]
    return chance


def scores(strengths):
    return np.log(np.array([strengths], dtype=float))


def inverse(matrix):
    """Return the exact inverse of a matrix of fractions, by elimination."""
    n = len(matrix)
    rows = [list(row) + [F(int(i == j)) for j in range(n)] for i, row in enumerate(matrix)]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [entry / rows[i][i] for entry in rows[i]]
        for r in range(n):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[n:] for row in rows]


def exact_weights() -> dict[tuple[int, int], F]:
    """Return q' Gamma^+ 1_s of every slate, in fractions.

    Where q lies in the range of Gamma, any x with Gamma x = q gives the same x' 1_s. The null space
    of Gamma is known: the indicators of the two positions add up to the same, so that their
    difference is in it. Adding it up with itself makes Gamma regular and leaves x as it is.
    """
    gamma = [[F(0)] * (K * C) for _ in range(K * C)]
    q = [F(0)] * (K * C)
    for slate in SLATES:
        places = [k * C + item for k, item in enumerate(slate)]
        for i in places:
            q[i] += luce(TARGET, slate)
            for j in places:
                gamma[i][j] += luce(LOGGING, slate)
    null = [F(1)] * C + [F(-1)] * C
    regular = [[gamma[i][j] + null[i] * null[j] for j in range(K * C)] for i in range(K * C)]
    solver = inverse(regular)
    x = [sum(solver[i][j] * q[j] for j in range(K * C)) for i in range(K * C)]
    assert all(sum(gamma[i][j] * x[j] for j in range(K * C)) == q[i] for i in range(K * C))
    return {slate: x[slate[0]] + x[C + slate[1]] for slate in SLATES}


def test_plackett_luce_by_hand():
    distribution = plackett_luce(scores(LOGGING), K)
    assert distribution.slates.tolist() == [list(slate) for slate in SLATES]
    expected = [float(luce(LOGGING, slate)) for slate in SLATES]
    np.testing.assert_allclose(distribution.probabilities, [expected], atol=1e-15)
    marginals, moments = distribution.marginals(), distribution.second_moments()
    for k, item in itertools.product(range(K), range(C)):
        chance = sum(luce(LOGGING, slate) for slate in SLATES if slate[k] == item)
        assert marginals[0, k, item] == pytest.approx(float(chance), abs=1e-15)
    for (k, a), (m, b) in itertools.product(itertools.product(range(K), range(C)), repeat=2):
        chance = sum(luce(LOGGING, s) for s in SLATES if s[k] == a and s[m] == b)
        assert moments[0, k * C + a, m * C + b] == pytest.approx(float(chance), abs=1e-15)
    for slate in SLATES:
        expected = [float(F(LOGGING[slate[0]], 10)), float(luce(LOGGING, slate))]
        one = np.array([slate])
        np.testing.assert_allclose(plackett_luce_prefixes(scores(LOGGING), one)[0], expected)
        np.testing.assert_allclose(distribution.prefix_probabilities(one)[0], expected)


def test_the_weights_are_exact():
    moments = plackett_luce(scores(LOGGING), K).second_moments()
    target = plackett_luce(scores(TARGET), K).marginals()
    for slate, weight in exact_weights().items():
        for gamma in (moments, moments[0]):
            (computed,), (determined,) = pseudo_inverse_weights(np.array([slate]), target, gamma)
            assert computed == pytest.approx(float(weight), abs=1e-8)
            assert determined


def additive(slate) -> F:
    return (F(1), F(1, 3), F(0), F(2))[slate[0]] + (F(1, 2), F(0), F(3), F(1, 5))[slate[1]]


def test_unbiased_where_rewards_add_up():
    weights = exact_weights()
    truth = sum(luce(TARGET, slate) * additive(slate) for slate in SLATES)
    assert sum(luce(LOGGING, slate) * weights[slate] * additive(slate) for slate in SLATES) == truth
    ips = sum(luce(LOGGING, s) * luce(TARGET, s) / luce(LOGGING, s) * additive(s) for s in SLATES)
    assert ips == truth
    assert sum(luce(LOGGING, slate) * weights[slate] for slate in SLATES) == 1

    def together(slate):  # a reward of two certain items side by side does not add up
        return F(int(set(slate) == {2, 3}))

    value = sum(luce(LOGGING, slate) * weights[slate] * together(slate) for slate in SLATES)
    assert value != sum(luce(TARGET, slate) * together(slate) for slate in SLATES)


def test_the_variance_is_below_that_of_ips_of_the_slate():
    weights = exact_weights()
    pi = sum(luce(LOGGING, slate) * weights[slate] ** 2 for slate in SLATES)
    ips = sum(luce(TARGET, slate) ** 2 / luce(LOGGING, slate) for slate in SLATES)
    assert 1 < pi < F(2, 3) * ips


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_closed_forms_are_the_pseudo_inverse(candidates, slots, seed):
    slots = min(slots, candidates)
    rng = np.random.default_rng(seed)
    uniform = plackett_luce(np.zeros((1, candidates)), slots)
    target = plackett_luce(rng.normal(scale=2, size=(1, candidates)), slots).marginals()
    slates = uniform.slates
    targets = np.repeat(target, len(slates), axis=0)
    general, determined = pseudo_inverse_weights(slates, targets, uniform.second_moments()[0])
    np.testing.assert_allclose(uniform_weights(slates, targets), general, atol=1e-8)
    assert determined.all()

    # Slots drawn independently: every slate, with repetitions.
    slates = np.array(list(itertools.product(range(candidates), repeat=slots)))
    mu, pi = rng.dirichlet(np.full(candidates, 5.0), (2, slots))  # (K, C) each
    chance = np.take_along_axis(mu[None], slates[:, :, None], axis=2).prod(axis=(1, 2))
    product = SlateDistribution(slates, chance[None], candidates)
    np.testing.assert_allclose(product.marginals()[0], mu, atol=1e-12)
    targets = np.repeat(pi[None], len(slates), axis=0)
    places = np.arange(slots), slates
    weights = product_weights((pi / mu)[places])
    general, determined = pseudo_inverse_weights(slates, targets, product.second_moments()[0])
    scale = np.abs(weights).max()
    np.testing.assert_allclose(general, weights, atol=1e-6 * scale)


def test_the_logging_policy_itself_has_weights_of_one():
    logging = plackett_luce(scores(LOGGING), K)
    slates = logging.slates
    own = np.repeat(logging.marginals(), len(slates), axis=0)
    weights, _ = pseudo_inverse_weights(slates, own, logging.second_moments()[0])
    np.testing.assert_allclose(weights, 1.0, atol=1e-8)


def test_a_target_outside_the_range_of_gamma_is_detected():
    # mu shows 01 or 10 only. Of pi, which shows 00, the log knows every item at every place, but
    # only in sums with the other place: rewards that add up are still not identified.
    logging = SlateDistribution(np.array([[0, 1], [1, 0]]), np.array([[0.5, 0.5]]), 2)
    same = np.array([[[1.0, 0.0], [1.0, 0.0]]])
    _, (determined,) = pseudo_inverse_weights(np.array([[0, 1]]), same, logging.second_moments())
    assert not determined
    swapped = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    (weight,), (determined,) = pseudo_inverse_weights(
        np.array([[1, 0]]), swapped, logging.second_moments()
    )
    assert determined
    assert weight == pytest.approx(2.0)


def test_draws_follow_the_distribution():
    drawn = draw_plackett_luce(np.random.default_rng(0), np.repeat(scores(LOGGING), 40_000, 0), K)
    for slate in SLATES:
        share, chance = (drawn == slate).all(axis=1).mean(), float(luce(LOGGING, slate))
        assert abs(share - chance) < 5 * math.sqrt(chance / 40_000)


def test_large_catalogues_are_not_enumerated():
    rng = np.random.default_rng(0)
    many = rng.normal(size=(3, 5000))
    slates = draw_plackett_luce(rng, many, 10)
    prefixes = plackett_luce_prefixes(many, slates)
    assert prefixes.shape == (3, 10)
    first = np.exp(many[np.arange(3), slates[:, 0]]) / np.exp(many).sum(axis=1)
    np.testing.assert_allclose(prefixes[:, 0], first, rtol=1e-12)
    assert (np.diff(prefixes, axis=1) < 0).all()
    with pytest.raises(UserError, match="50 candidates make 254251200 ordered slates of 5"):
        plackett_luce(rng.normal(size=(1, 50)), 5)
    with pytest.raises(UserError, match="2 candidates make 0 ordered slates of 3"):
        all_slates(2, 3)


def test_repeated_items_and_scores_out_of_range():
    prefixes = plackett_luce_prefixes(scores(LOGGING), np.array([[2, 2]]))
    assert prefixes[0].tolist() == [pytest.approx(0.2), 0.0]
    with pytest.raises(ValueError, match="spread by at most 500"):
        plackett_luce(np.array([[0.0, 501.0]]), 1)
    with pytest.raises(ValueError, match="must be finite"):
        plackett_luce_prefixes(np.array([[0.0, np.nan]]), np.array([[0]]))
