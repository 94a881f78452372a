"""Trajectory estimators against hand-worked numbers, enumeration, and episode-by-episode sums."""

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators import Tally
from recsim.estimators.trajectories.estimators import (
    TRAJECTORY_ESTIMATORS,
    effective_sizes,
    make_trajectory_estimator,
)
from recsim.estimators.trajectories.sample import TrajectorySample

# Four ragged trajectories: (rho, r, Q, V) of every step. Q and V depend on the step.
EPISODES = (
    ((F(1, 2), F(1), F(1), F(3, 2)), (F(3), F(2), F(1, 2), F(1)), (F(2), F(1), F(1, 4), F(1, 3))),
    ((F(2), F(0), F(1, 3), F(1)),),
    ((F(3, 2), F(1, 2), F(2), F(1)), (F(1, 3), F(4), F(3), F(5, 2))),
    ((F(4), F(1), F(0), F(1, 2)), (F(0), F(1), F(1), F(1)), (F(1), F(2), F(1, 2), F(1, 5))),
)
GAMMA, T, N = F(9, 10), 3, len(EPISODES)


def estimate(name, sample):
    return make_trajectory_estimator(name)(sample)


def sample_of(episodes, gamma=GAMMA, horizon=None) -> TrajectorySample:
    steps = [(i, *step) for i, episode in enumerate(episodes) for step in episode]
    number, rho, reward, q, v = (
        np.array([float(x) for x in column]) for column in zip(*steps, strict=True)
    )
    return TrajectorySample.of_steps(
        number, reward, rho / 10, np.full(len(rho), 0.1), horizon=horizon, discount=float(gamma),
        action_values=q, expected_values=v,
    )  # fmt: skip


def weights_of(episode, clip=None, clip_steps=None) -> list[F]:
    """Return c_0 ... c_T-1; the last one remains after the end."""
    product, out = F(1), []
    for t in range(T):
        if t < len(episode):
            rho = episode[t][0]
            product *= rho if clip_steps is None else min(rho, clip_steps)
        out.append(product if clip is None else min(product, clip))
    return out


def by_hand(name: str, clip) -> F:
    """Work an estimate out with fractions, episode by episode."""
    by_step = name == "step_clipped_pdis"
    cut = clip if "clipped" in name and not by_step else None
    c = [weights_of(e, cut, clip if by_step else None) for e in EPISODES]
    kind = name.removeprefix("step_").removeprefix("clipped_")
    returns = [sum(GAMMA**t * step[1] for t, step in enumerate(e)) for e in EPISODES]
    mean = [sum(w[t] for w in c) / N for t in range(T)]

    def steps():
        return ((i, t, *step[1:]) for i, e in enumerate(EPISODES) for t, step in enumerate(e))

    def doubly(w, before):
        return sum(
            GAMMA**t * (w(i, t) * (r - q) + (before(i, t - 1) if t else 1) * v)
            for i, t, r, q, v in steps()
        )

    return {
        "tis": lambda: sum(w[-1] * g for w, g in zip(c, returns, strict=True)) / N,
        "wis": lambda: (
            sum(w[-1] * g for w, g in zip(c, returns, strict=True)) / sum(w[-1] for w in c)
        ),
        "pdis": lambda: sum(GAMMA**t * c[i][t] * r for i, t, r, _, _ in steps()) / N,
        "snpdis": lambda: sum(GAMMA**t * c[i][t] / mean[t] * r for i, t, r, _, _ in steps()) / N,
        "dm": lambda: sum(e[0][3] for e in EPISODES) / N,
        "dr": lambda: doubly(lambda i, t: c[i][t], lambda i, t: c[i][t]) / N,
        "wdr": lambda: doubly(lambda i, t: c[i][t] / mean[t], lambda i, t: c[i][t] / mean[t]) / N,
    }[kind]()


@pytest.mark.parametrize("clip", [F(4, 5), F(7, 4), F(3)])
@pytest.mark.parametrize("name", [name for name in TRAJECTORY_ESTIMATORS if name != "mis"])
def test_hand_worked(name, clip):
    value = make_trajectory_estimator(name, clip=float(clip))(sample_of(EPISODES))
    assert value == pytest.approx(float(by_hand(name, clip)), abs=1e-9)


def test_the_three_clips_differ():
    values = [by_hand(f"{name}", F(7, 4)) for name in ("clipped_tis", "clipped_pdis")]
    values.append(by_hand("step_clipped_pdis", F(7, 4)))
    assert len({*values, by_hand("tis", None), by_hand("pdis", None)}) == 5


