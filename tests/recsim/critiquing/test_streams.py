"""Random numbers of each session."""

import numpy as np
import pytest

from recsim.critiquing.streams import uniform


def draw(seed=0, sessions=range(5), turns=0, width=4, purpose=0):
    sessions = np.array(list(sessions))
    return uniform(seed, sessions, np.full(len(sessions), turns), width, purpose)


def test_numbers_are_uniform():
    numbers = draw(sessions=range(20_000), width=10)
    assert numbers.shape == (20_000, 10)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
    # Chi-square with 19 degrees of freedom: above 50 in one case of ten thousand.
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 50


@pytest.mark.parametrize("of", ["sessions", "turns", "columns"])
def test_neighbours_are_independent(of):
    if of == "sessions":
        numbers = draw(sessions=range(20_000), width=1)[:, 0]
    elif of == "turns":
        numbers = uniform(0, np.zeros(20_000, dtype=np.int64), np.arange(20_000), 1)[:, 0]
    else:
        numbers = draw(sessions=[3], width=20_000)[0]
    correlation = np.corrcoef(numbers[:-1], numbers[1:])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(len(numbers))


def test_numbers_of_a_session_do_not_depend_on_the_batch():
    all_sessions = draw(sessions=range(100))
    np.testing.assert_array_equal(draw(sessions=[17]), all_sessions[[17]])
    np.testing.assert_array_equal(draw(sessions=[90, 2, 41]), all_sessions[[90, 2, 41]])


def test_sessions_of_a_batch_may_be_at_different_turns():
    mixed = uniform(0, np.array([4, 4, 9]), np.array([0, 3, 3]), 6)
    for row, (session, turn) in enumerate([(4, 0), (4, 3), (9, 3)]):
        np.testing.assert_array_equal(mixed[[row]], draw(sessions=[session], turns=turn, width=6))


def test_a_wider_draw_begins_with_the_narrow_one():
    np.testing.assert_array_equal(draw(width=9)[:, :4], draw(width=4))


def test_seed_turn_and_purpose_change_the_numbers():
    first = draw()
    np.testing.assert_array_equal(first, draw())
    for changes in ({"seed": 1}, {"turns": 1}, {"purpose": 1}, {"sessions": range(5, 10)}):
        assert not np.isin(draw(**changes), first).any()
