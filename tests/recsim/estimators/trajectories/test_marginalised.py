"""Marginalised importance sampling against its definition, in fractions, and against the truth."""

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators import Tally
from recsim.estimators.trajectories.estimators import make_trajectory_estimator
from recsim.estimators.trajectories.marginalised import marginals
from recsim.estimators.trajectories.sample import TrajectorySample

GAMMA = F(9, 10)


MIS, PDIS = make_trajectory_estimator("mis"), make_trajectory_estimator("pdis")


def mis(sample):
    return marginals(sample).value


# (state, rho, r) of every step; the trajectories end at different times.
EPISODES = (
    ((0, F(1, 2), F(1)), (1, F(3), F(2)), (1, F(2), F(1))),
    ((0, F(2), F(0)),),
    ((7, F(3, 2), F(1, 2)), (1, F(1, 3), F(4))),
    ((7, F(4), F(1)), (0, F(0), F(1)), (7, F(1), F(2))),
    ((0, F(1), F(3)), (0, F(1, 4), F(1)), (1, F(2), F(5))),
)


def sample_of(episodes, gamma=GAMMA) -> TrajectorySample:
    steps = [(i, *step) for i, episode in enumerate(episodes) for step in episode]
    number, state, rho, reward = zip(*steps, strict=True)
    ratios = np.array([float(x) for x in rho])
    return TrajectorySample.of_steps(
        number,
        [float(r) for r in reward],
        ratios / 10,
        np.full(len(ratios), 0.1),
        discount=float(gamma),
        states=np.array(state),
    )


def by_definition(episodes, counts=None, gamma=GAMMA):
    """Compute the estimate by its definition, with ``counts`` copies of each trajectory."""
    counts = [1] * len(episodes) if counts is None else counts
    n, horizon = sum(counts), max(map(len, episodes))
    there = {s for episode in episodes for s, _, _ in episode}

    def mean(t, what):
        return sum(m * what(*e[t]) for e, m in zip(episodes, counts, strict=True) if t < len(e)) / n

    d = {s: mean(0, lambda state, rho, r, s=s: int(state == s)) for s in there}
    value = 0
    for t in range(horizon):
        share = {s: mean(t, lambda state, rho, r, s=s: int(state == s)) for s in there}
        w = {s: d[s] / share[s] if share[s] else 0 for s in there}
        value += gamma**t * mean(t, lambda state, rho, r, w=w: w[state] * rho * r)
        after = [
            (e[t + 1][0], m * w[e[t][0]] * e[t][1])
            for e, m in zip(episodes, counts, strict=True)
            if t + 1 < len(e)
        ]
        d = {s: sum(mass for state, mass in after if state == s) / n for s in there}
    return value


def test_the_estimate_by_its_definition():
    assert mis(sample_of(EPISODES)) == pytest.approx(float(by_definition(EPISODES)), abs=1e-12)


# A Markov problem in which a log can hold every trajectory exactly as often as it is drawn.
START, MU, PI = (F(1, 2), F(1, 2)), ((F(1, 4), F(3, 4)), (F(1, 2), F(1, 2))), (
    (F(1, 2), F(1, 2)), (F(3, 4), F(1, 4)))  # fmt: skip
MOVE = {(0, 0): (F(1, 2), F(1, 4)), (0, 1): (F(1, 4), F(3, 4)),
        (1, 0): (F(0), F(1, 2)), (1, 1): (F(1), F(0))}  # fmt: skip


def earn(t, s, a):
    return F(1 + 2 * s + a, 1 + t)


def trajectories(policy, steps=3, at=None, t=0):
    """Yield (steps, probability) of everything that can happen from a state distribution on."""
    start = START if at is None else at
    for s, a in itertools.product(range(2), repeat=2):
        chance = start[s] * policy[s][a]
        if not chance:
            continue
        if t == steps - 1:
            yield ((s, a),), chance
            continue
        if sum(MOVE[s, a]) < 1:
            yield ((s, a),), chance * (1 - sum(MOVE[s, a]))
        for rest, later in trajectories(policy, steps, MOVE[s, a], t + 1):
            yield ((s, a), *rest), chance * later


def test_exact_on_a_log_with_every_trajectory_in_proportion_to_its_probability():
    truth = sum(
        chance * sum(GAMMA**t * earn(t, *step) for t, step in enumerate(steps))
        for steps, chance in trajectories(PI)
    )
    logged = list(trajectories(MU))
    scale = math.lcm(*(chance.denominator for _, chance in logged))
    log = [
        tuple((s, PI[s][a] / MU[s][a], earn(t, s, a)) for t, (s, a) in enumerate(steps))
        for steps, chance in logged
        for _ in range(int(chance * scale))
    ]
    assert len(log) == scale
    assert mis(sample_of(log)) == pytest.approx(float(truth), abs=1e-12)
    assert PDIS(sample_of(log)) == pytest.approx(float(truth), abs=1e-12)


def random_sample(n: int, steps: int, states: int, seed: int, padding: int = 0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, steps + 1, n)
    m = int(lengths.sum())
    logged = rng.uniform(0.2, 0.6, m)
    return TrajectorySample.of_steps(
        np.repeat(np.arange(n), lengths),
        rng.random(m),
        logged * rng.uniform(0, 1.6, m),
        logged,
        horizon=steps + padding,
        discount=0.9,
        states=rng.integers(0, states, m) * 1000,
    )


def episodes_of(sample: TrajectorySample):
    return [
        [(sample.states[i, t], sample.ratios[i, t], sample.rewards[i, t]) for t in range(length)]
        for i, length in enumerate(sample.lengths)
    ]