# A decision problem: two states, two actions, two steps, and the chance of an early end.
START = (F(2, 3), F(1, 3))
MU, PI = ((F(1, 4), F(3, 4)), (F(1, 2), F(1, 2))), ((F(1, 2), F(1, 2)), (F(4, 5), F(1, 5)))
MOVE = {(0, 0): (F(1, 2), F(1, 4)), (0, 1): (F(1, 3), F(1, 3)), (1, 0): (F(0), F(1, 2)),
        (1, 1): (F(1, 5), F(4, 5))}  # fmt: skip
EARN = {(0, 0, 0): F(1), (0, 0, 1): F(2), (0, 1, 0): F(0), (0, 1, 1): F(1, 2),
        (1, 0, 0): F(3), (1, 0, 1): F(1), (1, 1, 0): F(1, 3), (1, 1, 1): F(2)}  # fmt: skip


def all_trajectories(policy):
    """Yield the steps (state, action) and the probability of every trajectory."""
    for s0, a0 in itertools.product(range(2), repeat=2):
        first = START[s0] * policy[s0][a0]
        yield ((s0, a0),), first * (1 - sum(MOVE[s0, a0]))
        for s1, a1 in itertools.product(range(2), repeat=2):
            yield ((s0, a0), (s1, a1)), first * MOVE[s0, a0][s1] * policy[s1][a1]


def truth() -> F:
    return sum(
        chance * sum(GAMMA**t * EARN[t, *step] for t, step in enumerate(steps))
        for steps, chance in all_trajectories(PI)
    )


def episode_of(steps, q, v):
    return tuple(
        (PI[s][a] / MU[s][a], EARN[t, s, a], q(t, s, a), v(t, s)) for t, (s, a) in enumerate(steps)
    )


def right_q(t, s, a):
    return EARN[t, s, a] + (
        0 if t else GAMMA * sum(MOVE[s, a][n] * right_v(1, n) for n in range(2))
    )


def right_v(t, s):
    return sum(PI[s][a] * right_q(t, s, a) for a in range(2))


def wrong_q(t, s, a):
    return F(1 + t + 2 * s + 3 * a, 4)


def wrong_v(t, s):
    return sum(PI[s][a] * wrong_q(t, s, a) for a in range(2))


def expectation(name: str, q, v) -> float:
    estimator = make_trajectory_estimator(name)
    return sum(
        float(chance) * estimator(sample_of([episode_of(steps, q, v)]))
        for steps, chance in all_trajectories(MU)
        if chance
    )


@pytest.mark.parametrize(("q", "v"), [(wrong_q, wrong_v), (right_q, right_v)])
def test_tis_pdis_and_dr_are_unbiased_and_dm_if_the_model_is_right(q, v):
    for name in ("tis", "pdis", "dr"):
        assert expectation(name, q, v) == pytest.approx(float(truth()), abs=1e-12)
    right = expectation("dm", q, v) == pytest.approx(float(truth()), abs=1e-12)
    assert right == (q is right_q)


def test_dr_with_the_right_model_has_the_smallest_variance():
    variance = {
        name: sum(
            float(chance) * make_trajectory_estimator(name)(sample_of([episode])) ** 2
            for steps, chance in all_trajectories(MU)
            if chance
            for episode in [episode_of(steps, right_q, right_v)]
        )
        - float(truth()) ** 2
        for name in ("tis", "pdis", "dr")
    }
    assert variance["dr"] < variance["pdis"] < variance["tis"]


def random_sample(
    n: int, steps: int, seed: int = 0, spread: float = 0.5, padding: int = 0
) -> TrajectorySample:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, steps + 1, n)
    m = int(lengths.sum())
    logged = rng.uniform(0.2, 0.6, m)
    return TrajectorySample.of_steps(
        np.repeat(np.arange(n), lengths),
        rng.random(m),
        logged * np.exp(rng.uniform(-spread, spread, m)),
        logged,
        horizon=steps + padding,
        units=rng.integers(0, 4 * n, n),
        discount=0.9,
        action_values=rng.random(m),
        expected_values=rng.random(m),
        states=rng.integers(0, 3, m),
    )


def one_by_one(name: str, sample: TrajectorySample) -> float:
    """Return a mean over trajectories, each of its own length, without any padding."""
    estimator = make_trajectory_estimator(name, clip=1.1)
    values = []
    for i, length in enumerate(sample.lengths):
        columns = {
            key: getattr(sample, key)[i : i + 1, :length]
            for key in ("rewards", "ratios", "action_values", "expected_values")
        }
        single = TrajectorySample(units=sample.units[i : i + 1], discount=0.9, **columns)
        values.append(estimator(single))
    return float(np.mean(values))


