"""Contrasts, checked by hand and against a loop."""

from __future__ import annotations

import math

import pytest
import torch

from agents.sequential.additions.info_nce import centre_contrast, info_nce


def test_two_pairs_by_hand() -> None:
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # Each state has similarity 1 with its partner and 0 with the two others.
    expected = -math.log(math.e / (math.e + 2))
    assert info_nce(first, first).item() == pytest.approx(expected, abs=1e-6)


def test_temperature_divides_similarities() -> None:
    first, second = torch.randn(5, 3), torch.randn(5, 3)
    assert info_nce(first, second, 0.5).item() == pytest.approx(
        info_nce(first * 2**0.5, second * 2**0.5).item(), rel=1e-5
    )


def test_a_step_against_the_gradient_draws_partners_together_and_others_apart() -> None:
    torch.manual_seed(0)
    first, second = (torch.randn(6, 3, requires_grad=True) for _ in range(2))
    info_nce(first, second).backward()  # type: ignore[no-untyped-call]

    def margin(one: torch.Tensor, other: torch.Tensor) -> float:
        similar = one @ other.T
        return float(similar.diag().mean() - similar.mean())

    with torch.no_grad():
        moved = [states - 0.1 * states.grad for states in (first, second)]
        assert margin(*moved) > margin(first, second)


def test_other_pairs_of_a_group_are_no_negatives() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(4, 3), torch.randn(4, 3)
    groups = torch.tensor([0, 1, 0, 2])
    states = torch.cat([first, second])
    label = torch.cat([groups, groups])
    losses = []
    for i in range(8):
        partner = (i + 4) % 8
        others = [j for j in range(8) if label[j] != label[i]]
        scores = torch.stack([states[i] @ states[j] for j in [partner, *others]])
        losses.append(-scores.log_softmax(dim=0)[0])
    assert info_nce(first, second, groups=groups).item() == pytest.approx(
        torch.stack(losses).mean().item(), rel=1e-5
    )


def test_pairs_of_one_group_only_have_no_negatives() -> None:
    first = torch.randn(3, 2)
    assert info_nce(first, first + 1, groups=torch.zeros(3, dtype=torch.int64)).item() == 0


def test_states_are_drawn_to_their_centre() -> None:
    centres = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    near = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    nearest = torch.tensor([0, 1])
    assert centre_contrast(near, centres, nearest) < centre_contrast(near.flip(0), centres, nearest)
