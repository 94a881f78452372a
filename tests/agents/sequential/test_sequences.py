"""Events of logs and observations, as tokens."""

import numpy as np
import pytest

from agents.sequential.sequences import last_events, observed, special_tokens, windows


def test_windows_are_of_one_user_and_counted_from_the_last_event(make_sequences):
    log = make_sequences([[0, 1, 2, 3, 4], [5], [6, 6]], num_items=7)
    tokens, users = windows(log, "clicked", 2)
    assert tokens.tolist() == [[1, 0], [2, 3], [4, 5], [6, 0], [7, 7]]
    assert users.tolist() == [0, 0, 0, 1, 2]


def test_only_clicks_are_events_unless_shown_items_count(make_sequences):
    log = make_sequences([[3, -1, 2]], num_items=4)  # the slate not clicked shows item 0
    assert windows(log, "clicked", 3)[0].tolist() == [[4, 3, 0]]
    assert windows(log, "shown", 3)[0].tolist() == [[4, 1, 3]]


def test_events_of_a_slate_are_in_order_of_position_without_padding(make_problem, make_log):
    problem = make_problem(num_items=5, slate_size=3)
    columns = {
        "user": np.zeros(2, dtype=np.int64),
        "slate": np.array([[4, 0, 2], [1, 3, -1]]),
        "clicks": np.array([[1, 0, 1], [0, 1, 0]], dtype=np.int8),
    }
    log = make_log(problem, 2, **columns)
    assert windows(log, "clicked", 4)[0].tolist() == [[5, 3, 4, 0]]
    assert windows(log, "shown", 5)[0].tolist() == [[5, 1, 3, 2, 4]]


@pytest.mark.parametrize("events", ["clicked", "shown"])
def test_sequences_of_a_log_match_its_observations(make_problem, make_log, events):
    problem = make_problem(num_items=9, slate_size=2)
    log = make_log(problem, 30, user=np.arange(30) % 3)
    tokens, users = windows(log, events, 30)
    last = np.array([np.flatnonzero(log.user == user)[-1] for user in range(3)])
    seen = observed(log.observations(last, history_slates=20), events)
    for user in range(3):
        own = tokens[users == user][0]
        before = seen[user][seen[user] > 0]
        assert own[: len(before)].tolist() == before.tolist()


def test_observed_events_are_on_the_left_wherever_the_padding_is():
    history = {"candidates": np.zeros((3, 2)), "history_clicks": np.ones((3, 4))}
    items = np.array([[-1, -1, 3, 1], [3, 1, -1, -1], [-1, 3, -1, 1]])
    assert observed({**history, "history_items": items}, "clicked").tolist() == [[4, 2]] * 3
    nothing = observed({**history, "history_items": np.full((3, 4), -1)}, "clicked")
    assert nothing.shape == (3, 0)
    assert observed({"candidates": np.zeros((3, 2))}, "clicked").shape == (3, 0)


def test_the_last_events_are_kept():
    tokens = np.array([[1, 2, 3, 4], [5, 0, 0, 0], [6, 7, 8, 0]])
    assert last_events(tokens, 2).tolist() == [[3, 4], [5, 0], [7, 8]]
    assert last_events(tokens, 9).tolist() == tokens.tolist()


def test_special_tokens_differ_from_items():
    assert not set(special_tokens(5)) & set(range(6))
