"""The published minibatches of Rel-MF: half of the pairs have a click, half have none.

The expectation of the loss of such a batch is not the loss over all pairs: clicks are weighted as
if half of all pairs had one. So the agent ``rel_mf`` draws uniformly from all pairs instead. To
train with these batches, give `draw` to `agents.rel_mf.pairs.batches`.

Source: the code of Saito et al., "Unbiased Recommender Learning from Missing-Not-At-Random Implicit
Feedback", WSDM 2020.
"""

from __future__ import annotations

import torch

from agents.rel_mf.pairs import ClickedPairs, Pairs


def draw(clicks: ClickedPairs, generator: torch.Generator, size: int) -> Pairs:
    """Draw half of the pairs from those with a click, half from the others, with replacement.

    Args:
        clicks: The pairs with a click; at least one, and not all.
        generator: Draws the pairs.
        size: Number of pairs.
    """
    keys = clicks.users * clicks.num_items + clicks.items  # sorted
    half, device = size // 2, keys.device
    clicked = torch.randint(len(keys), (half,), generator=generator, device=device)
    # The j-th pair without a click has key j + (number of clicked keys before it), that is, the
    # number of clicked keys k_m with k_m - m <= j.
    others = clicks.num_users * clicks.num_items - len(keys)
    ranks = torch.randint(others, (size - half,), generator=generator, device=device)
    gaps = keys - torch.arange(len(keys), device=device)
    keys = torch.cat([keys[clicked], ranks + torch.searchsorted(gaps, ranks, right=True)])
    return keys // clicks.num_items, keys % clicks.num_items
