from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog


def test_reward_is_the_weighted_sum(random_log):
    log = random_log(3)
    problem = replace(log.problem, rewards={"click": 2.0, "watch": 0.5})
    feedback = {"click": np.array([1.0, 0.0, 2.0]), "watch": np.array([4.0, 2.0, 0.0])}
    log = replace(log, problem=problem, feedback=feedback)
    assert log.reward.tolist() == [4.0, 1.0, 4.0]


def test_select_takes_rows_of_every_column(random_log):
    log = random_log(10, position=np.arange(20).reshape(10, 2), slate_propensity=np.full(10, 0.5))
    part = log.select([7, 2])
    assert part.slate.tolist() == log.slate[[7, 2]].tolist()
    assert part.user.tolist() == log.user[[7, 2]].tolist()
    assert part.position.tolist() == [[14, 15], [4, 5]]
    assert part.feedback["watch"].tolist() == log.feedback["watch"][[7, 2]].tolist()
    assert part.slate_propensity.shape == (2,)
    assert part.user_features is log.user_features
    assert len(log.select(log.day == 0)) == 10
    assert len(log.select(slice(4, None))) == 6
    assert len(log.select([])) == 0


def test_select_renumbers_the_users_of_an_anonymous_log(random_log):
    log = random_log(10, anonymous=True)
    part = log.select([7, 2]).validate()
    assert part.user.tolist() == [0, 1]
    assert np.array_equal(part.user_features, log.user_features[[7, 2]])


def test_concat_undoes_select(random_log):
    log = random_log(10)
    again = SlateLog.concat([log.select(slice(0, 3)), log.select(slice(3, 10))], same_users=True)
    for name in ("user", "session", "day", "step", "slate", "clicks", "propensity"):
        assert np.array_equal(getattr(again, name), getattr(log, name)), name
    assert np.array_equal(again.user_features, log.user_features)
    assert np.array_equal(again.reward, log.reward)


def test_concat_keeps_the_users_of_different_logs_distinct(random_log):
    log = random_log(10, users=5)
    both = SlateLog.concat([log, log]).validate()
    assert both.user.tolist() == [*log.user, *(log.user + 5)]
    assert both.user_features.shape == (10, 3)
    anonymous = random_log(4, anonymous=True)
    assert SlateLog.concat([anonymous, anonymous]).validate().user.tolist() == list(range(8))


def test_a_log_that_was_made_adaptively_in_part_is_adaptive(random_log):
    log = random_log(10)
    learned = replace(log, adaptive=True)
    assert learned.select(slice(0, 5)).adaptive
    assert SlateLog.concat([log, learned]).adaptive
    assert not SlateLog.concat([log, log]).adaptive


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"propensity": None}, "only one of them has the column 'propensity'"),
        (
            {"feedback": {"click": np.zeros(4)}},
            r"the feedback is \['click'\], not \['click', 'watch'\]",
        ),
    ],
)
def test_concat_refuses_logs_that_differ(random_log, change, message):
    log = random_log(4)
    with pytest.raises(LogError, match=message):
        SlateLog.concat([log, replace(log, **change)])


def test_concat_refuses_another_catalogue_and_an_empty_list(random_log):
    with pytest.raises(LogError, match=r"differ in problem\.num_items"):
        SlateLog.concat([random_log(4), random_log(4, items=8)])
    with pytest.raises(LogError, match="at least one log"):
        SlateLog.concat([])


def test_to_pandas_has_a_line_per_item_shown(random_log):
    slate, clicks = np.array([[3, -1], [0, 2]]), np.array([[1, 0], [0, 1]], dtype=np.int8)
    table = random_log(2, slate=slate, clicks=clicks).to_pandas()
    assert table["row"].tolist() == [0, 1, 1]
    assert table["position"].tolist() == [0, 0, 1]
    assert table["item"].tolist() == [3, 0, 2]
    assert table["click"].tolist() == [1, 0, 1]
    assert {"propensity", "feedback.click", "feedback.watch"} <= set(table.columns)


BAD = {
    "slate": (np.array([[0, 1], [2, 7], [0, 1]]), r"row 1, position 1: slate 7 is outside the cat"),
    "clicks": (np.array([[0, 0], [0, 0], [2, 0]]), "row 2, position 0: clicks 2 is not a click"),
    "user": (np.array([0, 5, 1]), "row 1: user 5 is not one of 5 users"),
    "session": (np.zeros(2), r"column session has shape \(2,\); it must be \(3,\)"),
    "propensity": (np.array([[1, 1], [1, 0], [1, 1.0]]), "row 1, position 1: propensity 0.0 is no"),
    "slate_propensity": (np.array([1, 1.2, 1]), r"row 1: slate_propensity 1.2 is not a prob"),
    "candidates": (np.full((3, 7), 7), "row 0, position 0: candidates 7 is outside"),
    "feedback": ({"click": np.zeros(3)}, "no feedback column for the reward 'watch'"),
}


