"""What early stopping is judged on: held-out events and how well a model ranks them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.sequential.config import SequentialConfig
from agents.sequential.models import SequenceModel
from agents.sequential.sequences import Sequences, by_length
from recsim.arrays import Ints

# Events that a model is judged on, at most, and of one held-out user.
_MOST, _OF_A_USER = 4000, 8
# Queries that are ranked at a time.
_BATCH = 256
_TOP = 10


@dataclass(frozen=True, eq=False)
class Queries:
    """Q earlier sequences, and the item that followed each.

    Attributes:
        tokens: The last L tokens, ``(Q, L)`` padded on the right.
        target: The item that followed, ``(Q,)``.
        seen: Query and item of every earlier event, two arrays ``(N,)`` sorted by query.
    """

    tokens: Tensor
    target: Tensor
    seen: tuple[Tensor, Tensor]

    def __len__(self) -> int:
        return len(self.target)

    @staticmethod
    def of(sequences: Sequences, target: Ints, length: int, device: torch.device | str) -> Queries:
        """Return what followed some sequences.

        Args:
            sequences: The earlier events of Q users.
            target: The items that followed, ``(Q,)``.
            length: L.
            device: Where to keep the queries.
        """
        query, item = sequences.items()
        arrays = (sequences.last(length), target, query, item)
        tokens, wanted, query_, item_ = (torch.as_tensor(array, device=device) for array in arrays)
        return Queries(tokens, wanted, (query_, item_))


def hold_out(
    sequences: Sequences,
    config: SequentialConfig,
    rng: np.random.Generator,
    device: torch.device | str,
) -> tuple[Sequences, Queries | None]:
    """Split sequences into those to train on and held-out events, by ``held_out`` of the settings.

    Args:
        sequences: All sequences.
        config: Settings.
        rng: Draws the users.
        device: Where to keep the queries.

    Returns:
        The sequences to train on, and the held-out events with those before them; None without any.
    """
    several = np.flatnonzero(sequences.events > 1)
    if config.held_out == "last":
        chosen = rng.permutation(several)[:_MOST]
        events = sequences.events.copy()
        events[chosen] -= 1
        trained = sequences.shortened(events)
        earlier = trained.select(chosen)
    else:
        users = rng.permutation(len(sequences.user))[: int(config.held_out * len(sequences.user))]
        kept = np.ones(len(sequences.user), dtype=np.bool_)
        kept[users] = False
        trained = sequences.select(kept)
        repeated = np.repeat(users, _OF_A_USER)
        cut = (rng.random(len(repeated)) * sequences.events[repeated]).astype(np.int64)
        own, cut = np.unique(np.stack([repeated, cut]), axis=1)
        some = rng.permutation(len(own))[:_MOST]
        earlier = sequences.select(own[some]).shortened(cut[some])
    if not len(earlier.user):
        return sequences, None
    target = earlier.tokens[earlier.begin + earlier.events + 1] - 1
    return trained, Queries.of(earlier, target, config.max_length, device)


def following(
    sequences: Sequences, later: Sequences, length: int, device: torch.device | str
) -> Queries | None:
    """Return the first event in ``later`` of each user who also has ``sequences``.

    Args:
        sequences: Earlier events.
        later: Later events.
        length: L.
        device: Where to keep the queries.

    Returns:
        The queries, or None if the two have no user in common.
    """
    _, own, first = np.intersect1d(sequences.user, later.user, return_indices=True)
    if not len(own):
        return None
    target = later.tokens[later.begin[first] + 1] - 1
    return Queries.of(sequences.select(own), target, length, device)


@torch.no_grad()
def ndcg(model: SequenceModel, queries: Queries, exclude_seen: bool) -> float:
    """Return NDCG@10 of the items that followed, among all items.

    Args:
        model: The model, in evaluation mode.
        queries: Sequences and the items that followed.
        exclude_seen: Whether earlier items are ranked below all others; the item that followed
            never is.
    """
    total, row_of, seen = 0.0, *queries.seen
    for group, tokens in by_length(queries.tokens):
        for start in range(0, len(group), _BATCH):
            part = slice(start, start + _BATCH)
            rows, states = group[part], model.next_states(tokens[part])
            scores, wanted = model.score_all(states), queries.target[rows]
            own = scores.gather(1, wanted[:, None])
            if exclude_seen:
                place = torch.full((len(queries),), -1, device=rows.device)
                place[rows] = torch.arange(len(rows), device=rows.device)
                among = place[row_of] >= 0
                scores[place[row_of[among]], seen[among]] = -torch.inf
                scores.scatter_(1, wanted[:, None], own)
            total += float(gain(ranks(scores, own)).sum())
    return total / len(queries)


def ranks(scores: Tensor, own: Tensor) -> Tensor:
    """Return the rank of one item of each row, from 1, ``(n,)``; items that tie have the mean rank.

    Args:
        scores: Scores of all items, ``(n, I)``.
        own: Score of the item, ``(n, 1)``.
    """
    above = (scores > own).sum(dim=1)
    ties = (scores == own).sum(dim=1) - 1
    return 1 + above + ties / 2


def gain(rank: Tensor) -> Tensor:
    """Return the discounted gain of ranks up to 10, ``1 / log2(rank + 1)``, else 0, ``(n,)``."""
    return torch.where(rank <= _TOP, 1 / torch.log2(rank + 1), 0.0)
