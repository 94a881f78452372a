"""Contrast of subsequences with the same intent: ICSRec (arXiv:2310.14318).

Two subsequences that are followed by the same item are assumed to express the same intent. Their
states are drawn together (coarse), and each towards the nearest of C centres of all such states
(fine). Other pairs with the same next item, or the same centre, are not negatives.

Differences from the paper: the loss at all positions stays that of the encoder, and one subsequence
per window enters the contrast; the partner is drawn uniformly, where the released code takes the
last one; the released code masks equal targets only on request.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from agents.sequential.additions.base import Addition, next_states
from agents.sequential.additions.info_nce import centre_contrast, info_nce
from agents.sequential.models import SequenceModel
from agents.sequential.sequences import PADDING, Sequences
from recsim.arrays import Floats32, Ints

# Default weights of the coarse and the fine contrast.
INTENT_WEIGHTS = (0.3, 0.1)
# States from which the centres are computed, at most (the paper: all prefixes).
_MOST_STATES = 5_000
# Prefixes that are encoded at a time for them, and steps between two clusterings. The first one
# waits as long, because the states of an untrained encoder say nothing of intents.
_BATCH, _REFRESH = 256, 100


class Partners:
    """Finds events of the same item.

    Args:
        items: Item of each event, ``(N,)``; -1 for those that are not predicted.
        num_items: I.
        device: Device of the tensors.
    """

    def __init__(self, items: Tensor, num_items: int) -> None:
        target = (items >= 0).nonzero()[:, 0]
        self._event = target[items[target].argsort(stable=True)]
        counts = torch.bincount(items[target], minlength=num_items)
        self._begin = counts.cumsum(0) - counts
        self._count = counts

    def draw(self, items: Tensor) -> Tensor:
        """Return a random event of each item, ``(B,)``, uniformly; it can be the same event."""
        offset = (torch.rand(len(items), device=items.device) * self._count[items]).long()
        return self._event[self._begin[items] + offset]


def intent_loss(
    first: Tensor,
    second: Tensor,
    target: Tensor,
    centres: Tensor | None,
    coarse: float,
    fine: float,
) -> Tensor:
    """Return the weighted contrasts of pairs of subsequences.

    Args:
        first: States of subsequences, ``(B, D)``.
        second: States of other subsequences with the same next items, ``(B, D)``.
        target: That next item, ``(B,)``.
        centres: ``(C, D)``; None if there are none yet.
        coarse: Weight of the contrast between the two states.
        fine: Weight of the contrast between states and centres.
    """
    total = coarse * info_nce(first, second, groups=target)
    if centres is None:
        return total
    for states in (first, second):
        nearest = torch.cdist(states.detach(), centres).argmin(dim=1)
        total = total + fine * centre_contrast(states, centres, nearest)
    return total


def centres_of(states: Floats32, count: int, seed: int) -> Floats32:
    """Return the centres of states, ``(min(count, n), D)``.

    Args:
        states: ``(n, D)``; a random part of them is used if there are many.
        count: C.
        seed: Seed of the clustering.
    """
    rng = np.random.default_rng(seed)
    if len(states) > _MOST_STATES:
        chosen: Ints = rng.choice(len(states), _MOST_STATES, replace=False)
        states = states[chosen]
    count = min(count, len(np.unique(states, axis=0)))
    found = KMeans(count, n_init=1, max_iter=20, random_state=seed).fit(states)
    centres: Floats32 = found.cluster_centers_.astype(np.float32)
    return centres


class IntentContrast(Addition):
    """The weighted contrasts as a term of the training loss.

    Args:
        model: The model.
        sequences: The sequences to train on.
        weights: Weights of the coarse and the fine contrast.
        clusters: C.
        length: L.
        seed: Seed of the clustering.
    """

    def __init__(
        self,
        model: SequenceModel,
        sequences: Sequences,
        weights: tuple[float, float],
        clusters: int,
        length: int,
        seed: int,
    ) -> None:
        device = model.bias.device
        self._model, self._weights, self._clusters = model, weights, clusters
        self._length, self._seed, self._done = length, seed, 0
        event, begin = sequences.places()
        # The state before a user's first event is that of the start token, the same for all.
        later = event > begin + 1
        self._tokens, self._event, self._begin = (
            torch.as_tensor(values, device=device)
            for values in (sequences.tokens, event[later], begin[later])
        )
        self._item = self._tokens[self._event] - 1
        self._partners = Partners(self._item, model.num_items)
        self._centres: Tensor | None = None

    def loss(self, tokens: Tensor) -> Tensor:
        """Return the weighted contrasts of as many random events as there are windows."""
        if not len(self._event):
            return self._model.bias.new_zeros(())
        self._done += 1
        if self._done % _REFRESH == 0:
            self._centres = self._clustered()
        drawn = torch.randint(len(self._event), (len(tokens),), device=tokens.device)
        target = self._item[drawn]
        pairs = torch.cat([drawn, self._partners.draw(target)])
        first, second = next_states(self._model, self._before(pairs)).chunk(2)
        return intent_loss(first, second, target, self._centres, *self._weights)

    def _before(self, events: Tensor) -> Tensor:
        """Return the last L tokens before some events, ``(n,) -> (n, L)`` padded on the right."""
        stop = self._event[events]
        width = (stop - self._begin[events]).clamp_max(self._length)[:, None]
        place = torch.arange(self._length, device=events.device)
        index = torch.where(place < width, stop[:, None] - width + place, 0)
        return torch.where(place < width, self._tokens[index], PADDING)

    @torch.no_grad()
    def _clustered(self) -> Tensor:
        """Return the centres of the states before random events, ``(C, D)``."""
        self._model.eval()
        drawn = torch.randperm(len(self._event), device=self._event.device)[:_MOST_STATES]
        parts = torch.split(drawn, _BATCH)
        states = torch.cat([next_states(self._model, self._before(part)) for part in parts])
        self._model.train()
        found = centres_of(states.cpu().numpy(), self._clusters, self._seed)
        return torch.as_tensor(found, device=states.device)
