"""FacT-CRS and its baselines on LastFM, with all test users.

    python -m reproductions.fact_crs.lastfm DATA [--seeds 5] [--split test] [--variants ...]

DATA is a folder in one of the layouts of `recsim.conversation.lastfm`. Every interaction of the
users of the split is one conversation of at most ten turns, with slates of ten; the answer is yes
if the user cares about the attribute and the item has it. A question and a slate cost one turn
each, except in rows with free slates, which are counted like the published figures.

Every seed grows its own forest. Figures are means over seeds; the interval is bootstrapped over
users, of the mean over seeds, as the 40 conversations of a user are correlated.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium
import numpy as np
import pandas as pd

import agents
from recsim.conversation import read_attributes
from recsim.play.conversations import play_conversations, practise
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


def interval(success: pd.Series, user: pd.Series, samples: int = 2000) -> tuple[float, float]:
    """Return the 95% bootstrap interval over users of the mean of ``success``."""
    by_user = success.groupby(user).agg(["sum", "size"]).to_numpy(dtype=np.float64)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(by_user), size=(samples, len(by_user)))
    sums = by_user[drawn].sum(axis=1)  # (samples, 2)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return float(low), float(high)


def row(tables: list[pd.DataFrame]) -> dict[str, object]:
    """Return the row of one variant, from its conversations with each seed."""
    mean = pd.concat(tables).groupby(level=0).mean()
    low, high = interval(mean["success"], mean["user"])
    turns = [np.where(t["success"], t["turn"], TURNS).mean() for t in tables]
    rates = [t["success"].mean() for t in tables]
    return {
        "SR@10": f"{np.mean(rates):.4f}",
        "over users": f"{low:.3f} to {high:.3f}",
        "over seeds": f"{min(rates):.3f} to {max(rates):.3f}",
        "AT": f"{np.mean(turns):.2f}",
        "hDCG": f"{mean['hdcg'].mean():.3f}",
        "questions": f"{mean['n_questions'].mean():.2f}",
        "slates": f"{mean['n_recs'].mean():.2f}",
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--split", default="test")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    given = parser.parse_args()
    data = read_attributes(given.data)
    rows = {}
    for variant in given.variants:
        name, config = VARIANTS[variant]
        tables = [
            conversations(data, given.split, name, config, seed) for seed in range(given.seeds)
        ]
        rows[variant] = row(tables) | {"reference SR@10 / AT": REFERENCE.get(variant, "")}
        print(variant, rows[variant], flush=True)
    print(pd.DataFrame(rows).T.to_string())


if __name__ == "__main__":
    main()
