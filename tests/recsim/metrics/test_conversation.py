"""Metrics of conversations, by hand."""

import math

import numpy as np
import pytest

from recsim.metrics import average_turns, conversation_gain, success_rate

# Success at turn 1 with rank 1, at turn 3 with rank 2, and a failure after ten turns.
TURN, RANK = np.array([1, 3, 10]), np.array([1, 2, 0])
SUCCESS = RANK > 0


def test_three_conversations_by_hand():
    assert success_rate(TURN, SUCCESS, 1) == pytest.approx(1 / 3)
    assert success_rate(TURN, SUCCESS, 2) == pytest.approx(1 / 3)
    assert success_rate(TURN, SUCCESS, 3) == pytest.approx(2 / 3)
    assert success_rate(TURN, SUCCESS, 10) == pytest.approx(2 / 3)
    assert average_turns(TURN, SUCCESS, 10) == pytest.approx(14 / 3)
    second = 1 / math.log2(5) + (1 / math.log2(4) - 1 / math.log2(5)) / math.log2(3)
    assert conversation_gain(TURN, RANK) == pytest.approx([1.0, second, 0.0])
    assert second == pytest.approx(0.47442, abs=1e-5)
    assert conversation_gain(TURN, RANK).mean() == pytest.approx(0.49147, abs=1e-5)


def test_the_rank_matters_less_than_the_turn():
    assert (
        conversation_gain(np.array([1]), np.array([10**9]))[0]
        > conversation_gain(np.array([2]), np.array([1]))[0] - 0.01
    )
    assert conversation_gain(np.array([1]), np.array([10**12]))[0] == pytest.approx(
        1 / math.log2(3), abs=0.01
    )


def test_a_conversation_without_success_has_no_gain():
    assert conversation_gain(np.array([0]), np.array([0])).tolist() == [0.0]
