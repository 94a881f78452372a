"""Ideas of later papers as settings of `sasrec`, each beside `sasrec` without it.

    python -m reproductions.sequences.additions movielens DATA [--rows ROW ...] [--seeds 3]

DATA is the folder with ``ml_latest_small``, ``sequences_amazon`` and ``kuairand_pure_2w``. Every
finished trial is kept in the folder ``--store``: a command that was stopped goes on where it ended,
and one with more rows or seeds runs only what is new (remove the folder after a change of the
code). Each row of the table is printed as soon as
its seeds are finished; rows are compared with controls that are finished, or asked for too.

Controls have the encoder, the loss, the batches and the number of updates of the row; second
controls have about its CPU seconds (more steps) or its parameters.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from recsim.scenario.kinds import parse_scenario
from recsim.trials.over_seeds import UserSums, comparisons_table, metrics_table
from reproductions.sequences.stored import Stored, run_trial
from reproductions.sequences.table import DATA as FILES
from reproductions.sequences.table import LEARNED, label_of

_SASREC = LEARNED["sasrec"]
_AMAZON = {**_SASREC.config, **_SASREC.amazon}
_LEAVE_ONE_OUT = {"split": "leave_one_out", "ties": "file"}
_LATER = "later "


@dataclass(frozen=True)
class DataSet:
    """A log, what is held out of it, and the settings of `sasrec` for it.

    Attributes:
        data: Reader and options; ``path`` within the folder of the data sets.
        config: Settings of `sasrec`.
        holdout: What is held out.
        metrics: Metrics of the table; the differences are of the last one.
        features: Whether items have features.
        intent: Settings of ``contrast: intent`` that differ from the defaults.
    """

    data: Mapping[str, Any]
    config: Mapping[str, Any]
    holdout: Mapping[str, Any] = field(default_factory=lambda: _LEAVE_ONE_OUT)
    metrics: tuple[str, ...] = ("hit_rate@10", "ndcg@20", "ndcg@10")
    features: bool = True
    intent: Mapping[str, Any] = field(default_factory=dict)


DATA = {
    # The authors of ICSRec weigh the coarse contrast by 0.1 on MovieLens, by 0.3 on Beauty.
    "movielens": DataSet(
        FILES["movielens"], _SASREC.config, intent={"contrast_weights": (0.1, 0.1)}
    ),
    "beauty": DataSet(FILES["beauty"], _AMAZON, features=False),
    "toys": DataSet(FILES["toys"], _AMAZON, features=False),
    # The first slates of users, before which there is no history, are not among the later ones.
    "kuairand": DataSet(
        {"reader": "kuairand", "path": "kuairand_pure_2w", "slate_size": 10},
        {
            **{"events": "shown", "exclude_seen": True, "batch_size": 128, "dropout": 0.5},
            **{"learning_rate": 0.002, "steps": 1000},
        },
        {"users": 0.2, "cutoffs": [5, 10], "target": "shown", "history": 7},
        ("hit_rate@10", "ndcg@10", f"{_LATER}hit_rate@10", f"{_LATER}ndcg@10"),
    ),
}


@dataclass(frozen=True)
class Row:
    """`sasrec` with an addition, or a control.

    Attributes:
        settings: Settings beside those of the data set.
        steps: Factor of the number of steps.
        control: The row without the addition, of as many updates; None for a control.
        second: A control of about the same CPU seconds or parameters.
        features: Whether it needs features of items.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 1
    control: str | None = None
    second: str | None = None
    features: bool = False


_DOUBLE, _TRIPLE, _WIDE = "twice the steps", "three times the steps", "dim 80"
_PLAIN, _TWO = "none", "two steps a batch"
ROWS = {
    _PLAIN: Row(),
    _DOUBLE: Row(steps=2),
    _TRIPLE: Row(steps=3),
    _WIDE: Row({"dim": 80}),  # as many parameters as with a table of attention
    _TWO: Row({"contrast": "meta", "contrast_weights": (0.0, 0.0)}),
    "erl": Row({"reasoning": "erl"}, control=_PLAIN, second=_DOUBLE),
    "prl": Row({"reasoning": "prl"}, control=_PLAIN, second=_DOUBLE),
    "meta": Row({"contrast": "meta"}, control=_TWO, second=_TRIPLE),
    "intent": Row({"contrast": "intent"}, control=_PLAIN, second=_DOUBLE),
    "long query": Row({"long_query": 3}, control=_PLAIN, second=_DOUBLE),
    "distilled": Row({"distil_transitions": 0.1}, control=_PLAIN, second=_DOUBLE),
    "metadata": Row({"item_inputs": "metadata"}, control=_PLAIN, features=True),
    "both": Row({"item_inputs": "both"}, control=_PLAIN, features=True),
    "attention table": Row({"attention_table": True}, control=_PLAIN, second=_WIDE),
}


