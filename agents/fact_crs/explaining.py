"""Why the agent asked, or showed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.conversation import ConversationProblem


@dataclass(frozen=True)
class Reason:
    """What a turn was decided by.

    Attributes:
        attribute: What was asked for; None where a slate was shown.
        tree: Tree that proposed it.
        members: Training interactions at the node that was reached in it.
        items: Items that have all attributes to which the answer was yes, and were not shown.
        items_after_yes: Those of them that have the attribute.
        chance: Probability of a yes, or that the slate holds what the user looks for.
        gain_of_asking: See `agents.fact_crs.lookahead`; None where nothing was compared, -inf where
            there was no question.
        gain_of_showing: Likewise.
    """

    attribute: int | None
    tree: int
    members: int
    items: int
    items_after_yes: int
    chance: float
    gain_of_asking: float | None
    gain_of_showing: float | None

    def text(self, problem: ConversationProblem) -> str:
        """Say it in words."""
        asking, showing = self.gain_of_asking, self.gain_of_showing
        if self.attribute is None:
            said = f"Showed the best of {self.items:,} items: {self.chance:.0%} that one is right."
            if asking is None or showing is None:
                return said
            if not np.isfinite(asking):
                return f"{said} There was no question left to ask."
            return f"{said} No question was worth its turn ({asking:.3f} against {showing:.3f})."
        said = (
            f"Asked for '{problem.attribute_names[self.attribute]}' (tree {self.tree + 1}): a yes, "
            f"{self.chance:.0%} likely, leaves {self.items_after_yes:,} of {self.items:,} items."
        )
        if asking is None or showing is None:
            return said
        return f"{said} Asking gains {asking:.3f}, showing at once {showing:.3f}."
