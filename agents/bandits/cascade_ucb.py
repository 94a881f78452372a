r"""Upper confidence bounds of each item's attraction, for users who scan a slate from the top.

In the cascade model the user examines one slot after the other, clicks the first attractive item,
and stops. So the items above the click were examined and not attractive, and nothing is known about
those below it. If w is the fraction of an item's examinations that ended in a click, n the number
of examinations and t the number of slates shown so far, the bound of an item is

.. math::
   \text{ucb1}: \; w + \sqrt{1.5 \ln t / n}, \qquad
   \text{kl}: \; \max \{ q \in [w, 1] : n \, \mathrm{KL}(w \| q) \le \ln t + 3 \ln \ln t \},

where KL is the divergence of two Bernoulli distributions. A slate has the K items with the highest
bounds, highest first. The counts do not depend on the user: all users with the same candidates get
the same slate.

Reference (CascadeUCB1 and CascadeKL-UCB): Kveton, Szepesvári, Wen and Ashkan, "Cascading Bandits:
Learning to Rank in the Cascade Model", ICML 2015, arXiv:1502.02763.

Differences from the paper:

- Items never examined come first, instead of being tried in an initial phase.
- A whole batch of users is served before the counts are updated; every user counts as one slate
  for t.
- :math:`\ln \ln t` is 0 until t = e.
- The counts can start from a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.special import rel_entr

from agents.shared import slates
from agents.shared.deterministic import Deterministic
from agents.shared.targets import ItemMeans, Outcomes, outcomes
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import AgentConfig, Feedback, FitReport, Observation
from recsim.log import SlateLog
from recsim.problem import Problem

# Number of bisection steps on [0, 1]: precision of about 1e-12.
_HALVINGS = 40


class CascadeUCBConfig(AgentConfig):
    """Settings of `CascadeUCBAgent`.

    Attributes:
        bound: ``kl`` for the bound by Kullback-Leibler divergence, which is tighter, or ``ucb1``.
    """

    bound: Literal["ucb1", "kl"] = "kl"


class CascadeUCBAgent(Deterministic):
    """Shows the items with the highest upper confidence bound of their attraction, best first.

    Learns from a log and from feedback under the cascade model, see `examined`. Deterministic given
    what it has learned, so propensities are 0 or 1.
    """

    name: ClassVar[str] = "cascade_ucb"
    reads = frozenset({"item_ids"})
    Config: ClassVar[type[AgentConfig]] = CascadeUCBConfig
    _config: CascadeUCBConfig

    def __init__(self, config: CascadeUCBConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._means = ItemMeans(problem.num_items)
        self._rounds = 0

    def fit(self, log: SlateLog) -> FitReport:
        """Count the log's slates; several logs, and feedback, add up.

        If the log has the positions of its slots, these give the order. Slots that a log did not
        record are unknown: a slot logged alone counts as examined.
        """
        clicks = outcomes(log, "click")
        if log.position is not None:
            order = np.argsort(log.position, axis=1, kind="stable")
            items = np.take_along_axis(clicks.items, order, axis=1)
            clicks = Outcomes(items, np.take_along_axis(clicks.values, order, axis=1))
        self._count(clicks)
        return FitReport(rows=len(log))

    def observe(self, feedback: Feedback) -> None:
        """Count the slates just shown."""
        self._count(outcomes(feedback, "click"))

    def _learned(self) -> dict[str, Any]:
        return {**self._means.state_dict(), "rounds": self._rounds}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._means.load_state_dict(state)
        self._rounds = int(state["rounds"])

    def _count(self, clicks: Outcomes) -> None:
        self._means.add(examined(clicks))
        self._rounds += int((clicks.items >= 0).any(axis=1).sum())

    def _slates(self, obs: Observation) -> Ints:
        bounds = BOUNDS[self._config.bound](self._means.sums, self._means.impressions, self._rounds)
        return slates.top_slates(bounds[obs["candidates"]], self._slate_size)  # (I,) -> (B, C)


def examined(clicks: Outcomes) -> Outcomes:
    """Keep the items that a user who scans from the top has examined: all up to the first click.

    All items below the first click are left out, even if they were clicked, which the model does
    not allow. Without a click all items were examined.

    Args:
        clicks: Slates in the order of the page, and the clicks of each item, ``(N, K)`` both.

    Returns:
        The same with -1 for the items left out.
    """
    above = np.cumsum(clicks.values, axis=1) - clicks.values  # clicks above the slot
    return Outcomes(np.where(above > 0, -1, clicks.items), clicks.values)


def ucb1(clicks: Floats, looks: Floats, rounds: int) -> Floats:
    """Return CascadeUCB1's bound of every item, ``(I,)``; infinite if never examined.

    Args:
        clicks: Examinations of each item that ended in a click, ``(I,)``.
        looks: Examinations of each item, ``(I,)``.
        rounds: Slates shown so far, t.
    """
    return _mean(clicks, looks) + np.sqrt(_per_look(1.5 * np.log(max(rounds, 1)), looks))


def kl_ucb(clicks: Floats, looks: Floats, rounds: int) -> Floats:
    """Return CascadeKL-UCB's bound of every item, ``(I,)``; arguments as in `ucb1`."""
    log = np.log(max(rounds, 1))
    level = _per_look(log + 3 * np.log(max(log, 1.0)), looks)
    return np.where(looks > 0, largest_mean(_mean(clicks, looks), level), np.inf)


BOUNDS = {"ucb1": ucb1, "kl": kl_ucb}


def largest_mean(mean: Floats, level: Floats) -> Floats:
    """Return the largest q in [mean, 1] with ``KL(mean || q) <= level``, by one bisection.

    Args:
        mean: Means of Bernoulli variables, in [0, 1].
        level: Bound of the divergence, at least 0, same shape.
    """
    low, high = mean, np.ones_like(mean)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        within = rel_entr(mean, middle) + rel_entr(1 - mean, 1 - middle) <= level
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return np.where(level > 0, low, mean)  # at 0 a divergence near 0 may be rounded to it


def _mean(clicks: Floats, looks: Floats) -> Floats:
    return clicks / np.maximum(looks, 1)


def _per_look(amount: float, looks: Floats) -> Floats:
    """Return ``amount / looks``; infinite if there are none."""
    return np.divide(amount, looks, out=np.full_like(looks, np.inf), where=looks > 0)
