r"""State dynamics: how clicks change a user's preference.

A state h changes only when an item is clicked; x is the vector of that item. The preference z is a
function of the state, also before the first click.

==========  =================================================================================
``linear``  :math:`h' = \gamma h + (1 - \gamma) x`, :math:`z = h`
``gru``     :math:`r = \sigma(W_{ir} x + W_{hr} h)`, :math:`d = \sigma(W_{id} x + W_{hd} h)`,
            :math:`n = \tanh(W_{in} x + r \odot W_{hn} h)`,
            :math:`h' = (1 - d) \odot n + d \odot h`, :math:`z = W_z h`
``lingru``  the mean of the two preferences above, each with its own state
``markov``  :math:`h' = x`, :math:`z = h`
==========  =================================================================================

The recurrent cell is that of ``torch.nn.GRU(bias=False)``, where d is called z.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

StateKind = Literal["gru", "linear", "lingru", "markov"]

# Input, hidden and read-out matrices, in this order.
MATRICES = ("ir", "id", "in", "hr", "hd", "hn", "z")
Weights = dict[str, Tensor]


def preferences(
    kind: StateKind, weights: Weights, start: Tensor, vectors: Tensor, moved: Tensor
) -> Tensor:
    """Return the preference before every step and after the last.

    Args:
        kind: The state dynamics.
        weights: ``gamma`` and the matrices ``ir``, ``id``, ``in``, ``hr``, ``hd``, ``hn``, ``z``,
            ``(..., D, D)``, as far as needed. Leading axes must broadcast with those of ``start``;
            gamma is ``(...,)``, without the axes of users and D.
        start: Initial states, ``(..., U, D)``.
        vectors: Vector of the item of each step, ``(..., U, T, D)``.
        moved: Whether an item was clicked, ``(..., U, T)``.

    Returns:
        ``(..., U, T + 1, D)``.
    """
    if kind == "lingru":
        both = [preferences(k, weights, start, vectors, moved) for k in ("gru", "linear")]
        return (both[0] + both[1]) / 2
    states = [start]
    # The input products do not depend on the state, so all steps are computed at once.
    inputs = None
    if kind == "gru":
        inputs = torch.stack([_times(vectors, weights[f"i{gate}"]) for gate in "rdn"])
    gamma = weights["gamma"][..., None, None] if kind == "linear" else None
    for step in range(vectors.shape[-2]):
        state = states[-1]
        if inputs is not None:
            changed = _gru(weights, state, inputs[..., step, :])
        elif gamma is not None:
            changed = gamma * state + (1 - gamma) * vectors[..., step, :]
        else:
            changed = vectors[..., step, :]
        states.append(torch.where(moved[..., step, None], changed, state))
    every = torch.stack(states, dim=-2)  # (..., U, T + 1, D)
    return _times(every, weights["z"]) if kind == "gru" else every


def _times(vectors: Tensor, matrix: Tensor) -> Tensor:
    """Return the matrices ``(..., D, D)`` times vectors ``(..., U, T, D)``."""
    flat = vectors.flatten(-3, -2) @ matrix.mT  # (..., U, T, D) -> (..., U * T, D)
    return flat.reshape(*flat.shape[:-2], *vectors.shape[-3:])


def _gru(weights: Weights, state: Tensor, inputs: Tensor) -> Tensor:
    """Return the next states from ``inputs``, ``(3, ..., U, D)``."""
    reset = torch.sigmoid(inputs[0] + state @ weights["hr"].mT)
    keep = torch.sigmoid(inputs[1] + state @ weights["hd"].mT)
    new = torch.tanh(inputs[2] + reset * (state @ weights["hn"].mT))
    return (1 - keep) * new + keep * state
