"""The contrast of learned augmentations."""

from __future__ import annotations

import pytest
import torch

from agents.sequential.additions.info_nce import info_nce
from agents.sequential.additions.meta_contrast import Augmentations, meta_loss, regulariser


def test_regulariser_against_a_loop() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(3, 4), torch.randn(3, 4)
    states = torch.cat([first, second])
    down, up = [], []
    for i in range(6):
        positive = float(states[i] @ states[(i + 3) % 6])
        others = [float(states[i] @ states[j]) for j in range(6) if j not in (i, (i + 3) % 6)]
        down.append(max(0.0, positive - min(positive, max(others))))
        up += [max(0.0, max(positive, max(others)) - other) for other in others]
    expected = sum(down) / len(down) + sum(up) / len(up)
    assert regulariser(first, second).item() == pytest.approx(expected, rel=1e-5)


def test_one_pair_has_nothing_to_regularise() -> None:
    assert regulariser(torch.randn(1, 4), torch.randn(1, 4)).item() == 0


def test_loss_is_the_sum_over_three_pairs() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(5, 8), torch.randn(5, 8)
    with torch.no_grad():
        one, two = Augmentations(8)(first, second)
    expected = sum(
        info_nce(a, b) + 0.1 * regulariser(a, b)
        for a, b in [(first, two), (second, one), (one, two)]
    )
    assert meta_loss(first, second, (one, two)).item() == pytest.approx(float(expected), rel=1e-5)
