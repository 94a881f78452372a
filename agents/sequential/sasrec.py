"""Causal self-attention, with the additions that are part of the network."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.sequential.additions.attention_table import TwoTableBlock
from agents.sequential.additions.long_query import LongQueryBlock, TwoQueries
from agents.sequential.additions.metadata import MetadataEmbedding
from agents.sequential.additions.reasoning import (
    NOISE,
    Reasoner,
    diversity,
    prediction,
    softened,
    stability,
)
from agents.sequential.config import SASRecConfig
from agents.sequential.encoders import Transformer, initialise, transformer
from agents.sequential.models import LeftToRight, Loss, last_states
from agents.sequential.sequences import PADDING, by_length, inputs_of
from agents.shared.devices import Stream
from agents.shared.transformer import Cache
from recsim.problem import Problem


class SASRec(LeftToRight):
    """Causal self-attention.

    Args:
        config: Settings.
        num_items: I.
        problem: The features and groups of items, which only some settings need.
    """

    groups: Tensor

    def __init__(
        self, config: SASRecConfig, num_items: int, problem: Problem | None = None
    ) -> None:
        super().__init__(config, num_items)
        self._config, dim, std = config, config.dim, config.init_std
        self._attended: nn.Embedding | None = None
        self._reasoner: Reasoner | None = None
        self._category: nn.Linear | None = None
        self.direction: nn.Parameter | None = None
        self.encoder = self._encoder(config)
        # The other parameters, and the rest of the training, are the same with an addition.
        self._stream = Stream(torch.initial_seed() + 1, "cpu")
        with torch.random.fork_rng([]):
            if config.attention_table:
                self._attended = nn.Embedding(num_items + 3, max(1, dim // 4), PADDING)
                nn.init.normal_(self._attended.weight, std=std)
            if config.reasoning != "none":
                self._reasoner = Reasoner(dim, std)
            if config.distil_transitions:
                self.direction = nn.Parameter(torch.randn(dim, dim) / math.sqrt(dim))
            if config.item_inputs != "id":
                assert problem is not None
                self._use_metadata(config, problem)

    def _use_metadata(self, config: SASRecConfig, problem: Problem) -> None:
        both = config.item_inputs == "both"
        self.embedding = MetadataEmbedding(
            problem.item_features, config.dim, config.init_std, per_item=both
        )
        # An offset per id could not be learned for an item outside the log.
        self.bias.requires_grad_(both and config.item_bias)
        self.register_buffer("groups", torch.as_tensor(problem.item_groups))
        groups = int(problem.item_groups.max()) + 1
        if config.category_weight and groups > 1:
            self._category = nn.Linear(config.dim, groups)

    def _apply(self, function: Any, recurse: bool = True) -> Any:
        """Move the parameters, and draw random numbers where they are."""
        moved = super()._apply(function, recurse)  # type: ignore[no-untyped-call]
        self._stream = Stream(torch.initial_seed() + 1, self.bias.device)
        return moved

    def _encoder(self, config: SASRecConfig) -> nn.Module:
        dim, heads, dropout = config.dim, config.heads, config.dropout
        if config.long_query:
            long = partial(LongQueryBlock, dim, heads, dropout, 0.0, config.long_query)
            return TwoQueries(
                transformer(config, causal=True), transformer(config, causal=True, block=long)
            )
        encoder = transformer(config, causal=True)
        if config.attention_table:
            encoder.blocks[0] = TwoTableBlock(dim, heads, dropout, 0.0, max(1, dim // 4))
            encoder.blocks[0].apply(partial(initialise, std=config.init_std))
        return encoder

    def begin_at_popularity(self, counts: Tensor) -> None:
        """Set the biases to the logarithm of popularity; unknown items get the mean of the others.

        Args:
            counts: How often each item is an event in training, ``(I,)``.
        """
        if isinstance(self.embedding, MetadataEmbedding):
            self.embedding.learn_known(counts)
        super().begin_at_popularity(counts)

    def offsets(self) -> Tensor:
        """Return the bias of each item's score, ``(I,)``; 0 for items outside the log."""
        if isinstance(self.embedding, MetadataEmbedding):
            return self.bias * self.embedding.known[:, 0]
        return self.bias

    def score_all(self, states: Tensor) -> Tensor:
        """Return the scores of all items, ``(n, D) -> (n, I)``."""
        embedding = self.embedding
        if not isinstance(embedding, MetadataEmbedding) or embedding.own is not None:
            return super().score_all(states)
        return (states @ embedding.distinct().T)[:, embedding.kind] + self.offsets()

    def states(self, tokens: Tensor) -> Tensor:
        """Return the state at every token, ``(B, T) -> (B, T, D)``; tokens padded on the right."""
        return self._states(tokens)

    def _states(self, tokens: Tensor, **cache: Cache) -> Tensor:
        attended = {} if self._attended is None else {"attended": self._attended(tokens)}
        states: Tensor = self.encoder(
            self.embedding(tokens), tokens != PADDING, **cache, **attended
        )
        return states

    def next_states(self, tokens: Tensor) -> Tensor:
        """Return the states from which the next event is predicted, ``(B, T) -> (B, D)``."""
        if self._reasoner is None:
            return super().next_states(tokens)
        cache: Cache = []
        last = last_states(self._states(tokens, cache=cache), tokens)
        return prediction(self._reason(last, cache, tokens != PADDING), self._config.reasoning)

    def _reason(self, last: Tensor, cache: Cache, visible: Tensor, noise: float = 0.0) -> Tensor:
        assert self._reasoner is not None
        assert isinstance(self.encoder, Transformer)
        steps = self._config.reasoning_steps
        states: Tensor = self._reasoner(self.encoder, last, cache, visible, steps, noise)
        return states

    def losses(self, windows: Tensor, loss: Loss) -> Tensor:
        """Return the loss of each event of a batch of windows, with the terms of the additions.

        Args:
            windows: ``(B, L + 1)``.
            loss: The loss of states and targets.
        """
        if self._reasoner is not None and self._config.reasoning_steps:
            return self._reasoning_losses(windows, loss)
        if self._category is None:
            return super().losses(windows, loss)
        states, target = self.batch_examples(windows)
        return loss(self, states, target) + self._category_loss(states, target)

    def _category_loss(self, states: Tensor, target: Tensor) -> Tensor:
        """Return the weighted cross-entropy of the next item's group, ``(n,)``."""
        assert self._category is not None
        scores, group = self._category(states), self.groups[target]
        return self._config.category_weight * functional.cross_entropy(
            scores, group, reduction="none"
        )

    def _reasoning_losses(self, windows: Tensor, loss: Loss) -> Tensor:
        """Return the loss of each event, with that of reasoning about a prefix of each window."""
        parts = [self._reasoned(part) for _, part in by_length(windows)]
        states, target, steps, wanted, noisy = (
            torch.cat(column) for column in zip(*parts, strict=True)
        )
        losses = loss(self, states, target)
        if self._category is not None:
            losses = losses + self._category_loss(states, target)
        with self._stream.use():
            if self._config.reasoning == "erl":
                scores = self.score_all(steps.flatten(0, 1)).view(*steps.shape[:2], -1)
                extra = loss(self, prediction(steps, "erl"), wanted).mean()
                return losses + extra - self._config.reasoning_weight * diversity(scores)
            vague = softened(steps)
            each = [loss(self, vague[:, step], wanted).mean() for step in range(steps.shape[1])]
            return losses + torch.stack(each).sum() + stability(steps, noisy)

    def _reasoned(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Return examples of a part of a batch, and the steps of reasoning about random prefixes.

        Args:
            tokens: ``(B, T)``.

        Returns:
            States of events ``(n, D)`` and their items ``(n,)``; steps ``(B, K + 1, D)``, the items
            after the prefixes ``(B,)``, and, for ``prl``, the steps with noise ``(B, K + 1, D)``.
        """
        real = tokens[:, 1:] != PADDING
        inputs = inputs_of(tokens)
        cache: Cache = []
        states = self._states(inputs, cache=cache)
        row = torch.arange(len(tokens), device=tokens.device)
        with self._stream.use():
            at = (torch.rand(len(tokens), device=tokens.device) * real.sum(dim=1)).long()
            visible = torch.arange(inputs.shape[1], device=tokens.device) <= at[:, None]
            steps = noisy = self._reason(states[row, at], cache, visible)
            if self._config.reasoning == "prl":
                noisy = self._reason(states[row, at], cache, visible, NOISE)
        return states[real], tokens[:, 1:][real] - 1, steps, tokens[row, at + 1] - 1, noisy
