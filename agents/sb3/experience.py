"""Decisions and feedback as a rollout buffer of stable-baselines3."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.buffers import DictRolloutBuffer
from stable_baselines3.common.type_aliases import DictRolloutBufferSamples

# One step of a cohort: context (B, P), candidates (B, C), slates (B, K), and (B,) each: log_prob,
# value, reward, done, active.
Step = dict[str, NDArray[Any]]


class ActiveRolloutBuffer(DictRolloutBuffer):
    """A rollout buffer that leaves out inactive rows in training.

    Args:
        steps: T steps of B users.
        last_values: Value of the states after the last step, ``(B,)``; None if they are unknown.
        observation_space: See `agents.sb3.slate_policy.SlatePolicy`.
        action_space: See there.
        rng: Shuffles the entries.
        device: Device of the tensors.
        gamma: Discount per step.
        gae_lambda: Lambda of generalised advantage estimation.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        last_values: NDArray[np.float32] | None,
        observation_space: spaces.Dict,
        action_space: spaces.Space[Any],
        *,
        rng: np.random.Generator,
        device: torch.device,
        gamma: float,
        gae_lambda: float,
    ) -> None:
        active = np.stack([step["active"] for step in steps])  # (T, B)
        done = np.stack([step["done"] for step in steps]) | ~active
        rewards = np.stack([step["reward"] for step in steps]).astype(np.float32)
        super().__init__(
            len(steps), observation_space, action_space, device, gae_lambda, gamma, active.shape[1]
        )
        if last_values is None:
            # The future is unknown, so the last step only bootstraps the step before it.
            open_end = active[-1] & ~done[-1]
            rewards[-1, open_end] = steps[-1]["value"][open_end]
            active[-1], done[-1] = active[-1] & ~open_end, True
            last_values = np.zeros(active.shape[1], dtype=np.float32)
        starts = np.concatenate([np.ones_like(done[:1]), done[:-1]])
        for step, reward, start in zip(steps, rewards, starts, strict=True):
            self.add(
                {name: step[name] for name in ("context", "candidates")},
                step["slates"],
                reward,
                start,
                torch.as_tensor(step["value"]),
                torch.as_tensor(step["log_prob"]),
            )
        self.compute_returns_and_advantage(torch.as_tensor(last_values), done[-1])
        self._flatten()
        self.learned_from = np.flatnonzero(self.swap_and_flatten(active)[:, 0])
        self._rng = rng

    def _flatten(self) -> None:
        for name, values in self.observations.items():
            self.observations[name] = self.swap_and_flatten(values)  # (T, B, ...) -> (B * T, ...)
        for name in ("actions", "values", "log_probs", "advantages", "returns"):
            setattr(self, name, self.swap_and_flatten(getattr(self, name)))

    def get(  # type: ignore[override]
        self, batch_size: int | None = None
    ) -> Generator[DictRolloutBufferSamples, None, None]:
        """Yield all active entries once, in random order, in minibatches of nearly equal size.

        Args:
            batch_size: Desired entries in a minibatch; None for all.
        """
        order = self._rng.permutation(self.learned_from)
        parts = max(1, round(len(order) / (batch_size or len(order))))
        for part in np.array_split(order, parts):
            yield self._get_samples(part)
