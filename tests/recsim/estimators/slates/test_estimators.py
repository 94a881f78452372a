"""Slate estimators against hand-worked numbers and against the enumeration of all slates."""

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.estimators import Tally
from recsim.estimators.slates.estimators import SLATE_ESTIMATORS, make_slate_estimator
from recsim.estimators.slates.sample import SlateSample

# Two slots of three items each, drawn independently. mu and pi of each item at each position.
MU = ((F(1, 2), F(1, 3), F(1, 6)), (F(1, 5), F(2, 5), F(2, 5)))
PI = ((F(1, 4), F(1, 4), F(1, 2)), (F(1, 2), F(1, 2), F(0)))
SLATES = list(itertools.product(range(3), repeat=2))

# A log of four slates with its rewards, and any Q and E Q.
LOG = ((0, 1), (2, 0), (1, 1), (2, 2))
REWARDS = ((F(1), F(0)), (F(1, 2), F(2)), (F(0), F(3)), (F(1), F(1)))
Q = ((F(1, 2), F(1)), (F(1), F(1, 3)), (F(1, 4), F(2)), (F(0), F(1, 2)))
V = ((F(3, 4), F(1)), (F(1, 2), F(1, 2)), (F(1, 5), F(1)), (F(2), F(1, 7)))


def chance(policy, items, upto=2):
    return math.prod((policy[k][items[k]] for k in range(upto)), start=F(1))


def ratios(items):
    """Return w_k and w_1:k of a slate, by definition."""
    slots = [PI[k][items[k]] / MU[k][items[k]] for k in range(2)]
    return slots, [chance(PI, items, k + 1) / chance(MU, items, k + 1) for k in range(2)]


def floats(table):
    return np.array([[float(entry) for entry in row] for row in table])


def sample_of(log, rewards, q=None, v=None) -> SlateSample:
    columns = {} if q is None else {"action_values": floats(q), "expected_values": floats(v)}
    slots = floats([ratios(items)[0] for items in log])
    return SlateSample.of_slots(
        floats(rewards),
        marginals=tuple(
            floats([[p[k][items[k]] for k in range(2)] for items in log]) for p in (PI, MU)
        ),
        prefixes=tuple(
            floats([[chance(p, items, k) for k in (1, 2)] for items in log]) for p in (PI, MU)
        ),
        additive_weights=slots.sum(axis=1) - 1,
        **columns,
    )


def by_hand(name: str, clip) -> F:
    """Work an estimate out with fractions, slate by slate."""
    kind = name.removeprefix("clipped_")
    low = None if kind in ("pi", "wpi") else F(0)
    limit = clip if name.startswith("clipped_") else None

    def cut(w):
        return w if limit is None else max(min(w, limit), -limit if low is None else low)

    n = len(LOG)
    both = [ratios(items) for items in LOG]
    total = [sum(r) for r in REWARDS]
    whole = [cut(prefix[1]) for _, prefix in both]
    additive = [cut(slots[0] + slots[1] - 1) for slots, _ in both]
    slots = [[cut(w) for w in slots] for slots, _ in both]
    prefix = [[cut(w) for w in prefixes] for _, prefixes in both]

    def per_slot(weights):
        return sum(
            sum(w[k] * r[k] for w, r in zip(weights, REWARDS, strict=True))
            / sum(w[k] for w in weights)
            for k in range(2)
        )

    def mean_of(weights):
        return sum(w[k] * r[k] for w, r in zip(weights, REWARDS, strict=True) for k in (0, 1)) / n

    def plain(weights):
        return sum(w * r for w, r in zip(weights, total, strict=True))

    return {
        "sips": lambda: plain(whole) / n,
        "snsips": lambda: plain(whole) / sum(whole),
        "pi": lambda: plain(additive) / n,
        "wpi": lambda: plain(additive) / sum(additive),
        "iips": lambda: mean_of(slots),
        "rips": lambda: mean_of(prefix),
        "sniips": lambda: per_slot(slots),
        "snrips": lambda: per_slot(prefix),
        "cascade_dr": lambda: (
            sum(
                w[0] * (r[0] - q[0]) + v[0] + w[1] * (r[1] - q[1]) + w[0] * v[1]
                for w, r, q, v in zip(prefix, REWARDS, Q, V, strict=True)
            )
            / n
        ),
    }[kind]()


