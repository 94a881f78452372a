"""Leave-one-out and temporal splits, and the order of events with equal times."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog
from recsim.log.readers.sessions import days_and_steps
from recsim.problem import Problem
from recsim.trials.splits import leave_one_out, ordered, repeats, single_events, temporal


def events(rows, items=6, times=True) -> SlateLog:
    """Build a log of (user, item, time), in the order given among equal times."""
    user, item, time = np.array(rows).T
    order = np.argsort(time, kind="stable")
    user, item, time = user[order], item[order], time[order].astype(float)
    return SlateLog(
        problem=Problem(
            num_items=items,
        ),
        **days_and_steps(user, time),
        slate=item[:, None],
        clicks=np.ones((len(user), 1), dtype=np.int8),
        feedback={"click": np.ones(len(user))},
        user_features=np.zeros((int(user.max()) + 1, 0), dtype=np.float32),
        time=time if times else None,
    ).validate()


def rows_of(log, chosen):
    return [(int(u), int(i)) for u, i in zip(log.user[chosen], log.slate[chosen, 0], strict=True)]


# User 0 has four events, user 1 three, user 2 two.
LOG = [(0, 0, 1), (0, 1, 3), (0, 2, 5), (0, 3, 7), (1, 3, 2), (1, 0, 4), (1, 3, 9), (2, 4, 6)]
LOG += [(2, 1, 8)]


def test_the_last_event_is_for_test_and_the_one_before_for_validation():
    log = events(LOG)
    split = leave_one_out(log)
    assert rows_of(log, split.test) == [(0, 3), (1, 3)]
    assert rows_of(log, split.validation) == [(1, 0), (0, 2)]
    # Users with two events are trained on only.
    assert rows_of(log, split.train) == [(0, 0), (1, 3), (0, 1), (2, 4), (2, 1)]
    counts = split.counts()
    assert (counts["users"], counts["users_without"]) == (2, 1)
    assert counts["repeated_targets"] == 0.5  # item 3 of user 1
    assert counts["unseen_targets"] == 0  # item 3 is in a train event of user 1


def test_items_that_are_in_no_train_event_are_counted():
    split = leave_one_out(
        events([(0, 0, 1), (0, 1, 2), (0, 5, 3), (1, 0, 1), (1, 2, 2), (1, 0, 3)])
    )
    assert split.counts()["unseen_targets"] == 0.5


# Ten events at times 0 ... 9: t1 = 7 and t2 = 8 are the .8 and .9 quantiles.
TIMES = [(0, 0, 0), (1, 1, 1), (0, 2, 2), (1, 3, 3), (2, 4, 4), (0, 5, 5), (2, 0, 6), (1, 1, 7)]
TIMES += [(0, 2, 8), (3, 3, 9)]


def test_periods_of_a_temporal_split():
    log = events(TIMES)
    split = temporal(log)
    assert rows_of(log, split.train) == [(0, 0), (1, 1), (0, 2), (1, 3), (2, 4), (0, 5), (2, 0)]
    assert rows_of(log, split.validation) == [(1, 1)]
    assert rows_of(log, split.test) == [(0, 2)]  # user 3 has no earlier event
    assert split.without == 3


def test_the_first_or_every_event_of_the_test_period():
    rows = [(0, 0, t) for t in range(17)] + [(0, 1, 18), (0, 2, 19), (1, 3, 17)]
    log = events(rows)
    # t1 = 15, t2 = 17: user 1 has no event before their own at 17.
    assert rows_of(log, temporal(log).test) == [(0, 1)]
    assert rows_of(log, temporal(log, every=True).test) == [(0, 1), (0, 2)]


def test_events_at_the_boundary_are_not_split():
    # Half of the events are at time 5: none of them may be in two periods.
    log = events([(0, 0, 1), (0, 1, 5), (1, 2, 5), (0, 3, 5), (1, 4, 2), (1, 0, 9)])
    split = temporal(log)
    assert (log.time[split.train] < log.time[split.test].min()).all()
    assert not split.train[split.test].any()
    assert not split.train[split.validation].any()


def test_a_temporal_split_needs_times_and_events_on_both_sides():
    with pytest.raises(LogError, match="needs times: read them with 'events'"):
        temporal(events(LOG, times=False))
    with pytest.raises(LogError, match="no event to train on: all times are alike"):
        temporal(events([(0, 0, 1), (0, 1, 1), (1, 1, 1)]))
    with pytest.raises(LogError, match="no event to predict: no user has events both before"):
        temporal(events([(0, 0, 1), (0, 1, 2), (1, 1, 9)]))


TIED = [(u, i, t) for u in range(20) for t in range(3) for i in range(3 * t, 3 * t + 3)]


def test_ties_are_shuffled_whatever_the_order_of_the_rows():
    log = events(TIED, items=9)
    backwards = events(TIED[::-1], items=9)
    assert rows_of(log, slice(None)) != rows_of(backwards, slice(None))
    assert ordered(log, "file") is log
    one, other = ordered(log, "shuffle"), ordered(backwards, "shuffle")
    for name in ("user", "slate", "time", "session", "day", "step"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (np.diff(one.time) >= 0).all()
    assert sorted(rows_of(one, slice(None))) == sorted(rows_of(log, slice(None)))
    # Of three tied items the last is no longer always the one with the largest id.
    last = one.slate[leave_one_out(one).test, 0]
    assert set(last.tolist()) == {6, 7, 8}
    assert set(log.slate[leave_one_out(log).test, 0].tolist()) == {8}


def test_the_share_of_ties():
    log = events([(0, 0, 1), (0, 1, 1), (0, 2, 2), (1, 0, 3), (1, 2, 4), (1, 3, 4)])
    counts = leave_one_out(log).counts()
    assert counts["tied_neighbours"] == 0.5  # two of four pairs
    assert counts["tied_last_two"] == 0.5  # of user 1
    assert "tied_neighbours" not in leave_one_out(replace(log, time=None)).counts()


def test_repeats_are_of_the_same_user():
    log = events([(0, 0, 1), (1, 0, 2), (0, 0, 3), (0, 1, 4)])
    assert repeats(log).tolist() == [False, False, True, False]


def test_events_are_what_was_shown_or_what_was_clicked(random_log):
    log = random_log()
    with pytest.raises(LogError, match="row 0 has a slate of 2 events: this split needs single"):
        single_events(log, "shown")
    one = log.clicks.sum(axis=1) <= 1
    chosen = single_events(log.select(one), "clicked")
    has = one & (log.clicks.sum(axis=1) == 1)
    assert chosen.slate[:, 0].tolist() == log.slate[has][log.clicks[has] > 0].tolist()
    assert chosen.problem.slate_size == 1
    chosen.validate()
    log.clicks[:] = 0
    with pytest.raises(LogError, match="the log has no event"):
        single_events(log, "clicked")
