"""Training by bot play, and its control."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.bot_play.losses import play_loss
from agents.bot_play.model import CritiquedModel
from agents.bot_play.play import Play
from agents.bot_play.tables import Tables, passes


def fine_tune(
    model: CritiquedModel,
    tables: Tables,
    play: Play,
    generator: torch.Generator,
    *,
    listens: bool = True,
) -> list[dict[str, float]]:
    """Train a base in place by sessions about train reviews.

    Args:
        model: The base.
        tables: Reviews.
        play: The rules.
        generator: Of order, justifications and picks.
        listens: Whether anything is criticised; if not, this is the control: the same loss as
            often, so that what critiques add can be told from what more training adds.

    Returns:
        About 100 entries with ``step`` and ``loss``, the mean since the last entry.
    """
    trained = model.encoder if play.freeze else model
    model.requires_grad_(False)
    trained.requires_grad_(True)
    optimizer = torch.optim.RAdam(trained.parameters(), lr=play.learning_rate, weight_decay=play.l2)
    batches = passes(len(tables.users), play.batch_size, generator)
    every = max(1, play.steps // 100)
    report: list[dict[str, float]] = []
    seen: list[Tensor] = []
    for step, rows in zip(range(1, play.steps + 1), batches, strict=False):
        shape = len(rows), len(tables.popularity)

        def chance(shape: tuple[int, int] = shape) -> Tensor:
            return torch.rand(shape, generator=generator, device=generator.device)

        loss = play_loss(
            model, tables, tables.users[rows], tables.items[rows], play, chance, listens=listens
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seen.append(loss.detach())
        if step % every == 0 or step == play.steps:
            report.append({"step": float(step), "loss": float(torch.stack(seen).mean())})
            seen.clear()
    model.requires_grad_(True)
    return report
