"""Returns of the users of a log, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from agents.shared.returns import returns_to_go, slate_rewards, total_returns

REWARDS = np.array([1.0, 10.0, 2.0, 4.0, 20.0])


@pytest.fixture
def log(make_problem, make_log):
    """Two users whose rows alternate: rows 0, 2, 3 and rows 1, 4."""
    problem = make_problem()
    columns = {"user": np.array([0, 1, 0, 0, 1]), "user_features": np.zeros((2, 3), np.float32)}
    return make_log(problem, 5, feedback={"click": REWARDS, "watch": 2 * REWARDS}, **columns)


def test_returns_to_go_by_hand(log):
    assert returns_to_go(log, REWARDS).tolist() == [7, 30, 6, 4, 20]
    assert returns_to_go(log, REWARDS, gamma=0.5).tolist() == [3, 20, 4, 4, 20]
    assert returns_to_go(log, REWARDS, gamma=0.0).tolist() == REWARDS.tolist()


def test_every_row_of_an_anonymous_log_stands_alone(make_problem, make_log):
    log = make_log(make_problem(), 5, anonymous=True)
    assert returns_to_go(log, REWARDS).tolist() == REWARDS.tolist()


def test_totals_by_hand(log):
    assert total_returns(log, REWARDS).tolist() == [7, 30, 7, 7, 30]


def test_the_reward_of_a_slate_by_hand(log):
    assert slate_rewards(log, "watch").tolist() == (2 * REWARDS).tolist()
    assert slate_rewards(log, "reward").tolist() == (2 * REWARDS).tolist()  # clicks + watch / 2
    slate = np.array([[0, 1], [2, -1], [0, 1], [0, 1], [0, 1]])
    clicks = np.array([[1, 1], [0, 1], [1, 0], [0, 0], [0, 1]], dtype=np.int8)
    clicked = replace(log, slate=slate, clicks=clicks)
    assert slate_rewards(clicked, "click").tolist() == [2, 0, 1, 0, 1], "padding earns nothing"
