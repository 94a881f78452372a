"""Training of CE-VAE, with early stopping on validation items."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.critiquing.ce_vae.config import CEVAEConfig
from agents.critiquing.ce_vae.model import CEVAE, losses
from agents.shared.early_stopping import BestState, gradient_step


def train(
    model: CEVAE,
    taken: Tensor,
    mentioned: Tensor,
    valid: tuple[Tensor, Tensor],
    config: CEVAEConfig,
    generator: torch.Generator,
) -> list[dict[str, float]]:
    """Train a network in place, and keep the state that ranks validation items best.

    Args:
        model: The network.
        taken: 1 if a user reviewed an item, ``(U, I)``.
        mentioned: 1 if a user mentioned an aspect, ``(U, K)``.
        valid: Users and items of the validation reviews, ``(N,)`` each; without any, all epochs are
            run and the last state is kept.
        config: Settings.
        generator: Random generator of the order of the users, the corruption and the latent
            vectors.

    Returns:
        One entry per evaluation: ``step`` (epochs), ``loss`` of the last epoch, and ``mrr`` of the
        validation items, if there are any.
    """
    optimizer = torch.optim.Adam(
        model.parameters(), lr=config.learning_rate, weight_decay=config.l2
    )
    report: list[dict[str, float]] = []
    best = BestState(model, config.patience)
    for epoch in range(1, config.epochs + 1):
        order = torch.randperm(len(taken), generator=generator, device=taken.device)
        total = torch.zeros((), device=taken.device)
        for rows in torch.split(order, config.batch_size):
            loss = losses(
                model,
                taken[rows],
                mentioned[rows],
                beta=config.beta,
                corruption=config.corruption,
                generator=generator,
            )
            gradient_step(optimizer, loss.mean())
            total += loss.detach().sum()
        if epoch % config.evaluate_every and epoch < config.epochs:
            continue
        entry = {"step": float(epoch), "loss": float(total) / max(len(taken), 1)}
        report.append(entry)
        if not len(valid[0]):
            continue
        entry["mrr"] = mean_reciprocal_rank(model, taken, *valid)
        if best.update(entry["mrr"]):
            break
    best.restore()
    return report


@torch.no_grad()
def mean_reciprocal_rank(model: CEVAE, taken: Tensor, users: Tensor, items: Tensor) -> float:
    """Return the mean reciprocal rank of items among those that their users did not review.

    Args:
        model: The network.
        taken: ``(U, I)``.
        users: ``(N,)``.
        items: ``(N,)``.
    """
    scores = model.items(model.latent(taken)[0])[users]  # (N, I)
    own = scores.gather(1, items[:, None])
    above = ((scores > own) & (taken[users] == 0)).sum(dim=1)
    return float((1.0 / (1.0 + above.double())).mean())