@given(st.integers(1, 30), st.integers(1, 7), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_ragged_trajectories_give_the_mean_of_single_ones(n, steps, seed):
    sample = random_sample(n, steps, seed)
    for name in TRAJECTORY_ESTIMATORS:
        if make_trajectory_estimator(name).mean:
            value = make_trajectory_estimator(name, clip=1.1)(sample)
            assert value == pytest.approx(one_by_one(name, sample), rel=1e-9), name


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_padding_changes_nothing(n, steps, seed):
    sample, wider = random_sample(n, steps, seed), random_sample(n, steps, seed, padding=3)
    for name in TRAJECTORY_ESTIMATORS:
        estimator = make_trajectory_estimator(name, clip=1.1)
        assert estimator(wider) == pytest.approx(estimator(sample), rel=1e-9), name


def test_the_last_weight_remains_after_the_end():
    sample = sample_of(EPISODES)
    assert sample.cumulative[1].tolist() == pytest.approx([2.0, 2.0, 2.0])
    assert sample.cumulative[2].tolist() == pytest.approx([1.5, 0.5, 0.5])
    assert sample.lengths.tolist() == [3, 1, 2, 3]
    assert effective_sizes(sample)[0] == pytest.approx(8**2 / (0.25 + 4 + 2.25 + 16))


def test_the_logging_policy_earns_the_mean_return():
    sample = random_sample(60, 5, spread=0.0)
    for name in TRAJECTORY_ESTIMATORS:
        if name not in ("dm", "dr", "clipped_dr", "wdr", "clipped_wdr", "mis"):
            value = make_trajectory_estimator(name, clip=1.0 + 1e-9)(sample)
            assert value == pytest.approx(sample.returns.mean(), rel=1e-9), name


def test_with_no_model_dr_is_pdis_and_with_one_step_all_is_ips():
    sample = random_sample(60, 5)
    zero = np.zeros(sample.rewards.shape)
    columns = {**vars(sample), "action_values": zero, "expected_values": zero}
    fields = {k: columns[k] for k in ("rewards", "ratios", "units", "lengths", "discount",
                                      "action_values", "expected_values")}  # fmt: skip
    without = TrajectorySample(**fields)
    assert estimate("dr", without) == pytest.approx(estimate("pdis", sample))
    assert estimate("wdr", without) == pytest.approx(estimate("snpdis", sample))
    one = random_sample(60, 1)
    ips = (one.ratios * one.rewards).mean()
    assert estimate("tis", one) == pytest.approx(ips)
    assert estimate("pdis", one) == pytest.approx(ips)
    assert estimate("wis", one) == pytest.approx(
        (one.ratios * one.rewards).sum() / one.ratios.sum()
    )


def tally_of(*samples, **settings) -> Tally:
    horizon = samples[0].steps
    names = [name for name in TRAJECTORY_ESTIMATORS if name != "mis"]
    estimators = [make_trajectory_estimator(n, clip=1.1, horizon=horizon) for n in names]
    tally = Tally(estimators, **{"samples": 200, "seed": 1} | settings)
    for sample in samples:
        tally.add(sample)
    return tally


def rows_of(sample: TrajectorySample, rows: slice) -> TrajectorySample:
    columns = {name: value[rows] for name, value in vars(sample).items() if hasattr(value, "shape")}
    columns = {k: v for k, v in columns.items() if k in TrajectorySample.__dataclass_fields__}
    return TrajectorySample(**columns, discount=sample.discount)


@pytest.mark.parametrize("interval", ["bootstrap", "t"])
def test_a_log_in_pieces_gives_the_same_values(interval):
    sample = random_sample(300, 4)
    whole = tally_of(sample, interval=interval)
    pieces = tally_of(
        *(rows_of(sample, slice(a, a + 70)) for a in range(0, 300, 70)), interval=interval
    )
    for ours, theirs in zip(pieces.values(), whole.values(), strict=True):
        estimator = make_trajectory_estimator(ours.estimator, clip=1.1)
        assert ours.value == pytest.approx(estimator(sample), rel=1e-12)
        for name in ("value", "low", "high", "ess", "max_weight", "clipped_share"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9), name
        assert ours.low < ours.value < ours.high
        assert ours.warnings == theirs.warnings


def test_diagnostics_count_what_has_a_weight():
    sample = random_sample(300, 4)
    values = {value.estimator: value for value in tally_of(sample).values()}
    last, steps = sample.cumulative[:, -1], sample.cumulative[sample.within]
    for name, value in values.items():
        weights = last if name.removeprefix("clipped_") in ("tis", "wis", "dm") else steps
        assert value.n == len(weights)
        assert value.max_weight == weights.max()
        over = sample.ratios[sample.within] if name == "step_clipped_pdis" else weights
        share = (over > 1.1).mean() if "clipped" in name else 0.0
        assert value.clipped_share == pytest.approx(share), name
    assert values["dm"].warnings == (
        "this is the reward model's prediction: the interval ignores its error",
    )
    assert values["tis"].ess == pytest.approx(last.sum() ** 2 / (last**2).sum())


def test_a_horizon_cuts_off_what_follows():
    cut, whole = sample_of(EPISODES, horizon=1), sample_of(EPISODES)
    assert cut.lengths.tolist() == [1, 1, 1, 1]
    np.testing.assert_array_equal(cut.rewards, whole.rewards[:, :1])
    roomy = sample_of(EPISODES, horizon=5)
    assert estimate("wdr", roomy) == pytest.approx(estimate("wdr", whole), rel=1e-12)


def test_intervals_have_their_nominal_coverage():
    # Two steps; each shows item 1 with chance 0.5 (mu) or 0.7 (pi); earns 1 with 0.3 or 0.6.
    rng, covered, logs, value = np.random.default_rng(5), np.zeros(3), 300, 2 * (0.09 + 0.42)
    for _ in range(logs):
        action = rng.random((200, 2)) < 0.5
        reward = (rng.random((200, 2)) < np.where(action, 0.6, 0.3)).astype(float)
        sample = TrajectorySample(reward, np.where(action, 1.4, 0.6), np.arange(200))
        names = ("tis", "wis", "snpdis")
        tally = Tally(
            [make_trajectory_estimator(n, horizon=2) for n in names], interval="t", level=0.9
        )
        tally.add(sample)
        covered += [v.low <= value <= v.high for v in tally.values()]
    # Nominal 0.9; four standard errors of a share over 300 logs are 0.07.
    assert (np.abs(covered / logs - 0.9) < 0.07).all()


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.1, np.nan])
def test_an_invalid_propensity_is_refused(wrong):
    good, bad = np.full(4, 0.5), np.array([0.5, 0.5, 0.5, wrong])
    with pytest.raises(UserError, match=r"row 3: the logged propensity .* is not in \(0, 1\]"):
        TrajectorySample.of_steps([0, 0, 1, 1], good, good, bad)


