"""How much less than the best known policy an agent earns, from the results over seeds."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

VALUE_GAP = "value_gap"


def best_known(seeds: pd.DataFrame, oracles: Collection[str]) -> str | None:
    """Return the oracle with the highest mean reward per user; None without one.

    The highest of several means is biased upwards, by less than the spread of each; oracles are few
    and differ by more.

    Args:
        seeds: From `recsim.trials.over_seeds.seeds_table`.
        oracles: Labels of the agents that know the state of users.
    """
    known = seeds[seeds["agent"].isin(oracles)]
    if known.empty or "reward_per_user" not in known:
        return None
    means = known.groupby("agent", sort=False)["reward_per_user"].mean()
    return str(means.idxmax())


def with_value_gap(seeds: pd.DataFrame, oracles: Collection[str]) -> pd.DataFrame:
    """Return the table of seeds with ``value_gap``, where there is an oracle to compare with.

    The gap is the reward per user of the best known policy minus that of the agent, on the same
    seed and users: NaN in seeds that the best known policy lacks, which tables leave out.

    Args:
        seeds: From `recsim.trials.over_seeds.seeds_table`.
        oracles: Labels of the agents that know the state of users.
    """
    best = best_known(seeds, oracles)
    if best is None:
        return seeds
    earned = seeds[seeds["agent"] == best].set_index("seed")["reward_per_user"]
    return seeds.assign(**{VALUE_GAP: seeds["seed"].map(earned) - seeds["reward_per_user"]})


def gap_text(seeds: pd.DataFrame, oracles: Collection[str]) -> str:
    """Return what the gap is, for the table that shows it."""
    how = f", of {len(oracles)} the one with the highest mean" if len(oracles) > 1 else ""
    return (
        f"Value gap: reward per user below that of {best_known(seeds, oracles)}, the best known "
        f"policy here{how}, on the same users; negative if the agent earns more."
    )
