"""The base ``bpr``: rankings and justifications, trained jointly by gradient descent.

The loss of a review of item i by user u, with j an item that u did not review, is

    -log sigmoid(s_ui - s_uj) + w BCE(logits(u, i), target).

Reference: Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009,
arXiv:1205.2618; with justifications, Li et al., arXiv:2112.05197.

Shapes: B reviews, K aspects.
"""

from __future__ import annotations

import itertools
import math

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor
from torch.nn import functional

from agents.bot_play.auc import valid_auc
from agents.bot_play.model import CritiquedModel
from agents.bot_play.tables import Tables, passes
from agents.shared.early_stopping import BestState, gradient_step
from recsim.contracts.slates import AgentConfig


class BPRConfig(AgentConfig):
    """Settings of the base ``bpr``.

    Attributes:
        dim: Dimension of the vectors.
        init_std: Standard deviation of the initial vectors of users and items.
        enc_layers: Hidden layers of the encoder of preferences.
        proj_layers: Hidden layers of the head of justifications.
        justification_weight: w.
        target_item: Whether the target of a justification is all aspects that train reviews of the
            item mention; else those that the review mentions.
        epochs: Passes over the reviews; the state with the best AUC on the valid part is kept.
        batch_size: Reviews per step.
        learning_rate: Learning rate of RAdam.
        l2: Coupled weight decay of RAdam, on all weights.
    """

    dim: PositiveInt = 10
    init_std: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    enc_layers: NonNegativeInt = 0
    proj_layers: NonNegativeInt = 0
    justification_weight: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    target_item: bool = True
    epochs: PositiveInt = 30
    batch_size: PositiveInt = 4096
    learning_rate: float = Field(default=1e-2, gt=0, allow_inf_nan=False)
    l2: float = Field(default=1e-4, ge=0, allow_inf_nan=False)


def bpr_loss(
    model: CritiquedModel,
    users: Tensor,
    items: Tensor,
    others: Tensor,
    target: Tensor,
    weight: float,
) -> Tensor:
    """Return the mean loss of some reviews.

    Args:
        model: The model.
        users: ``(B,)``.
        items: Items of the reviews, ``(B,)``.
        others: Items that the users did not review, ``(B,)``.
        target: Target aspects of the justification, ``(B, K)`` floats.
        weight: w.
    """
    latent = model.latent(users, model.first_preferences(users))
    margin = (latent * (model.items[items] - model.items[others])).sum(dim=1)
    why = functional.binary_cross_entropy_with_logits(model.logits(latent, items), target)
    return -functional.logsigmoid(margin).mean() + weight * why


def unreviewed(tables: Tables, users: Tensor, generator: torch.Generator) -> Tensor:
    """Return an item for each user, ``(B,)``, uniform over those without a train review of theirs.

    It can be one of their validation or test items. For users who reviewed all items, it is any.
    """
    num_items = tables.taken.num_items
    items = torch.randint(num_items, users.shape, generator=generator, device=users.device)
    reviewed = torch.bincount(tables.taken.users, minlength=tables.taken.num_users)[users]
    wrong = (tables.taken.contains(users, items) > 0) & (reviewed < num_items)
    while wrong.any():
        drawn = torch.randint(num_items, users.shape, generator=generator, device=users.device)
        items = torch.where(wrong, drawn, items)
        wrong &= tables.taken.contains(users, items) > 0
    return items


def fit_bpr(
    tables: Tables, config: BPRConfig, generator: torch.Generator
) -> tuple[CritiquedModel, list[dict[str, float]]]:
    """Train a base.

    Args:
        tables: The data; without a valid part, the last epoch is kept.
        config: Settings.
        generator: Random generator of weights, order and negatives; it determines the device.

    Returns:
        The model, and per epoch ``epoch``, ``loss`` and, if there is a valid part, ``auc``.
    """
    model = CritiquedModel(
        tables.user_counts,
        len(tables.item_counts),
        config.dim,
        generator,
        init_std=config.init_std,
        enc_layers=config.enc_layers,
        proj_layers=config.proj_layers,
    )
    optimizer = torch.optim.RAdam(
        model.parameters(), lr=config.learning_rate, weight_decay=config.l2
    )
    item_aspects = tables.item_aspects.float()
    batches = passes(len(tables.users), config.batch_size, generator)
    per_epoch = math.ceil(len(tables.users) / config.batch_size)
    report: list[dict[str, float]] = []
    best = BestState(model)
    for epoch in range(1, config.epochs + 1):
        total = 0.0
        for rows in itertools.islice(batches, per_epoch):
            users, items = tables.users[rows], tables.items[rows]
            target = item_aspects[items] if config.target_item else tables.mentioned[rows].float()
            others = unreviewed(tables, users, generator)
            loss = bpr_loss(model, users, items, others, target, config.justification_weight)
            gradient_step(optimizer, loss)
            total += loss.item() * len(rows) / len(tables.users)
        entry = {"epoch": float(epoch), "loss": total}
        report.append(entry)
        if len(tables.valid_users):
            entry["auc"] = valid_auc(model, tables)
            best.update(entry["auc"])
    best.restore()
    return model, report
