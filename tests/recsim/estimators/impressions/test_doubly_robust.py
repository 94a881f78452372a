"""Estimators with a reward model, compared with independent calculations in fractions."""

import itertools
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators import (
    Actions,
    Prediction,
    Sample,
    Tally,
    make_estimator,
    mrdr_weights,
)

ips, snips = make_estimator("ips"), make_estimator("snips")


def of_arrays(name, limit=""):
    """Return an estimator as a function of w, r, q, v and its limit."""

    def estimate(w, r, q, v, **limits):
        assert set(limits) == {limit} - {""}
        return make_estimator(name, **limits)(w, r, q=q, v=v)

    return estimate


dr, sndr, mrdr = of_arrays("dr"), of_arrays("sndr"), of_arrays("mrdr")
clipped_dr = of_arrays("clipped_dr", "clip")
switch_dr = of_arrays("switch_dr", "tau")
dros = of_arrays("dros", "shrinkage")


def dm(v):
    nothing = np.zeros(len(v))
    return make_estimator("dm")(nothing, nothing, q=nothing, v=v)


def switch(w, r, actions, tau):
    return make_estimator("switch", tau=tau)(w, r, actions=actions)


# Four rounds, three actions, mu and pi and q differ by round; the fourth has an action without mu.
MU = [
    (F(1, 2), F(1, 4), F(1, 4)),
    (F(1, 10), F(3, 10), F(6, 10)),
    (F(1, 3), F(1, 3), F(1, 3)),
    (F(1, 4), F(3, 4), F(0)),
]
PI = [
    (F(1, 4), F(1, 4), F(1, 2)),
    (F(4, 5), F(1, 10), F(1, 10)),
    (F(0), F(1), F(0)),
    (F(1, 8), F(1, 8), F(3, 4)),
]
Q = [
    (F(1, 5), F(2, 5), F(3, 5)),
    (F(1, 2), F(1, 3), F(1, 4)),
    (F(0), F(3, 4), F(1)),
    (F(1, 6), F(1, 2), F(5, 6)),
]
ACTION = [2, 0, 1, 1]
REWARD = [F(1), F(2), F(0), F(1, 2)]
ROUNDS = range(4)

W = [PI[i][a] / MU[i][a] for i, a in enumerate(ACTION)]  # 2, 8, 3, 1/6
QI = [Q[i][a] for i, a in enumerate(ACTION)]
V = [sum(p * q for p, q in zip(PI[i], Q[i], strict=True)) for i in ROUNDS]
RESIDUAL = [r - q for r, q in zip(REWARD, QI, strict=True)]


def floats(values):
    return (
        np.array([[float(x) for x in row] for row in values])
        if isinstance(values[0], tuple)
        else np.array([float(x) for x in values])
    )


GIVEN = (floats(W), floats(REWARD), floats(QI), floats(V))
ACTIONS = Actions(floats(PI), floats(MU), floats(Q))


def mean(values):
    return float(sum(values) / len(values))


def exact(value):
    return pytest.approx(float(value), abs=1e-12)


def test_the_weights_of_the_rounds():
    assert tuple(W) == (2, 8, 3, F(1, 6))


def test_dm_and_dr_by_hand():
    assert dm(GIVEN[3]) == exact(sum(V) / 4)
    assert dr(*GIVEN) == exact(mean([V[i] + W[i] * RESIDUAL[i] for i in ROUNDS]))
    assert mrdr(*GIVEN) == dr(*GIVEN)


@pytest.mark.parametrize("clip", [F(1, 10), F(3), F(10)])
def test_clipped_dr_by_hand(clip):
    expected = mean([V[i] + min(W[i], clip) * RESIDUAL[i] for i in ROUNDS])
    assert clipped_dr(*GIVEN, clip=float(clip)) == exact(expected)


def test_sndr_by_hand():
    expected = sum(V) / 4 + sum(W[i] * RESIDUAL[i] for i in ROUNDS) / sum(W)
    assert sndr(*GIVEN) == exact(expected)


@pytest.mark.parametrize("tau", [F(0), F(2), F(5, 2), F(8), F(100)])
def test_switch_dr_by_hand(tau):
    expected = mean([V[i] + (W[i] * RESIDUAL[i] if W[i] <= tau else 0) for i in ROUNDS])
    assert switch_dr(*GIVEN, tau=float(tau)) == exact(expected)


