"""Reasons why the agent asked a question or showed a slate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.conversation import ConversationProblem


@dataclass(frozen=True)
class Reason:
    """The numbers behind the decision of a turn.

    Attributes:
        attribute: Attribute of the question; None if a slate was shown.
        tree: Tree that proposed it.
        members: Number of training interactions at the tree's current node.
        items: Number of items that have all attributes with a yes and were not shown yet.
        items_after_yes: Number of these that have the attribute.
        chance: Probability of a yes, or that the slate holds the target.
        gain_of_asking: See `agents.shared.lookahead`; None if gains were not compared, -inf if
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
        """Return the reason in words."""
        asking, showing = self.gain_of_asking, self.gain_of_showing
        if self.attribute is None:
            text = f"Showed the best of {self.items:,} items: {self.chance:.0%} that one is right."
            if asking is None or showing is None:
                return text
            if not np.isfinite(asking):
                return f"{text} There was no question left to ask."
            return f"{text} No question was worth its turn ({asking:.3f} against {showing:.3f})."
        text = (
            f"Asked about '{problem.attribute_names[self.attribute]}' (tree {self.tree + 1}): a "
            f"yes, {self.chance:.0%} likely, leaves {self.items_after_yes:,} of {self.items:,} "
            "items."
        )
        if asking is None or showing is None:
            return text
        return f"{text} Asking gains {asking:.3f}, showing at once {showing:.3f}."
