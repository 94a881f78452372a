r"""Thompson sampling for users who choose one item of a slate or nothing.

Users choose by the multinomial logit: item i of the slate S with probability
:math:`v_i / (1 + \sum_{j \in S} v_j)`, else nothing. The agent acts in epochs. At the start of an
epoch it draws every :math:`v_i` and takes the K items with the highest draws; it shows this slate
until nothing is chosen. The number of times that i is chosen in an epoch is geometric with mean
:math:`v_i`, whatever else is in the slate, so :math:`1 / (1 + v_i)` has a beta posterior:

.. math:: 1 / (1 + v_i) \sim \mathrm{Beta}(1 + \text{ends}_i, 1 + \text{clicks}_i),

where ends is the number of slates with i without any click, and clicks the number of clicks on i.
``posterior="gaussian"`` is the paper's second algorithm: with :math:`n = 1 + \text{ends}_i` and
:math:`\hat v_i = (1 + \text{clicks}_i) / n`, the draw is
:math:`\hat v_i + z \sqrt{\hat v_i (\hat v_i + 1) / n}`, where z is the maximum of several standard
normal draws, the same for all items.

Each row of a batch has its own sequence of epochs; the counts are shared. A row's epoch ends if its
feedback has no click, if its user's episode ends, if an item of its slate is not among the
candidates, and with `begin`.

Reference: Agrawal, Avadhanula, Goyal and Zeevi, "Thompson Sampling for the MNL-Bandit", COLT 2017,
arXiv:1706.00977.

Differences from the paper:

- All items have the same revenue, so the best slate has the K highest values.
- Observations of a running epoch count at once, because the choice between i and nothing has the
  same distribution however an epoch ends. With one user there is no difference, as no epoch runs
  when a new one starts. For the same reason the counts can come from a log of any policy.
- A slate with several clicks counts as so many choices.
- The Gaussian draws start from one end and one click of every item, instead of showing each item
  alone, and omit the constants of the paper's analysis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from agents.bandits.linear import blocks
from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from agents.shared.beta import beta
from agents.shared.randomised import Randomised
from agents.shared.targets import ItemMeans, Outcomes, outcomes
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import (
    AgentConfig,
    Decision,
    Feedback,
    FitReport,
    Observation,
    OnlyWith,
)
from recsim.draws import Draws, Purpose
from recsim.log import SlateLog
from recsim.problem import Problem

SHIFT = Purpose("shift of all items")


class MNLBanditConfig(AgentConfig):
    """Settings of `MNLBanditAgent`.

    Attributes:
        posterior: ``beta`` draws items independently; ``gaussian`` shifts all items by the same
            number of standard deviations.
        draws: For ``gaussian``: number of normal draws whose maximum is used; None for the size of
            a slate.
    """

    only_with: ClassVar[OnlyWith] = {"draws": ("posterior", ("gaussian",))}

    posterior: Literal["beta", "gaussian"] = "beta"
    draws: int | None = Field(default=None, ge=1)


class MNLBanditAgent(Randomised, BaseSlateAgent):
    """Thompson sampling for the multinomial logit: the same slate until nothing is chosen.

    Learns from clicks, in a log and online. Each row of a batch draws independently when its epoch
    starts. Without feedback, every slate starts an epoch. Propensities are not known.
    """

    name: ClassVar[str] = "mnl_bandit"
    reads = frozenset({"item_ids"})
    Config: ClassVar[type[AgentConfig]] = MNLBanditConfig

    def __init__(self, config: MNLBanditConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._gaussian = config.posterior == "gaussian"
        self._normals = config.draws or problem.slate_size
        # Impressions: choices between the item and nothing; sums: those in which it was chosen.
        self._choices = ItemMeans(problem.num_items)
        # The slate of every row's epoch, item ids (B, K); -1 if none runs.
        self._running = self._none_running()

    def fit(self, log: SlateLog) -> FitReport:
        """Count the log's slates; several logs, and feedback, add up."""
        self._choices.add(against_nothing(outcomes(log, "click")))
        return FitReport(rows=len(log))

    def begin(self, batch_size: int) -> None:
        """End all epochs; what was learned of the items stays."""
        super().begin(batch_size)
        self._running = self._none_running()

    def act(self, obs: Observation) -> Decision:
        """Show every row the slate of its epoch, and start an epoch if none runs."""
        candidates = obs["candidates"]
        if self._running.shape == (len(candidates), self._slate_size):
            chosen = slates.places(candidates, self._running)
        else:
            chosen = np.full((len(candidates), self._slate_size), -1)
        draws = self._draws.next(len(candidates))
        (fresh,) = np.nonzero((chosen < 0).any(axis=1))
        for rows in blocks(len(fresh), candidates.shape[1]):
            scores = self._sample(draws.take(fresh[rows]), candidates[fresh[rows]])
            chosen[fresh[rows]] = slates.top_slates(scores, self._slate_size)
        self._running = self._none_running()  # until feedback with a click continues them
        return Decision(chosen)

    def propensities(self, obs: Observation, items: Ints) -> None:
        """Return None: the probability of being among the highest draws has no closed form."""
        return None

    def observe(self, feedback: Feedback) -> None:
        """Count the slates just shown; the epochs of those with a click continue."""
        self._choices.add(against_nothing(outcomes(feedback, "click")))
        continues = (feedback.clicks > 0).any(axis=1) & ~feedback.done
        self._running = np.where(continues[:, None], feedback.items, -1)

    def _learned(self) -> dict[str, Any]:
        return {**self._choices.state_dict(), "running": self._running.copy()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._choices.load_state_dict(state)
        self._running = np.array(state["running"], dtype=np.int64)

    def _none_running(self) -> Ints:
        return np.empty((0, self._slate_size), dtype=np.int64)

    def _sample(self, draws: Draws, candidates: Ints) -> Floats:
        """Draw for every candidate a number that increases with its v, ``(B, C)``."""
        clicks: Floats = self._choices.sums
        ends = self._choices.impressions - clicks
        if self._gaussian:
            mean, deviation = gaussian(clicks, ends)  # (I,)
            largest = draws.normal(SHIFT, self._normals).max(axis=1)  # (B,)
            optimistic: Floats = mean[candidates] + largest[:, None] * deviation[candidates]
            return optimistic
        nothing = beta(draws, 1 + ends[candidates], 1 + clicks[candidates])
        return -nothing  # 1 / (1 + v), which decreases with v


def against_nothing(slates: Outcomes) -> Outcomes:
    """Keep the choices between an item and nothing, which are informative about its v.

    These are the clicked items, and all items of slates without a click. Other items of a slate
    with a click are left out.

    Args:
        slates: Slates and the clicks of each item, ``(N, K)`` both.

    Returns:
        The same with -1 for the items left out.
    """
    clicked = slates.values > 0
    nothing = ~clicked.any(axis=1, keepdims=True)  # (N, 1)
    return Outcomes(np.where(clicked | nothing, slates.items, -1), slates.values)


def gaussian(clicks: Floats, ends: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the Gaussian draw of every v, ``(I,)`` each.

    Args:
        clicks: Number of times each item was chosen, ``(I,)``.
        ends: Number of slates with the item from which nothing was chosen, ``(I,)``.
    """
    mean = (1 + clicks) / (1 + ends)
    return mean, np.sqrt(mean * (mean + 1) / (1 + ends))
