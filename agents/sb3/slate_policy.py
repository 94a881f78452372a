"""A policy for stable-baselines3 that scores candidates and draws slates by Plackett-Luce."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn

from agents.slate_policy.luce import NEVER, log_probabilities


def conditional_entropy(logits: Tensor, slates: Tensor) -> Tensor:
    """Return the sum of the entropies of each pick given those before it, ``(B,)``.

    By the chain rule, its mean over slates drawn from the policy is the entropy of the policy over
    ordered slates; with slates of one item it is this entropy itself.

    Args:
        logits: ``(B, C)``.
        slates: Indices of candidates, distinct in a row, ``(B, K)``.
    """
    total = logits.new_zeros(len(logits))
    for place in range(slates.shape[1]):
        chance = logits.scatter(1, slates[:, :place], NEVER).log_softmax(dim=1)
        total = total - (chance.exp() * chance).sum(dim=1)
    return total


class SlatePolicy(BasePolicy):
    """Scores candidates by the inner product of a context vector and an item vector.

    The item vector is computed by one network from the item's features and a learned embedding, the
    context vector by another network, which also predicts the value.

    Args:
        observation_space: ``context`` (P,) and ``candidates`` (C,), item ids.
        action_space: K indices of candidates.
        lr_schedule: Learning rate.
        item_features: ``(I, D)``.
        hidden: Width of both networks.
        item_dim: Length of the learned embedding of each item; 0 for features only.
        use_sde: Ignored; stable-baselines3 passes it to every policy.
    """

    item_features: Tensor

    def __init__(
        self,
        observation_space: spaces.Dict,
        action_space: spaces.MultiDiscrete,
        lr_schedule: Schedule,
        *,
        item_features: NDArray[Any],
        hidden: int,
        item_dim: int,
        use_sde: bool = False,
    ) -> None:
        super().__init__(observation_space, action_space)
        self._slate_size = len(action_space.nvec)
        self.register_buffer("item_features", torch.as_tensor(item_features).float())
        self.own = nn.Parameter(0.1 * torch.randn(len(item_features), item_dim))
        (context,) = observation_space["context"].shape or ()
        width = item_features.shape[1] + item_dim
        self.item_net = nn.Sequential(
            nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, hidden)
        )
        self.context_net = nn.Sequential(
            nn.Linear(context, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh()
        )
        self.query, self.value_net = nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=lr_schedule(1.0), eps=1e-5)

    def evaluate_context(self, obs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the logits of the candidates, ``(B, C)``, and the values, ``(B,)``."""
        latent = self.context_net(obs["context"])
        items = self.item_net(torch.cat([self.item_features, self.own], dim=1))  # (I, hidden)
        scores = self.query(latent) @ items.T / math.sqrt(items.shape[1])  # (B, I)
        return scores.gather(1, obs["candidates"].long()), self.value_net(latent)[:, 0]

    def evaluate_actions(
        self, obs: dict[str, Tensor], actions: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return values, log-probabilities and entropies of slates, ``(B,)`` each."""
        logits, values = self.evaluate_context(obs)
        slates = actions.long()
        return (
            values,
            log_probabilities(logits, slates).sum(dim=1),
            conditional_entropy(logits, slates),
        )

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        """Return slates: the best ones, or ones drawn with torch's global generator."""
        logits, _ = self.evaluate_context(cast(dict[str, Tensor], observation))
        if not deterministic:
            logits = logits - torch.empty_like(logits).exponential_().log()  # Gumbel noise
        return logits.topk(self._slate_size, dim=1).indices
