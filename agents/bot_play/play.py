"""Sessions of the model with a simulated seeker.

A session is about a train review, whose item g is the target of the seeker. At each turn, the model
ranks all items, shows the best one with the aspects of a sampled justification, and the seeker
critiques one of them.

Reference: Li et al., arXiv:2112.05197.

Shapes: B sessions, I items, K aspects, d dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from agents.bot_play.model import CritiquedModel
from agents.bot_play.tables import Tables
from recsim.contracts.slates import AgentConfig, OnlyWith
from recsim.critiquing.seeker import Rule, after_critique, critiquable, pick_aspect

Chance = Callable[[], Tensor]
"""Returns new independent uniform numbers, ``(B, K)``, at every call."""


class PlayConfig(AgentConfig):
    """Settings of the sessions and of the training on them.

    Attributes:
        turns: T.
        seeker: Rule of the seeker, see `recsim.critiquing.seeker.pick_aspect`.
        critiques: Number of aspects critiqued in a turn: ``one``, or ``all`` that can be.
        loss: ``ce``: cross-entropy over all items; ``bpr``: mean of ``-log sigmoid(s_g - s_j)``
            over the ``top`` best items j other than g.
        top: See ``loss``.
        justification_weight: Weight of the loss of the justification.
        discount: gamma.
        inverse: Whether w_t is ``1 / (t + 1)`` instead of ``gamma^t``.
        last_turn_loss: Whether the last turn, which has no critique, has a loss too.
        early_stop: Whether a session ends when g is shown.
        remove_shown: Whether items shown before are excluded from later turns and their loss.
        freeze: Whether only the encoder of preferences is trained.
        steps: Number of batches.
        batch_size: Sessions per batch.
        learning_rate: Learning rate of RAdam.
        l2: Coupled weight decay of RAdam.
    """

    only_with: ClassVar[OnlyWith] = {
        "top": ("loss", ("bpr",)),
        "seeker": ("critiques", ("one",)),
        "discount": ("inverse", (False,)),
    }

    turns: PositiveInt = 5
    seeker: Rule = "popular"
    critiques: Literal["one", "all"] = "one"
    loss: Literal["ce", "bpr"] = "ce"
    top: PositiveInt = 10
    justification_weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    discount: float = Field(default=0.9, ge=0, le=1)
    inverse: bool = False
    last_turn_loss: bool = False
    early_stop: bool = False
    remove_shown: bool = False
    freeze: bool = False
    steps: PositiveInt = 1020
    batch_size: PositiveInt = 512
    learning_rate: float = Field(default=3e-3, gt=0, allow_inf_nan=False)
    l2: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _a_turn_has_a_loss(self) -> Self:
        if not self.losses:
            raise ValueError(
                "turns must be at least 2, or last_turn_loss must be true: no turn has a loss"
            )
        return self

    @property
    def losses(self) -> int:
        """Number of turns with a loss."""
        return self.turns if self.last_turn_loss else self.turns - 1

    def weight(self, turn: int) -> float:
        """Return w_t of a turn; the first is 0."""
        return 1.0 / (turn + 1) if self.inverse else self.discount**turn


@dataclass(frozen=True, eq=False)
class Turn:
    """One turn of every session.

    Attributes:
        preferences: c before the turn, without a gradient, ``(B, K)``.
        scores: Scores of all items, ``(B, I)``; -inf for excluded items.
        items: Items shown, ``(B,)``.
        logits: Logits of their aspects, ``(B, K)``.
        active: Which sessions have not ended before the turn, ``(B,)`` bool.
        critiques: Aspects critiqued, ``(B, K)`` bool.
    """

    preferences: Tensor
    scores: Tensor
    items: Tensor
    logits: Tensor
    active: Tensor
    critiques: Tensor


def sessions(
    model: CritiquedModel,
    tables: Tables,
    users: Tensor,
    targets: Tensor,
    config: PlayConfig,
    chance: Chance,
    *,
    listens: bool = True,
) -> Iterator[Turn]:
    """Yield the turns that have a loss, one after the other.

    Args:
        model: The model.
        tables: Aspects of items and users.
        users: ``(B,)``.
        targets: ``(B,)``.
        config: Settings.
        chance: Called twice per turn: for the justification, then for random picks.
        listens: Whether there are critiques.
    """
    row = torch.arange(len(users), device=users.device)
    first = model.first_preferences(users)
    preferences, target_aspects = first, tables.item_aspects[targets]
    done = torch.zeros_like(target_aspects)
    active = torch.ones_like(row, dtype=torch.bool)
    out: Tensor | None = None  # (B, I): shown before
    for _ in range(config.losses):
        latent = model.latent(users, preferences)
        scores = model.scores(latent)
        if out is not None:
            scores = scores.masked_fill(out, -torch.inf)
        items = scores.detach().argmax(dim=1)
        logits = model.logits(latent, items)
        shown = chance() < torch.sigmoid(logits.detach())
        picks = chance()
        missed = items != targets
        pool = critiquable(shown, target_aspects, done) & (missed & active & listens)[:, None]
        critiques = pool
        if config.critiques == "one":
            critiques = pick_aspect(
                config.seeker,
                pool,
                popularity=tables.popularity,
                shown_counts=tables.item_counts[items],
                target_counts=tables.item_counts[targets],
                chance=picks,
            )
        yield Turn(preferences, scores, items, logits, active, critiques)
        preferences = after_critique(preferences, critiques, first)
        done = done | critiques
        if config.early_stop:
            active = active & missed
        if config.remove_shown:  # never the target, which must stay in the loss
            out = torch.zeros_like(scores, dtype=torch.bool) if out is None else out.clone()
            out[row, items] |= missed
