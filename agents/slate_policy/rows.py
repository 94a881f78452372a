"""A log, or observations, as the tensors that networks read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.shared import slates
from agents.shared.context import context
from recsim.arrays import Floats32, Ints
from recsim.contracts.slates import Observation
from recsim.log import SlateLog
from recsim.problem import Problem

Network = Literal["linear", "mlp"]

# Numbers in a block of item features of histories (128 MiB of float64).
_BLOCK = 2**24


@dataclass(frozen=True, eq=False)
class Rows:
    """M logged slates.

    Attributes:
        inputs: Input of the network, ``(M, P)``.
        slates: Indices of candidates, ``(M, K)``; -1 at padding and at items that are no
            candidates.
        candidates: Item ids, ``(M, C)``; None if the whole catalogue could be shown.
    """

    inputs: Tensor
    slates: Tensor
    candidates: Tensor | None

    @staticmethod
    def of(log: SlateLog, inputs: Floats32, device: torch.device) -> Rows:
        """Read the slates of a log.

        Args:
            log: The log.
            inputs: Input of the network before each slate, ``(M, P)``.
            device: Device of the tensors.
        """
        offered = log.candidates
        index = log.slate if offered is None else slates.places(offered, log.slate)
        return Rows(
            _tensor(inputs, device),
            _tensor(index, device),
            None if offered is None else _tensor(offered, device),
        )


def inputs_of(obs: Observation, problem: Problem, network: Network) -> Floats32:
    """Return the input of a network, ``(B, P)``.

    ``linear`` reads the user's features; ``mlp`` reads all of `agents.shared.context.context`.
    """
    if network == "linear":
        return np.asarray(obs["user_features"], dtype=np.float32)
    return context(obs, problem)


def inputs_of_log(log: SlateLog, rows: Ints, network: Network, history: int) -> Floats32:
    """Return the input of a network before some rows of a log, ``(N, P)``.

    Args:
        log: The log.
        rows: Row numbers, ``(N,)``.
        network: See `inputs_of`.
        history: Number of past slates H that are read.
    """
    problem = log.problem
    if network == "linear":
        return np.asarray(log.user_features[log.user[rows]], dtype=np.float32)
    width = history * problem.slate_size * max(problem.item_features.shape[1], 1)
    size = max(1, _BLOCK // max(width, 1))
    parts = []
    for start in range(0, len(rows), size):
        obs = log.observations(rows[start : start + size], history_slates=history)
        parts.append(context(obs, problem))
    return np.concatenate(parts)


def times_of_log(log: SlateLog) -> Floats32:
    """Return the logarithms of 1 + day, session and step of every row of a log, ``(M, 3)``."""
    times = np.stack([log.day, log.session, log.step], axis=1)
    return np.log1p(np.maximum(times, 0)).astype(np.float32)


def _tensor(values: NDArray[Any], device: torch.device) -> Tensor:
    """Return a copy of an array as a tensor: arrays of a log may be read-only."""
    return torch.as_tensor(np.array(values), device=device)