def test_errors_name_what_is_missing_or_wrong():
    sample = TrajectorySample(np.ones((2, 2)), np.ones((2, 2)), np.arange(2))
    for name, column in (("dm", "expected_values"), ("dr", "action_values"), ("mis", "states")):
        with pytest.raises(UserError, match=f"{name} needs {column}"):
            make_trajectory_estimator(name)(sample)
    with pytest.raises(UserError, match=r"Unknown estimator 'snpdi'\. Did you mean 'snpdis'\?"):
        make_trajectory_estimator("snpdi")
    with pytest.raises(UserError, match=r"estimator\.clip: must be greater than 0, not -1"):
        make_trajectory_estimator("clipped_tis", clip=-1)
    with pytest.raises(UserError, match=r"discount must be from 0 to 1, got 1\.5"):
        TrajectorySample(np.ones((2, 2)), np.ones((2, 2)), np.arange(2), discount=1.5)
    with pytest.raises(UserError, match="horizon must be at least 1 step, got 0"):
        sample_of(EPISODES, horizon=0)
    with pytest.raises(ValueError, match="snpdis has sums for every position or step"):
        Tally([make_trajectory_estimator("snpdis")])
    with pytest.raises(ValueError, match=r"rewards\[0, 1\] is 1.0: not 0 after the end"):
        TrajectorySample(np.ones((1, 2)), np.ones((1, 2)), np.arange(1), np.array([1]))
    with pytest.raises(ValueError, match="episodes must be ascending"):
        TrajectorySample.of_steps([1, 0], [1, 1], [0.5, 0.5], [0.5, 0.5])
    huge = TrajectorySample(np.ones((1, 400)), np.full((1, 400), 10.0), np.arange(1))
    with pytest.raises(UserError, match="weight of trajectory 0 overflows after 309"):
        estimate("tis", huge)


def test_no_trajectory_and_no_weight():
    empty = TrajectorySample(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    assert math.isnan(estimate("tis", empty))
    never = TrajectorySample(np.ones((2, 2)), np.zeros((2, 2)), np.arange(2))
    assert estimate("pdis", never) == 0.0
    assert math.isnan(estimate("wis", never))
    assert effective_sizes(never).tolist() == [0.0, 0.0]
