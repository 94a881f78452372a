"""Logs as trajectories of single users, and windows cut from them.

Item ids 0 ... I-1 of a log become tokens 1 ... I; 0 is padding, I+1 begins a slate and I+2 ends
one. Lists of tokens are padded on the right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from recsim.errors import UserError, did_you_mean
from recsim.log import SlateLog
from recsim.problem import Problem

PAD = 0


def begin_token(num_items: int) -> int:
    """Return the token that stands before the first item of a slate."""
    return num_items + 1


def vocabulary(num_items: int) -> int:
    """Return the number of tokens V, that of the end of a slate included."""
    return num_items + 3


def check_rewards(names: tuple[str, ...], problem: Problem) -> None:
    """Refuse rewards that this problem does not report.

    Raises:
        UserError: A name is neither ``click`` nor a named reward.
    """
    known = {"click", *problem.rewards}
    for name in names:
        if name not in known:
            raise UserError(
                f"agent 'dt4ier': no reward is called {name!r}.{did_you_mean(name, known)} Set "
                "'short' and 'long' to the immediate and the long-term reward of this problem."
            )


def rewards_of(
    names: tuple[str, ...],
    items: NDArray[Any],
    clicks: NDArray[Any],
    named: Mapping[str, NDArray[Any]],
) -> NDArray[np.float64]:
    """Return the rewards of slates, ``(B, R)``.

    Args:
        names: The rewards wanted; ``click`` is the share of the items shown that were clicked.
        items: Item ids shown, ``(B, K)``, -1 where nothing was.
        clicks: 1 where the item was clicked, ``(B, K)``.
        named: Named rewards of the slates, each ``(B,)``.
    """
    shown = items >= 0
    rate = ((clicks > 0) & shown).sum(axis=1) / np.maximum(shown.sum(axis=1), 1)
    columns = [rate if name == "click" else named[name] for name in names]
    return np.stack(columns, axis=1).astype(np.float64)


def pack(tokens: Tensor, width: int) -> Tensor:
    """Return the last ``width`` tokens of lists with gaps, in order, padded on the right.

    Args:
        tokens: ``(B, L)``, 0 where there is none.
        width: W.

    Returns:
        ``(B, W)``.
    """
    order = (tokens == PAD).int().argsort(dim=1, stable=True)
    ordered = tokens.gather(1, order)
    length = (tokens != PAD).sum(dim=1, keepdim=True)  # (B, 1)
    place = (length - width).clamp_min(0) + torch.arange(width, device=tokens.device)  # (B, W)
    padded = functional.pad(ordered, (0, 1))  # so that there is a place to point at
    return padded.gather(1, torch.where(place < length, place, tokens.shape[1]))


@dataclass(frozen=True, eq=False)
class Trajectories:
    """M time steps of users, one user after the other, each in the order of the log.

    Attributes:
        slates: Tokens shown, ``(M, K)``.
        rewards: ``(M, R)``.
        rtg: Returns-to-go, the sums of the rewards from this step to the user's last, ``(M, R)``.
        clicked: Tokens of all clicks in order, ``(N,)``.
        clicks_before: Clicks that come before the step, those of earlier users included, ``(M,)``.
        first: The user's first step, ``(M,)``.
        end: One past the user's last step, ``(M,)``.
        user: Row of ``features``, ``(M,)``.
        features: What is known of users, ``(U, F)``.
    """

    slates: Tensor
    rewards: Tensor
    rtg: Tensor
    clicked: Tensor
    clicks_before: Tensor
    first: Tensor
    end: Tensor
    user: Tensor
    features: Tensor

    def __len__(self) -> int:
        """Return the number of windows, one beginning at every step."""
        return len(self.slates)

    @property
    def time(self) -> Tensor:
        """Steps of the user before this one, ``(M,)``."""
        return torch.arange(len(self), device=self.first.device) - self.first

    def states(self, rows: Tensor, history: int) -> Tensor:
        """Return the last items that the user clicked before each of some steps.

        Args:
            rows: ``(N,)``.
            history: H.

        Returns:
            Tokens, ``(N, H)``, oldest first.
        """
        start, stop = self._clicks(rows, history)
        return self._clicked(start, stop, history)

    def shared_states(self, rows: Tensor, history: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the same as beginnings of lists, of which steps of a user share one.

        Args:
            rows: ``(N,)``.
            history: H.

        Returns:
            Lists of tokens, ``(G, L)``; the list that each state is the beginning of, ``(N,)``, and
            how many of its items it has, ``(N,)``.
        """
        start, stop = self._clicks(rows, history)
        # Steps without clicks begin where another user's clicks may; they take nothing of them.
        begin, of = torch.unique(start, return_inverse=True)
        end = begin.scatter_reduce(0, of, stop, "amax")
        longest = int((end - begin).max())
        return self._clicked(begin, end, longest), of, stop - start

    def _clicks(self, rows: Tensor, history: int) -> tuple[Tensor, Tensor]:
        """Return the first click of each state, and one past its last, both ``(N,)``."""
        stop = self.clicks_before[rows]
        return torch.maximum(self.clicks_before[self.first[rows]], stop - history), stop

    def _clicked(self, start: Tensor, stop: Tensor, width: int) -> Tensor:
        """Return runs of clicks as lists of tokens, ``(N, W)``."""
        place = start[:, None] + torch.arange(width, device=start.device)  # (N, W)
        padded = functional.pad(self.clicked, (0, 1))
        return padded[torch.where(place < stop[:, None], place, len(self.clicked))]

    def windows(self, starts: Tensor, context: int) -> Windows:
        """Return the windows that begin at some steps and end with the user at the latest.

        Args:
            starts: ``(B,)``.
            context: The most steps T of a window; T is less if all are shorter.
        """
        length = (self.end[starts] - starts).clamp_max(context)  # (B,)
        longest = int(length.max())
        place = torch.arange(longest, device=starts.device) - (longest - length)[:, None]  # (B, T)
        mask = place >= 0
        return Windows(mask, (starts[:, None] + place)[mask])


