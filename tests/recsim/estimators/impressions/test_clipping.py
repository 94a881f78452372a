"""Choosing a clip, compared with the rules computed by hand."""

import math
from fractions import Fraction as F

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators import Prediction, Sample, make_estimator
from recsim.estimators.impressions.clipping import CANDIDATES, choose, slope

# A log given as counts: (weight, reward, rows).
COUNTS = [(F(1, 2), 0, 60), (F(1, 2), 1, 60), (F(4), 1, 8), (F(4), 0, 20), (F(40), 1, 2)]


def sample_of(counts, **columns):
    weights = np.concatenate([np.full(n, float(w)) for w, _, n in counts])
    rewards = np.concatenate([np.full(n, float(r)) for _, r, n in counts])
    return Sample(weights, rewards, np.arange(len(weights)), **columns)


def by_hand(counts, clip):
    """Return the value and the variance (denominator n - 1) of clipped IPS, as fractions."""
    n = sum(rows for _, _, rows in counts)
    terms = [(min(w, clip) * r, rows) for w, r, rows in counts]
    mean = sum(x * rows for x, rows in terms) / n
    return mean, sum((x - mean) ** 2 * rows for x, rows in terms) / (n - 1), n


def slope_by_hand(values, widths):
    order = sorted(range(len(values)), key=lambda i: -widths[i])
    kept = []
    for i in order:
        for j in kept:
            if abs(values[j] - values[i]) > widths[i] + (math.sqrt(6) - 1) * widths[j]:
                return kept[-1]
        kept.append(i)
    return kept[-1]


def test_slope_by_hand():
    # The first is always kept, the second agrees with it, the third is too far from the first.
    assert slope([1.0, 0.8, 0.2], [0.3, 0.2, 0.1]) == 1
    # At |1 - 0.4| = 0.6 <= 0.1 + 1.449 * 0.35 = 0.607 it still agrees with the first...
    assert slope([1.0, 0.4], [0.35, 0.1]) == 1
    # ... and at 0.61 it does not.
    assert slope([1.0, 0.39], [0.35, 0.1]) == 0
    # It stops at the first failure, whatever comes after.
    assert slope([1.0, 0.0, 1.0], [0.3, 0.2, 0.1]) == 0
    assert slope([2.0], [math.inf]) == 0


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(0.01, 1)), min_size=1, max_size=12))
def test_slope_agrees_with_a_direct_implementation(pairs):
    values, widths = zip(*pairs, strict=True)
    assert slope(values, widths) == slope_by_hand(values, widths)


def test_the_choice_of_slope_by_hand():
    clips = [F(1), F(4), F(40)]
    choice = choose(sample_of(COUNTS), "clipped_ips", [float(c) for c in clips])
    assert choice.candidates == (40.0, 4.0, 1.0)
    values, widths = [], []
    for clip in reversed(clips):
        mean, variance, n = by_hand(COUNTS, clip)
        values.append(float(mean))
        widths.append(scipy.stats.t.ppf(0.9, n - 1) * math.sqrt(variance / n))
    assert choice.values == pytest.approx(values, abs=1e-12)
    assert choice.scores == pytest.approx(widths, abs=1e-9)
    assert choice.chosen == choice.candidates[slope_by_hand(values, widths)]
    assert choice.estimator.parameter == f"clip={choice.chosen:g}"
    w, r = sample_of(COUNTS).weights, sample_of(COUNTS).rewards
    assert choice.estimator(w, r) == make_estimator("clipped_ips", clip=choice.chosen)(w, r)


def test_the_choice_of_the_mse_bound_by_hand():
    clips = [F(40), F(4), F(1)]
    choice = choose(sample_of(COUNTS), "clipped_ips", [float(c) for c in clips], rule="mse")
    plain, _, n = by_hand(COUNTS, F(10**9))
    square = sum(w**2 * rows for w, _, rows in COUNTS) / n
    log = math.log(2 / 0.05)
    bounds = []
    for clip in clips:
        mean, variance, _ = by_hand(COUNTS, clip)
        bias = float(abs(plain - mean)) + math.sqrt(2 * square * log / n) + 2 * 40 * log / (3 * n)
        bounds.append(float(variance) * (n - 1) / n / n + bias**2)
    assert choice.scores == pytest.approx(bounds, rel=1e-12)
    assert choice.chosen == clips[int(np.argmin(bounds))]


