"""The base ``plrec``: projected linear recommendation in closed form, with regressions.

With the matrix R of reviews, ``(U, I)`` of zeros and ones, and its truncated SVD ``P S Q^T``,

    users = R Q sqrt(S),    items^T = (users^T users + lambda I)^-1 users^T R,

the encoder is the least-squares regression of the users' vectors on their aspect counts, and the
head is one logistic regression per aspect on the latent vectors of all train pairs. The user's
vector and the encoded preferences are halved, so that their sum is the average of two estimates.

Reference: Sedhain et al., "Practical Linear Models for Large-Scale One-Class Collaborative
Filtering", IJCAI 2016; with critiques, Luo et al., "Latent Linear Critiquing", WWW 2020.

Shapes: M reviews, U users, I items, K aspects, d dimensions.
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from scipy import sparse
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn
from torch.nn import functional

from agents.bot_play.auc import valid_auc
from agents.bot_play.model import CritiquedModel
from agents.bot_play.tables import Tables
from recsim.contracts.slates import AgentConfig
from recsim.errors import AgentError


class PLRecConfig(AgentConfig):
    """Settings of the base ``plrec``.

    Attributes:
        dim: Dimension of the vectors.
        iterations: Power iterations of the randomised SVD.
        ridge: lambda, of the regression of items on users.
        head_l2: Penalty on half the squared weights of the head, relative to the sum of losses.
    """

    dim: PositiveInt = 50
    iterations: NonNegativeInt = 10
    ridge: float = Field(default=80.0, gt=0, allow_inf_nan=False)
    head_l2: float = Field(default=1.0, gt=0, allow_inf_nan=False)


def projected(
    reviewed: sparse.csr_array, dim: int, iterations: int, ridge: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Return the vectors of users, ``(U, d)``, and items, ``(I, d)``, float64.

    Args:
        reviewed: R.
        dim: d, at most the smaller side of R.
        iterations: Power iterations.
        ridge: lambda.
        seed: Seed of the randomised SVD.
    """
    _, strength, directions = randomized_svd(reviewed, dim, n_iter=iterations, random_state=seed)
    users = reviewed @ directions.T * np.sqrt(strength)  # (U, d)
    gram = users.T @ users + ridge * np.eye(dim)
    items = np.linalg.solve(gram, (reviewed.T @ users).T).T  # (I, d)
    return torch.from_numpy(users), torch.from_numpy(items)


def least_squares(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights ``(K, d)`` and intercepts ``(d,)`` of a regression.

    If several weights fit equally well, they are those with the smallest norm.

    Args:
        inputs: ``(U, K)``.
        targets: ``(U, d)``.
    """
    means = inputs.mean(dim=0), targets.mean(dim=0)
    weights = torch.linalg.pinv(inputs - means[0]) @ (targets - means[1])
    return weights, means[1] - means[0] @ weights


def logistic(inputs: Tensor, targets: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    """Return weights ``(K, d)`` and intercepts ``(K,)`` of one logistic regression per aspect.

    They minimise ``sum_n BCE + l2 / 2 |w|^2``, for all aspects at once; intercepts are not
    penalised. For an aspect that all targets have, or none, the weights are 0 and the intercept is
    that of a single exception.

    Args:
        inputs: ``(M, d)``.
        targets: ``(M, K)`` floats of 0 and 1.
        l2: Penalty.
    """
    rows, positive = len(targets), targets.sum(dim=0)
    constant = (positive == 0) | (positive == rows)
    share = positive.clamp(1, max(rows - 1, 1)) / max(rows, 2)
    intercept = torch.logit(share).requires_grad_()
    weights = torch.zeros(targets.shape[1], inputs.shape[1]).to(inputs).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights, intercept], max_iter=500, history_size=20, line_search_fn="strong_wolfe"
    )
    varied = (~constant).to(inputs)

    def objective() -> Tensor:
        optimizer.zero_grad()
        logits = inputs @ (weights * varied[:, None]).T + intercept
        losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        loss: Tensor = (losses.sum(dim=0) * varied).sum() / rows
        loss = loss + l2 / (2 * rows) * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(objective)  # type: ignore[no-untyped-call]
    return weights.detach(), intercept.detach()


def fit_plrec(
    tables: Tables, config: PLRecConfig, seed: int, generator: torch.Generator
) -> tuple[CritiquedModel, list[dict[str, float]]]:
    """Compute a base.

    Args:
        tables: The data.
        config: Settings.
        seed: Seed of the randomised SVD.
        generator: Determines the device; the weights that it draws are replaced.

    Returns:
        The model, and one entry with ``auc``, if there is a valid part.

    Raises:
        AgentError: If there are more dimensions than users or items.
    """
    (num_users, _), num_items = tables.user_counts.shape, len(tables.item_counts)
    if config.dim > min(num_users, num_items):
        raise AgentError(
            f"plrec.dim is {config.dim}; it must be at most the number of users, {num_users}, "
            f"and of items, {num_items}."
        )
    model = CritiquedModel(tables.user_counts, num_items, config.dim, generator)
    pairs = tables.taken.users.cpu().numpy(), tables.taken.items.cpu().numpy()
    ones = np.ones(len(pairs[0]))
    reviewed = sparse.csr_array((ones, pairs), shape=(num_users, num_items))
    users, items = projected(reviewed, config.dim, config.iterations, config.ridge, seed)
    encoding, bias = least_squares(tables.user_counts.cpu().double(), users)
    encoder, head = model.encoder[0], model.head[-1]
    assert isinstance(encoder, nn.Linear)
    assert isinstance(head, nn.Linear)
    for parameter, value in (
        (model.users, users / 2),
        (model.items, items),
        (encoder.weight, encoding.T / 2),
        (encoder.bias, bias / 2),
    ):
        parameter.data.copy_(value)
    with torch.no_grad():
        latent = model.latent(tables.users, model.first_preferences(tables.users))
        inputs = (latent + model.items[tables.items]).cpu().double()  # (M, d)
    target = tables.item_aspects[tables.items].cpu().double()
    weights, intercepts = logistic(inputs, target, config.head_l2)
    head.weight.data.copy_(weights)
    head.bias.data.copy_(intercepts)
    return model, [{"auc": valid_auc(model, tables)}] if len(tables.valid_users) else []
