"""The estimators against hand-worked numbers and against the enumeration of all small logs."""

import itertools
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators import (
    ESTIMATORS,
    Actions,
    Prediction,
    Sample,
    effective_sample_size,
    make_estimator,
)

ips, snips = make_estimator("ips"), make_estimator("snips")


def clipped_ips(w, r, clip):
    return make_estimator("clipped_ips", clip=clip)(w, r)


def clipped_snips(w, r, clip):
    return make_estimator("clipped_snips", clip=clip)(w, r)


def sub_gaussian(w, r, subgaussian):
    return make_estimator("sub_gaussian", subgaussian=subgaussian)(w, r)


def replay(policy, r):
    return make_estimator("replay")(policy, r, policy=policy)


# One context, three actions, rewards 0 or 1 with a known mean.
MU = (F(1, 2), F(3, 8), F(1, 8))
PI = (F(1, 8), F(1, 4), F(5, 8))
Q = (F(1, 3), F(1, 2), F(3, 4))
W = tuple(pi / mu for pi, mu in zip(PI, MU, strict=True))  # 1/4, 2/3, 5
VALUE = sum(pi * q for pi, q in zip(PI, Q, strict=True))


def all_logs(rows: int):
    """Yield the weights, rewards and probability of every log of that many rows."""
    outcomes = [(a, r) for a in range(3) for r in (0, 1)]
    for log in itertools.product(outcomes, repeat=rows):
        chance = F(1)
        for action, reward in log:
            chance *= MU[action] * (Q[action] if reward else 1 - Q[action])
        weights = np.array([float(W[action]) for action, _ in log])
        yield weights, np.array([float(reward) for _, reward in log]), chance


def expectation(estimate, rows: int) -> float:
    return sum(float(chance) * estimate(w, r) for w, r, chance in all_logs(rows))


WEIGHTS = np.array([0.5, 2.0, 4.0, 0.0])
REWARDS = np.array([1.0, 0.0, 0.5, 1.0])


def test_hand_worked():
    # w r = 0.5, 0, 2, 0 and with min(w, 3): 0.5, 0, 1.5, 0.
    assert ips(WEIGHTS, REWARDS) == pytest.approx(2.5 / 4, abs=1e-12)
    assert snips(WEIGHTS, REWARDS) == pytest.approx(2.5 / 6.5, abs=1e-12)
    assert clipped_ips(WEIGHTS, REWARDS, clip=3) == pytest.approx(2.0 / 4, abs=1e-12)
    assert clipped_snips(WEIGHTS, REWARDS, clip=3) == pytest.approx(2.0 / 5.5, abs=1e-12)
    # w / (0.5 + 0.5 w) = 2/3, 4/3, 8/5, 0.
    expected = float((F(2, 3) + F(8, 5) * F(1, 2)) / 4)
    assert sub_gaussian(WEIGHTS, REWARDS, subgaussian=0.5) == pytest.approx(expected, abs=1e-12)
    # Rows 0 and 3 match: rewards 1 and 1; rows 1 and 2 do not.
    assert replay([1, 0, 0, 1], [1.0, 0.0, 0.5, 0.5]) == pytest.approx(0.75, abs=1e-12)
    assert effective_sample_size(WEIGHTS) == pytest.approx(6.5**2 / 20.25, abs=1e-12)
    assert effective_sample_size([2.0, 2.0, 2.0]) == pytest.approx(3.0, abs=1e-12)
    assert effective_sample_size([0.0, 0.0]) == 0.0


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_ips_is_unbiased(rows):
    assert expectation(ips, rows) == pytest.approx(float(VALUE), abs=1e-12)


