"""What a learner maximises, read from a log or from live feedback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.contracts.slates import Feedback
from recsim.errors import AgentError, did_you_mean
from recsim.log import SlateLog
from recsim.problem import Problem


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Slates and what they earned.

    Attributes:
        items: Item ids shown, ``(N, K)``, -1 where nothing was shown.
        values: What each item earned, ``(N, K)``, or where only that is known, what the slate
            earned, ``(N,)``.
    """

    items: NDArray[np.int64]
    values: NDArray[np.float64]

    def select(self, rows: slice | NDArray[np.bool_]) -> Outcomes:
        """Keep some of the slates."""
        return Outcomes(self.items[rows], self.values[rows])

    def shares(self) -> NDArray[np.float64]:
        """Value per item, ``(N, K)``; a slate's value is shared equally by the items shown."""
        if self.values.ndim == 2:
            return self.values
        shown = (self.items >= 0).sum(axis=1, keepdims=True)
        share = self.values[:, None] / np.maximum(shown, 1)  # (N, 1)
        return np.broadcast_to(share, self.items.shape)


def check_target(target: str, problem: Problem) -> None:
    """Refuse a target that this problem does not report.

    Raises:
        AgentError: ``target`` is none of ``click``, ``reward`` and the named rewards.
    """
    known = {"click", "reward", *problem.rewards}
    if target not in known:
        raise AgentError(f"no reward is called {target!r}.{did_you_mean(target, known)}")


def outcomes(data: SlateLog | Feedback, target: str) -> Outcomes:
    """Read the target from a log, or from the feedback of the rows still active.

    Args:
        data: Logged or live slates.
        target: ``click`` for the clicks of each item, ``reward`` for the scalar reward, or a named
            reward.

    Raises:
        AgentError: The log lacks the named reward.
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
    found = Outcomes(items, values)
    return found if isinstance(data, SlateLog) else found.select(data.active)


class ItemMeans:
    """Mean value per impression of each item, shrunk towards a prior mean.

    ``(sum + strength * prior) / (impressions + strength)``: the posterior mean of a Gaussian mean
    with a conjugate prior worth ``strength`` impressions.
    """

    def __init__(self, num_items: int) -> None:
        self.impressions = np.zeros(num_items)
        self.sums = np.zeros(num_items)

    def add(self, found: Outcomes) -> None:
        """Count more slates."""
        shown = found.items >= 0
        items, size = found.items[shown], len(self.sums)  # (N, K) -> (n,)
        self.impressions += np.bincount(items, minlength=size)
        self.sums += np.bincount(items, weights=found.shares()[shown], minlength=size)

    def estimate(self, prior: float | None, strength: float) -> NDArray[np.float64]:
        """Return the shrunken means, ``(I,)``.

        Args:
            prior: Prior mean; None for the mean over all impressions so far.
            strength: Impressions that the prior is worth; positive.
        """
        if prior is None:
            prior = self.sums.sum() / max(self.impressions.sum(), 1.0)
        return (self.sums + strength * prior) / (self.impressions + strength)

    def state_dict(self) -> dict[str, NDArray[np.float64]]:
        """Return impressions and sums per item."""
        return {"impressions": self.impressions.copy(), "sums": self.sums.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over saved counts.

        Raises:
            AgentError: They are of a catalogue of another size.
        """
        for name, own in self.state_dict().items():
            saved = np.array(state[name], dtype=np.float64)
            if saved.shape != own.shape:
                raise AgentError(
                    f"saved agent state: {name!r} is of {saved.shape} items, "
                    f"this catalogue of {own.shape}."
                )
            setattr(self, name, saved)
