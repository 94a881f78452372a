r"""Thompson sampling for choices from slates, with utilities linear in user and item features.

The user chooses item k of the slate S with probability
:math:`e^{u_k} / (1 + \sum_{j \in S} e^{u_j})`, else nothing, with :math:`u_k = \theta^\top x_k` and
x the joint features of user and item. The posterior of theta is approximated by a Gaussian around
the regularised maximum-likelihood estimate. The agent draws theta and shows the items with the K
highest utilities; with ``draws`` M > 1, an item's utility is its maximum over M draws, which is the
paper's optimistic sampling.

Reference: Oh and Iyengar, "Thompson Sampling for Multinomial Logit Contextual Bandits", NeurIPS
2019.

Differences from the paper:

- The precision of the draws is the Fisher information at the estimate plus ``ridge`` (Laplace's
  approximation); the paper uses the Gram matrix of the features shown, scaled by constants of its
  analysis, which ``alpha`` stands for.
- There is no initial phase of random slates.
- All items have the same revenue, so the best slate has the K highest utilities.
- Old data are not revisited: the posterior so far is the Gaussian prior for the next batch of users
  or the next log, for which the mode is then found exactly. So the estimate from one log is exact,
  and that from several logs, or from feedback, approximate.
- A slate with n clicks counts as n choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from agents.bandits.linear import (
    Interactions,
    JointFeaturesAgent,
    blocks,
    user_features,
    with_one,
)
from agents.shared import slates
from agents.shared.mnl import choices, posterior_mode
from agents.shared.randomised import Randomised
from agents.shared.targets import Outcomes, outcomes
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import AgentConfig, Decision, FitReport, Observation
from recsim.draws import Draws, Purpose
from recsim.log import SlateLog
from recsim.problem import Problem

THETA = Purpose("theta")

# Returns users (n, P) and their outcomes in pieces; called once for every pass over the data.
Batches = Callable[[], Iterable[tuple[Floats, Outcomes]]]


class TSMNLConfig(AgentConfig):
    """Settings of `TSMNLAgent`.

    Attributes:
        ridge: Prior precision of every weight; the prior mean is 0.
        alpha: Standard deviation of the draws, relative to that of the posterior.
        draws: M, number of draws over which an item's utility is maximised.
        shared: Whether all users of a batch share the draws. By default they do not, so that users
            explore different items.
        interactions: ``outer`` multiplies user by item features, which makes the ranking personal;
            ``concat`` puts them side by side; ``auto`` is ``outer`` up to 512 products.
    """

    ridge: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    alpha: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    draws: int = Field(default=1, ge=1)
    shared: bool = False
    interactions: Interactions = "auto"


class TSMNLAgent(Randomised, JointFeaturesAgent):
    """Thompson sampling for a multinomial logit over linear utilities of user and item.

    Learns from clicks, in a log and online. Propensities are not known.
    """

    name: ClassVar[str] = "ts_mnl"
    reads = frozenset({"user_features", "item_features"})
    Config: ClassVar[type[AgentConfig]] = TSMNLConfig
    _config: TSMNLConfig

    def __init__(self, config: TSMNLConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._theta = np.zeros(self._joint.size)
        self._precision = config.ridge * np.eye(self._joint.size)
        self._root: Floats | None = None  # a square root of the covariance, if up to date
        self._rng = np.random.default_rng(seed)  # of draws that the users of a batch share

    def fit(self, log: SlateLog) -> FitReport:
        """Update the posterior with the slates of a log, in blocks; its mode is found exactly.

        Raises:
            AgentError: If the log has another number of user features than the problem.
        """
        features = user_features(log, self)
        clicks = outcomes(log, "click")
        slots, width = clicks.items.shape[1], self._items.shape[1]
        rows = blocks(len(log), self._user_size**2 + width**2 + slots * (slots + width))
        path = self._learn(
            lambda: ((with_one(features[log.user[each]]), clicks.select(each)) for each in rows)
        )
        losses = [
            {"step": float(step), "loss": -value / max(len(log), 1)}
            for step, value in enumerate(path)
        ]
        return FitReport(len(log), losses)

    def act(self, obs: Observation) -> Decision:
        """Show every user the candidates with the highest utilities under the draws."""
        self._users = with_one(obs["user_features"])
        candidates = obs["candidates"]
        chosen = np.empty((len(candidates), self._slate_size), dtype=np.int64)
        shared = self._shared_thetas() if self._config.shared else None  # (M, d)
        own = self._draws.next(len(candidates))
        width = self._config.draws * (self._joint.size + candidates.shape[1])
        for rows in blocks(len(candidates), width + candidates.shape[1] * self._items.shape[1]):
            users = self._users[rows]
            thetas = self._thetas(own.take(rows)) if shared is None else shared
            best = np.maximum.reduce(  # M times (n, C) -> (n, C)
                [self._joint.utilities(users, candidates[rows], theta) for theta in thetas]
            )
            chosen[rows] = slates.top_slates(best, self._slate_size)
        return Decision(chosen)

    def propensities(self, obs: Observation, items: Ints) -> None:
        """Return None: the probability of being among the highest has no closed form."""
        return None

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

    def _learn_online(self, users: Floats, earned: Outcomes) -> None:
        self._learn(lambda: ((users, earned),))

    def _learn(self, batches: Batches) -> list[float]:
        """Update the posterior; return its logarithm after every step, up to a constant."""

        def likelihood(theta: Floats) -> tuple[float, Floats, Floats]:
            value = 0.0
            gradient, fisher = np.zeros_like(theta), np.zeros_like(self._precision)
            for users, slates_shown in batches():
                shown = slates_shown.items >= 0
                items = self._items[slates_shown.items]  # (n, K) -> (n, K, Q)
                utilities = self._joint.utilities(users, slates_shown.items, theta)
                each, slope, spread = choices(utilities, slates_shown.values, shown)
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

    def _thetas(self, draws: Draws) -> Floats:
        """Draw theta M times for each user, ``(M, n, d)``."""
        size = self._joint.size
        noise = draws.normal(THETA, self._config.draws * size)
        return self._sampled(noise.reshape(len(draws), -1, size)).transpose(1, 0, 2)

    def _shared_thetas(self) -> Floats:
        """Draw theta M times for all users, ``(M, d)``."""
        return self._sampled(self._rng.normal(size=(self._config.draws, self._joint.size)))

    def _sampled(self, noise: Floats) -> Floats:
        """Return samples of the posterior from standard normal numbers, ``(..., d)`` both."""
        if self._root is None:
            factor = np.linalg.cholesky(self._precision)
            self._root = np.linalg.inv(factor).astype(np.float64, copy=False)
        # With precision L L^T, a row z L^-1 has covariance (L L^T)^-1.
        sampled: Floats = self._theta + self._config.alpha * (noise @ self._root)
        return sampled
