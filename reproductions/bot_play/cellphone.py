"""Bot play, its controls and its baselines on reviews of cell phones.

    python -m reproductions.bot_play.cellphone DATA [--seeds 10] [--rows ...] [--steps 1020]

DATA is the folder of the reviews, in the layout of `recsim.critiquing.aspect_lists`. Reviews with a
rating of at least 4 are used, 5-core; each user has one review in test and one in valid. Every test
review is a session of at most ten turns with a simulated user who looks for its item; items that
the user reviewed in the train part are never shown.

All seeds use the same split; every seed trains anew and draws new justifications and noise.
Figures are means over seeds and users, who have one session each with every seed, with two-way 95%
intervals (`recsim.statistics.crossed_interval`). Differences are paired by seed and user, and a
star marks those with p < 0.05 after Holm's correction. The tables are printed after each seed, over
the seeds so far.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

import agents
from recsim.critiquing import AspectReviews, read_reviews
from recsim.metrics.critiquing import sr_final
from recsim.play.critiquing import CritiquingSessions, critique_metrics, play_critiquing
from recsim.statistics import Interval, crossed_interval, holm, ratio
from reproductions.bot_play.reference import REFERENCE, VARIANTS

COLUMNS: dict[str, dict[str, Any]] = {
    "none": {"critiques": "none"},
    "pop": {},
    "random": {"seeker": "random"},
    "diff": {"seeker": "different"},
    "noisy .5": {"noise": 0.5},
    "uncooperative": {"seeker": "unpopular"},
    "mistaken .25": {"mistakes": 0.25},
}
BASE_METRICS = {
    "AUC": "auc",
    "MRR": "mrr",
    "HR@1": "hr@1",
    "HR@10": "hr@10",
    "HR@20": "hr@20",
    "NDCG@10": "ndcg@10",
    "shown": "aspects_shown",
    "P item": "justification_of_item_precision",
    "R item": "justification_of_item_recall",
    "F1 item": "justification_of_item_f1",
    "P goal": "justification_precision",
    "R goal": "justification_recall",
    "F1 goal": "justification_f1",
}
# Rows of bot play, and the control of each, whose gains from critiques are compared.
PAIRS = [
    ("bot play, one", "control"),
    ("bot play, all", "control"),
    ("bot play, as evaluated", "control"),
    ("bot play, 10 turns", "control"),
    ("bot play, one, normalised", "control, normalised"),
    ("bot play, all, normalised", "control, normalised"),
    ("plrec bot play, one", "plrec control"),
]
Table = dict[str, dict[str, list[CritiquingSessions]]]


def trained(data: AspectReviews, label: str, seed: int, steps: int, known: dict[str, Any]) -> Any:
    """Return a trained agent; variants that differ only in how they act share the training."""
    variant = VARIANTS[label]
    env = gymnasium.make_vec("recsim:CritiqueRec-v0", num_envs=1, data=data).unwrapped
    config = variant.config
    if variant.tuned:
        config = config | {"play": config.get("play", {}) | {"steps": steps}}
    elif "fine_tuning" in config.get("base", ()):  # an agent whose base is fine-tuned
        config = config | {"base": config["base"] | {"play": {"steps": steps}}}
    agent = agents.make(variant.agent, env.problem, seed=seed, **config)
    if variant.like in known:
        agent.load_state_dict(known[variant.like].state_dict())
    else:
        agent.fit(env.training_data)
    known[label] = agent
    return agent


def sessions(data: AspectReviews, agent: Any, seed: int) -> dict[str, CritiquingSessions]:
    """Hold the sessions of every column."""
    results = {}
    for column, rules in COLUMNS.items():
        env = gymnasium.make_vec("recsim:CritiqueRec-v0", num_envs=256, data=data, **rules)
        results[column] = play_critiquing(env, agent, seed=seed)
    return results


def success(runs: list[CritiquingSessions]) -> NDArray[np.float64]:
    """Return ``sr_final@1`` of every seed and session, ``(S, N)``."""
    return np.array([sr_final(run.ranks, 1) for run in runs], dtype=np.float64)


def over_seeds_and_users(values: NDArray[np.float64]) -> Interval:
    """Return the mean of ``(S, N)`` values in percent, with its two-way interval."""
    percent = 100 * values
    return crossed_interval(*ratio(percent, np.ones_like(percent)))


def differences(column: list[NDArray[np.float64]]) -> list[str]:
    """Return the means of several ``(S, N)`` paired differences as text, in points."""
    means = [over_seeds_and_users(values) for values in column]
    adjusted = holm([mean.p_value for mean in means])
    return [
        f"{mean.value:+.1f} [{mean.low:+.1f}, {mean.high:+.1f}]" + (" *" if p < 0.05 else "")
        for mean, p in zip(means, adjusted, strict=True)
    ]


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Print a table in Markdown."""
    for cells in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


