"""The rules of a conversation: questions, answers, turns and rewards."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from envs.world.part import Part

AnswerModel = Literal["item", "user_and_item", "unknown"]
Question = Literal["binary", "enumerated", "multi_choice"]
Opening = Literal["none", "free", "costs_turn"]

# Entries of ``obs["answers"]``.
UNASKED, YES, NO, UNKNOWN = 0, 1, 2, 3

# Entries of ``obs["history"]``; 0 for a turn that was not taken yet.
ASKED_YES, ASKED_NO, ASKED_UNKNOWN, HIT, MISS, ILLEGAL = 1, -1, 3, 2, -2, -3


class Rewards(Part):
    """Reward of each event.

    The defaults are those of the published code of Lei et al., KDD 2020 (arXiv:2007.00194). A last
    turn without success earns ``out_of_turns`` instead of the reward of its event.
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
            user also cares about it, else no. ``unknown``: as ``user_and_item``, but a user who
            does not care about an attribute of the target answers so, instead of no.
        noise: Probability that a yes is turned into a no, or a no into a yes.
        question: ``binary``: about one attribute. ``enumerated``: about a class of attributes; the
            answer names those of the class that apply. ``multi_choice``: about up to ``choices``
            attributes at once.
        choices: Attributes of a ``multi_choice`` question.
        opening: Whether the user opens with an attribute that they answer with yes, if there is
            one: ``none``, ``free`` (before the first turn) or ``costs_turn``.
        max_turns: T. The T-th action is evaluated; then the conversation is over.
        slate_size: K.
        acceptable: How many items the user accepts: the drawn one, and further ones that they took
            in the same part of the data and that share an attribute with it.
        illegal: What happens when the agent asks again, asks on the last turn, or shows an item
            again: ``raise`` an error, or ``penalise``: the turn passes.
        free_recommendations: How many slates an agent may show without a turn passing. 0 is the
            fair count; larger values are for comparison with published figures that were counted
            so, and results with them can be compared with those only.
        mask_certain: Whether attributes that all remaining candidates have, or none of them, are
            masked.
        rewards: Reward of each event.
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
        """Largest number of slates in a conversation."""
        return self.max_turns + self.free_recommendations

    @model_validator(mode="after")
    def _turns_are_left(self) -> Self:
        if self.opening == "costs_turn" and self.max_turns < 2:
            raise ValueError("an opening that costs a turn needs max_turns of at least 2")
        return self
