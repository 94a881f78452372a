"""The rules of a session: who criticises what, and when they have enough."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from envs.world.part import Part
from recsim.critiquing.seeker import Rule

Critiques = Literal["one", "all", "none"]
Feedback = Literal["negative", "positive", "both"]

# Settings of who criticises.
_OF_CRITIQUES = ("seeker", "feedback", "mistakes", "allow_arbitrary", "patience")


class Rules(Part):
    """Settings of the sessions.

    Attributes:
        seeker: What is picked from the aspects that may be criticised: the ``popular`` one, the
            ``unpopular`` (an uncooperative seeker: it tells the least), one at ``random``, or the
            one for which the item shown is most ``different`` from the target; see
            `recsim.critiquing.seeker.pick_aspect`.
        critiques: How many are criticised in a turn: ``one``, ``all`` of them, or ``none``, with
            which settings of who criticises are refused.
        feedback: ``negative``: shown aspects that the target lacks are criticised. ``positive``:
            shown aspects that it has are praised. ``both``: any shown aspect, as it deserves.
        noise: Probability that what is picked in a turn is picked at random.
        mistakes: Probability that in a turn every shown aspect may be criticised, also those that
            the target has.
        allow_arbitrary: Whether a seeker with nothing to say of what is shown names any other
            aspect that the target lacks (or has, if feedback is ``positive``).
        patience: After how many items that have an aspect criticised before the user leaves; None
            for never.
        max_turns: T. After the T-th item without success the session is over.
        mask_train: Whether items that the user reviewed in the train part may not be shown.
        cold_start: Whether nobody is known: user -1, of whom nothing was counted.
        step_cost: What an item costs that is not the target.
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
    def _somebody_criticises(self) -> Self:
        idle = [key for key in _OF_CRITIQUES if key in self.model_fields_set]
        if self.critiques == "none" and idle:
            raise ValueError(f"{idle[0]} has no effect with critiques 'none': leave it out")
        return self

    @model_validator(mode="after")
    def _a_pick_is_made(self) -> Self:
        if self.noise and (self.critiques != "one" or self.seeker == "random"):
            raise ValueError(
                "noise has no effect: nothing is picked by a rule; it needs critiques 'one' and a "
                "seeker that is not 'random'"
            )
        return self
