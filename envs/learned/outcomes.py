"""Tables of outcomes in a log: returns, feedback of clicks, and ends of sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from envs.learned.sessions import RETURN, Sessions, life_table
from recsim.arrays import Floats, Ints
from recsim.log import SlateLog

MAX_CLASSES = 16


@dataclass(frozen=True, eq=False)
class ReturnClasses:
    """Returns in classes: class 0 for no return, then from the smallest to the largest.

    Each distinct return of the log is its own class; if there are many, they are grouped by
    quantiles.

    Attributes:
        edges: Between the classes above 0, ``(C - 2,)``.
        values: Mean return of each class, ``(C,)``; 0 for class 0.
        gaps: Probability of 1, 2, ... days until the return in each class, ``(C, G)``; zeros in
            class 0. Gaps that reach the end of the log are censored.
    """

    edges: Floats
    values: Floats
    gaps: Floats

    @classmethod
    def of(cls, returns: Floats, gap: Ints, unseen: Ints) -> Self:
        """Build the classes from sessions that have ended.

        Args:
            returns: Return of each session, ``(N,)``.
            gap: Days until the next session, 0 if there is none in the log, ``(N,)``.
            unseen: Days until the end of the log, ``(N,)``.
        """
        back = returns[returns > 0]
        values = np.unique(back)
        if len(values) < MAX_CLASSES:
            edges = (values[1:] + values[:-1]) / 2
        else:
            edges = np.unique(np.quantile(back, np.arange(1, MAX_CLASSES - 1) / (MAX_CLASSES - 1)))
            edges = edges[edges > values[0]]
        classes = cls(edges, np.zeros(1), np.zeros((1, 1))).classify(returns)
        count = len(edges) + 2 if len(back) else 1
        tables = [_gap_table(gap[classes == c], unseen[classes == c]) for c in range(1, count)]
        means = [float(returns[classes == c].mean()) for c in range(1, count)]
        gaps = np.zeros((count, max([1, *(len(table) for table in tables if table is not None)])))
        for c, (table, mean) in enumerate(zip(tables, means, strict=True), start=1):
            if table is None:  # no gap was observed: take that of the mean return
                gaps[c, min(max(round(1 / mean), 1), gaps.shape[1]) - 1] = 1.0
            else:
                gaps[c, : len(table)] = table
        return cls(edges, np.array([0.0, *means]), gaps)

    def classify(self, returns: Floats) -> Ints:
        """Return the class of each return, ``(N,)``."""
        classes = 1 + np.searchsorted(self.edges, returns, side="right")
        return np.where(returns > 0, classes, 0)

    def draw(self, probability: Floats, chance: Floats) -> tuple[Floats, Ints]:
        """Draw returns and days until them.

        Args:
            probability: Probability of each class, ``(B, C)``.
            chance: Uniform numbers, ``(B, 2)``.

        Returns:
            Return ``(B,)`` and days ``(B,)``; both 0 for users who do not return.
        """
        drawn = _invert(probability, chance[:, 0])
        days = _invert(self.gaps[drawn], chance[:, 1]) + 1
        return self.values[drawn], np.where(drawn > 0, days, 0)


def _gap_table(gap: Ints, unseen: Ints) -> Floats | None:
    known = gap > 0
    return life_table(np.where(known, gap, unseen), known) if known.any() else None


def _invert(probability: Floats, chance: Floats) -> Ints:
    """Draw a column of each row of probabilities ``(B, C)`` by uniform numbers ``(B,)``."""
    cumulative = np.cumsum(probability, axis=1)
    below = cumulative <= chance[:, None] * cumulative[:, -1:]
    columns: Ints = np.minimum(below.sum(axis=1), probability.shape[1] - 1)
    return columns


@dataclass(frozen=True, eq=False)
class FeedbackValues:
    """Expected feedback other than clicks: an amount per shown item and one per clicked item.

    ``feedback = sum over shown items of base + sum over clicked items of of_click``

    Attributes:
        names: Names of the feedback, R of them.
        base: Amount per shown item, ``(R,)``: the mean over slates without a click.
        of_click: Amount per click on each item, ``(R, I)``: the mean of the feedback of its slates
            minus the base, shared among the clicks of a slate, shrunk to the overall mean by
            ``smoothing`` clicks. At least 0 if the feedback is never negative.
    """

    names: tuple[str, ...]
    base: Floats
    of_click: Floats

    @classmethod
    def of(cls, log: SlateLog, smoothing: float) -> Self:
        """Estimate the amounts from a log."""
        names = tuple(name for name in log.problem.rewards if name not in ("click", RETURN))
        shown = (log.slate >= 0).sum(axis=1)
        clicks = log.clicks.sum(axis=1)
        row, slot = np.nonzero(log.clicks)
        items = log.slate[row, slot]
        count = np.bincount(items, minlength=log.problem.num_items)
        base = np.zeros(len(names))
        of_click = np.zeros((len(names), log.problem.num_items))
        for r, name in enumerate(names):
            amount = log.feedback[name]
            base[r] = amount[clicks == 0].sum() / max(shown[clicks == 0].sum(), 1)
            share = (amount - base[r] * shown)[row] / clicks[row]
            mean = share.mean() if len(share) else 0.0
            total = np.bincount(items, share, log.problem.num_items)
            of_click[r] = (total + smoothing * mean) / (count + smoothing)
            if amount.min(initial=0.0) >= 0:
                of_click[r] = np.maximum(of_click[r], 0.0)
        return cls(names, base, of_click)

    def expected(self, items: Ints, clicks: Any) -> Floats:
        """Return the expected feedback, ``(B, R)``.

        Args:
            items: Slates, -1 where nothing was shown, ``(B, K)``.
            clicks: Clicks, or click probabilities, ``(B, K)``.
        """
        shown = items >= 0
        of_clicks = self.of_click[:, items] * np.where(shown, clicks, 0.0)  # (R, B, K)
        feedback: Floats = (shown.sum(axis=1) * self.base[:, None] + of_clicks.sum(axis=2)).T
        return feedback

    def range(self, slate_size: int) -> Floats:
        """Return the lowest and highest feedback of a slate, ``(2, R)``; at most 0, at least 0."""
        ordered = np.sort(self.of_click, axis=1)
        lowest = np.minimum(ordered[:, :slate_size], 0).sum(axis=1)
        highest = np.maximum(ordered[:, -slate_size:], 0).sum(axis=1)
        base = slate_size * self.base
        extremes = [np.minimum(base, 0) + lowest, np.maximum(base, 0) + highest]
        bounds: Floats = np.stack(extremes) * (1 + 1e-4)  # rounded in float32
        return bounds

    def payoff(self, weights: Mapping[str, float]) -> Floats:
        """Return the immediate reward of a click on each item, ``(I,)``."""
        of_names = np.array([weights.get(name, 0.0) for name in self.names])
        payoff: Floats = of_names @ self.of_click + weights.get("click", 0.0)
        return payoff


def end_hazard(sessions: Sessions) -> Floats:
    """Return the probability that a session ends with its first, second, ... slate, ``(S,)``.

    The last is 1: no session is longer than the longest one that ended in the log.
    """
    probability = life_table(sessions.step[sessions.end] + 1, sessions.end[sessions.end])
    alive = 1 - np.concatenate([[0.0], np.cumsum(probability)[:-1]])
    hazard: Floats = np.clip(probability / np.maximum(alive, 1e-12), 0.0, 1.0)
    hazard[-1] = 1.0
    return hazard
