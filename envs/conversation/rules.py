"""The rules of a conversation: what may be asked, what is answered, what it earns."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from envs.world.part import Part

AnswerModel = Literal["item", "user_and_item", "unknown"]
Question = Literal["binary", "enumerated", "multi_choice"]
Opening = Literal["none", "free", "costs_turn"]

# What stands in ``obs["answers"]``.
UNASKED, YES, NO, UNKNOWN = 0, 1, 2, 3

# What stands in ``obs["history"]``; 0 where no turn was taken yet.
ASKED_YES, ASKED_NO, ASKED_UNKNOWN, HIT, MISS, ILLEGAL = 1, -1, 3, 2, -2, -3


class Rewards(Part):
    """What each event earns.

    The defaults are those of Lei et al., KDD 2020 (arXiv:2007.00194), as their published code has
    them. The last turn, if it does not succeed, earns ``out_of_turns`` in place of the rest.
    """

    ask_yes: float = 0.01
    ask_no: float = -0.1
    accept: float = 1.0
    reject: float = -0.1
    out_of_turns: float = -0.3
    illegal: float = -0.1


class Rules(Part):
    """Settings of the conversations.

    Attributes:
        answer_model: ``item``: yes if the target has the attribute. ``user_and_item``: yes if the
            user cares for it too, else no. ``unknown``: the same, but who does not care for an
            attribute of the target says so, instead of no.
        noise: Probability that a yes is told as a no, or a no as a yes.
        question: ``binary``: about one attribute. ``enumerated``: about a class of attributes; the
            answer names those of it that apply. ``multi_choice``: about up to ``choices``
            attributes at once.
        choices: See ``multi_choice``.
        opening: Whether the user opens with an attribute to which the answer is yes, if there is
            one: ``none``, ``free`` (before the first turn) or ``costs_turn``.
        max_turns: T. The T-th action is evaluated; then the conversation is over.
        slate_size: K.
        acceptable: How many items the user would accept: the drawn one, and further ones that
            they took in the same part of the data and that share an attribute with it.
        illegal: What happens when the agent asks again, asks on the last turn, or shows an item
            again: ``raise`` an error, or ``penalise``: the turn passes.
        free_recommendations: How many slates an agent may show without a turn passing. 0 is honest;
            more is for comparison with published figures that were counted so, and figures of it
            are comparable with those only.
        mask_certain: Whether attributes that all remaining candidates have, or none, are masked.
        rewards: What each event earns.
    """

    answer_model: AnswerModel = "user_and_item"
    noise: float = Field(0.0, ge=0, lt=0.5)
    question: Question = "binary"
    choices: int = Field(2, ge=2)
    opening: Opening = "none"
    max_turns: int = Field(10, ge=1)
    slate_size: int = Field(10, ge=1)
    acceptable: int = Field(1, ge=1)
    illegal: Literal["raise", "penalise"] = "raise"
    free_recommendations: int = Field(0, ge=0)
    mask_certain: bool = False
    rewards: Rewards = Rewards()

    @property
    def most_slates(self) -> int:
        """Slates that a conversation can have."""
        return self.max_turns + self.free_recommendations

    @model_validator(mode="after")
    def _turns_are_left(self) -> Self:
        if self.opening == "costs_turn" and self.max_turns < 2:
            raise ValueError("an opening that costs a turn needs max_turns of at least 2")
        return self