@pytest.mark.parametrize("clip", [F(1, 5), F(1, 2), F(2), F(7)])
def test_bias_and_variance_of_clipped_ips(clip):
    kept = [min(w, clip) for w in W]
    bias = sum(mu * (k - w) * q for mu, k, w, q in zip(MU, kept, W, Q, strict=True))
    mean = VALUE + bias
    # Rewards are 0 or 1, so r^2 = r.
    second = sum(mu * k**2 * q for mu, k, q in zip(MU, kept, Q, strict=True))
    rows = 2

    def estimate(w, r):
        return clipped_ips(w, r, clip=float(clip))

    assert expectation(estimate, rows) == pytest.approx(float(mean), abs=1e-12)
    variance = expectation(lambda w, r: estimate(w, r) ** 2, rows) - float(mean) ** 2
    assert variance == pytest.approx(float((second - mean**2) / rows), abs=1e-12)
    assert bias == 0 if clip >= max(W) else bias < 0


def test_snips_is_biased_and_less_so_with_more_rows():
    bias = [abs(expectation(snips, rows) - float(VALUE)) for rows in (1, 2, 4)]
    assert bias[0] > bias[1] > bias[2] > 1e-6


positive = st.floats(min_value=1e-3, max_value=1e3)
rows_of = st.lists(st.tuples(positive, st.floats(0, 10)), min_size=1, max_size=30)


@given(rows_of)
def test_an_infinite_clip_changes_nothing(rows):
    w, r = np.array(rows).T
    assert clipped_ips(w, r, clip=np.inf) == ips(w, r)
    assert clipped_snips(w, r, clip=np.inf) == snips(w, r)
    assert clipped_ips(w, r, clip=float(w.max())) == ips(w, r)


@given(rows_of, st.floats(0.01, 100), st.floats(1, 10))
def test_clipped_ips_grows_with_the_clip(rows, clip, factor):
    w, r = np.array(rows).T
    low, high = clipped_ips(w, r, clip=clip), clipped_ips(w, r, clip=clip * factor)
    assert low <= high * (1 + 1e-12)


@given(rows_of, st.floats(0.1, 10), st.floats(-5, 5))
def test_snips_is_invariant_to_the_scale_of_the_weights(rows, scale, shift):
    w, r = np.array(rows).T
    assert snips(scale * w, r) == pytest.approx(snips(w, r), rel=1e-9, abs=1e-12)
    assert snips(w, r + shift) == pytest.approx(snips(w, r) + shift, rel=1e-9, abs=1e-9)


def test_ips_depends_on_the_scale_of_the_weights_and_the_shift_of_the_rewards():
    assert ips(2 * WEIGHTS, REWARDS) == pytest.approx(2 * ips(WEIGHTS, REWARDS))
    assert ips(WEIGHTS, REWARDS + 1) != pytest.approx(ips(WEIGHTS, REWARDS) + 1)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30))
def test_the_logging_policy_earns_the_mean_of_the_log(rewards):
    r = np.array(rewards)
    for name in ESTIMATORS:
        ones, table = np.ones(len(r)), np.stack([r, 1 - r], axis=1)
        # The reward model has no effect where pi = mu, on an action that both always take.
        always = Actions(np.eye(2)[[0] * len(r)], np.eye(2)[[0] * len(r)], table)
        known = {"q": r, "v": r, "policy": ones, "actions": always}
        estimate = make_estimator(name, clip=1.0)(ones, r, **known)
        assert estimate == pytest.approx(r.mean(), abs=1e-12), name


@given(rows_of)
def test_the_limits_of_sub_gaussian_are_ips_and_the_mean(rows):
    w, r = np.array(rows).T
    assert sub_gaussian(w, r, subgaussian=0) == pytest.approx(ips(w, r), rel=1e-12)
    assert sub_gaussian(w, r, subgaussian=1) == pytest.approx(r.mean(), rel=1e-12, abs=1e-12)
    assert sub_gaussian(w, np.ones(len(r)), subgaussian=0.1) <= 10


def test_replay_needs_a_deterministic_policy():
    with pytest.raises(UserError, match=r"shows a logged item with probability 0\.3\. Use 'snips'"):
        replay([1.0, 0.3], [0.0, 1.0])


