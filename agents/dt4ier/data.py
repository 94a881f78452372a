"""Trajectories of single users, read from a log, and windows of these trajectories.

Item ids 0 ... I-1 of a log become tokens 1 ... I; 0 is padding, I+1 marks the beginning of a slate
and I+2 its end. Lists of tokens are padded on the right.
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

from recsim.errors import AgentError, did_you_mean
from recsim.log import SlateLog
from recsim.problem import Problem

PAD = 0


def begin_token(num_items: int) -> int:
    """Return the token before the first item of a slate."""
    return num_items + 1


def vocabulary(num_items: int) -> int:
    """Return the number of tokens V, including the token that ends a slate."""
    return num_items + 3


def check_rewards(names: tuple[str, ...], problem: Problem) -> None:
    """Check that the problem reports all of these rewards.

    Raises:
        AgentError: If a name is neither ``click`` nor a named reward of the problem.
    """
    known = {"click", *problem.rewards}
    for name in names:
        if name not in known:
            raise AgentError(
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
        names: Rewards to return; ``click`` is the fraction of the items shown that were clicked.
        items: Item ids shown, ``(B, K)``, -1 in empty slots.
        clicks: 1 where the item was clicked, ``(B, K)``.
        named: Named rewards of the slates, each ``(B,)``.
    """
    shown = items >= 0
    rate = ((clicks > 0) & shown).sum(axis=1) / np.maximum(shown.sum(axis=1), 1)
    columns = [rate if name == "click" else named[name] for name in names]
    return np.stack(columns, axis=1).astype(np.float64)


def pack(tokens: Tensor, width: int) -> Tensor:
    """Return the last ``width`` tokens of lists with gaps, in order and padded on the right.

    Args:
        tokens: ``(B, L)``, 0 in gaps.
        width: W.

    Returns:
        ``(B, W)``.
    """
    order = (tokens == PAD).int().argsort(dim=1, stable=True)
    ordered = tokens.gather(1, order)
    length = (tokens != PAD).sum(dim=1, keepdim=True)  # (B, 1)
    place = (length - width).clamp_min(0) + torch.arange(width, device=tokens.device)  # (B, W)
    padded = functional.pad(ordered, (0, 1))  # the index L then selects padding
    return padded.gather(1, torch.where(place < length, place, tokens.shape[1]))


@dataclass(frozen=True, eq=False)
class Trajectories:
    """M time steps, grouped by user and in the order of the log within each user.

    Attributes:
        slates: Tokens shown, ``(M, K)``.
        rewards: ``(M, R)``.
        rtg: Returns-to-go: sums of the rewards from this step to the user's last, ``(M, R)``.
        clicked: Tokens of all clicks in order, ``(N,)``.
        clicks_before: Number of clicks before the step, including those of earlier users, ``(M,)``.
        first: Index of the user's first step, ``(M,)``.
        end: Index of the user's last step plus one, ``(M,)``.
        user: Row of the user in ``features``, ``(M,)``.
        features: Features of the users, ``(U, F)``.
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
        """Return the number of time steps M; a window can start at each of them."""
        return len(self.slates)

    @property
    def time(self) -> Tensor:
        """Number of earlier steps of the same user, ``(M,)``."""
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
        """Return the states as prefixes of lists, which several steps of a user can share.

        Args:
            rows: ``(N,)``.
            history: H.

        Returns:
            Lists of tokens, ``(G, L)``; the index of the list of which each state is a prefix,
            ``(N,)``; and the length of that prefix, ``(N,)``.
        """
        start, stop = self._clicks(rows, history)
        # A step without clicks can share its start with another user's clicks; its prefix is empty.
        begin, of = torch.unique(start, return_inverse=True)
        end = begin.scatter_reduce(0, of, stop, "amax")
        longest = int((end - begin).max())
        return self._clicked(begin, end, longest), of, stop - start

    def _clicks(self, rows: Tensor, history: int) -> tuple[Tensor, Tensor]:
        """Return the index of each state's first click and of its last plus one, both ``(N,)``."""
        stop = self.clicks_before[rows]
        return torch.maximum(self.clicks_before[self.first[rows]], stop - history), stop

    def _clicked(self, start: Tensor, stop: Tensor, width: int) -> Tensor:
        """Return the clicks ``start`` ... ``stop - 1`` as lists of tokens, ``(N, W)``."""
        place = start[:, None] + torch.arange(width, device=start.device)  # (N, W)
        padded = functional.pad(self.clicked, (0, 1))
        return padded[torch.where(place < stop[:, None], place, len(self.clicked))]

    def windows(self, starts: Tensor, context: int) -> Windows:
        """Return the windows that start at some steps; a window ends with its user.

        Args:
            starts: ``(B,)``.
            context: Largest number of steps T of a window; T is smaller if all are shorter.
        """
        length = (self.end[starts] - starts).clamp_max(context)  # (B,)
        longest = int(length.max())
        place = torch.arange(longest, device=starts.device) - (longest - length)[:, None]  # (B, T)
        mask = place >= 0
        return Windows(mask, (starts[:, None] + place)[mask])


@dataclass(frozen=True, eq=False)
class Windows:
    """B windows of T steps; shorter windows are padded on the left.

    Attributes:
        mask: False at padding, ``(B, T)``.
        rows: Rows of the steps in the trajectories, in the order of the mask, ``(N,)``.
    """

    mask: Tensor
    rows: Tensor

    def place(self, values: Tensor) -> Tensor:
        """Return values of the steps, ``(N, ...)``, as windows ``(B, T, ...)`` padded with 0."""
        placed = values.new_zeros(*self.mask.shape, *values.shape[1:])
        placed[self.mask] = values
        return placed


def trajectories(
    log: SlateLog, names: tuple[str, ...], device: torch.device | str = "cpu"
) -> Trajectories:
    """Read the trajectories of a log.

    Args:
        log: The log, in order of time; one row is one time step.
        names: The rewards, see `rewards_of`.
        device: Device of the returned tensors.
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
        # A copy, because the columns of a loaded log are read-only.
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
