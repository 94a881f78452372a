r"""Thompson sampling of how much each item is chosen, where users choose one of a slate or nothing.

Agrawal, Avadhanula, Goyal and Zeevi, "Thompson Sampling for the MNL-Bandit", COLT 2017,
arXiv:1706.00977. Users choose by the multinomial logit: item i of the slate S with probability
:math:`v_i / (1 + \sum_{j \in S} v_j)`, else nothing. The agent acts in epochs. At the start of one
it draws a value of every :math:`v_i` and takes the K highest; it shows the same slate until nothing
is chosen. The number of times that i is chosen in an epoch is geometric with mean :math:`v_i`,
whatever else the slate holds, so :math:`1 / (1 + v_i)` has a Beta posterior:

.. math:: 1 / (1 + v_i) \sim \mathrm{Beta}(1 + \text{ends}_i, 1 + \text{clicks}_i),

with ends the slates with i that nobody clicked, and clicks those on i. With
``posterior="gaussian"`` the paper's second algorithm: with :math:`n = 1 + \text{ends}_i` and
:math:`\hat v_i = (1 + \text{clicks}_i) / n`, the draw is
:math:`\hat v_i + z \sqrt{\hat v_i (\hat v_i + 1) / n}`, where z is the largest of several standard
normal numbers, the same for all items.

Epochs of a batch: every row of the batch is a stream of its own, in which one epoch runs at a time;
the counts are shared by all. A row's epoch ends when its feedback has no click, when its user is
done, when an item of its slate is no longer offered, and with `begin`.

Differences from the paper: all items earn the same, so that the best slate is the K highest values;
what a running epoch has seen counts at once, because the choice between i and nothing is the same
whatever ends an epoch (with one user this changes nothing, as no epoch runs when a new one starts);
for the same reason the counts can come from a log, whoever chose its slates; a slate with several
clicks is read as that many choices; the Gaussian draws start from one end and one click of every
item, not from showing each alone, and leave out the constants that the analysis needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from agents.bandits.linear import blocks
from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from agents.shared.targets import ItemMeans, Outcomes, outcomes
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import AgentConfig, Decision, Feedback, FitReport, Observation
from recsim.log import SlateLog
from recsim.problem import Problem


class MNLBanditConfig(AgentConfig):
    """Settings of `MNLBanditAgent`.

    Attributes:
        posterior: ``beta`` draws every item by itself; ``gaussian`` moves all items by the same
            number of standard deviations.
        draws: Gaussian draws of which the largest is taken; None for as many as a slate has items.
    """

    posterior: Literal["beta", "gaussian"] = "beta"
    draws: int | None = Field(default=None, ge=1)


class MNLBanditAgent(BaseSlateAgent):
    """Thompson sampling for the multinomial logit: the same slate until nothing is chosen.

    Learns from clicks, in a log and online. Each row of a batch draws for itself when its epoch
    starts. Where no feedback is heard, every slate starts an epoch. Propensities are not known.
    """

    name: ClassVar[str] = "mnl_bandit"
    Config: ClassVar[type[AgentConfig]] = MNLBanditConfig

    def __init__(self, config: MNLBanditConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._gaussian = config.posterior == "gaussian"
        self._draws = config.draws or problem.slate_size
        # Of the choices between an item and nothing: how many there were, how many it won.
        self._choices = ItemMeans(problem.num_items)
        self._rng = np.random.default_rng(seed)
        # The slate of every row's epoch, item ids (B, K); -1 where none runs.
        self._running = self._none_running()

    def fit(self, log: SlateLog) -> FitReport:
        """Count the log's slates; several logs, and feedback, add up."""
        self._choices.add(against_nothing(outcomes(log, "click")))
        return FitReport(rows=len(log))

    def begin(self, batch_size: int) -> None:
        """End all epochs; what was learned of the items stays."""
        self._running = self._none_running()

    def act(self, obs: Observation) -> Decision:
        """Show every row the slate of its epoch; where none runs, start one."""
        candidates = obs["candidates"]
        if self._running.shape == (len(candidates), self._slate_size):
            chosen = slates.places(candidates, self._running)
        else:
            chosen = np.full((len(candidates), self._slate_size), -1)
        (fresh,) = np.nonzero((chosen < 0).any(axis=1))
        for rows in blocks(len(fresh), candidates.shape[1]):
            scores = self._sample(candidates[fresh[rows]])
            chosen[fresh[rows]] = slates.top_slates(scores, self._slate_size)
        self._running = self._none_running()  # they go on with feedback that has a click
        return Decision(chosen)

    def propensities(self, obs: Observation, items: Ints) -> None:
        """Return None: the chance of an item to be among the highest draws has no closed form."""
        return None

    def observe(self, feedback: Feedback) -> None:
        """Count the slates just shown; the epochs of those that were clicked go on."""
        self._choices.add(against_nothing(outcomes(feedback, "click")))
        goes_on = (feedback.clicks > 0).any(axis=1) & ~feedback.done
        self._running = np.where(goes_on[:, None], feedback.items, -1)

    def _learned(self) -> dict[str, Any]:
        return {**self._choices.state_dict(), "running": self._running.copy()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._choices.load_state_dict(state)
        self._running = np.array(state["running"], dtype=np.int64)

    def _none_running(self) -> Ints:
        return np.empty((0, self._slate_size), dtype=np.int64)

    def _sample(self, candidates: Ints) -> Floats:
        """Draw for every candidate a number that rises with its v, ``(B, C)``."""
        clicks: Floats = self._choices.sums
        ends = self._choices.impressions - clicks
        if self._gaussian:
            mean, deviation = gaussian(clicks, ends)  # (I,)
            largest = self._rng.normal(size=(len(candidates), self._draws)).max(axis=1)  # (B,)
            optimistic: Floats = mean[candidates] + largest[:, None] * deviation[candidates]
            return optimistic
        nothing: Floats = self._rng.beta(1 + ends[candidates], 1 + clicks[candidates])
        return -nothing  # 1 / (1 + v), which falls with v


def against_nothing(found: Outcomes) -> Outcomes:
    """Keep the choices between an item and nothing, which is all that tells of its v.

    They are the clicks, and every item of a slate without one. An item beside a clicked one was in
    no such choice.

    Args:
        found: Slates and the clicks of each item, ``(N, K)`` both.

    Returns:
        The same with -1 for the items left out.
    """
    clicked = found.values > 0
    nothing = ~clicked.any(axis=1, keepdims=True)  # (N, 1)
    return Outcomes(np.where(clicked | nothing, found.items, -1), found.values)


def gaussian(clicks: Floats, ends: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the Gaussian draw of every v, ``(I,)`` each.

    Args:
        clicks: Times that each item was chosen, ``(I,)``.
        ends: Slates with the item of which nothing was chosen, ``(I,)``.
    """
    mean = (1 + clicks) / (1 + ends)
    return mean, np.sqrt(mean * (mean + 1) / (1 + ends))