def rows_of(data: DataSet) -> dict[str, Row]:
    """Return the rows that a data set can have, with its settings."""
    rows = {}
    for title, row in ROWS.items():
        if row.features and not data.features:
            continue
        settings = {**data.config, **row.settings}
        if row.settings.get("contrast") == "intent":
            settings |= data.intent
        if row.steps > 1:
            settings["steps"] = row.steps * settings.get("steps", 1500)
        rows[title] = replace(row, settings=settings)
    return rows


def scenario_of(
    name: str, folder: Path, rows: Mapping[str, Mapping[str, Any]], seeds: Sequence[int]
) -> Any:
    """Return the scenario that measures some rows.

    Args:
        name: The data set, a key of `DATA`.
        folder: Folder of the data sets.
        rows: Title to settings of `sasrec`.
        seeds: Seeds.
    """
    data = DATA[name]
    content: dict[str, Any] = {
        "name": name,
        "description": "Additions to sasrec and their controls.",
        "data": {**data.data, "path": str(folder / data.data["path"])},
        "holdout": dict(data.holdout),
        "agents": [
            {"name": "sasrec", "label": label_of(title), "config": dict(settings)}
            for title, settings in rows.items()
        ],
        "seeds": list(seeds),
    }
    if "users" in data.holdout:
        content["by"] = "history"
    return parse_scenario(content)


def figures(scenario: Any, stored: Stored) -> pd.DataFrame:
    """Return the metrics of finished trials, those of users' later slates by their own name."""
    found = []
    for trial in scenario.finished(stored):
        numbers = stored.result(trial)
        later = numbers.get("groups", {}).get("later", {})
        found.append(
            {
                "agent": trial.agent,
                "seed": trial.seed,
                **numbers["metrics"],
                **{f"{_LATER}{name}": value for name, value in later.items()},
                "cpu_seconds": numbers["cpu_seconds"],
            }
        )
    return pd.DataFrame(found, columns=None if found else ["agent", "seed"])


def line(title: str, row: Row, data: DataSet, scenario: Any, stored: Stored) -> str:
    """Return a row of the table in Markdown."""
    seeds, users = figures(scenario, stored), UserSums(scenario, stored)
    label, primary = label_of(title), data.metrics[-1]
    own = seeds[seeds["agent"] == label]
    means = metrics_table(own, scenario.level, users).set_index("metric")["mean"]
    cells = [f"`{title}`" if row.control else title]
    cells += [f"{means[metric]:.4f}" for metric in data.metrics]
    cells += [str(len(own)), f"{own['cpu_seconds'].mean():.0f}"]
    for control in (row.control, row.second):
        pairs = [] if control is None else [(label, label_of(control))]
        found = comparisons_table(pairs, seeds, scenario.level, users)
        cell = "-" if control is None else f"{control}: not measured"
        if len(found):
            pair = found[found["metric"] == primary].iloc[0]
            cell = f"{control}: {pair['difference']:+.4f}"
            if not math.isnan(pair["low"]):  # one seed alone may have no interval
                cell += f" [{pair['low']:+.4f}, {pair['high']:+.4f}]"
        cells.append(cell)
    return "| " + " | ".join(cells) + " |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure rows on one data set and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("data_set", choices=DATA)
    parser.add_argument("folder", type=Path, help="folder of the data sets")
    parser.add_argument(
        "--rows", nargs="+", choices=ROWS, metavar="ROW", help=f"default: all of {', '.join(ROWS)}"
    )
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ...")
    parser.add_argument(
        "--store", type=Path, default=Path("runs/additions"), help="folder of finished trials"
    )
    given = parser.parse_args(arguments)
    data = DATA[given.data_set]
    rows, seeds = rows_of(data), range(given.seeds)
    chosen = given.rows or list(rows)
    for title in chosen:
        if title not in rows:
            parser.error(f"--rows: {title!r} needs features of items, which {given.data_set} lacks")
    scenario = scenario_of(
        given.data_set, given.folder, {title: row.settings for title, row in rows.items()}, seeds
    )
    scenario.check()
    digests = {
        # Paths differ between machines; what is computed does not.
        label_of(title): scenario_of(given.data_set, Path(), {title: row.settings}, [0]).digest()
        for title, row in rows.items()
    }
    stored = Stored(given.store / given.data_set, digests)
    names = [name.replace("hit_rate", "HR").replace("ndcg", "NDCG") for name in data.metrics]
    heads = [*names, "seeds", "CPU s", f"{names[-1]} less the control", "less the second control"]
    print("| sasrec with | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|", flush=True)
    for title, row in rows.items():
        if title not in chosen:
            continue
        for trial in scenario.trials():
            if trial.agent == label_of(title) and not stored.has(trial):
                run_trial(scenario, trial, stored)
        print(line(title, row, data, scenario, stored), flush=True)


if __name__ == "__main__":
    main()