@pytest.mark.parametrize("column", BAD)
def test_validate_names_row_and_column(random_log, column):
    wrong, message = BAD[column]
    with pytest.raises(LogError, match=message):
        random_log(3, **{column: wrong}).validate()


def test_validate_refuses_nan_and_unknown_users(random_log):
    nan = np.full((3, 2), np.nan)
    with pytest.raises(LogError, match=r"propensity nan .*\(6 such entries in total\.\)"):
        random_log(3, propensity=nan).validate()
    features = np.zeros((5, 3), dtype=np.float32)
    features[4, 2] = np.inf
    with pytest.raises(LogError, match="user 4, position 2: user_features inf"):
        random_log(3, user_features=features).validate()
    feedback = {"click": np.zeros(3), "watch": np.array([0, np.nan, 0])}
    with pytest.raises(LogError, match="row 1: feedback 'watch' nan"):
        random_log(3, feedback=feedback).validate()
    extra = {"click": np.zeros(3), "watch": np.zeros(3), "wach": np.zeros(3)}
    with pytest.raises(LogError, match=r"'wach' is not a reward of the problem\. Did you mean"):
        random_log(3, feedback=extra).validate()
    with pytest.raises(LogError, match="row 0: user 1 must be the number of the row"):
        random_log(3, anonymous=True, user=np.array([1, 0, 2])).validate()


def test_validate_refuses_impossible_slates(random_log):
    with pytest.raises(LogError, match="row 1, position 1: slate 2 is in the slate already"):
        random_log(2, slate=np.array([[0, 1], [2, 2]])).validate()
    offered = np.tile(np.arange(7), (2, 1))
    offered[1, 5] = 0  # item 5 was not offered to row 1
    log = random_log(2, slate=np.array([[0, 5], [5, 1]]), candidates=offered)
    with pytest.raises(LogError, match="row 1, position 0: slate 5 is not among the row's cand"):
        log.validate()


def test_validate_refuses_a_malformed_catalogue(random_log):
    problem = random_log(1).problem
    features = problem.item_features.copy()
    features[3, 1] = np.nan
    with pytest.raises(LogError, match="Item 3 of the catalogue"):
        random_log(1, problem=replace(problem, item_features=features)).validate()
    groups = problem.item_groups.copy()
    groups[2] = -1
    with pytest.raises(LogError, match="Item 2 of the catalogue"):
        random_log(1, problem=replace(problem, item_groups=groups)).validate()


def test_validate_accepts_padding(random_log):
    slate = np.array([[3, -1], [0, 2]])
    log = random_log(2, slate=slate, clicks=np.zeros((2, 2), dtype=np.int8))
    assert log.validate() is log
    with pytest.raises(LogError, match="row 0, position 1: clicks 1 is on an empty position"):
        replace(log, clicks=np.array([[0, 1], [0, 0]])).validate()


def test_its_repr_is_one_line_with_sizes_and_columns(random_log):
    log = random_log(10, users=5)
    assert repr(log) == (
        f"SlateLog(10 rows, slates of 2, {len(set(log.user))} users, {log.problem.num_items} items;"
        " propensity, feedback.click, feedback.watch)"
    )
    assert "anonymous" in repr(random_log(4, anonymous=True))


def test_a_wider_log_has_empty_slots(random_log):
    log = random_log(slots=2, position=np.tile([0, 1], (60, 1)))
    wide = log.widened(5).validate()
    assert wide.problem.slate_size == 5
    np.testing.assert_array_equal(wide.slate[:, :2], log.slate)
    assert (wide.slate[:, 2:] == -1).all()
    assert (wide.propensity[:, 2:] == 1).all()
    assert log.widened(2) is log
    # Agents see the same items in the history.
    seen = [part.observations([40])["history_items"] for part in (log, wide)]
    assert seen[1][seen[1] >= 0].tolist() == seen[0][seen[0] >= 0].tolist()


def test_times_are_checked_and_kept(random_log):
    log = random_log(time=np.arange(60.0)).validate()
    assert log.select([3, 5]).time.tolist() == [3, 5]
    assert SlateLog.concat([log, log]).time.shape == (120,)
    with pytest.raises(LogError, match=r"row 1: time nan is not a finite number"):
        replace(log, time=np.where(np.arange(60) == 1, np.nan, log.time)).validate()
    with pytest.raises(LogError, match=r"Log column time has shape \(59,\)"):
        replace(log, time=log.time[1:]).validate()
