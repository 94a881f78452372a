import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log.readers.sessions import arrived_returns, daily_sessions, return_shares

# user, item, day, seconds, clicked, watched; not in the order of time
ROWS = np.array(
    [
        (0, 7, 10, 4.0, 1, 8.0),  # third item of a slate of two: left out
        (0, 5, 10, 1.0, 0, 1.0),
        (1, 3, 11, 0.0, 1, 64.0),
        (0, 6, 10, 2.0, 0, 2.0),
        (0, 5, 10, 3.0, 1, 4.0),  # shown again: the same slot, now clicked
        (0, 6, 18, 0.0, 0, 16.0),
        (0, 8, 12, 9.0, 1, 32.0),
    ]
)


def sessions(rows=ROWS, **options):
    user, item, day = rows[:, :3].T.astype(np.int64)
    return daily_sessions(
        user=user,
        item=item,
        day=day,
        seconds=rows[:, 3],
        clicked=rows[:, 4] == 1,
        amounts={"watch": rows[:, 5]},
        **{"slate_size": 2, "return_days": 7} | options,
    )


def test_a_day_is_a_slate():
    result = sessions()
    assert result.user.tolist() == [0, 1, 0, 0]
    assert result.day.tolist() == [0, 1, 2, 8]
    assert result.session.tolist() == [0, 0, 1, 2]
    assert result.slate.tolist() == [[5, 6], [3, -1], [8, -1], [6, -1]]
    assert result.clicks.tolist() == [[1, 0], [1, 0], [1, 0], [0, 0]]
    assert result.feedback["click"].tolist() == [1, 1, 1, 0]
    assert result.feedback["watch"].tolist() == [7, 64, 32, 16]
    assert result.truncated == 1


def test_returns_count_days_and_censored_sessions_are_marked():
    result = sessions()
    # Day 10: back on 12, not on 18. Day 12: back on 18. The log ends on day 18.
    assert (result.feedback["return"] * 7).round(9).tolist() == [1, 0, 1, 0]
    assert result.complete.tolist() == [True, True, False, False]
    counts = result.counts(rows=9, duplicates=2)
    assert counts == {
        "rows": 9,
        "duplicates": 2,
        "truncated": 1,
        "users": 2,
        "sessions": 4,
        "censored": 2,
    }


def test_censored_sessions_are_dropped_or_kept():
    result = sessions()
    assert result.columns("drop")["day"].tolist() == [0, 1]
    assert result.columns("drop")["feedback"]["return"].tolist() == [1 / 7, 0]
    assert result.columns("keep")["day"].tolist() == [0, 1, 2, 8]


def test_a_log_without_one_whole_window_is_refused():
    with pytest.raises(LogError, match=r"smaller return_days, or censored=keep"):
        sessions(return_days=9).columns("drop")
    assert len(sessions(return_days=9).columns("keep")["user"]) == 4


def test_the_order_of_the_rows_does_not_matter():
    result, shuffled = sessions(), sessions(ROWS[[3, 1, 6, 0, 5, 2, 4]])
    assert shuffled.slate.tolist() == result.slate.tolist()
    assert shuffled.feedback["watch"].tolist() == result.feedback["watch"].tolist()


def test_arrived_returns_sum_to_the_returns():
    rng = np.random.default_rng(0)
    user, day = rng.integers(0, 6, 80), rng.integers(3, 40, 80)
    active_days = np.unique(np.stack([user, day]), axis=1)
    user, day = active_days
    arrived, shares = arrived_returns(user, day, 7), return_shares(user, day, 7)
    for one in range(6):
        days = day[user == one]
        by_hand = [sum(0 < other - at <= 7 for other in days) / 7 for at in days]
        assert shares[user == one].tolist() == by_hand
        assert arrived[user == one].sum() == pytest.approx(shares[user == one].sum())
    first = np.flatnonzero(np.diff(user, prepend=-1))
    assert not arrived[first].any()


def test_several_rows_of_a_day_count_once():
    user, day = np.array([0, 0, 0, 0]), np.array([5, 3, 3, 5])
    assert return_shares(user, day, 2).tolist() == [0, 0.5, 0.5, 0]
    assert arrived_returns(user, day, 2).tolist() == [0.5, 0, 0, 0.5]
