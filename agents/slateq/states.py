"""The state of a user, as far as a system can see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.shared.clicked import Clicked, observed
from recsim.contracts.slates import Observation
from recsim.log import SlateLog
from recsim.problem import Problem


@dataclass(frozen=True, eq=False)
class States:
    """What is known of B users before a slate.

    Attributes:
        known: User features, rewards of the last step, logarithms of one plus session and step, and
            slates in the history that counts, ``(B, F + R + 3)``.
        items: Items clicked in that history, ``(B, L)``; -1 after the last.
        age: Slates shown since the click, ``(B, L)``.
    """

    known: Tensor
    items: Tensor
    age: Tensor

    def select(self, rows: Tensor) -> States:
        """Keep some users."""
        return States(self.known[rows], self.items[rows], self.age[rows])


def size_of_known(problem: Problem) -> int:
    """Columns of `States.known`: F + R + 3."""
    return problem.user_feature_dim + len(problem.rewards) + 3


def read_states(obs: Observation, problem: Problem, slates: int, device: str) -> States:
    """Read the states from observations; what these do not tell is zero.

    Args:
        obs: See `recsim.contracts.slates`.
        problem: Where the users are met.
        slates: H, slates of history that count.
        device: Where the tensors go.
    """
    return _to_states([_read(obs, problem, slates)], device)


def states_of_log(log: SlateLog, slates: int, device: str) -> States:
    """Read the state before every row of a log, ``M`` of them; see `read_states`."""
    parts = [_read(obs, log.problem, slates) for obs in observed(log, slates)]
    return _to_states(parts, device)


def _read(obs: Observation, problem: Problem, slates: int) -> tuple[NDArray[np.float32], Clicked]:
    batch = len(obs["candidates"])
    past = Clicked.of(obs, problem.slate_size, slates)
    time = np.asarray(obs.get("time", np.zeros((batch, 3))))
    columns = (
        obs["user_features"],
        obs.get("feedback", np.zeros((batch, len(problem.rewards)))),
        np.log1p(np.maximum(time[:, 1:], 0)),
        past.slates[:, None],
    )
    return np.concatenate(columns, axis=1).astype(np.float32), past


def _to_states(parts: Sequence[tuple[NDArray[np.float32], Clicked]], device: str) -> States:
    past = Clicked.concat([past for _, past in parts])
    known = np.concatenate([known for known, _ in parts])
    arrays = (known, past.items, past.age)
    return States(*(torch.as_tensor(array, device=device) for array in arrays))