@pytest.mark.parametrize("tau", [F(0), F(1), F(2), F(5, 2), F(8), F(100)])
def test_switch_by_hand(tau):
    total = F(0)
    for i in ROUNDS:
        if W[i] <= tau:
            total += W[i] * REWARD[i]
        for p, mu, q in zip(PI[i], MU[i], Q[i], strict=True):
            # An action that is never logged has an infinite weight if the policy takes it.
            if p > 0 and (mu == 0 or p / mu > tau):
                total += p * q
    assert switch(GIVEN[0], GIVEN[1], ACTIONS, tau=float(tau)) == exact(total / 4)


def test_switch_is_ips_where_all_is_supported_and_dm_at_zero():
    supported = Actions(*(table[:3] for table in (ACTIONS.policy, ACTIONS.logging, ACTIONS.model)))
    w, r, _, v = (array[:3] for array in GIVEN)
    assert switch(w, r, supported, tau=1e9) == pytest.approx(ips(w, r), abs=1e-12)
    assert switch(w, r, supported, tau=0.0) == pytest.approx(dm(v), abs=1e-12)


@pytest.mark.parametrize("shrinkage", [F(1, 2), F(4), F(400)])
def test_dros_by_hand(shrinkage):
    expected = mean(
        [V[i] + shrinkage * W[i] / (W[i] ** 2 + shrinkage) * RESIDUAL[i] for i in ROUNDS]
    )
    assert dros(*GIVEN, shrinkage=float(shrinkage)) == exact(expected)


def test_the_weights_of_mrdr_by_hand():
    pi = [PI[i][a] for i, a in enumerate(ACTION)]
    mu = [MU[i][a] for i, a in enumerate(ACTION)]
    expected = [p * (1 - m) / m**2 for p, m in zip(pi, mu, strict=True)]
    assert mrdr_weights(floats(pi), floats(mu)) == pytest.approx(floats(expected), abs=1e-12)


numbers = st.floats(-10, 10)
rows_of = st.lists(
    st.tuples(st.floats(1e-3, 1e3), numbers, numbers, numbers), min_size=1, max_size=20
)


@given(rows_of)
def test_the_extreme_values_of_every_limit(rows):
    w, r, q, v = np.array(rows).T
    close = {"rel": 1e-9, "abs": 1e-9}
    assert dros(w, r, q, v, shrinkage=0) == pytest.approx(dm(v), **close)
    assert dros(w, r, q, v, shrinkage=np.inf) == pytest.approx(dr(w, r, q, v), **close)
    assert switch_dr(w, r, q, v, tau=0) == pytest.approx(dm(v), **close)
    assert switch_dr(w, r, q, v, tau=np.inf) == pytest.approx(dr(w, r, q, v), **close)
    assert clipped_dr(w, r, q, v, clip=np.inf) == pytest.approx(dr(w, r, q, v), **close)


@given(rows_of)
def test_without_a_model_dr_is_ips_and_sndr_is_snips(rows):
    w, r, _, _ = np.array(rows).T
    nothing = np.zeros(len(r))
    assert dr(w, r, nothing, nothing) == pytest.approx(ips(w, r), rel=1e-12, abs=1e-12)
    assert sndr(w, r, nothing, nothing) == pytest.approx(snips(w, r), rel=1e-12, abs=1e-12)


@given(rows_of, st.floats(0.1, 10))
def test_sndr_is_invariant_to_the_scale_of_the_weights(rows, scale):
    w, r, q, v = np.array(rows).T
    assert sndr(scale * w, r, q, v) == pytest.approx(sndr(w, r, q, v), rel=1e-9, abs=1e-9)


# One context: the average over all logs of two rounds, with rewards 0 or 1 of mean TRUTH.
TRUTH = (F(1, 3), F(1, 2), F(3, 4))
MU1, PI1 = MU[0], PI[0]


def expectation(estimate, guess):
    """Average an estimate of w, r, q, v over all logs of two rounds, with a model ``guess``."""
    v = sum(p * g for p, g in zip(PI1, guess, strict=True))
    outcomes = list(itertools.product(range(3), (0, 1)))
    total = F(0)
    for log in itertools.product(outcomes, repeat=2):
        chance = F(1)
        for a, r in log:
            chance *= MU1[a] * (TRUTH[a] if r else 1 - TRUTH[a])
        w = [PI1[a] / MU1[a] for a, _ in log]
        q = [guess[a] for a, _ in log]
        estimated = estimate(floats(w), floats([r for _, r in log]), floats(q), floats([v, v]))
        total += chance * F(estimated)
    return float(total)


