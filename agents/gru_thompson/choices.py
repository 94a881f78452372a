"""What users chose from slates, step by step, in the form in which the model reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsim.log import SlateLog, encode


@dataclass(frozen=True, eq=False)
class Choices:
    """T steps of U users, who choose one of at most S items or nothing.

    Attributes:
        items: Items of the slate, ``(U, T, S)``; -1 where there is none, or one nobody knows.
        length: Slots used, "nothing" included, ``(U, T)``; 0 where the step did not happen.
        choice: 0 for nothing, k for the k-th item, ``(U, T)``.
        click: Item chosen, ``(U, T)``; -1 for nothing.
        scored: Whether the choice counts in the likelihood, ``(U, T)``.
        basis: Whether the initial state may be told from the step, ``(U, T)``.
    """

    items: Tensor
    length: Tensor
    choice: Tensor
    click: Tensor
    scored: Tensor
    basis: Tensor

    def __len__(self) -> int:
        """Return the number of users U."""
        return len(self.length)

    @property
    def steps(self) -> int:
        """T."""
        return self.length.shape[1]

    def select(self, users: Tensor | slice) -> Choices:
        """Return some of the users."""
        return Choices(*(getattr(self, item.name)[users] for item in fields(self)))

    def to(self, device: torch.device | str) -> Choices:
        """Return the same on another device."""
        return Choices(*(getattr(self, item.name).to(device) for item in fields(self)))

    def after(self, step: int) -> Choices:
        """Return the choices for judging: scored from ``step`` on, the start told from before."""
        early = torch.arange(self.steps, device=self.length.device) < step  # (T,)
        return replace(self, scored=self.scored & ~early, basis=self.basis & early)

    def before(self, step: int) -> Choices:
        """Return the choices for training when those from ``step`` on are held out."""
        early = torch.arange(self.steps, device=self.length.device) < step  # (T,)
        return replace(self, scored=self.scored & early, basis=self.basis & early)


def from_log(log: SlateLog) -> Choices:
    """Read the choices of the users who occur in a log, sorted by user, in the order of the log.

    A slate with several clicks is as many steps: one choice each.
    """
    clicked = log.clicks.astype(bool) & (log.slate >= 0)
    row = np.repeat(np.arange(len(log)), np.maximum(clicked.sum(axis=1), 1))  # (N,) steps
    nth = encode.rank_within(row)
    # The place of the nth click of a row: clicked slots first, in their order.
    order = np.argsort(~clicked, axis=1, kind="stable")
    any_clicked: NDArray[np.bool_] = clicked.sum(axis=1) > 0
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
    """Replace what was shown by random items: the likelihood is then one over all items.

    The chosen item stands first, where there is one; the other slots hold items drawn uniformly
    from the catalogue, with replacement. "Nothing" stays an option.

    Args:
        choices: What was chosen.
        num_items: I.
        generator: Source of the items.
    """
    device = choices.items.device
    shape = tuple(choices.items.shape)
    items = torch.randint(num_items, shape, generator=generator, device=device)
    clicked = choices.click >= 0
    items[:, :, 0] = torch.where(clicked, choices.click, items[:, :, 0])
    happened = choices.length > 0
    return replace(
        choices,
        items=torch.where(happened[:, :, None], items, -1),
        length=torch.where(happened, shape[2] + 1, 0),
        choice=clicked.long(),
        # A choice nobody knows the item of cannot stand in the new slate.
        scored=choices.scored & (clicked | (choices.choice == 0)),
    )


class Source(Protocol):
    """Where training reads from; what it keeps in memory need not grow with the users."""

    @property
    def num_users(self) -> int:
        """N, users to train on."""
        ...

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Choices]:
        """Yield all users once, in random order, ``size`` at a time."""
        ...

    def judged(self, size: int) -> Iterator[Choices]:
        """Yield the held-out choices, ``size`` users at a time; nothing if none are held out."""
        ...


class InMemory:
    """Choices that fit into memory, some of them held out.

    Args:
        choices: All users.
        held_out: Users who are judged, ``(V,)``.
        step: Their choices from this step on are held out; they are trained on before it.
    """

    def __init__(self, choices: Choices, held_out: Tensor, step: int) -> None:
        self._judged = choices.select(held_out).after(step)
        late = torch.arange(choices.steps)[None] >= step  # (1, T)
        out = torch.zeros(len(choices), 1, dtype=torch.bool)
        out[held_out] = True
        hidden = out & late
        self._choices = replace(
            choices, scored=choices.scored & ~hidden, basis=choices.basis & ~hidden
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

    def judged(self, size: int) -> Iterator[Choices]:
        """Yield the held-out choices."""
        for start in range(0, len(self._judged), size):
            yield self._judged.select(slice(start, start + size))
