"""Training of CE-VAE, until items held out are ranked no better."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.critiquing.ce_vae.model import CEVAE, losses


def train(
    model: CEVAE,
    taken: Tensor,
    written: Tensor,
    held_out: tuple[Tensor, Tensor],
    generator: torch.Generator,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    l2: float,
    beta: float,
    corruption: float,
    evaluate_every: int,
    patience: int,
) -> list[dict[str, float]]:
    """Train a network in place, and keep the state that ranks held out items best.

    Args:
        model: The network.
        taken: 1 where a user reviewed an item, ``(U, I)``.
        written: 1 where a user wrote of an aspect, ``(U, K)``.
        held_out: Users and items of the reviews that judge, ``(N,)`` each; without any, all epochs
            are run and the last state is kept.
        generator: Order of the users, corruption and latent vectors.
        epochs: Passes over the users at most.
        batch_size: Users per step.
        learning_rate: Of Adam.
        l2: Weight decay of Adam.
        beta: See `agents.critiquing.ce_vae.model.losses`.
        corruption: See there.
        evaluate_every: Epochs between looks at what is held out.
        patience: Looks without a better rank after which training ends.

    Returns:
        One entry per look: ``step`` (epochs), ``loss`` of the last epoch, and ``mrr`` of what is
        held out, if there is any.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, weight_decay=l2)
    report: list[dict[str, float]] = []
    best, best_state, since = -1.0, None, 0
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(taken), generator=generator, device=taken.device)
        total = torch.zeros((), device=taken.device)
        for rows in torch.split(order, batch_size):
            loss = losses(
                model,
                taken[rows],
                written[rows],
                beta=beta,
                corruption=corruption,
                generator=generator,
            )
            optimizer.zero_grad(set_to_none=True)
            loss.mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.detach().sum()
        if epoch % evaluate_every and epoch < epochs:
            continue
        entry = {"step": float(epoch), "loss": float(total) / max(len(taken), 1)}
        report.append(entry)
        if not len(held_out[0]):
            continue
        entry["mrr"] = mean_reciprocal_rank(model, taken, *held_out)
        since += 1
        if entry["mrr"] > best:
            best, since = entry["mrr"], 0
            best_state = {name: value.clone() for name, value in model.state_dict().items()}
        if since >= patience:
            break
    if best_state is not None:
        model.load_state_dict(best_state)
    return report


@torch.no_grad()
def mean_reciprocal_rank(model: CEVAE, taken: Tensor, users: Tensor, items: Tensor) -> float:
    """Return how high items are ranked among those that their users did not take.

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
