"""Distillation of counted transitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.sequential.additions.transitions import TransitionCounts, distillation


@pytest.fixture
def counts() -> TransitionCounts:
    """Return counts 0 -> 1 twice, 0 -> 2 once, 3 -> 0 once, among 5 items."""
    return TransitionCounts(np.array([0, 0, 3, 0]), np.array([1, 2, 0, 1]), num_items=5)


def test_rows(counts: TransitionCounts) -> None:
    rows = counts.rows(torch.tensor([3, 1, 0]))
    assert rows.tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 2, 1, 0, 0]]


def test_labels_by_hand(counts: TransitionCounts) -> None:
    label = counts.labels(torch.tensor([0]), temperature=0.5)
    expected = torch.tensor([0.0, 2.0, 1.0, 0.0, 0.0]).softmax(dim=0)  # counts / 2 / 0.5
    assert torch.allclose(label[0], expected)


def test_items_without_successor_are_skipped(counts: TransitionCounts) -> None:
    vectors = torch.randn(5, 3)
    both = distillation(counts, torch.tensor([0, 1, 4]), vectors, 0.1, None)
    assert both == distillation(counts, torch.tensor([0]), vectors, 0.1, None)
    assert distillation(counts, torch.tensor([1, 2]), vectors, 0.1, None).item() == 0


def test_only_a_direction_can_tell_a_transition_from_its_reverse() -> None:
    torch.manual_seed(0)
    cycle = np.arange(6)
    counts = TransitionCounts(cycle, (cycle + 1) % 6, num_items=6)
    items = torch.arange(6)

    def best(directed: bool) -> float:
        vectors = torch.randn(6, 6, requires_grad=True)
        direction = torch.eye(6).requires_grad_() if directed else None
        learned = [vectors] if direction is None else [vectors, direction]
        optimizer = torch.optim.Adam(learned, lr=0.05)
        for _ in range(300):
            optimizer.zero_grad()
            loss = distillation(counts, items, vectors, 0.1, direction)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return loss.item()

    # The lowest possible loss is the entropy of the labels.
    labels = counts.labels(items, 0.1)
    entropy = -(labels * labels.log()).sum(dim=1).mean().item()
    assert best(directed=True) < entropy + 0.1
    assert best(directed=False) > entropy + 0.5