@dataclass(frozen=True, eq=False)
class Windows:
    """B windows of T steps; those of a short one stand at its right.

    Attributes:
        mask: Where there is a step, ``(B, T)``.
        rows: Rows of the steps in the trajectories, in the order of the mask, ``(N,)``.
    """

    mask: Tensor
    rows: Tensor

    def place(self, values: Tensor) -> Tensor:
        """Put values of the steps ``(N, ...)`` where they stand, ``(B, T, ...)``, else 0."""
        placed = values.new_zeros(*self.mask.shape, *values.shape[1:])
        placed[self.mask] = values
        return placed


def trajectories(
    log: SlateLog, names: tuple[str, ...], device: torch.device | str = "cpu"
) -> Trajectories:
    """Read the trajectories of a log.

    Args:
        log: Its order is the order of time; one row is one time step.
        names: The rewards, see `rewards_of`.
        device: Where the trajectories are kept.
    """
    order = log.by_user
    user, items, clicks = log.user[order], log.slate[order], log.clicks[order]
    rewards = rewards_of(
        names, items, clicks, {name: column[order] for name, column in log.feedback.items()}
    )
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    ends = np.append(starts[1:], len(user))
    lengths = ends - starts
    end = np.repeat(ends, lengths)
    earned = np.concatenate([np.zeros((1, rewards.shape[1])), np.cumsum(rewards, axis=0)])
    clicked = (clicks > 0) & (items >= 0)
    counts = clicked.sum(axis=1)

    def tensor(values: NDArray[Any], kind: torch.dtype = torch.int64) -> Tensor:
        # A copy: columns of a log that was loaded cannot be written to.
        return torch.tensor(np.ascontiguousarray(values), dtype=kind, device=device)

    return Trajectories(
        slates=pack(tensor(items + 1), items.shape[1]),
        rewards=tensor(rewards, torch.float32),
        rtg=tensor(earned[end] - earned[:-1], torch.float32),
        clicked=tensor(items[clicked] + 1),
        clicks_before=tensor(np.cumsum(counts) - counts),
        first=tensor(np.repeat(starts, lengths)),
        end=tensor(end),
        user=tensor(user),
        features=tensor(log.user_features, torch.float32),
    )
