"""The contrast of subsequences with the same intent."""

from __future__ import annotations

import numpy as np
import torch

from agents.sequential.additions.info_nce import info_nce
from agents.sequential.additions.intent_contrast import Partners, centres_of, intent_loss


def test_partners_have_the_same_item_and_are_uniform() -> None:
    torch.manual_seed(0)
    items = torch.tensor([2, 0, 2, -1, 1, 2])
    drawn = Partners(items, num_items=4).draw(torch.tensor([2]).repeat(3000))
    counts = torch.bincount(drawn, minlength=6)
    assert counts[[1, 3, 4]].sum() == 0
    assert (counts[[0, 2, 5]] > 850).all()
    assert Partners(items, num_items=4).draw(torch.tensor([1, 0])).tolist() == [4, 1]


def test_centres_of_two_clusters() -> None:
    rng = np.random.default_rng(0)
    states = np.concatenate([rng.normal(0, 0.1, (50, 2)), rng.normal(5, 0.1, (50, 2))])
    centres = centres_of(states.astype(np.float32), count=2, seed=0)
    assert np.allclose(np.sort(centres[:, 0]), [0, 5], atol=0.1)


def test_fewer_states_than_centres() -> None:
    assert centres_of(np.zeros((3, 2), dtype=np.float32), count=8, seed=0).shape == (1, 2)


def test_without_the_fine_part_it_is_the_contrast_of_the_states() -> None:
    torch.manual_seed(0)
    first, second, target = torch.randn(4, 3), torch.randn(4, 3), torch.tensor([0, 1, 0, 2])
    loss = intent_loss(first, second, target, torch.randn(2, 3), coarse=0.3, fine=0.0)
    assert torch.isclose(loss, 0.3 * info_nce(first, second, groups=target))
