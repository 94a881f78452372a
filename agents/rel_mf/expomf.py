r"""ExpoMF: whether a user saw an item is a hidden variable, fitted by expectation maximisation.

Model: ``A_ui ~ Bernoulli(mu_i)``, ``Y_ui ~ Normal(p_u . q_i, 1 / precision)`` if ``A_ui = 1``, and
``Y_ui = 0`` if not; Gaussian priors on the vectors, ``mu_i ~ Beta(alpha, beta)``.

E-step, with phi the density at 0 of the normal distribution above::

    a_ui = 1 where Y_ui = 1, else mu_i phi_ui / (mu_i phi_ui + 1 - mu_i)

M-step: ``p_u = (precision sum_i a_ui q_i q_i^T + l2 I)^-1 precision sum_i a_ui Y_ui q_i``, the same
for ``q_i``, and ``mu_i = (alpha + sum_u a_ui - 1) / (alpha + beta + U - 2)``. The E-step is taken
anew before each of the three, so that every one of them raises the posterior.

Reference: Liang, Charlin, McInerney and Blei, "Modeling User Exposure in Recommendation", WWW 2016,
arXiv:1510.07025.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.rel_mf.pairs import ClickedPairs

# Numbers that a block of rows may hold at a time.
_BLOCK = 2**24


@dataclass(frozen=True)
class ExpoMF:
    """Settings of the model.

    Attributes:
        dim: Length of the vectors.
        iterations: Rounds of expectation maximisation.
        l2: Precision of the Gaussian priors of the vectors, positive.
        precision: That of a click around the score.
        exposure: mu of every item at the start.
        alpha: First parameter of the prior of mu; at least 1.
        beta: Second parameter.
    """

    dim: int = 32
    iterations: int = 10
    l2: float = 1e-5
    precision: float = 1.0
    exposure: float = 0.01
    alpha: float = 1.0
    beta: float = 1.0


@dataclass(eq=False)
class ExposureFactors:
    """What is fitted.

    Attributes:
        users: p, ``(U, dim)``.
        items: q, ``(I, dim)``.
        exposure: mu, ``(I,)``.
    """

    users: Tensor
    items: Tensor
    exposure: Tensor


def posterior_exposure(
    clicks: Tensor, scores: Tensor, exposure: Tensor, precision: float
) -> Tensor:
    """Return a, the probability that each pair was seen given that it was clicked or not.

    Args:
        clicks: Y, ``(N, M)``.
        scores: ``p . q``, ``(N, M)``.
        exposure: mu, broadcastable to ``(N, M)``.
        precision: That of a click around its score.
    """
    density = math.sqrt(precision / (2 * math.pi)) * torch.exp(-precision / 2 * scores**2)
    seen = exposure * density
    return torch.where(clicks > 0, 1.0, seen / (seen + 1 - exposure))


def fit_expomf(
    clicks: ClickedPairs,
    settings: ExpoMF,
    generator: torch.Generator,
    on_iteration: Callable[[int, ExposureFactors], None] | None = None,
) -> ExposureFactors:
    """Fit the model to the clicks.

    Args:
        clicks: What was clicked.
        settings: Settings of the model.
        generator: Randomness of the initial vectors, normal with deviation 0.01.
        on_iteration: Called after every round, with its number from 1.
    """
    device = generator.device
    users, items = (
        0.01 * torch.randn(size, settings.dim, generator=generator, device=device)
        for size in (clicks.num_users, clicks.num_items)
    )
    found = ExposureFactors(
        users, items, torch.full((clicks.num_items,), settings.exposure, device=device)
    )
    swapped = clicks.transposed()
    for number in range(1, settings.iterations + 1):
        found.users = _solve(clicks, found.users, found.items, found.exposure, settings)
        found.items = _solve(swapped, found.items, found.users, found.exposure[:, None], settings)
        found.exposure = _exposure(clicks, found, settings)
        if on_iteration is not None:
            on_iteration(number, found)
    return found


def _solve(
    clicks: ClickedPairs, own: Tensor, others: Tensor, exposure: Tensor, settings: ExpoMF
) -> Tensor:
    """Return new vectors of the users of ``clicks``, given those of its items.

    ``exposure`` is ``(I,)``, or ``(U, 1)`` where users and items are swapped.
    """
    dim = own.shape[1]
    solved = torch.empty_like(own)
    ridge = settings.l2 * torch.eye(dim, device=own.device)
    squares = (others[:, :, None] * others[:, None, :]).reshape(len(others), -1)  # (I, d d)
    for start, stop in _blocks(clicks.num_users, max(clicks.num_items, dim * dim)):
        y = clicks.rows(start, stop)  # (B, I)
        mu = exposure[start:stop] if exposure.ndim == 2 else exposure
        seen = posterior_exposure(y, own[start:stop] @ others.T, mu, settings.precision)
        gram = settings.precision * (seen @ squares).reshape(-1, dim, dim) + ridge
        moment = settings.precision * (seen * y) @ others
        solved[start:stop] = torch.linalg.solve(gram, moment)
    return solved


def _exposure(clicks: ClickedPairs, found: ExposureFactors, settings: ExpoMF) -> Tensor:
    total = torch.zeros_like(found.exposure)
    for start, stop in _blocks(clicks.num_users, clicks.num_items):
        y = clicks.rows(start, stop)
        scores = found.users[start:stop] @ found.items.T
        total += posterior_exposure(y, scores, found.exposure, settings.precision).sum(dim=0)
    prior = settings.alpha + settings.beta - 2
    mu = (settings.alpha + total - 1) / (prior + clicks.num_users)
    return mu.clamp(1e-12, 1 - 1e-6)  # an item that everybody saw would stop learning


def _blocks(rows: int, width: int) -> list[tuple[int, int]]:
    size = max(1, _BLOCK // width)
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]
