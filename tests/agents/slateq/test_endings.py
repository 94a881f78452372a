from dataclasses import replace

import numpy as np

from agents.slateq.endings import successors


def test_the_next_row_of_the_same_user_follows(sequences):
    log = sequences(lengths=(2, 3, 1))
    mixed = log.select([0, 2, 5, 1, 3, 4])  # users 0 1 2 0 1 1
    assert successors(mixed, "cut").next.tolist() == [3, 4, -1, -1, 5, -1]
    assert not successors(mixed, "cut").left.any()
    assert successors(mixed, "left").left.tolist() == [False, False, True, True, False, True]


def test_users_with_the_most_rows_were_cut_off(sequences):
    left = successors(sequences(lengths=(4, 3, 4)), "auto").left
    assert np.flatnonzero(left).tolist() == [6]


def test_users_of_the_last_day_were_cut_off(sequences):
    log = sequences(lengths=(4, 2, 2))
    day = np.array([0, 1, 2, 3, 0, 3, 0, 2])
    assert np.flatnonzero(successors(replace(log, day=day), "auto").left).tolist() == [7]


def test_users_who_returned_after_their_last_row_were_cut_off(sequences):
    log = sequences(lengths=(4, 2, 2))
    returned = np.array([0, 0, 0, 0, 0, 0.5, 0, 0])
    log = replace(log, feedback=log.feedback | {"return": returned})
    assert np.flatnonzero(successors(log, "auto").left).tolist() == [7]


def test_rows_of_an_anonymous_log_have_no_successor(sequences):
    log = replace(sequences(lengths=(1, 1, 1)), anonymous=True)
    assert successors(log, "auto").next.tolist() == [-1, -1, -1]
    assert not successors(log, "auto").left.any()
    assert successors(log, "left").left.all()


def test_a_log_that_says_why_rows_end_is_followed(sequences):
    log = sequences(lengths=(3, 2, 2))
    terminated = np.array([False, True, False, False, False, False, True])
    truncated = np.array([False, False, False, False, True, False, False])
    log = replace(log, terminated=terminated, truncated=truncated)
    found = successors(log, "auto")
    # User 0 leaves after the second row and comes back for another episode, which is not finished.
    assert found.next.tolist() == [1, -1, -1, 4, -1, 6, -1]
    assert np.flatnonzero(found.left).tolist() == [1, 6]
    # Asked for explicitly, an ending of all users overrides it.
    assert np.flatnonzero(successors(log, "left").left).tolist() == [2, 4, 6]
