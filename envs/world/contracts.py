"""What a world and its parts owe each other, one class per slot of a world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.world.backend import Array, Backend
from envs.world.clicks import draw_each, draw_one
from envs.world.items import Items
from envs.world.part import Part
from recsim.arrays import Floats
from recsim.draws import Draws


class CataloguePart(Part):
    """Where the items come from."""

    def draw(self) -> Items:
        """Return the items."""
        raise NotImplementedError


class UserSource(Protocol):
    """New users, for the items of one world."""

    def feature_bounds(self, dim: int) -> Floats:
        """Return the lowest and highest value of every user feature, ``(2, F)``."""
        ...

    def draw(self, xp: Any, draws: Draws, centres: Array) -> tuple[Array, Array]:
        """Draw users; see `PopulationPart.draw`."""
        ...


class PopulationPart(Part):
    """Who new users are."""

    def feature_bounds(self, dim: int) -> Floats:
        """Return the lowest and highest value of every user feature, ``(2, F)``.

        Args:
            dim: Dimensions of interests, d.
        """
        return np.outer([-np.inf, np.inf], np.ones(dim))

    def bind(self, items: Items, backend: Backend) -> UserSource:
        """Return what `draw` is called on, for the items of one world; by default this part.

        A part that reads a file does so here, once for every environment.
        """
        del items, backend
        return self

    def draw(self, xp: Any, draws: Draws, centres: Array) -> tuple[Array, Array]:
        """Draw users.

        Args:
            xp: Array namespace.
            draws: Random numbers of B users.
            centres: Group centres, ``(G, d)``.

        Returns:
            Interests ``(B, d)`` of length 1 and features ``(B, F)``, both float32.
        """
        raise NotImplementedError


class ChoicePart(Part):
    """Which items of a slate a user clicks."""

    at_most_one: ClassVar[bool]
    """Whether a slate gets at most one click."""

    def probabilities(self, xp: Any, utility: Array, shown: Array | None = None) -> Array:
        """Return the exact click probability of each slot, ``(B, K)``.

        Args:
            xp: Array namespace.
            utility: ``(B, K)`` float32.
            shown: False where a slot shows nothing, ``(B, K)``, whose probability is 0; None if
                every slot shows an item.
        """
        raise NotImplementedError

    def draw(self, xp: Any, draws: Draws, utility: Array, shown: Array | None = None) -> Array:
        """Draw clicks, bool ``(B, K)``.

        By default from `probabilities`: one click at most if ``at_most_one``, else every slot by
        itself.
        """
        chance = self.probabilities(xp, utility, shown)
        if self.at_most_one:
            return draw_one(draws, chance.cumsum(1), 1.0)
        return draw_each(draws, chance)

    def best_slate(self, xp: Any, utility: Array, payoff: Array, slate_size: int) -> Array | None:
        """Return indices of the slate with the largest expected payoff, ``(B, K)``.

        By default None: the oracle is then a guess, the items that are worth most when they are
        shown alone, and environments say so.

        Args:
            xp: Array namespace.
            utility: Utility of every candidate, ``(B, C)``.
            payoff: Reward of a click on it, ``(B, C)``; may be negative.
            slate_size: K, at most C. A slot that repeats an earlier item shows nothing.
        """
        del xp, utility, payoff, slate_size
        return None


class UserView(NamedTuple):
    """B users as a part sees them; arrays must not be changed in place.

    Attributes:
        own: The part's own state of each user, ``(B,)`` or ``(B, n)`` each; see
            `DynamicsPart.start`.
        day: Day, from 0, ``(B,)`` int64.
        session: Session of the user, from 0, ``(B,)`` int64.
        step: Step of the session, from 0, ``(B,)`` int64.
        slates: Slates shown since arrival, ``(B,)`` int64.
        interest: ``(B, d)``, of length 1.
        satisfaction: In [0, 1], ``(B,)``; zeros in a world without satisfaction.
        features: What the system observes, ``(B, F)``.
    """

    own: Mapping[str, Array]
    day: Array
    session: Array
    step: Array
    slates: Array
    interest: Array
    satisfaction: Array
    features: Array


class DynamicsPart(Part):
    """An effect on utilities that may depend on time, on the user, and on what was consumed.

    The part adds columns to the table of items and weighs them for every user; their product is
    added to the utility of every item. So the oracle and expected rewards stay exact.
    """

    def item_columns(self, items: Items) -> Mapping[str, NDArray[Any]]:
        """Return the numbers of every item that the part reads, ``(I,)`` or ``(I, n)`` each."""
        raise NotImplementedError

    def start(self, xp: Any, draws: Draws, users: UserView) -> Mapping[str, Array]:
        """Return the part's own state of new users by name, ``(B,)`` or ``(B, n)`` each.

        Args:
            xp: Array namespace.
            draws: Random numbers of the users.
            users: The new users, whose ``own`` is empty.
        """
        del xp, draws, users
        return {}

    def weigh(self, xp: Any, users: UserView) -> Mapping[str, Array]:
        """Return the weight of columns in the utility of the next slate.

        Args:
            xp: Array namespace.
            users: The users before they are shown it.

        Returns:
            ``(B,)`` for a column ``(I,)``, ``(B, n)`` for one of ``(I, n)``; a column that is left
            out has no weight.
        """
        raise NotImplementedError

    def after_step(
        self, xp: Any, draws: Draws, users: UserView, consumed: Mapping[str, Array]
    ) -> Mapping[str, Array]:
        """Return those entries of the part's own state that change with a slate.

        Args:
            xp: Array namespace.
            draws: Random numbers of the users.
            users: The users at the time of the slate.
            consumed: Sum of every column over the clicked items, ``(B,)`` or ``(B, n)``.
        """
        del xp, draws, users, consumed
        return {}

    def after_session(
        self, xp: Any, draws: Draws, users: UserView, gap: Array
    ) -> Mapping[str, Array]:
        """Return those entries of the part's own state that change between two sessions.

        Args:
            xp: Array namespace.
            draws: Random numbers of the users.
            users: The users before the gap.
            gap: Days until the return, ``(B,)`` float; 0 where no session ended or the user never
                returns. Entries of these users are not changed.
        """
        del xp, draws, users, gap
        return {}

    @property
    def changes_users(self) -> bool:
        """Whether what is shown changes users: whether the part reacts to slates or sessions."""
        kind, base = type(self), DynamicsPart
        return (
            kind.after_step is not base.after_step or kind.after_session is not base.after_session
        )


class RetentionPart(Part):
    """Whether and when a user returns after a session."""

    def longest_gap(self) -> int:
        """Return a number of days that no gap exceeds."""
        raise NotImplementedError

    def draw(self, xp: Any, draws: Draws, satisfaction: Array) -> tuple[Array, Array]:
        """Draw whether and when users return.

        Args:
            xp: Array namespace.
            draws: Random numbers of the users.
            satisfaction: In [0, 1], ``(B,)``.

        Returns:
            Whole days until the return, ``(B,)`` float32, 0 if the user leaves for good and else at
            least 1; and whether they leave for good, ``(B,)`` bool.
        """
        raise NotImplementedError


class CandidatesPart(Part):
    """Which items may be shown to a user: the first stage of a two-stage recommender."""

    def bind(self, items: Items, backend: Backend) -> CandidateSource:
        """Return what `draw` is called on, for the items of one world; by default this part."""
        del items, backend
        return self

    def draw(self, xp: Any, draws: Draws, users: UserView, count: int) -> Array:
        """Draw candidates, item ids int64 ``(B, count)``, distinct in every row.

        Args:
            xp: Array namespace.
            draws: Random numbers of the users.
            users: The users before the next slate; ``own`` is empty.
            count: C, less than the number of items.
        """
        raise NotImplementedError


class CandidateSource(Protocol):
    """A generator of candidates, for the items of one world."""

    def draw(self, xp: Any, draws: Draws, users: UserView, count: int) -> Array:
        """Draw candidates; see `CandidatesPart.draw`."""
        ...


class Step(NamedTuple):
    """One step of B users, as a reward sees it; arrays must not be changed in place.

    Attributes:
        xp: Array namespace.
        items: Item numbers, ``(B, K)`` int64.
        clicks: Clicked slots, ``(B, K)`` bool.
        rewards: The rewards of the world by name, ``(B,)`` each.
        catalogue: The items; its arrays are numpy.
        users: The users before the step; ``own`` is empty.
        session_end: Whether the session ended, ``(B,)`` bool; None if no session did.
    """

    xp: Any
    items: Array
    clicks: Array
    rewards: Mapping[str, Array]
    catalogue: Items
    users: UserView
    session_end: Array | None


class RewardPart(Part):
    """A named reward of every step."""

    def __call__(self, step: Step) -> Array:
        """Return the reward of every user, ``(B,)``."""
        raise NotImplementedError
