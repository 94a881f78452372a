import itertools
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.rel_mf import losses
from recsim.errors import UserError

# sigmoid(log 3) = 3/4, sigmoid(0) = 1/2, sigmoid(-log 3) = 1/4
LOGITS = torch.tensor([math.log(3), 0.0, -math.log(3), 0.0], dtype=torch.float64)
SHARES = [Fraction(3, 4), Fraction(1, 2), Fraction(1, 4), Fraction(1, 2)]
GAMMA = [Fraction(1, 2), Fraction(1, 5), Fraction(9, 10), Fraction(1, 3)]
THETA = [Fraction(1), Fraction(1, 4), Fraction(1, 20), Fraction(1, 2)]
CLIP = Fraction(1, 10)


def tensor(values):
    return torch.tensor([float(value) for value in values], dtype=torch.float64)


def mean_loss(coefficients, **options):
    return losses.pair_losses(coefficients, LOGITS, **options).mean().item()


def by_hand(a, b):
    """The mean of a d1 + b d0 over the pairs, squared loss."""
    pairs = zip(a, b, SHARES, strict=True)
    return float(sum(x * (1 - f) ** 2 + y * f**2 for x, y, f in pairs) / len(SHARES))


CLICKS = [1, 0, 1, 0]
WORKED = {
    "ideal": (losses.ideal(tensor(GAMMA)), GAMMA, [1 - g for g in GAMMA]),
    "naive": (losses.naive(tensor(CLICKS)), CLICKS, [0, 1, 0, 1]),
    "wmf": (losses.wmf(tensor(CLICKS), 3.0), [3, 0, 3, 0], [0, 1, 0, 1]),
    "wmf, unclicked": (
        losses.wmf(tensor(CLICKS), 0.25, "unclicked"),
        CLICKS,
        [0, Fraction(1, 4), 0, Fraction(1, 4)],
    ),
    "unbiased": (
        losses.weighted(tensor(CLICKS), losses.inverse_propensities(tensor(THETA))),
        [1, 0, 20, 0],
        [0, 1, -19, 1],
    ),
    "clipped": (
        losses.weighted(tensor(CLICKS), losses.inverse_propensities(tensor(THETA), float(CLIP))),
        [1, 0, 10, 0],
        [0, 1, -9, 1],
    ),
}


@pytest.mark.parametrize("name", WORKED)
def test_worked_cases(name):
    coefficients, a, b = WORKED[name]
    assert mean_loss(coefficients) == pytest.approx(by_hand(a, b), abs=1e-12)


def test_a_negative_pair_is_cut_at_zero_on_demand():
    coefficients, a, b = WORKED["unbiased"]
    pairs = [x * (1 - f) ** 2 + y * f**2 for x, y, f in zip(a, b, SHARES, strict=True)]
    assert min(pairs) > 0  # with these scores no pair is negative, with the opposite ones one is
    flipped = losses.pair_losses(coefficients, -LOGITS)
    assert flipped.min() < 0
    cut = losses.pair_losses(coefficients, -LOGITS, non_negative=True)
    assert torch.equal(cut, flipped.clamp_min(0))


def test_log_losses_are_those_of_the_logistic_model():
    if_relevant, if_not = losses.point_losses(LOGITS, "log")
    assert if_relevant.tolist() == pytest.approx([-math.log(f) for f in SHARES])
    assert if_not.tolist() == pytest.approx([-math.log(1 - f) for f in SHARES])


def click_vectors():
    """Yield every vector of clicks with its probability."""
    for clicks in itertools.product([0, 1], repeat=len(GAMMA)):
        chance = Fraction(1)
        for click, g, t in zip(clicks, GAMMA, THETA, strict=True):
            chance *= g * t if click else 1 - g * t
        yield clicks, chance


def moments(clip):
    """Mean and variance of the loss over everything that may be clicked."""
    inverse = losses.inverse_propensities(tensor(THETA), float(clip))
    result = [
        (float(chance), mean_loss(losses.weighted(tensor(clicks), inverse)))
        for clicks, chance in click_vectors()
    ]
    mean = sum(chance * loss for chance, loss in result)
    return mean, sum(chance * (loss - mean) ** 2 for chance, loss in result)


DIFFERENCES = [(1 - f) ** 2 - f**2 for f in SHARES]
TARGET = by_hand(GAMMA, [1 - g for g in GAMMA])


def test_the_mean_over_all_clicks_is_the_ideal_loss_and_the_variance_its_formula():
    mean, variance = moments(0)
    assert mean == pytest.approx(TARGET, abs=1e-12)
    formula = sum(
        g * (1 / t - g) * d**2 for g, t, d in zip(GAMMA, THETA, DIFFERENCES, strict=True)
    ) / Fraction(len(GAMMA) ** 2)
    assert variance == pytest.approx(float(formula), rel=1e-12)


@pytest.mark.parametrize("clip", [CLIP, Fraction(1, 3), Fraction(1)])
def test_the_bias_of_clipping_is_its_formula(clip):
    mean, _ = moments(clip)
    formula = sum(
        g * (t / max(t, clip) - 1) * d for g, t, d in zip(GAMMA, THETA, DIFFERENCES, strict=True)
    ) / Fraction(len(GAMMA))
    assert formula != 0
    assert mean - TARGET == pytest.approx(float(formula), rel=1e-10)


def test_the_naive_loss_is_biased():
    mean = sum(
        float(chance) * mean_loss(losses.naive(tensor(clicks)))
        for clicks, chance in click_vectors()
    )
    assert abs(mean - TARGET) > 0.01


@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(0.001, 1), st.floats(-9, 9)), min_size=1),
)
def test_losses_that_are_one_another(pairs):
    clicks, theta, logits = (
        torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True)
    )
    plain = losses.pair_losses(losses.naive(clicks), logits)

    def same(coefficients):
        return torch.allclose(losses.pair_losses(coefficients, logits), plain)

    assert same(losses.weighted(clicks, losses.inverse_propensities(theta, 1.0)))
    assert same(losses.weighted(clicks, losses.inverse_propensities(torch.ones_like(theta))))
    assert same(losses.wmf(clicks, 1.0))
    assert same(losses.wmf(clicks, 1.0, "unclicked"))
    assert same(losses.ideal(clicks))


def test_no_gradient_reaches_the_propensity():
    theta = torch.tensor([0.5, 0.25], requires_grad=True)
    logits = torch.zeros(2, requires_grad=True)
    inverse = losses.inverse_propensities(theta, 0.1)
    assert not inverse.requires_grad
    losses.pair_losses(losses.weighted(torch.ones(2), inverse), logits).sum().backward()
    assert theta.grad is None
    assert logits.grad is not None
    assert theta.tolist() == [0.5, 0.25]


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.5, float("nan"), float("inf")])
def test_what_is_no_propensity_is_named(wrong):
    with pytest.raises(UserError, match=r"Row 1: propensity .* is outside \(0, 1\]"):
        losses.inverse_propensities(torch.tensor([0.5, wrong]), 0.1)


@pytest.mark.parametrize("clip", [-0.1, 1.1, float("nan")])
def test_a_clip_outside_its_range_is_refused(clip):
    with pytest.raises(UserError, match=r"clip must be in \[0, 1\]"):
        losses.inverse_propensities(torch.tensor([0.5]), clip)
