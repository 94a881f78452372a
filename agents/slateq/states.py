"""The observable state of a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.shared.clicked import Clicked, observed
from recsim.arrays import Floats32
from recsim.contracts.slates import Observation
from recsim.log import SlateLog
from recsim.problem import Problem


@dataclass(frozen=True, eq=False)
class States:
    """The states of B users before a slate.

    Attributes:
        known: User features, rewards of the last step, ``log(1 + session)`` and ``log(1 + step)``,
            and number of slates in the history, ``(B, F + R + 3)``.
        items: Items clicked in the history, ``(B, L)``; -1 after the last.
        age: Slates shown since the click, ``(B, L)``.
    """

    known: Tensor
    items: Tensor
    age: Tensor

    def select(self, rows: Tensor) -> States:
        """Return the states of some users."""
        return States(self.known[rows], self.items[rows], self.age[rows])


def size_of_known(problem: Problem) -> int:
    """Return the number of columns of `States.known`, F + R + 3."""
    return problem.user_feature_dim + len(problem.rewards) + 3


def read_states(obs: Observation, problem: Problem, slates: int, device: str) -> States:
    """Return the states of observations; missing entries of an observation count as zero.

    Args:
        obs: See `recsim.contracts.slates`.
        problem: The problem of the observations.
        slates: H, number of past slates in a state.
        device: Device of the tensors.
    """
    return _to_states([_read(obs, problem, slates)], device)


def states_of_log(log: SlateLog, slates: int, device: str) -> States:
    """Return the states before the M rows of a log; see `read_states`."""
    parts = [_read(obs, log.problem, slates) for obs in observed(log, slates)]
    return _to_states(parts, device)


def _read(obs: Observation, problem: Problem, slates: int) -> tuple[Floats32, Clicked]:
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


def _to_states(parts: Sequence[tuple[Floats32, Clicked]], device: str) -> States:
    past = Clicked.concat([past for _, past in parts])
    known = np.concatenate([known for known, _ in parts])
    arrays = (known, past.items, past.age)
    return States(*(torch.as_tensor(array, device=device) for array in arrays))
