"""Fine-tuning by bot play, and its control.

The loss of turn t, in which item i is shown to a user with the target g, is

    w_t (CE(scores, g) + w BCE(logits(i), aspects of g)),    w_t = gamma^t or 1 / (t + 1).

Its gradient reaches every weight through every turn; the items shown, the sampled aspects and the
critiques are constant. This is supervised learning: there are no rewards, and the seeker follows a
rule.

Reference: Li et al., arXiv:2112.05197.

Shapes: B sessions, I items, K aspects.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from agents.bot_play.model import CritiquedModel
from agents.bot_play.play import PlayConfig, Turn, sessions
from agents.bot_play.tables import Tables, passes
from agents.shared.early_stopping import descend, gradient_step


def turn_losses(turn: Turn, targets: Tensor, aspects: Tensor, config: PlayConfig) -> Tensor:
    """Return the loss of each session in a turn, without its weight, ``(B,)``; 0 if it has ended.

    Args:
        turn: The turn.
        targets: ``(B,)``.
        aspects: Aspects of the targets, ``(B, K)`` floats.
        config: Settings.
    """
    if config.loss == "ce":
        ranking = functional.cross_entropy(turn.scores, targets, reduction="none")
    else:
        ranking = best_items_loss(turn.scores, targets, config.top)
    why = functional.binary_cross_entropy_with_logits(turn.logits, aspects, reduction="none")
    losses: Tensor = ranking + config.justification_weight * why.mean(dim=1)
    return torch.where(turn.active, losses, 0.0)


def best_items_loss(scores: Tensor, targets: Tensor, top: int) -> Tensor:
    """Return the mean of ``-log sigmoid(s_g - s_j)`` over the best items j other than g, ``(B,)``.

    Args:
        scores: ``(B, I)``; -inf for items that do not count.
        targets: g, ``(B,)``.
        top: Number of items, at most I - 1.
    """
    own = scores.gather(1, targets[:, None])
    others = scores.scatter(1, targets[:, None], -torch.inf)
    best = others.topk(min(top, scores.shape[1] - 1), dim=1).values
    counted = torch.isfinite(best)
    losses = -functional.logsigmoid(own - best.masked_fill(~counted, 0.0))
    return (losses * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)


def play_loss(
    turns: Iterable[Turn], targets: Tensor, aspects: Tensor, config: PlayConfig
) -> Tensor:
    """Return the loss of some sessions: the sum over turns of ``w_t`` times the mean; a scalar.

    Args:
        turns: The turns, see `agents.bot_play.play.sessions`.
        targets: ``(B,)``.
        aspects: Aspects of the targets, ``(B, K)`` floats.
        config: Settings.
    """
    total = torch.zeros((), device=targets.device)
    for number, turn in enumerate(turns):
        total = total + config.weight(number) * turn_losses(turn, targets, aspects, config).mean()
    return total


def fine_tune(
    model: CritiquedModel,
    tables: Tables,
    config: PlayConfig,
    generator: torch.Generator,
    *,
    listens: bool = True,
) -> list[dict[str, float]]:
    """Fine-tune a base in place with sessions about train reviews.

    Args:
        model: The base.
        tables: Reviews.
        config: Settings.
        generator: Random generator of order, justifications and picks.
        listens: Whether there are critiques; if not, this is the control: the same loss for the
            same number of steps, to separate the effect of critiques from that of more training.

    Returns:
        About 100 entries with ``step`` and ``loss``, the mean since the last entry.
    """
    trained = model.encoder if config.freeze else model
    model.requires_grad_(False)
    trained.requires_grad_(True)
    optimizer = torch.optim.RAdam(
        trained.parameters(), lr=config.learning_rate, weight_decay=config.l2
    )
    batches = passes(len(tables.users), config.batch_size, generator)
    every = max(1, config.steps // 100)

    def losses() -> Iterator[Tensor]:
        for rows in itertools.islice(batches, config.steps):
            shape = len(rows), len(tables.popularity)

            def chance(shape: tuple[int, int] = shape) -> Tensor:
                return torch.rand(shape, generator=generator, device=generator.device)

            users, targets = tables.users[rows], tables.items[rows]
            turns = sessions(model, tables, users, targets, config, chance, listens=listens)
            yield play_loss(turns, targets, tables.item_aspects[targets].float(), config)[None]

    report = descend(
        model, partial(gradient_step, optimizer), losses(), steps=config.steps, every=every
    )
    model.requires_grad_(True)
    return report
