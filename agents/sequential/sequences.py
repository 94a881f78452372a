"""Sequences of events, from logs and observations, as tokens.

Token 0 is padding, item i is token i + 1, and two special tokens follow; see `special_tokens`.
Every user's sequence begins with the start token, from which the first event is predicted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.shared.event_lists import Events, latest_events, logged_events
from recsim.arrays import Bools, Ints
from recsim.contracts.slates import Observation
from recsim.log import SlateLog

PADDING = 0


def special_tokens(num_items: int) -> tuple[int, int]:
    """Return the start token and the mask token."""
    return num_items + 1, num_items + 2


@dataclass(frozen=True, eq=False)
class Sequences:
    """The sequences of U users, one behind the other.

    Attributes:
        tokens: ``(N,)``; each user's start token and events, oldest first.
        begin: Index of each user's start token, ``(U,)``.
        events: Number of events of each user that count, from the first on, ``(U,)``.
        user: Ids of the users, ascending, ``(U,)``.
    """

    tokens: Ints
    begin: Ints
    events: Ints
    user: Ints

    @staticmethod
    def of(log: SlateLog, events: Events) -> Sequences:
        """Return the sequences of a log's users; users without an event are left out.

        Args:
            log: The log; its rows are in order of time, the items of a slate in order of position.
            events: Which items count as events.
        """
        items, users = logged_events(log, events)
        user, first, number = np.unique(users, return_index=True, return_counts=True)
        start, _ = special_tokens(log.problem.num_items)
        tokens = np.insert(items + 1, first, start)
        return Sequences(tokens, first + np.arange(len(user)), number, user)

    def shortened(self, events: Ints) -> Sequences:
        """Return the first ``events`` (U,) events of every user."""
        return Sequences(self.tokens, self.begin, events, self.user)

    def select(self, chosen: Ints | Bools) -> Sequences:
        """Return the sequences of some users, by index or mask."""
        return Sequences(self.tokens, self.begin[chosen], self.events[chosen], self.user[chosen])

    def counts(self, num_items: int) -> Ints:
        """Return how often each item is an event, ``(I,)``."""
        counted = self._flat()
        return np.bincount(self.tokens[counted] - 1, minlength=num_items)[:num_items]

    def items(self) -> tuple[Ints, Ints]:
        """Return the user (index) and the item of every event, sorted by user."""
        return np.repeat(np.arange(len(self.user)), self.events), self.tokens[self._flat()] - 1

    def places(self) -> tuple[Ints, Ints]:
        """Return the index of every event in ``tokens`` and that of its user's start token."""
        return self._flat(), np.repeat(self.begin, self.events)

    def last(self, length: int) -> Ints:
        """Return the last ``length`` tokens of every user, ``(U, length)``, padded on the right."""
        width = np.minimum(self.events + 1, length)[:, None]
        place = np.arange(length)
        index = (self.begin + self.events + 1)[:, None] - width + place
        index = np.where(place < width, index, 0)
        tokens: Ints = np.where(place < width, self.tokens[index], PADDING)
        return tokens

    def _flat(self) -> Ints:
        """Return the indices of all events in ``tokens``, sorted by user."""
        before = np.cumsum(self.events) - self.events
        index: Ints = np.arange(self.events.sum())
        index += np.repeat(self.begin + 1 - before, self.events)
        return index


class Windows:
    """Draws windows of L + 1 tokens such that events are about equally often in one.

    A user with T events has max(1, T / L) windows. A window with all L + 1 tokens ends at a random
    event; the first and the last one of a user are drawn more often than those between, so that the
    events at both ends are not rare.

    Args:
        sequences: The sequences to train on.
        length: L.
        device: Where the windows are returned.
    """

    def __init__(self, sequences: Sequences, length: int, device: torch.device | str) -> None:
        self._length = length
        self._tokens, self._begin, self._events = (
            torch.as_tensor(values, device=device)
            for values in (sequences.tokens, sequences.begin, sequences.events)
        )
        weight = (self._events / length).clamp_min(1) * (self._events > 0)
        self._cumulated = weight.double().cumsum(0)
        size = self._events.clamp_max(length)
        self.mean_events = float((weight * size).sum() / weight.sum())

    def draw(self, count: int) -> Tensor:
        """Return windows, ``(count, L + 1)`` padded on the right, with torch's generator."""
        device = self._tokens.device
        chance = torch.rand(2, count, dtype=torch.float64, device=device)
        user = torch.searchsorted(self._cumulated, chance[0] * self._cumulated[-1], right=True)
        user = user.clamp_max(len(self._events) - 1)
        events, begin = self._events[user], self._begin[user]  # (B,)
        end = self._length // 2 + (chance[1] * events).long()
        end = torch.minimum(end.clamp_min(self._length), events)
        first = (end - self._length).clamp_min(0)
        place = first[:, None] + torch.arange(self._length + 1, device=device)
        within = place <= end[:, None]  # (B, L + 1)
        index = torch.where(within, begin[:, None] + place, 0)
        return torch.where(within, self._tokens[index], PADDING)


def inputs_of(windows: Tensor) -> Tensor:
    """Drop the last token of each row, which is only predicted, ``(B, T) -> (B, T - 1)``."""
    return torch.where(windows[:, 1:] != PADDING, windows[:, :-1], PADDING)


def by_length(tokens: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Split sequences into groups of similar length, so that little of a group is padding.

    Args:
        tokens: Padded on the right, ``(B, T)``.

    Yields:
        Row numbers ``(b,)`` and their tokens ``(b, t)`` without columns that are all padding. The
        longest of a group has fewer than twice the tokens of the shortest, or at most eight.
    """
    length = (tokens != PADDING).sum(dim=1)
    group = length.clamp_min(5).sub(1).log2().long()
    for number in sorted(set(group.tolist())):
        rows = (group == number).nonzero()[:, 0]
        yield rows, tokens[rows, : int(length[rows].max())]


def observed(obs: Observation, events: Events, count: int, start: int) -> Ints:
    """Return the last tokens of every observed sequence, ``(B, T)`` with T <= ``count``.

    Oldest first, padded on the right, wherever the history itself is padded.

    Args:
        obs: The observation.
        events: Which items count as events.
        count: Most tokens of a sequence, the start token included.
        start: The start token.
    """
    latest = latest_events(obs, events) + 1  # (B, T), the latest first
    latest = np.concatenate([latest, np.full((len(latest), 1), PADDING)], axis=1)
    np.put_along_axis(latest, (latest != PADDING).sum(axis=1, keepdims=True), start, axis=1)
    latest = latest[:, :count]
    place = (latest != PADDING).sum(axis=1, keepdims=True) - 1 - np.arange(latest.shape[1])
    return np.where(place < 0, PADDING, np.take_along_axis(latest, place.clip(0), axis=1))
