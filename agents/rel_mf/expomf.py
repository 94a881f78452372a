r"""ExpoMF: whether a user saw an item is a hidden variable, fitted by expectation maximisation.

Model: ``A_ui ~ Bernoulli(mu_i)``, ``Y_ui ~ Normal(p_u . q_i, 1 / precision)`` if ``A_ui = 1``, and
``Y_ui = 0`` if not; Gaussian priors on the vectors, ``mu_i ~ Beta(alpha, beta)``.

E-step, with phi the density of the normal distribution above at 0::

    a_ui = 1 where Y_ui = 1, else mu_i phi_ui / (mu_i phi_ui + 1 - mu_i)

M-step: ``p_u = (precision sum_i a_ui q_i q_i^T + l2 I)^-1 precision sum_i a_ui Y_ui q_i``, the same
for ``q_i``, and ``mu_i = (alpha + sum_u a_ui - 1) / (alpha + beta + U - 2)``. The E-step is
repeated before each of the three, so that each of them increases the posterior.

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

# Numbers in a block of rows.
_BLOCK = 2**24


@dataclass(frozen=True)
class ExpoMF:
    """Settings of the model.

    Attributes:
        dim: Length of the vectors.
        iterations: Rounds of expectation maximisation.
        l2: Precision of the Gaussian priors of the vectors, positive.
        precision: Precision of a click around its score.
        exposure: Initial mu of every item.
        alpha: First parameter of the beta prior of mu; at least 1.
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
    """The fitted parameters.

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
    """Return a, the probability that each pair was seen, given whether it was clicked.

    Args:
        clicks: Y, ``(N, M)``.
        scores: ``p . q``, ``(N, M)``.
        exposure: mu, broadcastable to ``(N, M)``.
        precision: Precision of a click around its score.
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
        clicks: The pairs with a click.
        settings: Settings of the model.
        generator: Draws the initial vectors, normal with standard deviation 0.01.
        on_iteration: Called after every round, with its number from 1.
    """
    device = generator.device
    users, items = (
        0.01 * torch.randn(size, settings.dim, generator=generator, device=device)
        for size in (clicks.num_users, clicks.num_items)
    )
    model = ExposureFactors(
        users, items, torch.full((clicks.num_items,), settings.exposure, device=device)
    )
    swapped = clicks.transposed()
    for number in range(1, settings.iterations + 1):
        model.users = _solve(clicks, model.users, model.items, model.exposure, settings)
        model.items = _solve(swapped, model.items, model.users, model.exposure[:, None], settings)
        model.exposure = _exposure(clicks, model, settings)
        if on_iteration is not None:
            on_iteration(number, model)
    return model


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


def _exposure(clicks: ClickedPairs, model: ExposureFactors, settings: ExpoMF) -> Tensor:
    total = torch.zeros_like(model.exposure)
    for start, stop in _blocks(clicks.num_users, clicks.num_items):
        y = clicks.rows(start, stop)
        scores = model.users[start:stop] @ model.items.T
        total += posterior_exposure(y, scores, model.exposure, settings.precision).sum(dim=0)
    prior = settings.alpha + settings.beta - 2
    mu = (settings.alpha + total - 1) / (prior + clicks.num_users)
    return mu.clamp(1e-12, 1 - 1e-6)  # an item with mu = 1 would stop learning


def _blocks(rows: int, width: int) -> list[tuple[int, int]]:
    size = max(1, _BLOCK // width)
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]
