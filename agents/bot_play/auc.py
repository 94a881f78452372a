"""How well a model ranks what is held out, to choose among its states."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.bot_play.model import CritiquedModel
from agents.bot_play.tables import Tables

# Scores that are held at a time.
_CELLS = 4_000_000


@torch.no_grad()
def valid_auc(model: CritiquedModel, tables: Tables) -> float:
    """Return the mean of ``(n - r) / n`` over the valid part.

    Of the n items that the user did not review in the train part, r are ranked above the valid one;
    those with the same score count half.
    """
    shares: list[Tensor] = []
    size = max(1, _CELLS // len(tables.item_counts))
    for rows in torch.split(torch.arange(len(tables.valid_users)), size):
        users, items = tables.valid_users[rows], tables.valid_items[rows]
        every = torch.arange(len(tables.item_counts), device=users.device)
        free = tables.taken.contains(users[:, None], every[None, :]) == 0  # (B, I)
        scores = model.scores(model.latent(users, model.first_preferences(users)))
        own = scores.gather(1, items[:, None])
        above = (scores > own).double() + 0.5 * (scores == own)
        above.scatter_(1, items[:, None], 0.0)
        candidates = free.sum(dim=1)
        shares.append((candidates - (above * free).sum(dim=1)) / candidates.clamp(min=1))
    return float(torch.cat(shares).mean())
