"""The whole network: from returns-to-go, clicks and slates to the context of each next slate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.dt4ier.balancer import RTGBalancer
from agents.dt4ier.config import FitConfig
from agents.dt4ier.encoders import CausalTransformer, ListEncoder, SlateDecoder
from agents.dt4ier.features import UserEncoder
from agents.dt4ier.reward_embed import LinearRewardEmbedding, MultiRewardEmbedding


class Model(nn.Module):
    """A decision transformer whose time step is a return-to-go, a state and a slate.

    Args:
        config: Sizes and variants.
        num_items: I.
        num_features: Features of a user, F.
        horizon: Time steps that have a vector of their own; later ones share the last.
    """

    scale: Tensor
    start_rtg: Tensor

    def __init__(self, config: FitConfig, num_items: int, num_features: int, horizon: int) -> None:
        super().__init__()
        dim, rewards = config.embed_dim, config.rewards
        self.config, self.horizon, self.num_items = config, horizon, num_items
        # Units of the returns-to-go, and what a good user of the log earned in all.
        self.register_buffer("scale", torch.ones(rewards))
        self.register_buffer("start_rtg", torch.ones(rewards))
        balanced = config.balance and rewards == 2 and num_features > 0
        self.balancer = RTGBalancer(num_features) if balanced else None
        self.reward: nn.Module
        if config.reward_encoder == "buckets":
            self.reward = MultiRewardEmbedding(rewards, dim, config.buckets)
        else:
            self.reward = LinearRewardEmbedding(rewards, dim)
        self.state = ListEncoder(num_items, dim, config.list_dropout)
        self.action = ListEncoder(num_items, dim, config.list_dropout)
        known = config.user_features and num_features > 0
        self.user = UserEncoder(num_features, dim) if known else None
        self.time = nn.Embedding(horizon, dim)
        self.transformer = CausalTransformer(dim, config.layers, config.heads, config.dropout)
        self.decoder = SlateDecoder(num_items, dim, config.list_dropout)
        for module in self.transformer.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.time.weight, std=0.02)

    def weights(self, features: Tensor) -> Tensor:
        """Return how much each return of users with features ``(B, F)`` counts, ``(B, R)``."""
        if self.balancer is not None:
            weights: Tensor = self.balancer(features)
            return weights
        rewards = self.config.rewards
        return self.scale.new_full((len(features), rewards), 1 / rewards)

    def reward_token(self, rtg: Tensor, time: Tensor) -> Tensor:
        """Return the token of weighted returns-to-go ``(N, R)`` at steps ``(N,)``, ``(N, D)``."""
        scaled = rtg / self.scale
        if self.config.rtg == "zero":
            scaled = torch.zeros_like(scaled)
        token: Tensor = self.reward(scaled) + self.time_token(time)
        return token

    def user_vectors(self, features: Tensor) -> Tensor:
        """Return what states tell of users with features ``(B, F)``, ``(B, D)``; 0 if nothing."""
        if self.user is None:
            return self.scale.new_zeros(len(features), self.config.embed_dim)
        vectors: Tensor = self.user(features)
        return vectors

    def state_token(self, clicked: Tensor, user: Tensor, time: Tensor) -> Tensor:
        """Return the token of lists of clicked items at steps, ``(N, D)``.

        Args:
            clicked: ``(N, H)``.
            user: What `user_vectors` says of the users, ``(N, D)``.
            time: Steps, ``(N,)``.
        """
        token: Tensor = self.state(clicked) + user + self.time_token(time)
        return token

    def action_token(self, slates: Tensor, time: Tensor) -> Tensor:
        """Return the token of slates ``(N, K)`` at steps ``(N,)``, ``(N, D)``."""
        token: Tensor = self.action(slates) + self.time_token(time)
        return token

    def contexts(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return what is known when each slate is to be written.

        Args:
            tokens: Return-to-go, state and slate of each step, ``(B, T, 3, D)``.
            mask: Where there is a step, ``(B, T)``.

        Returns:
            ``(B, T, D)``, read at the states: a slate is not seen by its own context.
        """
        flat = tokens.flatten(1, 2)  # (B, T, 3, D) -> (B, 3T, D)
        known: Tensor = self.transformer(flat, mask.repeat_interleave(3, dim=1))
        return known[:, 1::3]

    def time_token(self, time: Tensor) -> Tensor:
        """Return what all three tokens of steps ``(N,)`` share, ``(N, D)``."""
        vectors: Tensor = self.time(time.clamp_max(self.horizon - 1))
        return vectors