@given(st.integers(1, 15), st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_ragged_logs_by_the_definition(n, steps, states, seed):
    sample = random_sample(n, steps, states, seed)
    expected = by_definition(episodes_of(sample), gamma=0.9)
    computed = marginals(sample)
    assert computed.value == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert computed.influence.mean() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    wider = random_sample(n, steps, states, seed, padding=2)
    assert mis(wider) == pytest.approx(computed.value, rel=1e-12)


def test_influence_is_the_derivative_by_the_weight_of_a_trajectory():
    sample = random_sample(8, 4, 2, seed=3)
    episodes, computed, step = episodes_of(sample), marginals(sample), 1e-6
    for i in range(8):
        up, down = np.ones(8), np.ones(8)
        up[i] += step
        down[i] -= step
        slope = by_definition(episodes, up, 0.9) - by_definition(episodes, down, 0.9)
        # One more copy of one of eight moves the mean by an eighth of its distance from it.
        expected = (computed.influence[i] - computed.value) / 8
        assert slope / (2 * step) == pytest.approx(expected, abs=1e-8)


def test_with_one_step_it_is_ips_and_on_policy_the_mean_return():
    one = random_sample(40, 1, 3, seed=1)
    assert mis(one) == pytest.approx((one.ratios * one.rewards).mean(), rel=1e-12)
    sample = random_sample(40, 4, 3, seed=2)
    on_policy = TrajectorySample(
        sample.rewards, np.ones(sample.ratios.shape), sample.units, sample.lengths, 0.9,
        states=sample.states,
    )  # fmt: skip
    assert mis(on_policy) == pytest.approx(on_policy.returns.mean(), rel=1e-9)


def test_the_weights_of_states_do_not_grow_as_products_do():
    # One state: rho of every step is a draw from {0.5, 1.5}; products of forty vary greatly.
    rng = np.random.default_rng(0)
    ratios = rng.choice([0.5, 1.5], (500, 40))
    sample = TrajectorySample(
        rng.random((500, 40)), ratios, np.arange(500), states=np.zeros((500, 40), dtype=np.int64)
    )
    assert sample.cumulative.max() > 500
    assert marginals(sample).weights.max() < 3
    assert mis(sample) == pytest.approx(20, rel=0.25)


def test_intervals_have_their_nominal_coverage():
    # The Markov problem above without end: states move by action, rewards are states.
    rng, covered, logs = np.random.default_rng(2), np.zeros(2), 200
    mu, pi, move = np.array([0.5, 0.5]), np.array([0.7, 0.3]), np.array([[0.2, 0.6], [0.5, 0.9]])

    def play(policy, n, steps=5):
        state = (rng.random(n) < 0.5).astype(int)
        states, actions = np.zeros((n, steps), dtype=int), np.zeros((n, steps), dtype=int)
        for t in range(steps):
            actions[:, t] = rng.random(n) < policy[state]
            states[:, t] = state
            state = (rng.random(n) < move[state, actions[:, t]]).astype(int)
        return states, actions

    share = np.array([0.5, 0.5])
    value = 0.0
    for _ in range(5):
        value += share[1]
        up = pi * move[:, 1] + (1 - pi) * move[:, 0]
        share = np.array([1 - share @ up, share @ up])
    for log in range(logs):
        states, actions = play(mu, 300)
        chance = np.where(actions, pi[states], 1 - pi[states])
        sample = TrajectorySample(states.astype(float), chance / 0.5, np.arange(300), states=states)
        for at, interval in enumerate(("t", "bootstrap")):
            tally = Tally(
                [MIS],
                samples=200,
                seed=log,
                interval=interval,
                level=0.9,
            )
            tally.add(sample)
            (estimate,) = tally.values()
            assert estimate.value == pytest.approx(mis(sample), rel=1e-9)
            covered[at] += estimate.low <= value <= estimate.high
    # Nominal 0.9; four standard errors of a share over 200 logs are 0.085.
    assert (np.abs(covered / logs - 0.9) < 0.085).all()


def test_the_estimator_is_the_mean_influence():
    sample = random_sample(40, 4, 3, seed=2)
    estimator = MIS
    assert estimator(sample) == pytest.approx(mis(sample), rel=1e-12)
    weighing = estimator.weigh(sample)
    assert len(weighing.weights) == sample.lengths.sum()
    np.testing.assert_allclose(
        weighing.weights, (marginals(sample).weights * sample.ratios)[sample.within]
    )


def test_pieces_of_a_log_are_refused():
    sample = random_sample(40, 4, 3, seed=2)
    none = np.zeros((0, 4))
    no_one = np.zeros(0, dtype=np.int64)
    empty = TrajectorySample(none, none, no_one, states=none.astype(np.int64))

    def tally():
        return Tally([MIS, PDIS], samples=5)

    one, other = tally(), tally()
    one.add(sample)
    one.add(empty)
    one.merge(other)
    with pytest.raises(UserError, match="mis cannot be added up from pieces of a log"):
        one.add(sample)
    other.add(sample)
    with pytest.raises(UserError, match="mis cannot be added up from pieces of a log"):
        one.merge(other)
    assert one.values()[0].value == pytest.approx(mis(sample))  # nothing was counted twice
    late = tally()
    late.merge(other)
    with pytest.raises(UserError, match="give the tally the whole log in one sample"):
        late.add(sample)
    plain = Tally([PDIS], samples=5)
    plain.add(sample)
    plain.add(sample)


def test_an_empty_sample_gives_nan():
    empty = TrajectorySample(
        np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, dtype=np.int64),
        states=np.zeros((0, 2), dtype=np.int64),
    )  # fmt: skip
    assert math.isnan(mis(empty))
