"""The memory of each user's last steps while the agent acts."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from agents.dt4ier.data import pack, rewards_of
from agents.dt4ier.model import Model
from recsim.contracts.slates import Observation
from recsim.problem import Problem


@dataclass(frozen=True, eq=False)
class LastStep:
    """The last step of B users, read from an observation.

    Attributes:
        features: Features of the users, ``(B, F)``.
        slates: Tokens of the last slate, ``(B, K)``.
        clicks: Tokens of the items clicked in it, in order, ``(B, K)``.
        rewards: Rewards of that slate, ``(B, R)``.
        clicked: Tokens of all clicks in the observed history, ``(B, H)``.
        steps: Number of slates in the observed history, ``(B,)``; 0 for new users.
    """

    features: Tensor
    slates: Tensor
    clicks: Tensor
    rewards: Tensor
    clicked: Tensor
    steps: Tensor


def read(
    obs: Observation, problem: Problem, names: tuple[str, ...], history: int, device: str
) -> LastStep:
    """Read the last step from an observation; without a history, all users are new.

    Args:
        obs: Observation of B users.
        problem: The problem.
        names: The rewards, see `agents.dt4ier.data.rewards_of`.
        history: Number of clicked items H that form the state.
        device: Device of the returned tensors.
    """
    features = np.asarray(obs["user_features"], dtype=np.float32)
    batch, size = len(features), problem.slate_size
    nothing = np.full((batch, size), -1)
    items = np.asarray(obs.get("history_items", nothing))  # (B, H' * K)
    clicks = np.asarray(obs.get("history_clicks", np.zeros_like(items)))
    steps = np.asarray(obs.get("history_length", np.zeros((batch, 1), dtype=np.int64)))[:, 0]
    feedback = np.asarray(obs.get("feedback", np.zeros((batch, len(problem.rewards)))))
    named = dict(zip(problem.rewards, feedback.T, strict=True))
    tokens = np.where(clicks > 0, items + 1, 0)  # (B, H' * K)

    def tensor(values: Any) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.int64, device=device)

    rewards = rewards_of(names, items[:, -size:], clicks[:, -size:], named)
    return LastStep(
        features=torch.as_tensor(features, device=device),
        slates=pack(tensor(items[:, -size:] + 1), size),
        clicks=pack(tensor(tokens[:, -size:]), size),
        rewards=torch.as_tensor(rewards, dtype=torch.float32, device=device),
        clicked=pack(tensor(tokens), history),
        steps=tensor(steps),
    )


@dataclass(frozen=True, eq=False)
class Memory:
    """The last steps of B users, as tokens.

    Attributes:
        tokens: Return-to-go, state and slate of each step, ``(B, t, 3, D)`` with t at most T; the
            last step is rightmost, and its slate is not known yet.
        mask: False at padding, ``(B, t)``.
        clicked: Tokens of the items clicked last, ``(B, H)``.
        rtg: Remaining target returns, weighted, ``(B, R)``.
        weights: Weights of the rewards, ``(B, R)``.
        user: Vectors of the users' features, ``(B, D)``.
        time: Number of earlier steps of each user, ``(B,)``.
    """

    tokens: Tensor
    mask: Tensor
    clicked: Tensor
    rtg: Tensor
    weights: Tensor
    user: Tensor
    time: Tensor

    def __len__(self) -> int:
        """Return the number of users B."""
        return len(self.mask)

    @staticmethod
    def start(model: Model, last: LastStep, prompt: Tensor) -> Memory:
        """Return the memory of users for whom only the observation is known.

        Args:
            model: The network.
            last: The last step in the observation.
            prompt: Target returns as fractions of ``model.start_rtg``, ``(R,)``.
        """
        config, batch = model.config, len(last.steps)
        weights = model.weights(last.features)
        return Memory(
            tokens=weights.new_zeros(batch, 0, 3, config.embed_dim),
            mask=torch.zeros(batch, 0, dtype=torch.bool, device=weights.device),
            clicked=last.clicked,
            rtg=prompt * weights * model.start_rtg,
            weights=weights,
            user=model.user_vectors(last.features),
            time=last.steps,
        )

    def with_outcome(self, model: Model, last: LastStep) -> Memory:
        """Return the memory with the slate, clicks and rewards of the last step filled in."""
        slate = model.action_token(last.slates, self.time)
        step = torch.cat([self.tokens[:, -1, :2], slate[:, None]], dim=1)  # (B, 3, D)
        return replace(
            self,
            tokens=torch.cat([self.tokens[:, :-1], step[:, None]], dim=1),
            clicked=pack(torch.cat([self.clicked, last.clicks], dim=1), self.clicked.shape[1]),
            rtg=(self.rtg - self.weights * last.rewards).clamp_min(0),
            time=self.time + 1,
        )

    def where(self, chosen: Tensor, other: Memory) -> Memory:
        """Return this memory for the chosen users, ``(B,)``, and the other for the rest."""
        length = max(self.mask.shape[1], other.mask.shape[1])
        own, others = self._of_length(length), other._of_length(length)

        def pick(name: str) -> Tensor:
            value: Tensor = getattr(own, name)
            return torch.where(
                chosen.view(-1, *[1] * (value.ndim - 1)), value, getattr(others, name)
            )

        return Memory(**{field.name: pick(field.name) for field in fields(self)})

    def _of_length(self, length: int) -> Memory:
        """Return the memory padded on the left to some number of steps."""
        more = length - self.mask.shape[1]
        return replace(
            self,
            tokens=functional.pad(self.tokens, (0, 0, 0, 0, more, 0)),
            mask=functional.pad(self.mask, (more, 0)),
        )

    def with_next_step(self, model: Model) -> Memory:
        """Return the memory with a new step, whose slate is to be decided."""
        reward = model.reward_token(self.rtg, self.time)
        state = model.state_token(self.clicked, self.user, self.time)
        step = torch.stack([reward, state, torch.zeros_like(state)], dim=1)  # (B, 3, D)
        present = self.mask.new_ones(len(self), 1)
        last = model.config.context
        return replace(
            self,
            tokens=torch.cat([self.tokens, step[:, None]], dim=1)[:, -last:],
            mask=torch.cat([self.mask, present], dim=1)[:, -last:],
        )

    def contexts(self, model: Model) -> Tensor:
        """Return the context of the next slate, ``(B, D)``."""
        return model.contexts(self.tokens, self.mask)[:, -1]