def cell(runs: list[CritiquingSessions]) -> str:
    """Return ``sr_final@1 [interval] / sr_final@10 / al`` over all seeds."""
    numbers = [critique_metrics(run) for run in runs]
    near, length = (np.mean([n[name] for n in numbers]) for name in ("sr_final@10", "al"))
    one = over_seeds_and_users(success(runs))
    return f"{one.value:.1f} [{one.low:.1f}, {one.high:.1f}] / {100 * near:.1f} / {length:.2f}"


def report(table: Table) -> None:
    """Print all tables."""
    print("sr_final@1 [interval] / sr_final@10 / al")
    print_table(
        ["", *COLUMNS],
        [[label, *(cell(runs[column]) for column in COLUMNS)] for label, runs in table.items()],
    )
    print("Ranking at the first turn, and justifications of all turns, without critiques")
    rows = []
    for label, runs in table.items():
        numbers = [critique_metrics(run) for run in runs["none"]]
        values = [np.mean([n[name] for n in numbers]) for name in BASE_METRICS.values()]
        rows.append([label, *(f"{value:.3f}" for value in values)])
    print_table(["", *BASE_METRICS], rows)

    print("Gain from critiques in points of sr_final@1: bot play, its control, the difference; and")
    print(
        "bot play with critiques minus the control without; * p < 0.05 after Holm's correction for"
    )
    print("the column")
    labels, gaps = [], []
    for ours, control in PAIRS:
        if not {ours, control} <= table.keys():
            continue
        for column in list(COLUMNS)[1:]:
            with_, without, control_with, control_without = (
                success(table[label][name])
                for label in (ours, control)
                for name in (column, "none")
            )
            gain, of_control = with_ - without, control_with - control_without
            labels.append([ours, column])
            gaps.append((gain, of_control, gain - of_control, with_ - control_without))
    cells = zip(*(differences(list(column)) for column in zip(*gaps, strict=True)), strict=True)
    rows = [[*label, *row] for label, row in zip(labels, cells, strict=True)]
    print_table(["", "critiques", "gain", "control's", "difference", "in all"], rows)

    print("Reference run: sr_final@1 there, here; reached if as high")
    rows = []
    for (label, column), value in REFERENCE.items():
        if label in table:
            here = round(100 * float(success(table[label][column]).mean()), 1)
            verdict = "reached" if here >= value else "not reached"
            rows.append([label, column, f"{value:.1f}", f"{here:.1f}", verdict])
    print_table(["", "critiques", "there", "here", ""], rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=1020, help="steps of fine-tuning")
    parser.add_argument("--rows", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = read_reviews(given.data, min_rating=4, core_u=5, core_i=5)
    print(
        f"{len(data)} reviews, {data.num_users} users, {data.num_items} items, "
        f"{data.num_aspects} aspects, {len(data.rows('train'))} to train on"
    )
    table: Table = {label: {column: [] for column in COLUMNS} for label in given.rows}
    for seed in range(given.seeds):
        known: dict[str, Any] = {}
        for label in given.rows:
            start = time.perf_counter()
            agent = trained(data, label, seed, given.steps, known)
            learned = time.perf_counter()
            for column, run in sessions(data, agent, seed).items():
                table[label][column].append(run)
            spent = learned - start, time.perf_counter() - learned
            seconds = f"learned in {spent[0]:.1f} s, sessions {spent[1]:.1f} s"
            print(f"seed {seed}, {label}: {seconds}", flush=True)
        print(f"\n{seed + 1} seeds\n")
        report(table)


if __name__ == "__main__":
    main()
