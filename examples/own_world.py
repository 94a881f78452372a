"""Two effects of your own in a simulated world: the day of the week, and prices.

    python examples/own_world.py

Users click more at the weekend, and every user minds prices to a different degree, more so while
they have spent a lot. To use the parts by name, in scenario files too, put them in a package and
declare entry points: docs/own_worlds.md.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

import recsim
from envs.world.contracts import DynamicsPart
from recsim.draws import Purpose

SENSITIVITY = Purpose("weekday and price: sensitivity")


class Weekday(DynamicsPart):
    """Adds ``weekend`` to the utility of every item on days 5 and 6 of each week."""

    kind: Literal["weekday"] = "weekday"
    weekend: float = Field(1.0, ge=-20, le=20)

    def item_columns(self, items):
        """Return a column of ones: the effect is the same for all items."""
        return {"any": np.ones(len(items))}

    def weigh(self, xp, users):
        """Return the weight of the column today, ``(B,)``."""
        return {"any": self.weekend * xp.astype(users.day % 7 >= 5, xp.float32)}


class Price(DynamicsPart):
    """Lowers utility by price times the user's sensitivity, and more after spending.

    The sensitivity is uniform between 0 and 2 times ``sensitivity``. Spending is a moving sum with
    the memory ``memory`` per slate; each unit of it adds ``strain`` to the sensitivity, at most 1.
    """

    kind: Literal["price"] = "price"
    sensitivity: float = Field(1.0, ge=0, le=10)
    strain: float = Field(0.1, ge=0, le=1)
    memory: float = Field(0.8, ge=0, lt=1)

    def item_columns(self, items):
        """Return prices between 0 and 1 times the largest."""
        price = items.column("price")
        return {"price": price / price.max()}

    def start(self, xp, draws, users):
        """Draw the sensitivity of new users."""
        sensitivity = 2 * self.sensitivity * draws.uniform(SENSITIVITY, 1)[:, 0]
        return {"sensitivity": sensitivity, "spent": xp.zeros_like(sensitivity)}

    def weigh(self, xp, users):
        """Return the weight of the price, ``(B,)``."""
        strain = xp.clip(self.strain * users.own["spent"], 0.0, 1.0)
        return {"price": -users.own["sensitivity"] - strain}

    def after_step(self, xp, draws, users, consumed):
        """Add what was spent."""
        return {"spent": self.memory * users.own["spent"] + consumed["price"]}


def world() -> dict[str, Any]:
    """Return the changes to a preset: items with prices, and the two effects."""
    rng = np.random.default_rng(0)
    items = {
        "item": [f"item {number}" for number in range(60)],
        "group": rng.integers(6, size=60),
        "price": rng.uniform(1, 20, size=60),
    }
    return {"catalogue": {"data": items}, "dynamics": [Weekday(weekend=1.5), Price(strain=0.3)]}


def main() -> None:
    """Print the clicks per slate of three agents; with the same seed they meet the same users."""
    result = recsim.compare(
        {"id": "SlateRec-v0", "preset": "retention", "world": world()},
        {"random": "random", "linucb": "linucb", "oracle": "oracle"},
        seeds=3,
        users=200,
        steps=100,
    )
    clicks = result.table.query("metric == 'click_per_step'")
    print(clicks[["agent", "mean", "low", "high"]].round(3).to_string(index=False))


if __name__ == "__main__":
    main()