@pytest.mark.parametrize("clip", [F(1, 2), F(3, 2), F(2)])
@pytest.mark.parametrize("name", SLATE_ESTIMATORS)
def test_hand_worked(name, clip):
    sample = sample_of(LOG, REWARDS, Q, V)
    estimate = make_slate_estimator(name, clip=float(clip))(sample)
    assert estimate == pytest.approx(float(by_hand(name, clip)), abs=1e-12)


def test_pseudo_inverse_weights_below_zero_are_clipped_too():
    sample = SlateSample(np.array([1.0, 1.0]), np.arange(2), additive_weights=np.array([-3.0, 5.0]))
    assert make_slate_estimator("pi")(sample) == 1.0
    assert make_slate_estimator("clipped_pi", clip=2)(sample) == 0.0
    assert make_slate_estimator("clipped_pi", clip=4)(sample) == 0.5


def reward_table(kind: str):
    """Return the mean reward of both slots of each of the nine slates."""
    own = ((F(1, 2), F(1), F(1, 5)), (F(2), F(0), F(1, 3)))
    table = {}
    for a, b in SLATES:
        first, second = own[0][a], own[1][b]
        if kind in ("cascade", "anything"):
            second += F(1, 4) if a == b else F(a, 7)
        if kind == "anything":
            first += F(b + 1, 5)
        table[a, b] = (first, second)
    return table


def expectation(name: str, table, q=None, v=None) -> float:
    """Return the mean of an estimate from a single slate over all slates that mu can draw."""
    estimator = make_slate_estimator(name, clip=1.5)
    total = 0.0
    for items in SLATES:
        extra = () if q is None else ([q[items]], [v[items]])
        total += float(chance(MU, items)) * estimator(sample_of([items], [table[items]], *extra))
    return total


def truth(table) -> float:
    return float(sum(chance(PI, items) * sum(table[items]) for items in SLATES))


@pytest.mark.parametrize("kind", ["independent", "cascade", "anything"])
def test_which_is_unbiased_when(kind):
    table = reward_table(kind)
    # In a single log of one slate, sips is IPS of the whole slate, and so on.
    biased = {name: abs(expectation(name, table) - truth(table)) for name in PLAIN}
    unbiased = {
        "independent": {"sips", "rips", "iips", "pi"},
        "cascade": {"sips", "rips"},
        "anything": {"sips"},
    }[kind]
    for name in PLAIN:
        assert (biased[name] < 1e-12) == (name in unbiased), (name, biased[name])


PLAIN = ("sips", "rips", "iips", "pi")


def test_cascade_dr_is_unbiased_for_any_q_and_without_variance_for_the_right_one():
    table = reward_table("cascade")

    def expected(q):
        first = sum(PI[0][a] * q[a, 0][0] for a in range(3))
        return {(a, b): (first, sum(PI[1][c] * q[a, c][1] for c in range(3))) for a, b in SLATES}

    anything = {(a, b): (F(a + 1, 3), F(a + 2 * b, 5)) for a, b in SLATES}
    estimate = expectation("cascade_dr", table, anything, expected(anything))
    assert estimate == pytest.approx(truth(table), abs=1e-12)
    # Exact values to go: every single slate that mu draws gives the value itself.
    second = {a: sum(PI[1][c] * table[a, c][1] for c in range(3)) for a in range(3)}
    exact = {(a, b): (table[a, b][0] + second[a], table[a, b][1]) for a, b in SLATES}
    v = expected(exact)
    for items in SLATES:
        sample = sample_of([items], [table[items]], [exact[items]], [v[items]])
        value = make_slate_estimator("cascade_dr")(sample)
        assert value == pytest.approx(truth(table), abs=1e-12)


