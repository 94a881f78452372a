"""Parts as another package would write them, for the tests."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from envs.world.contracts import (
    CandidatesPart,
    CataloguePart,
    ChoicePart,
    DynamicsPart,
    PopulationPart,
    RetentionPart,
)
from envs.world.items import Items
from recsim.draws import Purpose

MOOD, NEW, BACK, OFFER = (Purpose(f"own parts: {name}") for name in ("mood", "new", "back", "of"))


class Luce(ChoicePart):
    """At most one click, by a logit without a no-click option."""

    at_most_one: ClassVar[bool] = True
    kind: Literal["luce"] = "luce"

    def probabilities(self, xp, utility, shown=None):
        weights = xp.exp(utility) if shown is None else xp.exp(utility) * shown
        return 0.9 * weights / weights.sum(1)[:, None]


class Separate(ChoicePart):
    """Every item is clicked by itself."""

    at_most_one: ClassVar[bool] = False
    kind: Literal["separate"] = "separate"

    def probabilities(self, xp, utility, shown=None):
        chance = 1 / (1 + xp.exp(2 - utility))
        return chance if shown is None else chance * shown

    def best_slate(self, xp, utility, payoff, slate_size):
        gain = payoff / (1 + xp.exp(2 - utility))
        best = xp.argsort(-gain, axis=1)[:, :slate_size]
        return xp.where(xp.take_along_axis(gain, best, axis=1) > 0, best, best[:, :1])


class Moody(DynamicsPart):
    """Users like the group that they clicked, by a mood of their own, until they come back."""

    kind: Literal["moody"] = "moody"
    strength: float = 2.0

    def item_columns(self, items):
        return {"group": np.eye(items.num_groups)[items.group], "one": np.ones(len(items))}

    def start(self, xp, draws, users):
        mood = draws.uniform(MOOD, 1)[:, 0]
        groups = xp.zeros((len(mood), 4), dtype=mood.dtype, device=users.interest.device)
        return {"mood": mood, "liked": groups + 0 * mood[:, None]}

    def weigh(self, xp, users):
        weekday = xp.astype(users.day % 7 == 1, xp.float32)
        liked = users.own["mood"][:, None] * users.own["liked"]
        return {"group": self.strength * liked, "one": weekday}

    def after_step(self, xp, draws, users, consumed):
        noise = draws.uniform(MOOD, 1)
        return {"liked": 0.5 * users.own["liked"] + 0.5 * noise * (consumed["group"] > 0)}

    def after_session(self, xp, draws, users, gap):
        return {"liked": 0 * users.own["liked"]}


class Corners(PopulationPart):
    """Users whose interest is one of the axes; one feature, a coin."""

    kind: Literal["corners"] = "corners"

    def feature_bounds(self, dim):
        return np.array([[0.0], [1.0]])

    def draw(self, xp, draws, centres):
        chance = draws.uniform(NEW, 2)
        axes = xp.eye(centres.shape[1], dtype=centres.dtype, device=centres.device)
        chosen = xp.astype(chance[:, 0] * centres.shape[1], xp.int64)
        return xp.take(axes, chosen, axis=0), chance[:, 1:]


class Four(CataloguePart):
    """Four groups on a circle."""

    kind: Literal["four"] = "four"
    num_items: int = 24

    def draw(self):
        group = np.arange(self.num_items) % 4
        centres = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32)
        level = np.linspace(0, 1, self.num_items, dtype=np.float32)
        return Items(
            embedding=centres[group],
            centres=centres,
            group=group,
            quality=level,
            bait=1 - level,
            minutes=1 + level,
            features=centres[group],
        )


class Patient(RetentionPart):
    """Everyone returns after one to three days, but a tenth never."""

    kind: Literal["patient"] = "patient"

    def longest_gap(self):
        return 3

    def draw(self, xp, draws, satisfaction):
        chance = draws.uniform(BACK, 2)
        churned = chance[:, 0] < 0.1
        gap = xp.floor(chance[:, 1] * 3) + 1
        return xp.where(churned, xp.zeros_like(gap), gap), churned


class Window(CandidatesPart):
    """Neighbours on the list of items, from a place that depends on the day."""

    kind: Literal["window"] = "window"
    num_items: int = 24

    def draw(self, xp, draws, users, count):
        place = xp.astype(draws.uniform(OFFER, 1) * self.num_items, xp.int64)  # (B, 1)
        near = xp.arange(count, device=place.device)[None, :]
        return (place + users.day[:, None] + near) % self.num_items


class Shared(DynamicsPart):
    """Two states that begin as one array, the memory of the random numbers."""

    kind: Literal["shared"] = "shared"

    def item_columns(self, items):
        return {"one": np.ones(len(items))}

    def start(self, xp, draws, users):
        one = draws.uniform(MOOD, 1)[:, 0]
        return {"first": one, "second": one}

    def weigh(self, xp, users):
        return {"one": users.own["first"] - users.own["second"]}

    def after_step(self, xp, draws, users, consumed):
        return {"first": users.own["first"] + 1 + 0 * draws.uniform(MOOD, 1)[:, 0]}


class Doubles(Four):
    """Items and users in double precision, and candidates that are one array for all."""

    kind: Literal["doubles"] = "doubles"

    def draw(self):
        items = super().draw()
        double = {
            name: getattr(items, name).astype(np.float64) for name in ("embedding", "centres")
        }
        return replace(items, **double, features=items.features.astype(np.float64))
