import math

import pytest
import torch

from agents.shared.choice_logit import choice_loss, chosen_shares, log_choice

SHOWN = torch.tensor([[True, True], [True, False]])


def test_probabilities_by_hand():
    scores = torch.tensor([[math.log(2), math.log(3)], [math.log(2), 50.0]])
    nothing = torch.tensor([0.0, math.log(6)])
    result = log_choice(scores, nothing, SHOWN).exp()
    expected = torch.tensor([[1 / 6, 2 / 6, 3 / 6], [6 / 8, 2 / 8, 0.0]])
    torch.testing.assert_close(result, expected)


def test_one_choice_a_slate():
    clicks = torch.tensor([[0, 0], [0, 1]])
    assert chosen_shares(clicks, SHOWN).tolist() == [[1, 0, 0], [1, 0, 0]], "padding has no clicks"
    both = torch.tensor([[1, 1], [1, 1]])
    assert chosen_shares(both, SHOWN).tolist() == [[0, 0.5, 0.5], [0, 1, 0]]


def test_loss_by_hand():
    scores = torch.tensor([[math.log(2), math.log(3)]]).expand(3, -1)
    clicks = torch.tensor([[0, 1], [0, 0], [1, 1]])
    result = choice_loss(scores, torch.zeros(3), torch.ones(3, 2, dtype=torch.bool), clicks)
    expected = [math.log(2), math.log(6), (math.log(3) + math.log(2)) / 2]
    assert result.tolist() == pytest.approx(expected)


def test_a_slot_that_shows_nothing_has_no_gradient():
    scores = torch.zeros(2, 2, requires_grad=True)
    choice_loss(scores, torch.zeros(2), SHOWN, torch.ones(2, 2)).sum().backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[1, 1] == 0
    assert scores.grad[1, 0] == -0.5