def test_bias_of_clipping_is_its_formula():
    table, clip = reward_table("anything"), F(3, 2)
    for name in ("sips", "iips", "rips"):
        bias = F(0)
        for items in SLATES:
            slots, prefix = ratios(items)
            used = {"sips": [prefix[1]] * 2, "iips": slots, "rips": prefix}[name]
            for w, r in zip(used, table[items], strict=True):
                bias += chance(MU, items) * (min(w, clip) - w) * r
        difference = expectation(f"clipped_{name}", table) - expectation(name, table)
        assert difference == pytest.approx(float(bias), abs=1e-12)
        assert bias < 0


def random_sample(rows: int, slots: int, seed: int = 0, ragged: bool = False) -> SlateSample:
    rng = np.random.default_rng(seed)
    shown = np.ones((rows, slots), dtype=bool)
    if ragged:
        shown = np.arange(slots) < rng.integers(1, slots + 1, rows)[:, None]
    mu, pi = (np.where(shown, rng.uniform(0.1, 1, shown.shape), 1.0) for _ in range(2))
    return SlateSample.of_slots(
        rng.random(shown.shape) * shown,
        units=rng.integers(0, 10 * rows, rows),
        marginals=(pi, mu),
        prefixes=(np.cumprod(pi, axis=1), np.cumprod(mu, axis=1)),
        additive_weights=(pi / mu).sum(axis=1) - slots + 1,
        action_values=rng.random(shown.shape) * shown,
        expected_values=rng.random(shown.shape) * shown,
        shown=shown,
    )


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 99), st.booleans())
@settings(max_examples=40, deadline=None)
def test_padding_changes_nothing(rows, slots, seed, ragged):
    sample = random_sample(rows, slots, seed, ragged)
    wider = SlateSample(
        sample.rewards,
        sample.units,
        **{
            name: np.pad(
                getattr(sample, name),
                ((0, 0), (0, 2)),
                **({"mode": "edge"} if name == "prefix_weights" else {"constant_values": fill}),
            )
            for name, fill in {
                "slot_rewards": 0,
                "slot_weights": 1,
                "prefix_weights": None,
                "action_values": 0,
                "expected_values": 0,
                "shown": False,
            }.items()
        },
        additive_weights=sample.additive_weights,
    )
    for name in SLATE_ESTIMATORS:
        estimator = make_slate_estimator(name, clip=1.2)
        assert estimator(wider) == pytest.approx(estimator(sample), rel=1e-9, abs=1e-9), name


def tally_of(*samples: SlateSample, names=SLATE_ESTIMATORS) -> Tally:
    slots = samples[0].slots
    tally = Tally(
        [make_slate_estimator(name, clip=1.2, slots=slots) for name in names],
        interval="bootstrap",
        samples=200,
        seed=2,
    )
    for sample in samples:
        tally.add(sample)
    return tally


def rows_of(sample: SlateSample, rows: slice) -> SlateSample:
    columns = {name: value[rows] for name, value in vars(sample).items() if hasattr(value, "shape")}
    return SlateSample(**columns)


def test_a_log_in_pieces_gives_the_same_values():
    sample = random_sample(500, 4, ragged=True)
    whole = tally_of(sample)
    pieces = tally_of(*(rows_of(sample, slice(a, a + 130)) for a in range(0, 500, 130)))
    np.testing.assert_allclose(pieces.replicates(), whole.replicates(), rtol=1e-9)
    for ours, theirs in zip(pieces.values(), whole.values(), strict=True):
        assert ours.value == pytest.approx(theirs.value, rel=1e-12)
        assert ours.value == pytest.approx(
            make_slate_estimator(ours.estimator, clip=1.2)(sample), rel=1e-12
        )
        assert ours.low < ours.value < ours.high
        assert (ours.n, ours.warnings) == (theirs.n, theirs.warnings)
        assert ours.ess == pytest.approx(theirs.ess)


