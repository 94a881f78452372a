"""Bot play: sessions of the model with a seeker that knows what they look for.

A session is about a train review: the seeker looks for its item g. At each turn the model ranks all
items, shows the best one for the aspects of a sampled justification, and the seeker criticises.

Reference: Li et al., arXiv:2112.05197.

Shapes: B sessions, I items, K aspects, d dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from agents.bot_play.model import CritiquedModel
from agents.bot_play.tables import Tables
from recsim.contracts.slates import AgentConfig
from recsim.critiquing.seeker import Rule, after_critique, critiquable, pick_aspect

Chance = Callable[[], Tensor]
"""Gives independent uniform numbers, ``(B, K)``, each time."""


class Play(AgentConfig):
    """How sessions are played and learned from.

    Attributes:
        turns: T.
        seeker: Whom the seeker follows, see `recsim.critiquing.seeker.pick_aspect`.
        critiques: How many aspects are criticised in a turn: ``one``, or ``all`` that may be.
        loss: ``ce``: cross-entropy over all items; ``bpr``: mean of ``-log sigmoid(s_g - s_j)``
            over the ``top`` items j that are ranked best, g aside.
        top: See there.
        justification_weight: Of the BCE.
        discount: gamma.
        inverse: Whether w_t is ``1 / (t + 1)`` in place of ``gamma^t``.
        last_turn_loss: Whether the last turn, whose critique nobody answers, has a loss too.
        early_stop: Whether a session in which g was shown is over.
        remove_shown: Whether items shown before can neither be shown nor be in the loss.
        freeze: Whether the encoder of preferences alone is trained.
        steps: Batches.
        batch_size: Sessions at a time.
        learning_rate: Of RAdam.
        l2: Its coupled weight decay.
    """

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
    def _there_is_a_loss_and_all_settings_matter(self) -> Self:
        if not self.losses:
            raise ValueError("turns must be 2 at least, or last_turn_loss true: no turn has a loss")
        for key, idle in (
            ("top", self.loss != "bpr"),
            ("seeker", self.critiques == "all"),
            ("discount", self.inverse),
        ):
            if idle and key in self.model_fields_set:
                raise ValueError(f"{key!r} has no effect with these settings: leave it out")
        return self

    @property
    def losses(self) -> int:
        """Turns with a loss."""
        return self.turns if self.last_turn_loss else self.turns - 1

    def weight(self, turn: int) -> float:
        """Return w_t of a turn, from 0 on."""
        return 1.0 / (turn + 1) if self.inverse else self.discount**turn


@dataclass(frozen=True, eq=False)
class Turn:
    """One turn of every session.

    Attributes:
        preferences: c before it, ``(B, K)``; no gradient reaches it.
        scores: Of all items, ``(B, I)``; -inf where an item is out of the game.
        items: Items shown, ``(B,)``.
        logits: Of their aspects, ``(B, K)``.
        going: Which sessions it counts in, ``(B,)`` bool.
        critiques: Aspects criticised, ``(B, K)`` bool.
    """

    preferences: Tensor
    scores: Tensor
    items: Tensor
    logits: Tensor
    going: Tensor
    critiques: Tensor


def sessions(
    model: CritiquedModel,
    tables: Tables,
    users: Tensor,
    goals: Tensor,
    play: Play,
    chance: Chance,
    *,
    listens: bool = True,
) -> Iterator[Turn]:
    """Play the turns that have a loss, one after the other.

    Args:
        model: Who shows.
        tables: What the aspects of items and users are.
        users: ``(B,)``.
        goals: Items that they look for, ``(B,)``.
        play: The rules.
        chance: Asked for numbers twice a turn: for the justification, then for picks at random.
        listens: Whether anything is criticised at all.
    """
    row = torch.arange(len(users), device=users.device)
    first = model.first_preferences(users)
    preferences, target = first, tables.item_aspects[goals]
    done = torch.zeros_like(target)
    going = torch.ones_like(row, dtype=torch.bool)
    out: Tensor | None = None  # (B, I): shown before
    for _ in range(play.losses):
        latent = model.latent(users, preferences)
        scores = model.scores(latent)
        if out is not None:
            scores = scores.masked_fill(out, -torch.inf)
        items = scores.detach().argmax(dim=1)
        logits = model.logits(latent, items)
        shown = chance() < torch.sigmoid(logits.detach())
        picks = chance()
        missed = items != goals
        pool = critiquable(shown, target, done) & (missed & going & listens)[:, None]
        critiques = pool
        if play.critiques == "one":
            critiques = pick_aspect(
                play.seeker,
                pool,
                popularity=tables.popularity,
                shown_counts=tables.item_counts[items],
                target_counts=tables.item_counts[goals],
                chance=picks,
            )
        yield Turn(preferences, scores, items, logits, going, critiques)
        preferences = after_critique(preferences, critiques, first)
        done = done | critiques
        if play.early_stop:
            going = going & missed
        if play.remove_shown:  # never the goal, which must stay in the loss
            out = torch.zeros_like(scores, dtype=torch.bool) if out is None else out.clone()
            out[row, items] |= missed
