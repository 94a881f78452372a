"""Users' choices from slates, step by step, as the model's input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from recsim.arrays import Bools
from recsim.log import SlateLog, encode


@dataclass(frozen=True, eq=False)
class Choices:
    """T steps of U users, who each choose one of at most S items or nothing.

    Attributes:
        items: Items of the slate, ``(U, T, S)``; -1 in empty slots and for unknown items.
        length: Number of slots including "nothing", ``(U, T)``; 0 at padding.
        choice: 0 for nothing, k for the k-th item, ``(U, T)``.
        click: Item chosen, ``(U, T)``; -1 for nothing.
        scored: Whether the choice counts in the likelihood, ``(U, T)``.
        context: Whether the initial state may be inferred from the step, ``(U, T)``.
    """

    items: Tensor
    length: Tensor
    choice: Tensor
    click: Tensor
    scored: Tensor
    context: Tensor

    def __len__(self) -> int:
        """Return the number of users U."""
        return len(self.length)

    @property
    def steps(self) -> int:
        """T."""
        return self.length.shape[1]

    @property
    def context_clicks(self) -> Tensor:
        """Clicks from which the initial state is inferred, ``(U, T)``; else -1."""
        return torch.where(self.context, self.click, -1)

    def select(self, users: Tensor | slice) -> Choices:
        """Return some of the users."""
        return Choices(*(getattr(self, item.name)[users] for item in fields(self)))

    def to(self, device: torch.device | str) -> Choices:
        """Return the same choices on another device."""
        return Choices(*(getattr(self, item.name).to(device) for item in fields(self)))

    def after(self, step: int) -> Choices:
        """Return the choices for evaluation: those from ``step`` on scored, given earlier ones."""
        early = torch.arange(self.steps, device=self.length.device) < step  # (T,)
        return replace(self, scored=self.scored & ~early, context=self.context & early)

    def before(self, step: int) -> Choices:
        """Return the choices for training, without those from ``step`` on."""
        early = torch.arange(self.steps, device=self.length.device) < step  # (T,)
        return replace(self, scored=self.scored & early, context=self.context & early)


def from_log(log: SlateLog) -> Choices:
    """Read the choices of the users in a log, sorted by user and in the order of the log.

    A slate with several clicks becomes as many steps with one choice each.
    """
    clicked = log.clicks.astype(bool) & (log.slate >= 0)
    row = np.repeat(np.arange(len(log)), np.maximum(clicked.sum(axis=1), 1))  # (N,) steps
    nth = encode.rank_within(row)
    # The slot of the nth click of a row: clicked slots first, in order.
    order = np.argsort(~clicked, axis=1, kind="stable")
    any_clicked: Bools = clicked.sum(axis=1) > 0
    slot = np.where(any_clicked[row], order[row, nth], -1)  # (N,)
    user = np.unique_inverse(log.user[row]).inverse_indices
    step = encode.rank_within(user)
    shape = (int(user.max(initial=-1)) + 1, int(step.max(initial=-1)) + 1)
    items = np.full((*shape, log.slate.shape[1]), -1)
    length, choice = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    click, scored = np.full(shape, -1), np.zeros(shape, dtype=bool)
    items[user, step] = log.slate[row]
    length[user, step] = 1 + (log.slate[row] >= 0).sum(axis=1)
    choice[user, step] = slot + 1
    click[user, step] = np.where(slot >= 0, log.slate[row, np.maximum(slot, 0)], -1)
    scored[user, step] = True
    arrays = (items, length, choice, click, scored, scored.copy())
    return Choices(*(torch.from_numpy(array) for array in arrays))


def against_all_items(choices: Choices, num_items: int, generator: torch.Generator) -> Choices:
    """Replace the items shown by random ones, which gives a likelihood over all items.

    The chosen item, if any, is in the first slot; the other slots are drawn uniformly from the
    catalogue, with replacement. "Nothing" remains an option.

    Args:
        choices: The choices.
        num_items: I.
        generator: Random generator of the items.
    """
    device = choices.items.device
    shape = tuple(choices.items.shape)
    items = torch.randint(num_items, shape, generator=generator, device=device)
    clicked = choices.click >= 0
    items[:, :, 0] = torch.where(clicked, choices.click, items[:, :, 0])
    present = choices.length > 0
    return replace(
        choices,
        items=torch.where(present[:, :, None], items, -1),
        length=torch.where(present, shape[2] + 1, 0),
        choice=clicked.long(),
        # A chosen item that is unknown cannot be in the new slate.
        scored=choices.scored & (clicked | (choices.choice == 0)),
    )


class Source(Protocol):
    """Choices for training, which need not all be in memory."""

    @property
    def num_users(self) -> int:
        """Number of training users N."""
        ...

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Choices]:
        """Yield all users once, in random order, ``size`` at a time."""
        ...

    def held_out(self, size: int) -> Iterator[Choices]:
        """Yield the held-out choices, ``size`` users at a time, if there are any."""
        ...


class InMemory:
    """Choices in memory, some of which are held out.

    Args:
        choices: Choices of all users.
        held_out: Users with held-out choices, ``(V,)``.
        step: Their choices from this step on are held out; earlier ones are used in training.
    """

    def __init__(self, choices: Choices, held_out: Tensor, step: int) -> None:
        self._held_out = choices.select(held_out).after(step)
        late = torch.arange(choices.steps)[None] >= step  # (1, T)
        out = torch.zeros(len(choices), 1, dtype=torch.bool)
        out[held_out] = True
        hidden = out & late
        self._choices = replace(
            choices, scored=choices.scored & ~hidden, context=choices.context & ~hidden
        )

    @property
    def num_users(self) -> int:
        """N."""
        return len(self._choices)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Choices]:
        """Yield all users once, in random order."""
        if size >= len(self._choices):
            yield self._choices
            return
        order = torch.randperm(len(self._choices), generator=generator, device=generator.device)
        for start in range(0, len(order), size):
            yield self._choices.select(order[start : start + size].cpu())

    def held_out(self, size: int) -> Iterator[Choices]:
        """Yield the held-out choices."""
        for start in range(0, len(self._held_out), size):
            yield self._held_out.select(slice(start, start + size))
