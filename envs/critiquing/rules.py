"""The rules of a session: which aspects users criticise, and when they leave."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from envs.world.part import Part
from recsim.critiquing.seeker import Rule

Critiques = Literal["one", "all", "none"]
Feedback = Literal["negative", "positive", "both"]

# Settings that have no effect without critiques.
_OF_CRITIQUES = ("seeker", "feedback", "mistakes", "allow_arbitrary", "patience")


class Rules(Part):
    """Settings of the sessions.

    Attributes:
        seeker: Which of the aspects that may be criticised a user picks: the ``popular`` one, the
            ``unpopular`` one (an uncooperative user: the least informative critique), one at
            ``random``, or the one in which the item shown is most ``different`` from the goal; see
            `recsim.critiquing.seeker.pick_aspect`.
        critiques: How many aspects are criticised in a turn: ``one``, ``all`` of them, or ``none``
            (then settings of the critiques are refused).
        feedback: ``negative``: users criticise shown aspects that the goal lacks. ``positive``:
            they praise shown aspects that it has. ``both``: they do either.
        noise: Probability that the aspect of a turn is picked at random.
        mistakes: Probability that in a turn every shown aspect may be criticised, including those
            that the goal has.
        allow_arbitrary: Whether a user with no shown aspect to criticise picks another aspect that
            the goal lacks (or has, if feedback is ``positive``).
        patience: Number of items with an already criticised aspect after which the user leaves;
            None for never.
        max_turns: T. After the T-th item without success the session is over.
        mask_train: Whether items that the user reviewed in the train part may not be shown.
        cold_start: Whether all users are unknown: user -1, with zero counts.
        step_cost: Cost of every item that is not the goal.
        illegal: What happens when an item is shown that may not be: ``raise`` an error, or
            ``penalise``: the turn passes, and nothing is shown.
    """

    seeker: Rule = "popular"
    critiques: Critiques = "one"
    feedback: Feedback = "negative"
    noise: float = Field(0.0, ge=0, le=1)
    mistakes: float = Field(0.0, ge=0, le=1)
    allow_arbitrary: bool = False
    patience: int | None = Field(None, ge=1)
    max_turns: int = Field(10, ge=1)
    mask_train: bool = True
    cold_start: bool = False
    step_cost: float = Field(0.0, ge=0)
    illegal: Literal["raise", "penalise"] = "raise"

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> Self:
        idle = [key for key in _OF_CRITIQUES if key in self.model_fields_set]
        if self.critiques == "none" and idle:
            raise ValueError(f"{idle[0]} has no effect with critiques 'none': leave it out")
        if self.noise and (self.critiques != "one" or self.seeker == "random"):
            raise ValueError(
                "noise has no effect here: it needs critiques 'one' and a seeker that is not "
                "'random'"
            )
        return self
