"""For whom a result holds: metrics of simulated users by group of users or of items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recsim.arrays import Floats, Ints
from recsim.errors import ScenarioError
from recsim.metrics import exposure
from recsim.play.rollout import Rollout
from recsim.report.intervals import doubt_notes, metric_cells, pair_cells, undefined_notes
from recsim.report.summary import Note, Table
from recsim.report.words import counted
from recsim.scenario.schema import Scenario
from recsim.scenario.trial import Results
from recsim.trials.over_seeds import comparisons_table, metrics_table

if TYPE_CHECKING:
    import pandas as pd

By = Literal["user_group", "item_group", "history"]

OF_CLICKS = ("exposure_share", "click_share", "clicks_per_item_shown")
OF_HITS = ("exposure_share", "target_share", "recall")


def check_groups(played: Rollout, by: By) -> None:
    """Refuse groups that a world does not have.

    Args:
        played: Any rollout in the world.
        by: What the groups are of.

    Raises:
        ScenarioError: If there are none, or one.
    """
    if by == "user_group" and played.user_groups is None:
        raise ScenarioError("by: this environment has no groups of users.")
    if by == "item_group" and not played.problem.item_groups.any():
        raise ScenarioError("by: the items of this world are all of one group.")


def metrics_by_group(
    played: Rollout, by: By, metrics_of: Callable[[Sequence[Rollout]], dict[str, float]]
) -> dict[str, dict[str, float]]:
    """Return metrics by group: `item_group_metrics`, or those of each group of users.

    Args:
        played: Of all users.
        by: What the groups are of.
        metrics_of: The metrics of some rollouts.
    """
    if by == "item_group":
        return item_group_metrics(played)
    groups = played.user_groups
    assert groups is not None
    return {str(g): metrics_of([played.of_users(groups == g)]) for g in np.unique(groups)}


def item_group_metrics(played: Rollout) -> dict[str, dict[str, float]]:
    """Return how often items of each group were shown and clicked.

    Args:
        played: Of all users.

    Returns:
        By group: ``exposure_share`` of all items shown, ``click_share`` of all clicks, and
        ``clicks_per_item_shown``; NaN where nothing was shown or clicked. Tables take the seeds
        that have a number, and say how many.
    """
    groups, active = played.problem.item_groups, played.active
    count = int(groups.max()) + 1
    items, clicks = played.items[active], played.clicks[active]  # (T, B, K) -> (n, K)
    of_shown = exposure(np.where(items >= 0, groups[items], -1), count)
    of_clicked = exposure(np.where((items >= 0) & (clicks > 0), groups[items], -1), count)
    with np.errstate(invalid="ignore"):
        shares = (of_shown / of_shown.sum(), of_clicked / of_clicked.sum(), of_clicked / of_shown)
    columns = dict(zip(OF_CLICKS, shares, strict=True))
    return _by_group(columns, count)


def item_group_hits(slates: Ints, target: Ints, groups: Ints) -> dict[str, dict[str, float]]:
    """Return how often items of each group were shown and hit.

    Args:
        slates: Items that an agent would have shown, ``(M, K)``; -1 is padding.
        target: Items that it should have shown, ``(M, K)``, distinct in a row; -1 is padding.
        groups: Group of each item, ``(I,)``.

    Returns:
        By group: ``exposure_share`` of all items shown, ``target_share`` of all targets, and
        ``recall``, the share of the group's targets that are in their slates; NaN without any.
    """
    count = int(groups.max()) + 1
    hit = (target[:, :, None] == slates[:, None, :]).any(axis=2) & (target >= 0)  # (M, K)
    of_shown = exposure(np.where(slates >= 0, groups[slates], -1), count)
    of_target = exposure(np.where(target >= 0, groups[target], -1), count)
    of_hits = exposure(np.where(hit, groups[target], -1), count)
    with np.errstate(invalid="ignore"):
        shares = (of_shown / of_shown.sum(), of_target / of_target.sum(), of_hits / of_target)
    columns = dict(zip(OF_HITS, shares, strict=True))
    return _by_group(columns, count)


def _by_group(columns: Mapping[str, Floats], count: int) -> dict[str, dict[str, float]]:
    return {
        str(group): {name: float(column[group]) for name, column in columns.items()}
        for group in range(count)
    }


def group_tables(
    scenario: Scenario,
    results: Results,
    pairs: Sequence[tuple[str, str]],
    names: Sequence[str],
    by: By,
) -> list[Table]:
    """Return the metrics of each group with intervals over seeds, and the differences of agents.

    Args:
        scenario: The scenario.
        results: Its finished trials, with ``groups`` among their numbers: metrics by group.
        pairs: Labels of each agent and of the one that it is compared with.
        names: Metrics to show.
        by: What the groups are of.
    """
    import pandas as pd

    rows = [
        {"agent": _joined(group, trial.agent), "seed": trial.seed, **metrics}
        for trial in scenario.finished(results)
        for group, metrics in results.result(trial)["groups"].items()
    ]
    seeds = pd.DataFrame(rows)
    # Numbers in their order, names in that of the alphabet.
    found = {_split(label)[0] for label in seeds["agent"]}
    groups = sorted(found, key=lambda g: (int(g) if g.isdigit() else 0, g))
    order = [_joined(g, spec.label) for g in groups for spec in scenario.agents]
    seeds = seeds.assign(agent=pd.Categorical(seeds["agent"], order)).sort_values(["agent", "seed"])
    seeds = seeds.assign(agent=seeds["agent"].astype(str))
    shown = [name for name in names if name in seeds]
    table = metrics_table(seeds, scenario.level)
    within = [(_joined(g, a), _joined(g, b)) for g in groups for a, b in pairs]
    paired = comparisons_table(within, seeds, scenario.level)
    words, level = by.replace("_", " "), f"{scenario.level:.0%}"
    notes = _notes(table, shown, scenario.level)
    if len(groups) == 1:
        notes.append(Note(f"There is one {words} only: nothing is split."))
    tables = [
        Table("groups", _unjoined(table), file="groups.csv", in_json=True),
        Table(
            "by_group",
            _unjoined(metric_cells(table, shown), words),
            title=f"{scenario.name}: mean over seeds [{level} t interval], by {words}",
            notes=notes,
            left=2,
            grouped=True,
            console=True,
            report=True,
        ),
    ]
    if len(paired):
        alpha = 1 - scenario.level
        cells = pair_cells(paired, shown, alpha)
        there = set(zip(paired["agent"], paired["baseline"], strict=True))
        labels = [(_split(a), _split(b)) for a, b in within if (a, b) in there]
        cells = cells.assign(difference=[f"{a} - {b}" for (_, a), (_, b) in labels])
        cells.insert(0, words, [group for (group, _), _ in labels])
        title = f"Differences by {words}, paired by seed [{level} interval]"
        differences = _unjoined(paired)
        tables.append(
            Table(
                "group_differences",
                differences.assign(baseline=[_split(b)[1] for b in differences["baseline"]]),
                file="group_differences.csv",
                in_json=True,
            )
        )
        tables.append(
            Table(
                "paired_by_group",
                cells,
                title=f"{title}; * p < {alpha:.2g} after Holm's correction "
                f"({counted(len(within), 'pair')})",
                notes=_notes(paired, shown, scenario.level),
                left=2,
                grouped=len(pairs) > 1,
                console=True,
                report=True,
            )
        )
    return tables


def _notes(table: pd.DataFrame, names: Sequence[str], level: float) -> list[Note]:
    """Return what limits the intervals of a table of groups."""
    last = "baseline" if "baseline" in table else "agent"
    parts = {name: [_split(label) for label in table[name]] for name in {"agent", last}}
    named = {name: [agent for _, agent in labels] for name, labels in parts.items()}
    named[last] = [f"{agent} in group {group}" for group, agent in parts[last]]
    table = table.assign(**named)
    return undefined_notes(table, names) + doubt_notes(table, names, level)


# Labels of agents have no spaces.
def _joined(group: str, agent: str) -> str:
    return f"{group} {agent}"


def _split(label: Any) -> tuple[str, str]:
    group, _, agent = str(label).partition(" ")
    return group, agent


def _unjoined(table: pd.DataFrame, heading: str = "group") -> pd.DataFrame:
    """Return a table whose column ``agent`` is divided into the group and the agent."""
    parts = [_split(label) for label in table["agent"]]
    table = table.assign(agent=[agent for _, agent in parts])
    table.insert(0, heading, [group for group, _ in parts])
    return table
