"""Random numbers as functions of key, step and purpose: quality, and independence of the batch."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from recsim.draws import Draws, Purpose, chain, key_of, mixed
from recsim.draws.splitmix import as_torch, counters

ONE, TWO = Purpose("one"), Purpose("two")
USERS = 4000


def keys(users=USERS, seed=0, first=0):
    return chain(key_of(seed, "test"), np.arange(first, first + users))


def numbers(steps=4, width=4, purposes=(ONE, TWO), **which):
    """Uniform numbers by step, user, purpose and draw."""
    draws, drawn = Draws(keys(**which), double=True), []
    for _ in range(steps):
        drawn.append(np.stack([draws.uniform(purpose, width) for purpose in purposes], axis=1))
        draws.advance()
    return np.stack(drawn)  # (S, B, P, W)


def test_the_generator_is_splitmix64():
    # First outputs for the state 1234567, as printed by the authors' reference program.
    state = np.array([1234567], dtype=np.uint64)
    known = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert mixed(state + counters(1, 5, state)).tolist() == known
    on_torch = as_torch(state, "cpu")
    got = mixed(on_torch + counters(1, 5, on_torch)).numpy().view(np.uint64)
    assert got.tolist() == known


def test_draws_are_outputs_of_nested_generators():
    draws = Draws(np.array([42], dtype=np.uint64))
    draws.advance()
    draws.advance()
    state = mixed(np.array([42], dtype=np.uint64) + counters(3, 1, draws.bits(ONE, 1)))
    assert np.array_equal(draws.bits(ONE, 3)[0], mixed(state + counters(ONE.start, 3, state)))


@pytest.mark.parametrize("double", [False, True])
def test_numpy_and_torch_agree_bit_by_bit(double):
    left, right = Draws(keys(300), double), Draws(as_torch(keys(300), "cpu"), double)
    rows = np.array([4, 17, 299])
    for step in range(4):
        assert np.array_equal(left.bits(ONE, 5), right.bits(ONE, 5).numpy().view(np.uint64))
        for width in (1, 5):
            got = right.uniform(TWO, width).numpy()
            assert got.dtype == (np.float64 if double else np.float32)
            assert np.array_equal(left.uniform(TWO, width), got)
            normal = right.normal(TWO, width).numpy()
            assert normal.dtype == got.dtype
            assert normal == pytest.approx(left.normal(TWO, width), rel=1e-6, abs=1e-7)
        if step == 1:
            new = keys(3, seed=9)
            left.put(rows, new)
            right.put(torch.from_numpy(rows), as_torch(new, "cpu"))
        left.advance()
        right.advance()


@pytest.mark.parametrize("size", [1, 3, 60, 500])
def test_numbers_do_not_depend_on_the_batch(size):
    whole, part = Draws(keys(500)), Draws(keys(size))
    for step in range(150):  # past the steps for which a small batch is computed at once
        for draw in (Draws.bits, Draws.uniform, Draws.normal):
            assert np.array_equal(draw(whole, ONE, 3)[:size], draw(part, ONE, 3))
        if step == 70:
            for draws in (whole, part):
                draws.put(np.array([0]), keys(1, seed=5))
        whole.advance()
        part.advance()
    order = np.random.default_rng(0).permutation(500)
    assert np.array_equal(whole.take(order).normal(TWO, 4), whole.normal(TWO, 4)[order])
    steps = np.full(500, 150)
    steps[0] = 80  # replaced after step 70
    own = keys(500)
    own[0] = keys(1, seed=5)[0]
    assert np.array_equal(Draws.at(own, steps).uniform(ONE, 2), whole.uniform(ONE, 2))


def test_a_wider_draw_begins_with_the_narrow_one():
    draws = Draws(keys(10))
    for draw in (draws.bits, draws.uniform, draws.normal):
        assert np.array_equal(draw(ONE, 9)[:, :4], draw(ONE, 4))


def test_a_draw_that_is_asked_for_twice_is_the_same():
    draws = Draws(keys(10))
    assert np.array_equal(draws.uniform(ONE, 4), draws.uniform(Purpose("one"), 4))


def test_seeds_domains_users_steps_purposes_and_draws_differ():
    one = numbers(users=50)
    assert len(np.unique(one)) == one.size
    assert not np.isin(numbers(users=50, seed=1), one).any()
    assert not np.isin(numbers(users=50, first=50), one).any()
    assert key_of(3, "users") != key_of(3, "agent")
    assert key_of(2**80, "users") != key_of(0, "users")


# Quality. All tests below are deterministic; a bound of 5 standard errors or p > 1e-5 fails for a
# fair generator in less than one of 10,000 tests.


@pytest.mark.parametrize("double", [False, True])
def test_numbers_are_uniform(double):
    draws = Draws(keys(50_000), double)
    drawn = draws.uniform(ONE, 8).astype(np.float64).ravel()
    assert drawn.min() > 0
    assert drawn.max() < 1
    assert stats.kstest(drawn, "uniform").pvalue > 1e-5
    # The lowest bits are random too: even and odd multiples are equally frequent.
    scale = 2.0**52 if double else 2.0**23
    odd = ((drawn * scale).astype(np.int64) & 1).mean()
    assert abs(odd - 0.5) < 5 * 0.5 / np.sqrt(drawn.size)


def test_normal_numbers_are_normal():
    drawn = Draws(keys(50_000)).normal(ONE, 8).astype(np.float64)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-5
    correlation = np.corrcoef(drawn.T) - np.eye(8)
    assert np.abs(correlation).max() < 5 / np.sqrt(50_000)
    # Nor are the two numbers of one pair dependent in size.
    sizes = np.corrcoef((drawn**2).T) - np.eye(8)
    assert np.abs(sizes).max() < 5 / np.sqrt(50_000)
    tail = np.abs(drawn) > 4
    assert abs(tail.sum() - tail.size * 2 * stats.norm.sf(4)) < 5 * np.sqrt(tail.size * 6.3e-5)


def test_every_bit_is_a_fair_coin_whatever_changes():
    """Flip one counter at a time: each of the 64 bits changes in half of the cases."""
    base = Draws(keys()).bits(ONE, 2)
    next_step = Draws(keys())
    next_step.advance()
    others = {
        "user": Draws(keys(first=1)).bits(ONE, 2),
        "seed": Draws(keys(seed=1)).bits(ONE, 2),
        "step": next_step.bits(ONE, 2),
        "purpose": Draws(keys()).bits(TWO, 2),
        "draw": base[:, ::-1],
    }
    places = np.arange(64, dtype=np.uint64)
    for name, other in {"none": np.zeros_like(base)[:, :1], **others}.items():
        changed = ((base ^ other)[:, :1, None] >> places) & np.uint64(1)  # (B, 1, 64)
        share = changed.mean(axis=(0, 1))
        assert np.abs(share - 0.5).max() < 5 * 0.5 / np.sqrt(USERS), name


@pytest.mark.parametrize("axis", range(4), ids=["step", "user", "purpose", "draw"])
def test_neighbours_are_uncorrelated(axis):
    drawn = numbers()
    first, second = (
        np.take(drawn, range(*pair), axis=axis).ravel()
        for pair in ((0, drawn.shape[axis] - 1), (1, drawn.shape[axis]))
    )
    for left, right in itertools.product((first, first**2), (second, second**2)):
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(len(left))


@pytest.mark.parametrize("axis", range(4), ids=["step", "user", "purpose", "draw"])
def test_pairs_of_neighbours_fill_the_square(axis):
    drawn = numbers()
    drawn = np.moveaxis(drawn, axis, 0)
    pairs = len(drawn) // 2 * 2
    first, second = drawn[:pairs:2].ravel(), drawn[1:pairs:2].ravel()
    counts = np.histogram2d(first, second, bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(counts.ravel()).pvalue > 1e-5


def test_seeds_next_to_each_other_share_no_users():
    drawn = [numbers(users=2000, steps=1, width=1, seed=seed).ravel() for seed in range(4)]
    for left, right in itertools.combinations(drawn, 2):
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(len(left))
        for shift in (1, 2):
            moved = np.corrcoef(left[2 * shift :], right[: -2 * shift])[0, 1]
            assert abs(moved) < 5 / np.sqrt(len(left))


def test_purposes_do_not_overlap():
    names = ["clicks", "drift", "budget", "return", "candidates", "interest", "features", "group"]
    starts = {Purpose(name).start >> 32 for name in names}
    assert len(starts) == len(names)
