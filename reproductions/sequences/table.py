"""Next-item prediction: published figures, counting, and the networks of this repository.

Run it as ``python -m reproductions.sequences.table beauty DATA``, where DATA is the folder with
``ml_latest_small`` and ``sequences_amazon``. It prints a table: leave-one-out, all items ranked,
seen items excluded. Without ``--rows`` all agents that count are measured; ``--rows counting
sasrec`` adds a network, whose training takes minutes to an hour per seed. Sequential rules are
always measured: the last column has the difference of each row from them, paired by user.

Every finished trial is kept in the folder ``--store``: a command that was stopped goes on where it
ended, and one with more rows or seeds runs only what is new (remove the folder after a change of
the code).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from recsim.scenario.kinds import parse_scenario
from recsim.scenario.trial import Trial, TrialResult
from reproductions.sequences.stored import Stored, run_trial

METRICS = [f"{name}@{k}" for k in (5, 10, 20) for name in ("hit_rate", "ndcg")] + ["mrr"]
HEADS = [f"{name}@{k}" for k in (5, 10, 20) for name in ("HR", "NDCG")] + ["MRR"]
BAR = "sequential_rules"

DATA: dict[str, dict[str, Any]] = {
    "movielens": {
        **{"reader": "movielens", "path": "ml_latest_small"},
        **{"threshold": 0.5, "k_core": 5},  # every rating is an event
    },
    "beauty": {"reader": "sequences", "path": "sequences_amazon/Beauty.txt"},
    "toys": {"reader": "sequences", "path": "sequences_amazon/Toys_and_Games.txt"},
}
# HR@5, NDCG@5, HR@10, NDCG@10, HR@20, NDCG@20 as their authors print them.
PUBLISHED: dict[str, dict[str, tuple[float | None, ...]]] = {
    "movielens": {},
    "beauty": {
        "SASRec, in MCLRec's table": (0.0377, 0.0241, None, None, 0.0894, 0.0386),
        "BERT4Rec, in MCLRec's table": (0.0360, 0.0216, None, None, 0.0984, 0.0391),
        "DuoRec, in MCLRec's table": (0.0559, 0.0340, None, None, 0.1193, 0.0518),
        "MCLRec": (0.0581, 0.0352, 0.0871, 0.0446, 0.1243, 0.0539),
        "ICSRec": (0.0698, 0.0494, 0.0959, 0.0578, 0.1298, 0.0663),
    },
    "toys": {"ICSRec": (0.0788, 0.0571, 0.1055, 0.0657, 0.1368, 0.0736)},
}


@dataclass(frozen=True)
class Row:
    """An agent of the table.

    Attributes:
        name: Registered name.
        config: Its settings.
        amazon: Settings that differ on the two Amazon files.
        trained: Whether its result depends on the seed.
    """

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    amazon: Mapping[str, Any] = field(default_factory=dict)
    trained: bool = False


COUNTING = {
    "popularity": Row("popularity", {"rank_by": "total"}),
    "transitions, last": Row("transitions", {"last": 1}),
    "transitions, two last": Row("transitions"),
    BAR: Row("sequential_rules"),
    "item_knn": Row("item_knn", {"decay": 1.0, "neighbours": 100, "shrink": 10}),
    "item_knn, recency": Row("item_knn"),
    "ease": Row("ease", {"decay": 1.0, "ridge": 100}),
    "ease, recency": Row("ease", {}, {"ridge": 100}),
}
_AMAZON = {
    **{"batch_size": 256, "steps": 2400, "learning_rate": 2e-3, "dropout": 0.5},
    **{"init_std": 0.02, "loss": "sampled", "average": 0.99, "evaluate_every": 600},
}
LEARNED = {
    "sasrec": Row("sasrec", {"exclude_seen": True}, _AMAZON, True),
    "gru4rec": Row(
        "gru4rec", {"exclude_seen": True, "loss": "sampled", "steps": 1200}, _AMAZON, True
    ),
    "bert4rec": Row("bert4rec", {"exclude_seen": True}, _AMAZON, True),
}


def label_of(title: str) -> str:
    """Return a title as a label of a scenario."""
    return title.replace(", ", "-").replace(" ", "_")


def scenario_of(
    name: str,
    folder: Path,
    rows: Mapping[str, Row],
    seeds: Sequence[int],
    ties: str,
    control: str = BAR,
) -> Any:
    """Return the scenario that measures some rows.

    Args:
        name: The data set, a key of `DATA`.
        folder: Folder of the data sets.
        rows: Title to row.
        seeds: Seeds.
        ties: Order of events with equal times.
        control: The row that the others are compared with, if it is one of them.
    """
    data = dict(DATA[name])
    data["path"] = str(folder / data["path"])
    agents = [
        {
            "name": row.name,
            "label": label_of(title),
            "config": {**row.config, **({} if name == "movielens" else row.amazon)},
        }
        for title, row in rows.items()
    ]
    return parse_scenario(
        {
            "name": name,
            "description": "Published figures, counting, ours.",
            "data": data,
            "holdout": {"split": "leave_one_out", "ties": ties},
            "agents": agents,
            "baseline": label_of(control) if control in rows else None,
            "seeds": list(seeds),
        }
    )


def store_of(name: str, rows: Mapping[str, Row], ties: str, folder: Path) -> Stored:
    """Return where the trials of some rows are kept.

    Args:
        name: The data set, a key of `DATA`.
        rows: Title to row.
        ties: Order of events with equal times.
        folder: The folder of all data sets.
    """
    digests = {
        # Paths differ between machines; what is computed does not.
        label_of(title): scenario_of(name, Path(), {title: row}, [0], ties).digest()
        for title, row in rows.items()
    }
    return Stored(folder / name, digests)


def measure(scenario: Any, rows: Mapping[str, Row], stored: Stored) -> Any:
    """Run the trials that are not stored, and return the summary of all.

    Agents without training run once for all seeds.
    """
    scenario.check()
    trained = {label_of(title): row.trained for title, row in rows.items()}
    for trial in scenario.trials():
        first = Trial(trial.agent, scenario.seeds[0])
        if stored.has(trial):
            continue
        if trained[trial.agent] or trial == first:
            run_trial(scenario, trial, stored)
        else:
            numbers = {**stored.result(first), "seed": trial.seed}
            stored.write(trial, TrialResult(numbers, users=stored.users(first)))
    return scenario.summarise(stored)


def over_seeds(scenario: Any, stored: Stored, label: str) -> tuple[float, float]:
    """Return means over the seeds of an agent.

    Returns:
        CPU seconds; and the best NDCG@10 on the validation events that training stops on, NaN
        without any.
    """
    found = [stored.result(trial) for trial in scenario.trials() if trial.agent == label]
    judged = [
        [loss["ndcg@10"] for loss in numbers["fit"]["losses"] if "ndcg@10" in loss]
        for numbers in found
    ]
    best = [max(values) for values in judged if values]
    return mean(numbers["cpu_seconds"] for numbers in found), mean(best) if best else math.nan


def print_table(
    name: str,
    rows: Mapping[str, Row],
    scenario: Any,
    summary: Any,
    stored: Stored,
    control: str,
) -> None:
    """Print the published rows and the measured ones in Markdown."""
    table = summary.table("metrics").data.set_index(["agent", "metric"])
    pairs = summary.table("comparisons").data
    heads = [*HEADS, "valid. NDCG@10", "seeds", "CPU s", f"NDCG@10 less that of {control}"]
    print("| | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    for title, figures in PUBLISHED[name].items():
        cells = ["-" if value is None else f"{value:.4f}" for value in figures]
        print(f"| {title}, published | " + " | ".join([*cells, "-", "-", "-", "-", "-"]) + " |")
    for title, row in rows.items():
        label = label_of(title)
        cells = [f"{table.loc[(label, metric), 'mean']:.4f}" for metric in METRICS]
        seconds, valid = over_seeds(scenario, stored, label)
        cells.append("-" if math.isnan(valid) else f"{valid:.4f}")
        cells += [str(len(scenario.seeds)) if row.trained else "1", f"{seconds:.0f}"]
        paired = pairs[(pairs["agent"] == label) & (pairs["metric"] == "ndcg@10")]
        for _, pair in paired.iterrows():
            ends = f"[{pair['low']:+.4f}, {pair['high']:+.4f}]"
            cells.append(f"{pair['difference']:+.4f} {ends}")
        cells += ["-"] * (len(heads) - len(cells))
        print(f"| `{row.name}`{title.removeprefix(row.name)} | " + " | ".join(cells) + " |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure some rows on one data set and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_set", choices=DATA)
    parser.add_argument("folder", type=Path, help="folder of the data sets")
    known = ["counting", *COUNTING, *LEARNED]
    parser.add_argument("--rows", nargs="+", choices=known, default=["counting"], metavar="ROW")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of trained agents")
    parser.add_argument(
        "--control",
        choices=[*COUNTING, *LEARNED],
        default=BAR,
        metavar="ROW",
        help="the row that the others are compared with",
    )
    parser.add_argument(
        "--ties",
        choices=["file", "shuffle"],
        default="file",
        help="order of events with equal times; only MovieLens has times",
    )
    parser.add_argument(
        "--store", type=Path, default=Path("runs/sequences"), help="folder of finished trials"
    )
    given = parser.parse_args(arguments)
    every = COUNTING | LEARNED
    chosen = {title for title in given.rows if title != "counting"} | {given.control}
    chosen |= set(COUNTING) if "counting" in given.rows else set()
    rows = {title: row for title, row in every.items() if title in chosen}
    seeds = range(given.seeds if any(row.trained for row in rows.values()) else 1)
    scenario = scenario_of(given.data_set, given.folder, rows, seeds, given.ties, given.control)
    stored = store_of(given.data_set, rows, given.ties, given.store)
    summary = measure(scenario, rows, stored)
    print_table(given.data_set, rows, scenario, summary, stored, given.control)


if __name__ == "__main__":
    main()
