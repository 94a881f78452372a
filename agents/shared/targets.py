"""The target of a learner, read from a log or from feedback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.contracts.slates import Feedback
from recsim.errors import AgentError, did_you_mean
from recsim.log import SlateLog
from recsim.problem import Problem


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Slates and their rewards.

    Attributes:
        items: Item ids shown, ``(N, K)``; -1 is padding.
        values: Reward of each item, ``(N, K)``, or if only that is known, of each slate, ``(N,)``.
    """

    items: Ints
    values: Floats

    def select(self, rows: slice | Bools) -> Outcomes:
        """Return some of the slates."""
        return Outcomes(self.items[rows], self.values[rows])

    def shares(self) -> Floats:
        """Return values per item, ``(N, K)``; the items of a slate share its value equally."""
        if self.values.ndim == 2:
            return self.values
        shown = (self.items >= 0).sum(axis=1, keepdims=True)
        share = self.values[:, None] / np.maximum(shown, 1)  # (N, 1)
        return np.broadcast_to(share, self.items.shape)


def check_target(target: str, problem: Problem) -> None:
    """Check that a problem reports the target.

    Raises:
        AgentError: If ``target`` is not ``click``, ``reward`` or a named reward of the problem.
    """
    known = {"click", "reward", *problem.rewards}
    if target not in known:
        raise AgentError(f"no reward is called {target!r}.{did_you_mean(target, known)}")


def outcomes(data: SlateLog | Feedback, target: str) -> Outcomes:
    """Read the target from a log, or from the active rows of feedback.

    Args:
        data: A log or feedback.
        target: ``click`` for the clicks of each item, ``reward`` for the scalar reward, or a named
            reward.

    Raises:
        AgentError: If the log lacks the named reward.
    """
    if isinstance(data, SlateLog):
        items, clicks, rewards = data.slate, data.clicks, data.feedback
    else:
        items, clicks, rewards = data.items, data.clicks, dict(data.rewards)
    if target == "click":
        values = clicks.astype(np.float64)
    elif target == "reward":
        values = data.reward
    elif target in rewards:
        values = rewards[target]
    else:
        raise AgentError(
            f"the log has no feedback column {target!r}.{did_you_mean(target, rewards)}"
        )
    rows = Outcomes(items, values)
    return rows if isinstance(data, SlateLog) else rows.select(data.active)


class ItemMeans:
    """Mean value per impression of each item, shrunk towards a prior mean.

    ``(sum + strength * prior) / (impressions + strength)``, the posterior mean of a Gaussian mean
    with a conjugate prior that weighs ``strength`` impressions.
    """

    def __init__(self, num_items: int) -> None:
        self.impressions = np.zeros(num_items)
        self.sums = np.zeros(num_items)

    def add(self, slates: Outcomes) -> None:
        """Count more slates."""
        shown = slates.items >= 0
        items, size = slates.items[shown], len(self.sums)  # (N, K) -> (n,)
        self.impressions += np.bincount(items, minlength=size)
        self.sums += np.bincount(items, weights=slates.shares()[shown], minlength=size)

    def estimate(self, prior: float | None, strength: float) -> Floats:
        """Return the shrunken means, ``(I,)``.

        Args:
            prior: Prior mean; None for the mean over all impressions so far.
            strength: Weight of the prior in impressions; positive.
        """
        if prior is None:
            prior = self.sums.sum() / max(self.impressions.sum(), 1.0)
        return (self.sums + strength * prior) / (self.impressions + strength)

    def state_dict(self) -> dict[str, Floats]:
        """Return impressions and sums per item."""
        return {"impressions": self.impressions.copy(), "sums": self.sums.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore saved counts.

        Raises:
            AgentError: If the catalogue has another size.
        """
        for name, own in self.state_dict().items():
            saved = np.array(state[name], dtype=np.float64)
            if saved.shape != own.shape:
                raise AgentError(
                    f"saved agent state: {name!r} has {saved.shape} items, this catalogue "
                    f"{own.shape}."
                )
            setattr(self, name, saved)
