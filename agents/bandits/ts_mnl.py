r"""Thompson sampling for choices from slates whose utilities are linear in user and item.

TS-MNL: Oh and Iyengar, "Thompson Sampling for Multinomial Logit Contextual Bandits", NeurIPS 2019.
The user chooses item k of the slate S with probability
:math:`e^{u_k} / (1 + \sum_{j \in S} e^{u_j})`, else nothing, with :math:`u_k = \theta^\top x_k` and
x the joint features of user and item. The belief about theta is Gaussian around the regularised
maximum-likelihood estimate. The agent draws theta and shows the K highest utilities; with
``draws`` M > 1 an item's utility is the highest under M draws, the paper's optimistic sampling.

Differences from the paper: the precision of the draws is the Fisher information at the estimate
plus ``ridge`` (Laplace's approximation), where the paper takes the Gram matrix of the features
shown, scaled by constants of its analysis, of which ``alpha`` is what is left; there is no phase of
random slates before; all items earn the same, so that the best slate is the K highest utilities.
The estimate does not go back to old data: what was learned so far is the Gaussian prior of the next
batch of users, or of the next log, whose own maximum is found to the end. So one log gives the
exact estimate, while several logs, or feedback, add up approximately. A slate with n clicks is read
as n choices from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from agents.bandits.linear import (
    Interactions,
    blocks,
    item_features,
    joint_features,
    user_features,
    with_one,
)
from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from agents.shared.mnl import choices, posterior_mode
from agents.shared.targets import Outcomes, outcomes
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import AgentConfig, Decision, Feedback, FitReport, Observation
from recsim.log import SlateLog
from recsim.problem import Problem

# Users (n, P) and what they saw, piece by piece; called anew for every pass over the data.
Batches = Callable[[], Iterable[tuple[Floats, Outcomes]]]


class TSMNLConfig(AgentConfig):
    """Settings of `TSMNLAgent`.

    Attributes:
        ridge: Precision of the prior of every weight, which has mean 0.
        alpha: Standard deviation of the draws, in units of the posterior's.
        draws: M, draws of which an item's utility takes the highest.
        shared: Whether all users of a batch share the draws. By default each has draws of its own,
            so that users explore different items.
        interactions: ``outer`` multiplies user by item features, which makes the ranking personal;
            ``concat`` puts them side by side; ``auto`` is ``outer`` up to 512 products.
    """

    ridge: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    alpha: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    draws: int = Field(default=1, ge=1)
    shared: bool = False
    interactions: Interactions = "auto"


class TSMNLAgent(BaseSlateAgent):
    """Thompson sampling for a multinomial logit over linear utilities of user and item.

    Learns from clicks, in a log and online. Propensities are not known.
    """

    name: ClassVar[str] = "ts_mnl"
    Config: ClassVar[type[AgentConfig]] = TSMNLConfig
    _config: TSMNLConfig

    def __init__(self, config: TSMNLConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._items = item_features(problem, self.name)  # (I, Q)
        self._user_size = problem.user_feature_dim + 1
        self._joint = joint_features(self._items, self._user_size, config.interactions)
        self._theta = np.zeros(self._joint.size)
        self._precision = config.ridge * np.eye(self._joint.size)
        self._root: Floats | None = None  # a square root of the covariance, if up to date
        self._rng = np.random.default_rng(seed)
        self._users: Floats | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Move the belief by the log's slates, read in blocks; its maximum is found exactly.

        Raises:
            UserError: The log has another number of user features than the problem.
        """
        features = user_features(log, self)
        found = outcomes(log, "click")
        slots, width = found.items.shape[1], self._items.shape[1]
        rows = blocks(len(log), self._user_size**2 + width**2 + slots * (slots + width))
        path = self._learn(
            lambda: ((with_one(features[log.user[each]]), found.select(each)) for each in rows)
        )
        losses = [
            {"step": float(step), "loss": -value / max(len(log), 1)}
            for step, value in enumerate(path)
        ]
        return FitReport(len(log), losses)

    def begin(self, batch_size: int) -> None:
        """Forget whom the last slates were shown to; what was learned stays."""
        self._users = None

    def act(self, obs: Observation) -> Decision:
        """Show every user the candidates with the highest utilities under the draws."""
        self._users = with_one(obs["user_features"])
        candidates = obs["candidates"]
        chosen = np.empty((len(candidates), self._slate_size), dtype=np.int64)
        shared = self._draw(1)[:, 0] if self._config.shared else None  # (M, d)
        draws = self._config.draws
        width = draws * (self._joint.size + candidates.shape[1])
        for rows in blocks(len(candidates), width + candidates.shape[1] * self._items.shape[1]):
            users = self._users[rows]
            thetas = self._draw(len(users)) if shared is None else shared
            best = np.maximum.reduce(  # M times (n, C) -> (n, C)
                [self._joint.utilities(users, candidates[rows], theta) for theta in thetas]
            )
            chosen[rows] = slates.top_slates(best, self._slate_size)
        return Decision(chosen)

    def propensities(self, obs: Observation, items: Ints) -> None:
        """Return None: the chance of an item to be among the highest has no closed form."""
        return None

    def observe(self, feedback: Feedback) -> None:
        """Move the belief by the slates just shown.

        Raises:
            RuntimeError: There was no `act` to which this is the feedback.
        """
        if self._users is None:
            raise RuntimeError("observe() is the answer to act(), which was not called")
        batch = self._users[feedback.active], outcomes(feedback, "click")
        self._learn(lambda: (batch,))
        self._users = None

    def _learned(self) -> dict[str, Any]:
        return {"theta": self._theta.copy(), "precision": self._precision.copy()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        theta = np.array(state["theta"], dtype=np.float64)
        if theta.shape != self._theta.shape:
            raise self.misfit(
                f"it has {len(theta)} joint features; here there are {self._joint.size}."
            )
        self._theta = theta
        self._precision = np.array(state["precision"], dtype=np.float64)
        self._root = None

    def _learn(self, batches: Batches) -> list[float]:
        """Take the belief as prior, and become the posterior; return its log after every step."""

        def likelihood(theta: Floats) -> tuple[float, Floats, Floats]:
            value = 0.0
            gradient, fisher = np.zeros_like(theta), np.zeros_like(self._precision)
            for users, found in batches():
                shown = found.items >= 0
                items = self._items[found.items]  # (n, K) -> (n, K, Q)
                utilities = self._joint.utilities(users, found.items, theta)
                each, slope, spread = choices(utilities, found.values, shown)
                gram = items.transpose(0, 2, 1) @ spread @ items  # (n, Q, Q)
                moment = np.einsum("nkq,nk->nq", items, slope)
                square, linear = self._joint.sums(users, gram, moment)
                value, gradient, fisher = value + each.sum(), gradient + linear, fisher + square
            return float(value), gradient, fisher

        self._theta, self._precision, path = posterior_mode(
            self._theta, self._precision, likelihood
        )
        self._root = None
        return path

    def _draw(self, users: int) -> Floats:
        """Draw theta M times for each user, ``(M, users, d)``."""
        if self._root is None:
            factor = np.linalg.cholesky(self._precision)
            self._root = np.linalg.inv(factor).astype(np.float64, copy=False)
        draws, size = self._config.draws, self._joint.size
        # With precision L L^T, a row z L^-1 has covariance (L L^T)^-1.
        spread = self._rng.normal(size=(draws * users, size)) @ self._root
        return (self._theta + self._config.alpha * spread).reshape(draws, users, size)
