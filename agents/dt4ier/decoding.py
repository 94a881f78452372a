"""Decode slates of distinct candidates from contexts, slot by slot."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.dt4ier.data import PAD
from agents.dt4ier.encoders import SlateDecoder
from recsim.draws import Draws, Purpose

_NEVER = float("-inf")


def decode(
    decoder: SlateDecoder,
    contexts: Tensor,
    candidates: Tensor,
    slots: int,
    *,
    temperature: float = 0.0,
    draws: Draws | None = None,
) -> tuple[Tensor, Tensor]:
    """Decode slates without repeated items.

    Args:
        decoder: The decoder.
        contexts: ``(B, D)``.
        candidates: Tokens of the candidates, distinct in each row, ``(B, C)``.
        slots: K.
        temperature: 0: the best item in each slot; otherwise items are sampled after the scores are
            divided by the temperature.
        draws: Random numbers of the users for the sampling, on the device of the contexts.

    Returns:
        Indices into the candidates, ``(B, K)``, and the probability of the first k of them,
        ``(B, K)`` float64.
    """
    state = decoder.begin(contexts)
    previous = candidates.new_full((len(candidates), 1), decoder.first_token)
    taken = torch.zeros_like(candidates, dtype=torch.bool)
    chance = torch.zeros(len(candidates), 1, dtype=torch.float64, device=contexts.device)
    chosen, prefixes = [], []
    for slot in range(slots):  # each item depends on the previous ones
        vectors, state = decoder.step(contexts, previous, state)
        scores = decoder.out(vectors[:, 0]).gather(1, candidates)  # (B, V) -> (B, C)
        scores = scores.masked_fill(taken, _NEVER)
        if temperature:
            scores = scores / temperature
            # The argmax of the scores plus Gumbel noise is a sample from the softmax.
            assert draws is not None
            noise = draws.gumbel(Purpose(f"slot {slot}"), scores.shape[1])
            index = (scores + noise).argmax(dim=1, keepdim=True)
            chance = chance + scores.double().log_softmax(dim=1).gather(1, index)
        else:
            index = scores.argmax(dim=1, keepdim=True)  # (B, 1)
        taken = taken.scatter(1, index, True)
        previous = candidates.gather(1, index)
        chosen.append(index)
        prefixes.append(chance)
    return torch.cat(chosen, dim=1), torch.cat(prefixes, dim=1).exp()


def next_probabilities(
    decoder: SlateDecoder,
    contexts: Tensor,
    candidates: Tensor,
    chosen: Tensor,
    temperature: float,
) -> Tensor:
    """Return the probability of every candidate at slot k after the first k-1 items of a slate.

    Args:
        decoder: The decoder.
        contexts: ``(B, D)``.
        candidates: Tokens of the candidates, distinct in each row, ``(B, C)``.
        chosen: Indices into the candidates, ``(B, K)``; -1 in empty slots.
        temperature: Divisor of the scores; positive.

    Returns:
        ``(B, K, C)`` float64.
    """
    empty, place = chosen < 0, chosen.clamp_min(0)
    slates = candidates.gather(1, place).masked_fill(empty, PAD)
    scores = decoder.out(decoder(contexts, slates))  # (B, K, V)
    scores = scores.gather(2, candidates[:, None].expand(-1, chosen.shape[1], -1))  # (B, K, C)
    here = torch.zeros_like(scores, dtype=torch.int32)
    here.scatter_(2, place[:, :, None], (~empty)[:, :, None].int())
    before = here.cumsum(dim=1) - here
    logits: Tensor = (scores.double() / temperature).masked_fill(before > 0, _NEVER)
    return logits.softmax(dim=2)
