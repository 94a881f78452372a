"""Random numbers of each session's own."""

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


def test_a_session_has_its_numbers_whatever_else_is_in_the_batch():
    everybody = draw(sessions=range(100))
    np.testing.assert_array_equal(draw(sessions=[17]), everybody[[17]])
    np.testing.assert_array_equal(draw(sessions=[90, 2, 41]), everybody[[90, 2, 41]])


def test_turns_in_a_batch_are_those_of_each_session():
    mixed = uniform(0, np.array([4, 4, 9]), np.array([0, 3, 3]), 6)
    for row, (session, turn) in enumerate([(4, 0), (4, 3), (9, 3)]):
        np.testing.assert_array_equal(mixed[[row]], draw(sessions=[session], turns=turn, width=6))


def test_a_wider_draw_begins_with_the_narrow_one():
    np.testing.assert_array_equal(draw(width=9)[:, :4], draw(width=4))


def test_seed_turn_and_purpose_give_other_numbers():
    one = draw()
    np.testing.assert_array_equal(one, draw())
    for changes in ({"seed": 1}, {"turns": 1}, {"purpose": 1}, {"sessions": range(5, 10)}):
        assert not np.isin(draw(**changes), one).any()
