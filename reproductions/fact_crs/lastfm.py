"""FacT-CRS and its baselines on LastFM, with all test users.

    python -m reproductions.fact_crs.lastfm DATA [--seeds 10] [--split test] [--variants ...]

DATA is a folder in one of the layouts of `recsim.conversation.lastfm`. Every interaction of the
users of the split is one conversation of at most ten turns, with slates of ten; the answer is yes
if the user cares about the attribute and the item has it. A question and a slate cost one turn
each, except in rows with free slates, which are counted like the published figures.

Every seed grows its own forest and has the same users. Figures are means over seeds and users with
two-way 95% intervals (`recsim.statistics.crossed_interval`); users are drawn whole, as the 40
conversations of a user are correlated. Differences are paired by seed and user, and a star marks
those with p < 0.05 after Holm's correction for all differences of the column.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium
import pandas as pd

import agents
from recsim.arrays import Floats
from recsim.conversation import read_attributes
from recsim.play.conversations import conversation_users, play_conversations, practise
from recsim.statistics import Interval, crossed_interval, holm, ratio
from reproductions.fact_crs.published import PublishedAgent, PublishedConfig

TURNS, SLATE, FREE, PRACTICE = 10, 10, 10, 100
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "popularity": ("conv_popularity", {}),
    "abs greedy": ("conv_abs_greedy", {}),
    "max entropy": ("conv_max_entropy", {}),
    "bayes, 5 questions": ("conv_bayes", {"questions": 5}),
    "bayes, asks while worth it": ("conv_bayes", {"questions": None}),
    "dqn": ("conv_dqn", {}),
    "fact_crs": ("fact_crs", {}),
    "- one tree": ("fact_crs", {"trees": 1}),
    "- one tree at a time": ("fact_crs", {"walk": "tree"}),
    "- stops at few items": ("fact_crs", {"walk": "tree", "stop": "unique_items"}),
    "- ranks by node counts": ("fact_crs", {"ranker": "counts"}),
    "- ranks by vectors": ("fact_crs", {"ranker": "embedding"}),
    "- splits by vectors' loss": ("fact_crs", {"split_score": "nll"}),
    "- rejections teach nothing": ("fact_crs", {"feedback": "none"}),
    "as published, vectors with negatives": (
        "published",
        {"node_negatives": 5.0, "turn_accounting": "honest"},
    ),
    "as published": ("published", {"turn_accounting": "honest"}),
    "as published, free slates": ("published", {"turn_accounting": "paper"}),
}
# The variant that another is compared with, if not `fact_crs`.
COMPARED = {"as published, free slates": "as published"}
# Success rate and average turns: as reported by the authors of the method, on all test users, with
# free slates; and from an independent implementation of the baselines.
REFERENCE = {
    "popularity": "0.534 / 7.17",
    "bayes, 5 questions": "0.703 / 8.06",
    "as published, free slates": "0.719 / 6.66 (published)",
}


def conversations(
    data: Any, split: str, name: str, config: dict[str, Any], seed: int
) -> pd.DataFrame:
    """Fit an agent and let it hold the conversations of a split."""
    free = FREE if config.get("turn_accounting") == "paper" else 0
    env = gymnasium.make_vec(
        "recsim:ConvRec-v0",
        num_envs=1024,
        data=data,
        split=split,
        max_turns=TURNS,
        slate_size=SLATE,
        free_recommendations=free,
    )
    problem = env.unwrapped.problem
    if name == "published":
        agent = PublishedAgent(PublishedConfig(**config), problem, seed)
    else:
        agent = agents.make(name, problem, seed=seed, **config)
    agent.fit(env.unwrapped.training_data)
    if hasattr(agent, "observe"):
        training = gymnasium.make_vec(
            "recsim:ConvRec-v0",
            num_envs=256,
            data=data,
            split="train",
            max_turns=TURNS,
            slate_size=SLATE,
        )
        practise(training, agent, seed=seed, rounds=PRACTICE)
    return play_conversations(env, agent, seed=seed)


def ratios(tables: list[pd.DataFrame], metric: str) -> tuple[float, Floats]:
    """Return the mean of a metric, and what each seed and user adds to its error, ``(S, U)``."""
    sums = [conversation_users(table, TURNS).set_index("user").sort_index() for table in tables]
    return ratio([s[metric] for s in sums], [s["episodes"] for s in sums])


def difference(first: list[pd.DataFrame], second: list[pd.DataFrame], metric: str) -> Interval:
    """Return the difference of two variants in a metric, paired by seed and user."""
    (a, z_a), (b, z_b) = ratios(first, metric), ratios(second, metric)
    return crossed_interval(a - b, z_a - z_b)


def text(interval: Interval, digits: int, sign: str = "") -> str:
    """Return a value with its interval."""
    value, low, high = (
        f"{number:{sign}.{digits}f}" for number in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low}, {high}]"


def row(tables: list[pd.DataFrame]) -> dict[str, str]:
    """Return the row of one variant, from its conversations with each seed."""
    success, turns = (
        crossed_interval(*ratios(tables, metric)) for metric in ("success_rate", "average_turns")
    )
    rates = [ratios([table], "success_rate")[0] for table in tables]
    means = pd.concat(tables)
    return {
        "SR@10": text(success, 3),
        "seeds": f"{min(rates):.3f} to {max(rates):.3f}",
        "AT": text(turns, 2),
        "hDCG": f"{means['hdcg'].mean():.3f}",
        "questions": f"{means['n_questions'].mean():.2f}",
        "slates": f"{means['n_recs'].mean():.2f}",
    }


def compared(played: dict[str, list[pd.DataFrame]]) -> dict[str, dict[str, str]]:
    """Return the differences of each variant from the one that it is compared with.

    Args:
        played: Conversations of each variant, with each seed.
    """
    pairs = [(v, COMPARED.get(v, "fact_crs")) for v in played]
    pairs = [(first, second) for first, second in pairs if first != second and second in played]
    cells: dict[str, dict[str, str]] = {f"{a} minus {b}": {} for a, b in pairs}
    for metric, (name, digits) in {
        "success_rate": ("SR@10", 3),
        "average_turns": ("AT", 2),
    }.items():
        gaps = [difference(played[a], played[b], metric) for a, b in pairs]
        adjusted = holm([gap.p_value for gap in gaps])
        for label, gap, p in zip(cells, gaps, adjusted, strict=True):
            cells[label][name] = text(gap, digits, "+") + (" *" if p < 0.05 else "")
    return cells


def print_table(rows: dict[str, dict[str, str]]) -> None:
    """Print a table in Markdown."""
    head = list(next(iter(rows.values())))
    for cells in (["", *head], ["---"] * (len(head) + 1)):
        print(f"| {' | '.join(cells)} |")
    for label, row_ in rows.items():
        print(f"| {' | '.join([label, *row_.values()])} |")
    print(flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--split", default="test")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    given = parser.parse_args()
    data = read_attributes(given.data)
    played, rows = {}, {}
    for variant in given.variants:
        name, config = VARIANTS[variant]
        played[variant] = [
            conversations(data, given.split, name, config, seed) for seed in range(given.seeds)
        ]
        rows[variant] = row(played[variant]) | {"reference SR@10 / AT": REFERENCE.get(variant, "")}
        print(variant, rows[variant], flush=True)
    print(f"\n{given.seeds} seeds\n")
    print_table(rows)
    if differences := compared(played):
        print_table(differences)


if __name__ == "__main__":
    main()
