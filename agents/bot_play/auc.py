"""The AUC on validation items, by which the best state of a model is chosen."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.bot_play.model import CritiquedModel
from agents.bot_play.tables import Tables

# Largest number of scores in memory at once.
_CELLS = 4_000_000


@torch.no_grad()
def valid_auc(model: CritiquedModel, tables: Tables) -> float:
    """Return the mean of ``(n - r) / n`` over the valid part.

    n is the number of items that the user did not review in the train part, and r the number of
    these that are ranked above the validation item; ties count half.
    """
    shares: list[Tensor] = []
    size = max(1, _CELLS // len(tables.item_counts))
    for rows in torch.split(torch.arange(len(tables.valid_users)), size):
        users, items = tables.valid_users[rows], tables.valid_items[rows]
        all_items = torch.arange(len(tables.item_counts), device=users.device)
        free = tables.taken.contains(users[:, None], all_items[None, :]) == 0  # (B, I)
        scores = model.scores(model.latent(users, model.first_preferences(users)))
        own = scores.gather(1, items[:, None])
        above = (scores > own).double() + 0.5 * (scores == own)
        above.scatter_(1, items[:, None], 0.0)
        candidates = free.sum(dim=1)
        shares.append((candidates - (above * free).sum(dim=1)) / candidates.clamp(min=1))
    return float(torch.cat(shares).mean())
