"""The parts of a world."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from envs.world.catalogue import Catalogue
from envs.world.checked import called
from envs.world.choice import MultinomialLogit
from envs.world.contracts import (
    CandidatesPart,
    CataloguePart,
    ChoicePart,
    DynamicsPart,
    PopulationPart,
    RetentionPart,
)
from envs.world.dynamics import GroupFatigue, InterestDrift, Satisfaction, SessionBudget
from envs.world.oracle import finds_best
from envs.world.part import Part
from envs.world.population import Population
from envs.world.registry import open_slot, open_slots

# Largest utility whose exponentials can be summed in float32.
MAX_UTILITY = 80.0
# The rewards that a world may have by itself.
REWARDS = ("click", "watch", "return")


class WorldConfig(Part):
    r"""The parts of a world; a part that is None is absent.

    The utility of item i for a user with interest u, satisfaction s and fatigue f is

    .. math:: \text{affinity}\,\langle u, e_i \rangle + \text{bait_appeal}\,(b_i - \tfrac12)
       + \text{quality_appeal}\,(q_i - \tfrac12) + \text{appeal}\,(s - \tfrac12)
       - \text{weight}\, f_{g(i)}.

    The rewards are ``click`` (number of clicks), ``watch`` (minutes) and, where there is
    retention, ``return`` (1 / days until the return). ``foresight`` is the value of one unit of
    satisfaction to `World.long_term_slate`, in units of immediate reward; it does not affect users.
    """

    catalogue: Annotated[CataloguePart, open_slot("catalogue")] = Catalogue()
    population: Annotated[PopulationPart, open_slot("population")] = Population()
    choice: Annotated[ChoicePart, open_slot("choice")] = MultinomialLogit()
    drift: InterestDrift | None = None
    satisfaction: Satisfaction | None = None
    fatigue: GroupFatigue | None = None
    session: SessionBudget | None = None
    retention: Annotated[RetentionPart | None, open_slot("retention")] = None
    dynamics: Annotated[tuple[DynamicsPart, ...], open_slots("dynamics")] = ()
    candidates: Annotated[CandidatesPart | None, open_slot("candidates")] = None
    affinity: float = Field(4.0, gt=0, description="weight of interest in utility")
    bait_appeal: float = Field(0.0, ge=0, description="weight of bait in utility")
    quality_appeal: float = Field(0.0, ge=0, description="weight of quality in utility")
    foresight: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _parts_fit(self) -> WorldConfig:
        if self.retention and not (self.session and self.satisfaction):
            raise ValueError("retention needs both a session and a satisfaction part")
        if self.foresight and not self.satisfaction:
            raise ValueError("foresight needs a satisfaction part")
        largest = self.largest_utility
        if largest > MAX_UTILITY:
            raise ValueError(
                f"utilities can reach {largest:g}, whose exponential overflows; "
                f"lower the weights so that they stay below {MAX_UTILITY:g}"
            )
        return self

    @property
    def largest_utility(self) -> float:
        """The largest utility of an item without the effects of ``dynamics``."""
        largest = self.affinity + (self.bait_appeal + self.quality_appeal) / 2
        return largest + (self.satisfaction.appeal / 2 if self.satisfaction else 0)

    @property
    def inexact(self) -> tuple[str, ...]:
        """Why the oracle slate is a guess, a sentence per part; empty where it is exact."""
        if finds_best(self.choice):
            return ()
        return (f"choice {called(self.choice)!r} has no method 'best_slate'",)

    @property
    def changes_users(self) -> bool:
        """Whether what is shown changes users: their interest, mood, time or return."""
        parts = (self.drift, self.satisfaction, self.fatigue, self.session, self.retention)
        if any(part is not None for part in parts):
            return True
        return any(part.changes_users for part in self.dynamics)

    @property
    def reward_names(self) -> tuple[str, ...]:
        """Names of the rewards, in the order of the feedback vector."""
        return REWARDS if self.retention else REWARDS[:2]