@pytest.mark.parametrize("name", ["clipped_dr", "switch_dr", "dros"])
def test_the_mse_bound_measures_the_bias_on_residuals(name):
    n = sum(rows for _, _, rows in COUNTS)
    rng = np.random.default_rng(0)
    model = Prediction(*rng.random((2, n)))
    sample = sample_of(COUNTS, model=model)
    choice = choose(sample, name, rule="mse")
    used = choice.estimator.used(sample.weights)
    bias = np.mean((sample.weights - used) * (sample.rewards - model.logged))
    at = choice.candidates.index(choice.chosen)
    terms = model.expected + used * (sample.rewards - model.logged)
    log = math.log(2 / 0.05)
    w = sample.weights
    rest = math.sqrt(2 * (w**2).mean() * log / n) + 2 * w.max() * log / (3 * n)
    assert choice.scores[at] == pytest.approx(terms.var() / n + (abs(bias) + rest) ** 2, rel=1e-9)


@pytest.mark.parametrize("name", ["clipped_ips", "clipped_snips", "sub_gaussian"])
def test_weights_below_one_are_not_clipped(name):
    sample = Sample(np.ones(50), np.tile([0.0, 1.0], 25), np.arange(50))
    choice = choose(sample, name)
    assert choice.estimator(sample.weights, sample.rewards) == pytest.approx(0.5)


def test_choosing_changes_nothing_and_has_no_state():
    clips = [5.0, 1.0, 20.0, 1.0]
    heavy = sample_of(COUNTS)
    light = Sample(np.ones(50), np.tile([0.0, 1.0], 25), np.arange(50))
    first = choose(heavy, "clipped_ips", clips)
    assert clips == [5.0, 1.0, 20.0, 1.0]
    other = choose(light, "clipped_ips", clips)
    assert other.values != first.values
    again = choose(iter([heavy]), "clipped_ips", clips)
    assert (again.chosen, again.values, again.scores) == (first.chosen, first.values, first.scores)
    assert sorted(CANDIDATES["clip"]) == list(CANDIDATES["clip"])


def test_pieces_give_the_same_choice():
    whole = sample_of(COUNTS)
    cuts = np.array_split(np.arange(len(whole)), 4)
    pieces = [Sample(whole.weights[c], whole.rewards[c], whole.units[c]) for c in cuts]
    one, other = choose(whole, "clipped_snips"), choose(pieces, "clipped_snips")
    assert other.chosen == one.chosen
    assert other.scores == pytest.approx(one.scores, rel=1e-9)


def test_invalid_choices_are_refused():
    sample = sample_of(COUNTS)
    with pytest.raises(UserError, match="'ips' has no limit to choose"):
        choose(sample, "ips")
    with pytest.raises(UserError, match=r"Unknown estimator 'clipped_isp'\. Did you mean"):
        choose(sample, "clipped_isp")
    with pytest.raises(UserError, match=r"Unknown rule 'slop'\. Did you mean 'slope'\?"):
        choose(sample, "clipped_ips", rule="slop")
    with pytest.raises(UserError, match="'mse' has no bound for the bias of 'clipped_snips'"):
        choose(sample, "clipped_snips", rule="mse")
    with pytest.raises(UserError, match="there is no clip to choose from"):
        choose(sample, "clipped_ips", [])
    with pytest.raises(UserError, match=r"estimator\.clip: must be a number above 0, .* not -1"):
        choose(sample, "clipped_ips", [-1.0])
    with pytest.raises(UserError, match="delta must be between 0 and 1, got 2"):
        choose(sample, "clipped_ips", delta=2)
    with pytest.raises(UserError, match="fewer than two independent units"):
        choose(Sample(np.ones(3), np.ones(3), np.zeros(3, dtype=int)), "clipped_ips")
