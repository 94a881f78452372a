"""Imitation of logged slates: of all users, of the best ones, or weighted by advantage.

The strongest cheap control of every agent that learns long-term reward from a log: with the same
log and features, without a model of returns.

References: filtered cloning, "10 % BC" in Chen et al. 2021, arXiv:2106.01345, and in industry
Stratified Expert Cloning, arXiv:2504.05628; advantage-weighted regression, Peng et al. 2019,
arXiv:1910.00177; critic-regularised regression, Wang et al. 2020, arXiv:2006.15134.

Differences from the papers:

- The policy is a Plackett-Luce distribution over ordered slates, and the loss the mean negative
  log-probability of a slate's items, each given those before it.
- Users are kept by their total return, as in "10 % BC", and not by strata of their activity.
- The advantage of both weightings is the return-to-go of the log minus a regression on the time and
  on what the policy reads, which is fitted to other users than those it is used for. AWR's critic
  is fitted by TD(lambda), again after each improvement of the policy; CRR's is an action value,
  learned by temporal differences.
- AWR's temperature is in standard deviations of the advantage, and its weights are cut at 20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from agents.shared.context import context_size
from agents.shared.devices import seeded
from agents.shared.early_stopping import Training, split_by_user, train
from agents.shared.plackett_luce import PlackettLuceOrBest
from agents.shared.returns import returns_to_go, slate_rewards, total_returns
from agents.shared.targets import check_target
from agents.shared.torch_agent import TorchAgent
from agents.slate_policy.config import CloneConfig
from agents.slate_policy.luce import log_probabilities
from agents.slate_policy.network import LinearScores, SlateNet
from agents.slate_policy.rows import Rows, inputs_of, inputs_of_log, times_of_log
from agents.slate_policy.values import cross_fitted_values
from agents.slate_policy.weights import awr_weights, best_users, crr_weights, effective_share
from recsim.arrays import Floats
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.log import SlateLog
from recsim.problem import Problem


def _rewards_returns(target: str, problem: Problem) -> bool:
    """Return whether a target counts returns."""
    return target == "return" or (target == "reward" and problem.rewards.get("return", 0) != 0)


class CloneAgent(TorchAgent[nn.Module], PlackettLuceOrBest):
    """Imitates the slates of a log, those of the users with the highest returns if asked to.

    Fitted on a log; a second fit starts anew. Propensities are exact: 0 or 1 with ``temperature``
    0, else those of `PlackettLuce`.
    """

    name: ClassVar[str] = "clone"
    reads = frozenset({"user_features", "item_features", "item_ids", "history", "returns"})
    Config: ClassVar[type[AgentConfig]] = CloneConfig
    needs_log: ClassVar[bool] = True
    sizes: ClassVar[tuple[str, ...]] = ("network", "hidden", "dim", "item_dim")
    _config: CloneConfig

    def __init__(self, config: CloneConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        check_target(config.target, problem)
        mlp = config.network == "mlp"
        unused = {
            "item_features": not mlp,
            "history": not mlp,
            "item_ids": mlp and not config.item_dim,
            "returns": not (mlp or (config.prefers and _rewards_returns(config.target, problem))),
        }
        self.reads = frozenset(name for name in self.reads or () if not unused.get(name))
        if config.network == "mlp" and not config.item_dim + problem.item_features.shape[1]:
            raise self.error("knows items by their features or by 'item_dim'; here both are 0.")

    def fit(self, log: SlateLog) -> FitReport:
        """Learn to imitate the log, forgetting any other.

        Returns:
            A report with the number of rows imitated and the mean negative log-probability per
            item. Its last row has ``effective_share``, the effective share of the weighted rows.

        Raises:
            AgentError: If the log is empty, lacks users or the target that the settings need, has
                another number of user features than the problem, or has no row worth imitating.
        """
        self.require(len(log), "slates")
        self.require_user_features(log)
        config, generator = self._config, self._new_generator()
        weights = self._weights(log)
        chosen = np.flatnonzero((weights > 0) & (log.slate >= 0).any(axis=1))
        self.require(len(chosen), "slates that show items")
        # Read from the whole log: a history has rows that are not imitated.
        inputs = inputs_of_log(log, chosen, config.network, config.history)
        kept, weights = log.select(chosen), weights[chosen]
        rows = Rows.of(kept, inputs, self._device)
        with seeded(self._seed, self._device):
            model = self._build(rows.inputs)
        weight = torch.as_tensor(weights, dtype=torch.float32, device=self._device)

        def losses(part: Tensor) -> Tensor:
            return weight[part] * _surprise(model, rows, part)

        trained, held_out = split_by_user(kept.user, config.held_out, generator)
        training = Training.of(config, config.steps)
        report = train(model, losses, trained, held_out, training, generator)
        report[-1]["effective_share"] = effective_share(weights)
        # In double precision scores hardly depend on who else is in the batch.
        self._model = model.double().eval()
        return FitReport(rows=len(kept), losses=report)

    @property
    def _stochastic(self) -> bool:
        return self._config.temperature > 0

    @torch.no_grad()
    def _logits_of(self, obs: Observation) -> Floats:
        inputs = inputs_of(obs, self._problem, self._config.network)
        every = self.model(self._tensor(inputs).double()).cpu().numpy()  # (B, I)
        logits: Floats = np.take_along_axis(every, np.asarray(obs["candidates"]), axis=1)
        return logits / (self._config.temperature or 1.0)

    def _weights(self, log: SlateLog) -> Floats:
        """Return the weight of every row, ``(M,)``; 0 for rows that are not imitated."""
        config = self._config
        if not config.prefers:
            return np.ones(len(log))
        if log.anonymous:
            raise self.error(
                "prefers users by their returns, but the log does not identify its users: use a "
                "log with user ids, or set 'keep: 1' and 'weights: none'."
            )
        if config.target not in ("click", "reward", *log.feedback):
            raise self.error(
                f"prefers users by the reward {config.target!r}, but the log has no feedback "
                f"column of this name: set 'target' to one that it has ({_listed(log)})."
            )
        rewards = slate_rewards(log, config.target)
        best = best_users(total_returns(log, rewards), log.user, config.keep)
        if config.weights == "none":
            return best.astype(np.float64)
        advantage = self._advantage(log, rewards)[best]
        weights = np.zeros(len(log))
        if config.weights == "awr":
            weights[best] = awr_weights(advantage, config.beta)
        else:
            weights[best] = crr_weights(advantage)
            if not weights.any():
                raise self.error(
                    "imitates rows of positive advantage, but no row of the log has one: its users "
                    "all earn the same. Set 'weights: none', or another 'target'."
                )
        return weights

    def _advantage(self, log: SlateLog, rewards: Floats) -> Floats:
        """Return by how much the return-to-go of each row exceeds the expected one, ``(M,)``."""
        config = self._config
        to_go = returns_to_go(log, rewards, config.gamma)
        if np.ptp(to_go) == 0:
            return np.zeros(len(log))
        inputs = inputs_of_log(log, np.arange(len(log)), config.network, config.history)
        # Returns-to-go fall with time where users are cut off, whatever is shown to them.
        contexts = np.concatenate([inputs, times_of_log(log)], axis=1)
        # Generators of its own, so that the policy is trained on the same batches with any weights.
        with seeded(self._seed, self._device):
            generator = self._new_generator(self._seed + 1)
            return to_go - cross_fitted_values(contexts, to_go, log.user, generator)

    def _rebuild(self, state: Mapping[str, Any]) -> nn.Module:
        problem = self._problem
        linear = self._config.network == "linear"
        width = problem.user_feature_dim if linear else context_size(problem)
        return self._build(torch.zeros(1, width, device=self._device)).double()

    def _build(self, sample: Tensor) -> nn.Module:
        """Return an untrained network whose inputs are standardised by a sample, ``(M, P)``."""
        config, problem = self._config, self._problem
        if config.network == "linear":
            return LinearScores(sample, problem.num_items).to(self._device)
        features = self._tensor(problem.item_features).float()
        sizes = {"hidden": config.hidden, "dim": config.dim, "item_dim": config.item_dim}
        return SlateNet(sample, features, **sizes).to(self._device)


def _surprise(model: nn.Module, rows: Rows, part: Tensor) -> Tensor:
    """Return the mean negative log-probability of the items of some slates, ``(N,)``."""
    scores, chosen = model(rows.inputs[part]), rows.slates[part]
    if rows.candidates is not None:
        scores = scores.gather(1, rows.candidates[part])  # (N, I) -> (N, C)
    shown = (chosen >= 0).sum(dim=1).clamp_min(1)
    return -log_probabilities(scores, chosen).sum(dim=1) / shown


def _listed(log: SlateLog) -> str:
    return ", ".join(repr(name) for name in ("click", "reward", *log.feedback))
