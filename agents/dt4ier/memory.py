"""What is remembered of users while the agent acts."""

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
class Seen:
    """What an observation tells of the last step.

    Attributes:
        features: Of the users, ``(B, F)``.
        slates: Tokens shown last, ``(B, K)``.
        clicks: Those of them that were clicked, in order, ``(B, K)``.
        rewards: What that earned, ``(B, R)``.
        clicked: Tokens of all clicks in the observed history, ``(B, H)``.
        steps: Slates in the observed history, ``(B,)``; 0 where the user is new.
    """

    features: Tensor
    slates: Tensor
    clicks: Tensor
    rewards: Tensor
    clicked: Tensor
    steps: Tensor


def read(
    obs: Observation, problem: Problem, names: tuple[str, ...], history: int, device: str
) -> Seen:
    """Read an observation; one without a history is that of a user's first step.

    Args:
        obs: Of B users.
        problem: Where the agent recommends.
        names: The rewards, see `agents.dt4ier.data.rewards_of`.
        history: Clicked items H that make the state.
        device: Where to put what was read.
    """
    features = np.asarray(obs["user_features"], dtype=np.float32)
    batch, size = len(features), problem.slate_size
    nothing = np.full((batch, size), -1)
    items = np.asarray(obs.get("history_items", nothing))  # (B, H' * K)
    clicks = np.asarray(obs.get("history_clicks", np.zeros_like(items)))
    steps = np.asarray(obs.get("history_length", np.zeros((batch, 1), dtype=np.int64)))[:, 0]
    told = np.asarray(obs.get("feedback", np.zeros((batch, len(problem.rewards)))))
    named = dict(zip(problem.rewards, told.T, strict=True))
    tokens = np.where(clicks > 0, items + 1, 0)  # (B, H' * K)

    def tensor(values: Any) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.int64, device=device)

    rewards = rewards_of(names, items[:, -size:], clicks[:, -size:], named)
    return Seen(
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
        tokens: Return-to-go, state and slate of each step, ``(B, t, 3, D)`` with t at most T, the
            last step at the right; its slate is not known yet.
        mask: Where there is a step, ``(B, t)``.
        clicked: Items clicked last, ``(B, H)``.
        rtg: What is still asked for, ``(B, R)``, in the weighted unit.
        weights: How much each reward counts, ``(B, R)``.
        user: What states tell of the user's features, ``(B, D)``.
        time: Steps of the user before this one, ``(B,)``.
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
    def start(model: Model, seen: Seen, prompt: Tensor) -> Memory:
        """Return the memory of users of whom nothing but the observation is known.

        Args:
            model: The network.
            seen: The observation.
            prompt: Proportions of the returns that are asked for, ``(R,)``.
        """
        config, batch = model.config, len(seen.steps)
        weights = model.weights(seen.features)
        return Memory(
            tokens=weights.new_zeros(batch, 0, 3, config.embed_dim),
            mask=torch.zeros(batch, 0, dtype=torch.bool, device=weights.device),
            clicked=seen.clicked,
            rtg=prompt * weights * model.start_rtg,
            weights=weights,
            user=model.user_vectors(seen.features),
            time=seen.steps,
        )

    def told(self, model: Model, seen: Seen) -> Memory:
        """Return the memory after the outcome of the last step is known."""
        slate = model.action_token(seen.slates, self.time)
        last = torch.cat([self.tokens[:, -1, :2], slate[:, None]], dim=1)  # (B, 3, D)
        return replace(
            self,
            tokens=torch.cat([self.tokens[:, :-1], last[:, None]], dim=1),
            clicked=pack(torch.cat([self.clicked, seen.clicks], dim=1), self.clicked.shape[1]),
            rtg=(self.rtg - self.weights * seen.rewards).clamp_min(0),
            time=self.time + 1,
        )

    def where(self, chosen: Tensor, other: Memory) -> Memory:
        """Return this memory for the chosen users ``(B,)``, the other one for the rest."""
        length = max(self.mask.shape[1], other.mask.shape[1])
        own, others = self._of_length(length), other._of_length(length)

        def pick(name: str) -> Tensor:
            value: Tensor = getattr(own, name)
            return torch.where(
                chosen.view(-1, *[1] * (value.ndim - 1)), value, getattr(others, name)
            )

        return Memory(**{field.name: pick(field.name) for field in fields(self)})

    def _of_length(self, length: int) -> Memory:
        """Return the memory with room for some steps, padded on the left."""
        more = length - self.mask.shape[1]
        return replace(
            self,
            tokens=functional.pad(self.tokens, (0, 0, 0, 0, more, 0)),
            mask=functional.pad(self.mask, (more, 0)),
        )

    def ask(self, model: Model) -> Memory:
        """Return the memory with the step that is about to be decided."""
        asked = model.reward_token(self.rtg, self.time)
        state = model.state_token(self.clicked, self.user, self.time)
        step = torch.stack([asked, state, torch.zeros_like(state)], dim=1)  # (B, 3, D)
        there = self.mask.new_ones(len(self), 1)
        last = model.config.context
        return replace(
            self,
            tokens=torch.cat([self.tokens, step[:, None]], dim=1)[:, -last:],
            mask=torch.cat([self.mask, there], dim=1)[:, -last:],
        )

    def contexts(self, model: Model) -> Tensor:
        """Return the context of the slate that is about to be decided, ``(B, D)``."""
        return model.contexts(self.tokens, self.mask)[:, -1]
