"""Next-item prediction: published figures, counting, and the networks of this repository.

Run it as ``python -m reproductions.sequences.table beauty DATA``, where DATA is the folder with
``ml_latest_small`` and ``sequences_amazon``. It prints a table: leave-one-out, all items ranked,
seen items excluded. Without ``--rows`` all agents that count are measured; ``--rows counting
sasrec`` adds a network, whose training takes minutes to an hour per seed. Sequential rules are
always measured: the last column has the difference of each row from them, paired by user.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from recsim.runs.executor import one_thread
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.trial import Trial, TrialResult

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


class Finished:
    """Finished trials in memory."""

    def __init__(self) -> None:
        self.results: dict[Trial, TrialResult] = {}

    def has(self, trial: Trial) -> bool:
        """Return whether a trial is finished."""
        return trial in self.results

    def result(self, trial: Trial) -> dict[str, Any]:
        """Return its numbers."""
        return dict(self.results[trial].numbers)

    def users(self, trial: Trial) -> pd.DataFrame | None:
        """Return its sums by user."""
        return self.results[trial].users

    def curves(self, trial: Trial) -> pd.DataFrame:
        """Return nothing: there are no curves."""
        return pd.DataFrame()


def label_of(title: str) -> str:
    """Return a title as a label of a scenario."""
    return title.replace(", ", "-").replace(" ", "_")


def scenario_of(
    name: str, folder: Path, rows: Mapping[str, Row], seeds: Sequence[int], ties: str
) -> Any:
    """Return the scenario that measures some rows.

    Args:
        name: The data set, a key of `DATA`.
        folder: Folder of the data sets.
        rows: Title to row.
        seeds: Seeds.
        ties: Order of events with equal times.
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
            "baseline": BAR,
            "seeds": list(seeds),
        }
    )


def measure(
    scenario: Any, rows: Mapping[str, Row]
) -> tuple[Any, dict[str, float], dict[str, float]]:
    """Run all trials; agents without training run once for all seeds.

    Returns:
        The summary; the CPU seconds of each label per seed; and the best NDCG@10 on validation
        events of each label that stops on them, averaged over seeds.
    """
    scenario.check()
    trained = {label_of(title): row.trained for title, row in rows.items()}
    results, seconds = Finished(), dict.fromkeys(trained, 0.0)
    best: dict[str, list[float]] = {}
    for trial in scenario.trials():
        first = Trial(trial.agent, scenario.seeds[0])
        if not trained[trial.agent] and first in results.results:
            done = results.results[first]
            results.results[trial] = TrialResult(
                {**done.numbers, "seed": trial.seed}, users=done.users
            )
            continue
        start = time.process_time()
        with one_thread():
            done = scenario.run(trial)
        results.results[trial] = TrialResult(done.numbers, users=done.users)
        spent = time.process_time() - start
        seconds[trial.agent] += spent / (len(scenario.seeds) if trained[trial.agent] else 1)
        judged = [loss["ndcg@10"] for loss in done.numbers["fit"]["losses"] if "ndcg@10" in loss]
        if judged:
            best.setdefault(trial.agent, []).append(max(judged))
        ndcg = done.numbers["metrics"]["ndcg@10"]
        print(f"<!-- {trial}: NDCG@10 {ndcg:.4f}, {spent:.0f} CPU s -->", flush=True)
    valid = {label: sum(values) / len(values) for label, values in best.items()}
    return scenario.summarise(results), seconds, valid


def print_table(
    name: str,
    rows: Mapping[str, Row],
    summary: Any,
    seconds: Mapping[str, float],
    valid: Mapping[str, float],
    seeds: int,
) -> None:
    """Print the published rows and the measured ones in Markdown."""
    table = summary.table("metrics").data.set_index(["agent", "metric"])
    pairs = summary.table("comparisons").data
    heads = [*HEADS, "valid. NDCG@10", "seeds", "CPU s", "NDCG@10 less that of the rules"]
    print("| | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    for title, figures in PUBLISHED[name].items():
        cells = ["-" if value is None else f"{value:.4f}" for value in figures]
        print(f"| {title}, published | " + " | ".join([*cells, "-", "-", "-", "-", "-"]) + " |")
    for title, row in rows.items():
        label = label_of(title)
        cells = [f"{table.loc[(label, metric), 'mean']:.4f}" for metric in METRICS]
        cells.append(f"{valid[label]:.4f}" if label in valid else "-")
        cells += [str(seeds) if row.trained else "1", f"{seconds[label]:.0f}"]
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
        "--ties",
        choices=["file", "shuffle"],
        default="file",
        help="order of events with equal times; only MovieLens has times",
    )
    given = parser.parse_args(arguments)
    every = COUNTING | LEARNED
    chosen = {title for title in given.rows if title != "counting"} | {BAR}
    chosen |= set(COUNTING) if "counting" in given.rows else set()
    rows = {title: row for title, row in every.items() if title in chosen}
    seeds = range(given.seeds if any(row.trained for row in rows.values()) else 1)
    scenario = scenario_of(given.data_set, given.folder, rows, seeds, given.ties)
    summary, seconds, valid = measure(scenario, rows)
    print_table(given.data_set, rows, summary, seconds, valid, len(seeds))


if __name__ == "__main__":
    main()