VALUE = sum(p * t for p, t in zip(PI1, TRUTH, strict=True))
WRONG = (F(2), F(-1), F(5))


def test_dr_is_unbiased_however_wrong_the_model():
    assert expectation(dr, WRONG) == exact(VALUE)
    assert expectation(lambda w, r, q, v: dm(v), WRONG) != exact(VALUE)


def test_dr_is_unbiased_however_wrong_the_weights_if_the_model_is_right():
    assert expectation(lambda w, r, q, v: dr(7 * w, r, q, v), TRUTH) == exact(VALUE)
    assert expectation(lambda w, r, q, v: dr(7 * w, r, q, v), WRONG) != exact(VALUE)


@pytest.mark.parametrize("limit", [F(1, 2), F(3, 2)])
def test_the_bias_of_limited_weights(limit):
    weights = [p / m for p, m in zip(PI1, MU1, strict=True)]

    def bias(used):
        terms = zip(MU1, weights, TRUTH, WRONG, strict=True)
        return sum(m * (used(w) - w) * (t - g) for m, w, t, g in terms)

    cases = {
        "clip": (lambda *a: clipped_dr(*a, clip=float(limit)), lambda w: min(w, limit)),
        "tau": (lambda *a: switch_dr(*a, tau=float(limit)), lambda w: w if w <= limit else F(0)),
        "shrinkage": (
            lambda *a: dros(*a, shrinkage=float(limit)),
            lambda w: limit * w / (w**2 + limit),
        ),
    }
    for name, (estimate, used) in cases.items():
        assert expectation(estimate, WRONG) == exact(VALUE + bias(used)), name
        assert bias(used) != 0, name


def test_dr_with_the_exact_model_varies_with_the_context_only():
    # Rewards equal q of the action taken: every DR term is V, whatever was logged.
    w, _, q, v = GIVEN
    assert dr(w, q, q, v) == pytest.approx(dm(v), abs=1e-12)
    terms = make_estimator("dr").terms(Sample(w, q, np.arange(4), model=Prediction(q, v)))
    assert terms[:, 1] == pytest.approx(v, abs=1e-12)


def test_undefined_estimates_are_nan():
    nothing = np.zeros(2)
    assert np.isnan(sndr(nothing, nothing, nothing, nothing))
    assert np.isnan(dm([]))
    assert dr(nothing, nothing, nothing, np.ones(2)) == 1.0


def test_errors_name_what_is_missing():
    with pytest.raises(UserError, match="dr needs model: the predictions of a reward model"):
        make_estimator("dr")([1.0], [1.0])
    with pytest.raises(UserError, match="switch needs actions: pi, mu and the reward model's"):
        make_estimator("switch")([1.0], [1.0])
    tally = Tally([make_estimator("mrdr")], samples=10)
    one = np.ones(1)
    with pytest.raises(UserError, match="mrdr needs weighted_model: the predictions of a reward"):
        tally.add(Sample(one, one, np.zeros(1, dtype=int), model=Prediction(one, one)))
    table, two = np.ones((3, 2)), np.ones(2)
    with pytest.raises(ValueError, match=r"actions must all be \(2, A\)"):
        Sample(two, two, np.arange(2), actions=Actions(table, table, table))
    with pytest.raises(ValueError, match=r"model\.expected must be \(1,\); got \(2,\)"):
        Sample(one, one, np.zeros(1, dtype=int), model=Prediction(one, np.ones(2)))
    with pytest.raises(ValueError, match=r"model\.logged\[0\] is nan: not finite"):
        dr([1.0], [1.0], [np.nan], [1.0])


def test_the_direct_method_warns_that_its_interval_ignores_the_model_error():
    tally = Tally([make_estimator("dm"), make_estimator("dr")], samples=50)
    ones = np.ones(100)
    tally.add(Sample(ones, ones, np.arange(100), model=Prediction(ones, ones)))
    direct, robust = tally.values()
    assert direct.warnings == (
        "this is the reward model's prediction: the interval ignores its error",
    )
    assert robust.trustworthy


def test_weight_that_the_model_replaces_has_a_warning():
    tally = Tally([make_estimator("switch_dr", tau=0.5)], samples=50)
    ones = np.ones(100)
    tally.add(Sample(ones, ones, np.arange(100), model=Prediction(ones, ones)))
    (value,) = tally.values()
    assert (value.cut_share, value.clipped_share) == (1.0, 1.0)
    message = "tau=0.5 cut away 100% of the total weight: the estimate there is that of the reward"
    assert any(text.startswith(message) for text in value.warnings)
