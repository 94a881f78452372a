"""The network, which maps returns-to-go, clicks and slates to a context for each next slate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.dt4ier.balancer import RTGBalancer
from agents.dt4ier.config import FitConfig
from agents.dt4ier.encoders import CausalTransformer, ListEncoder, SlateDecoder
from agents.dt4ier.features import UserEncoder
from agents.dt4ier.reward_embed import LinearRewardEmbedding, MultiRewardEmbedding


class Model(nn.Module):
    """A decision transformer whose time steps consist of a return-to-go, a state and a slate.

    Args:
        config: Sizes and variants.
        num_items: I.
        num_features: Number of user features F.
        horizon: Number of time steps with a vector of their own; later ones share the last.
    """

    scale: Tensor
    start_rtg: Tensor

    def __init__(self, config: FitConfig, num_items: int, num_features: int, horizon: int) -> None:
        super().__init__()
        dim, rewards = config.embed_dim, config.rewards
        self.config, self.horizon, self.num_items = config, horizon, num_items
        # Units of the returns-to-go, and the 95th percentile of the users' returns in the log.
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
        """Return the weights of the returns, ``(B, R)``, of users with features ``(B, F)``."""
        if self.balancer is not None:
            weights: Tensor = self.balancer(features)
            return weights
        rewards = self.config.rewards
        return self.scale.new_full((len(features), rewards), 1 / rewards)

    def reward_token(self, rtg: Tensor, time: Tensor) -> Tensor:
        """Return the tokens, ``(N, D)``, of weighted returns-to-go ``(N, R)`` at steps ``(N,)``."""
        scaled = rtg / self.scale
        if self.config.rtg == "zero":
            scaled = torch.zeros_like(scaled)
        token: Tensor = self.reward(scaled) + self.time_token(time)
        return token

    def user_vectors(self, features: Tensor) -> Tensor:
        """Return the vectors, ``(B, D)``, of user features ``(B, F)``; 0 if they are not used."""
        if self.user is None:
            return self.scale.new_zeros(len(features), self.config.embed_dim)
        vectors: Tensor = self.user(features)
        return vectors

    def state_token(self, clicked: Tensor, user: Tensor, time: Tensor) -> Tensor:
        """Return the tokens of lists of clicked items at steps, ``(N, D)``.

        Args:
            clicked: ``(N, H)``.
            user: Result of `user_vectors`, ``(N, D)``.
            time: Steps, ``(N,)``.
        """
        token: Tensor = self.state(clicked) + user + self.time_token(time)
        return token

    def action_token(self, slates: Tensor, time: Tensor) -> Tensor:
        """Return the tokens, ``(N, D)``, of slates ``(N, K)`` at steps ``(N,)``."""
        token: Tensor = self.action(slates) + self.time_token(time)
        return token

    def contexts(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the context from which the slate of each step is decoded.

        Args:
            tokens: Return-to-go, state and slate of each step, ``(B, T, 3, D)``.
            mask: False at padding, ``(B, T)``.

        Returns:
            ``(B, T, D)``: the outputs at the states, so that no context includes its own slate.
        """
        flat = tokens.flatten(1, 2)  # (B, T, 3, D) -> (B, 3T, D)
        outputs: Tensor = self.transformer(flat, mask.repeat_interleave(3, dim=1))
        return outputs[:, 1::3]

    def time_token(self, time: Tensor) -> Tensor:
        """Return the vectors, ``(N, D)``, that all three tokens of steps ``(N,)`` share."""
        vectors: Tensor = self.time(time.clamp_max(self.horizon - 1))
        return vectors
