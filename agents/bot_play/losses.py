"""What bot play minimises.

The loss of turn t, in which item i is shown to somebody who looks for g, is

    w_t (CE(scores, g) + w BCE(logits(i), aspects of g)),    w_t = gamma^t or 1 / (t + 1).

Its gradient reaches every weight through every turn; what was shown, sampled and criticised is
constant. It is supervised learning: nothing is rewarded, and the seeker follows a rule.

Reference: Li et al., arXiv:2112.05197.

Shapes: B sessions, I items, K aspects.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from agents.bot_play.model import CritiquedModel
from agents.bot_play.play import Chance, Play, Turn, sessions
from agents.bot_play.tables import Tables


def turn_losses(turn: Turn, goals: Tensor, aspects: Tensor, play: Play) -> Tensor:
    """Return the loss of each session in a turn, before its weight, ``(B,)``; 0 where it is over.

    Args:
        turn: The turn.
        goals: ``(B,)``.
        aspects: Aspects of the goals, ``(B, K)`` floats.
        play: Which loss.
    """
    if play.loss == "ce":
        ranking = functional.cross_entropy(turn.scores, goals, reduction="none")
    else:
        ranking = best_items_loss(turn.scores, goals, play.top)
    why = functional.binary_cross_entropy_with_logits(turn.logits, aspects, reduction="none")
    losses: Tensor = ranking + play.justification_weight * why.mean(dim=1)
    return torch.where(turn.going, losses, 0.0)


def best_items_loss(scores: Tensor, goals: Tensor, top: int) -> Tensor:
    """Return the mean of ``-log sigmoid(s_g - s_j)`` over the best items j but g, ``(B,)``.

    Args:
        scores: ``(B, I)``; -inf for items that do not count.
        goals: g, ``(B,)``.
        top: How many items, I - 1 at most.
    """
    own = scores.gather(1, goals[:, None])
    others = scores.scatter(1, goals[:, None], -torch.inf)
    best = others.topk(min(top, scores.shape[1] - 1), dim=1).values
    counted = torch.isfinite(best)
    losses = -functional.logsigmoid(own - best.masked_fill(~counted, 0.0))
    return (losses * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)


def play_loss(
    model: CritiquedModel,
    tables: Tables,
    users: Tensor,
    goals: Tensor,
    play: Play,
    chance: Chance,
    *,
    listens: bool = True,
) -> Tensor:
    """Return the loss of some sessions: the sum over turns of ``w_t`` times the mean; a scalar.

    Arguments are those of `sessions`.
    """
    aspects = tables.item_aspects[goals].float()
    turns = sessions(model, tables, users, goals, play, chance, listens=listens)
    total = torch.zeros((), device=users.device)
    for number, turn in enumerate(turns):
        total = total + play.weight(number) * turn_losses(turn, goals, aspects, play).mean()
    return total