def test_diagnostics_count_what_has_a_weight():
    sample = random_sample(500, 4, ragged=True)
    for value in tally_of(sample).values():
        kind = value.estimator.removeprefix("clipped_")
        weights = {
            **dict.fromkeys(("sips", "snsips"), sample.slate_weights),
            **dict.fromkeys(("pi", "wpi"), sample.additive_weights),
            **dict.fromkeys(("iips", "sniips"), sample.slot_weights[sample.shown]),
        }.get(kind, sample.prefix_weights[sample.shown])
        assert value.n == len(weights)
        assert value.max_weight == np.abs(weights).max()
        limit = 1.2 if "clipped" in value.estimator else np.inf
        assert value.clipped_share == pytest.approx((np.abs(weights) > limit).mean())
        used = np.clip(weights, -limit, limit)
        assert value.ess == pytest.approx(used.sum() ** 2 / (used**2).sum())


def test_messages_name_the_slate():
    sample = SlateSample.of_slots([[1.0]] * 100, slates=([1.0] + [0.1] * 99, [0.02] + [0.1] * 99))
    (value,) = tally_of(sample, names=("sips",)).values()
    assert value.warnings[0].startswith("one slate of 100 carries 34% of the total weight")


def test_the_logging_policy_earns_the_mean_of_the_log():
    rng = np.random.default_rng(1)
    rewards, mu = rng.random((50, 3)), rng.uniform(0.1, 1, (50, 3))
    prefixes = np.cumprod(mu, axis=1)
    sample = SlateSample.of_slots(
        rewards, marginals=(mu, mu), prefixes=(prefixes, prefixes), additive_weights=np.ones(50)
    )
    for name in SLATE_ESTIMATORS:
        if "cascade" not in name:
            estimate = make_slate_estimator(name, clip=1.0)(sample)
            assert estimate == pytest.approx(rewards.sum(axis=1).mean(), rel=1e-12), name


def test_cascade_dr_with_q_zero_is_rips_and_one_slot_is_the_bandit():
    sample = random_sample(200, 3)
    zero = np.zeros((200, 3))
    plain = SlateSample(**{**vars(sample), "action_values": zero, "expected_values": zero})
    rips = make_slate_estimator("rips")(sample)
    assert make_slate_estimator("cascade_dr")(plain) == pytest.approx(rips, rel=1e-12)
    one = random_sample(200, 1)
    ips = float((one.slot_weights * one.slot_rewards).mean())
    for name in ("sips", "iips", "rips", "pi"):
        assert make_slate_estimator(name)(one) == pytest.approx(ips, rel=1e-12)


def test_errors_name_the_missing_column():
    sample = SlateSample(np.ones(3), np.arange(3))
    with pytest.raises(UserError, match="rips needs prefix_weights: the probability of the first"):
        make_slate_estimator("rips")(sample)
    with pytest.raises(UserError, match="sips needs slate_weights: the probability of the whole"):
        make_slate_estimator("sips")(sample)
    with pytest.raises(UserError, match=r"Unknown estimator 'snrip'\. Did you mean 'snrips'\?"):
        make_slate_estimator("snrip")
    with pytest.raises(UserError, match=r"estimator\.clip: must be greater than 0, not 0"):
        make_slate_estimator("clipped_rips", clip=0)
    with pytest.raises(ValueError, match="snrips has sums for every position or step"):
        Tally([make_slate_estimator("snrips")])


def test_inputs_are_not_changed():
    sample = random_sample(50, 3)
    before = {k: v.copy() for k, v in vars(sample).items() if hasattr(v, "copy")}
    tally_of(sample)
    assert all(np.array_equal(before[name], getattr(sample, name)) for name in before)


def test_equal_terms_have_an_interval_of_width_zero():
    weights = np.random.default_rng(0).uniform(0.1, 3.0, 97)
    sample = SlateSample(np.ones(97), np.arange(97), slate_weights=weights)
    tally = Tally([make_slate_estimator("snsips", slots=1)], interval="t")
    tally.add(sample)
    (value,) = tally.values()
    assert (value.low, value.value, value.high) == pytest.approx((1.0, 1.0, 1.0))