def test_replay_is_unbiased_under_uniform_logging():
    # The policy shows action 2; of all logs of two rows with mu = 1/3 each.
    total = defined = F(0)
    for log in itertools.product(itertools.product(range(3), (0, 1)), repeat=2):
        chance = F(1)
        for action, reward in log:
            chance *= F(1, 3) * (Q[action] if reward else 1 - Q[action])
        estimate = replay([float(a == 2) for a, _ in log], [float(r) for _, r in log])
        if not np.isnan(estimate):
            total, defined = total + chance * F(estimate), defined + chance
    assert defined == 1 - F(4, 9)
    assert float(total / defined) == pytest.approx(float(Q[2]), abs=1e-12)


def test_a_long_log_is_read_in_blocks():
    rng = np.random.default_rng(0)
    w, r = rng.exponential(size=(2, 100_001))
    assert ips(w, r) == pytest.approx((w * r).mean(), rel=1e-12)
    assert snips(w, r) == pytest.approx((w * r).sum() / w.sum(), rel=1e-12)
    w[70_000] = np.nan
    with pytest.raises(ValueError, match=r"weights\[70000\] is nan"):
        ips(w, r)


def test_undefined_estimates_are_nan():
    assert np.isnan(ips([], []))
    assert np.isnan(replay([0.0], [1.0]))
    assert np.isnan(snips([0.0, 0.0], [1.0, 0.0]))
    assert ips([0.0, 0.0], [1.0, 0.0]) == 0.0


def test_inputs_are_not_changed():
    w, r = WEIGHTS.copy(), REWARDS.copy()
    q, pi, table = r / 2, (w > 0).astype(float), np.ones((4, 3)) / 3
    given = (w, r, q, pi, table)
    before = [array.copy() for array in given]
    for name in ESTIMATORS:
        actions = Actions(table, table, table)
        make_estimator(name, clip=1.0)(w, r, q=q, v=q, policy=pi, actions=actions)
    for array, copy in zip(given, before, strict=True):
        assert np.array_equal(array, copy)


def test_invalid_input_is_refused():
    with pytest.raises(ValueError, match=r"weights\[1\] is -1\.0: below zero"):
        ips([1.0, -1.0], [0.0, 0.0])
    with pytest.raises(ValueError, match=r"rewards\[0\] is nan: not finite"):
        ips([1.0], [np.nan])
    with pytest.raises(ValueError, match=r"must both be \(N,\)"):
        ips([1.0, 2.0], [1.0])
    with pytest.raises(UserError, match=r"Unknown estimator 'snip'\. Did you mean 'snips'\?"):
        make_estimator("snip")
    with pytest.raises(UserError, match=r"estimator\.clip: must be a number above 0, .* not -3"):
        make_estimator("clipped_ips", clip=-3)
    with pytest.raises(UserError, match=r"estimator\.clpi: unknown key\. Did you mean 'clip'\?"):
        make_estimator("clipped_ips", clpi=3)
    with pytest.raises(UserError, match=r"estimator\.clip: must be a number above 0, .* not nan"):
        make_estimator("clipped_ips", clip=np.nan)
    with pytest.raises(UserError, match=r"subgaussian: must be a number from 0 to 1, .* not 2"):
        make_estimator("sub_gaussian", subgaussian=2)
    with pytest.raises(UserError, match="clip must be a number here: only `evaluate` can choose"):
        make_estimator("clipped_ips", clip="slope")


def test_a_sample_gives_what_its_arrays_give():
    q, v = REWARDS / 2, REWARDS / 3
    sample = Sample(WEIGHTS, REWARDS, np.arange(4), model=Prediction(q, v))
    for name in ("snips", "dr", "sndr"):
        estimator = make_estimator(name)
        assert estimator(sample) == pytest.approx(estimator(WEIGHTS, REWARDS, q=q, v=v), rel=1e-12)
