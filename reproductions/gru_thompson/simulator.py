"""Strategies of gru_thompson in its authors' simulator, where the true probabilities are known.

    python -m reproductions.gru_thompson.simulator [--seeds 10] [--users 1000] [--steps 300]
        [--rare | --worlds 200]

Protocol: the training log has 20 slates per user; at each step all users see the oracle's slates
or, with equal probability, random ones. The model is trained once. New users see five slates in the
same way; then every strategy shows 15 more to the same users from the same state. Reported are
clicks and distinct groups per slate, and how well the model predicts the choices of new users from
logged slates, from the sixth slate on. 300 items in 30 groups, slates of 5, two dimensions, memory
0.9. A seed determines world, logs and training. Agents that count learn from the same log and see
the same histories. Intervals are 95% Student-t intervals over seeds; differences are within a seed,
that is, in the same world with the same users. A star marks p < 0.05 after Holm's correction for
all differences of a column.

``--rare`` compares the hierarchical with the flat prior: 2,000 items and so few users that an item
was shown about four times. New users choose from random slates; the mean log-probability of the
item chosen, given that one was chosen, is reported by the number of times that it was shown in the
training log, with the differences between the priors. For a random guess among five items it would
be -1.609.

``--worlds`` uses only random slates and the oracle's, in the given number of worlds.

There are no published figures for this simulator: those of the paper are on data of FINN.no that
are not fully public, and on its website.
"""

from __future__ import annotations

import argparse
import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

import agents
from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson.choices import from_log
from agents.gru_thompson.evaluation import likelihoods
from recsim.log import SlateLog
from recsim.metrics import distinct_groups
from reproductions.gru_thompson.distance import DistanceCohort, DistanceWorld
from reproductions.intervals import difference_texts, mean_text

Choose = Callable[[DistanceCohort], np.ndarray]
Row = dict[str, object]
BEFORE, PLAYED = 5, 15
MODELS = {
    "linear, T = 1": {"state": "linear", "likelihood_temperature": 1.0},
    "linear, T = 0.05": {"state": "linear", "likelihood_temperature": 0.05},
    "linear, T = 0.05, flat": {
        "state": "linear",
        "likelihood_temperature": 0.05,
        "hierarchical": False,
    },
    "gru, T = 0.05": {"state": "gru", "likelihood_temperature": 0.05},
}
STRATEGIES = {
    "greedy": {"policy": "greedy"},
    "epsilon-greedy 0.1": {"policy": "epsilon_greedy"},
    "Thompson": {"policy": "thompson"},
    "in-slate": {"policy": "in_slate"},
    "in-slate, per slot": {"policy": "in_slate", "merge": "per_slot"},
    "UCB": {"policy": "ucb"},
}
# Pairs of strategies of one model whose difference is tested.
PAIRS = [(name, "greedy") for name in STRATEGIES if name != "greedy"] + [
    ("in-slate", "Thompson"),
    ("in-slate, per slot", "in-slate"),
]
# Agents that count which items are clicked, and which after which.
COUNTING: dict[str, dict[str, object]] = {
    "popularity": {"rank_by": "total"},
    "sequential_rules": {},
    "ease": {},
}
ENDS: dict[str, Choose] = {"random": lambda c: c.random(), "oracle": lambda c: c.oracle()}


def play(cohort: DistanceCohort, choose: Choose) -> dict[str, float]:
    """Continue with a copy of the cohort; return clicks and groups per slate."""
    users = copy.deepcopy(cohort)
    for _ in range(PLAYED):
        users.show(choose(users))
    shown, clicks = np.stack(users.slates[BEFORE:]), np.stack(users.clicks[BEFORE:])
    return {
        "clicks": float(clicks.sum(axis=2).mean()),
        "groups": distinct_groups(shown, users.problem.item_groups),
    }


def strategies(seed: int, given: argparse.Namespace) -> Iterator[Row]:
    """Yield a row for each strategy with each model, and one for each model's predictions."""
    world = DistanceWorld(seed=seed)
    users = given.users or 1000
    logged, cohort = world.start(users, 2 * seed + 1), world.start(users, 2 * seed + 2)
    logged.log_for(BEFORE + PLAYED)
    cohort.log_for(BEFORE)
    logged_on = copy.deepcopy(cohort)
    logged_on.log_for(PLAYED)
    log = logged.to_log()
    for name, choose in ENDS.items():
        yield {"model": "", "strategy": name, "seed": seed, **play(cohort, choose)}
    for name, config in COUNTING.items():
        counting = agents.make(name, log.problem, seed=seed, **config)
        counting.fit(log)
        result = play(cohort, lambda c, agent=counting: agent.act(c.observation()).slates)
        yield {"model": "counting", "strategy": name, "seed": seed, **result}
    for model in given.models:
        training = MODELS[model] | {
            "dim": 2,
            "steps": given.steps,
            "learning_rate": given.rate,
            "batch_size": users,
        }
        fitted = GRUThompsonAgent(GRUThompsonConfig(**training), log.problem, seed)
        fitted.fit(log)
        yield {"model": model, "seed": seed, **predictions(fitted, log, logged_on.to_log())}
        for name, policy in STRATEGIES.items():
            agent = GRUThompsonAgent(GRUThompsonConfig(**training, **policy), log.problem, seed)
            agent.load_state_dict(fitted.state_dict())
            result = play(cohort, lambda c, agent=agent: agent.act(c.observation()).slates)
            yield {"model": model, "strategy": name, "seed": seed, **result}


def predictions(agent: GRUThompsonAgent, log: SlateLog, test: SlateLog) -> dict[str, float]:
    """Return hit rate and mean log-probability of choices from step 5 on, with baselines."""
    choices = from_log(test)
    scores = {"hit rate": agent.evaluate(choices, BEFORE).hits}
    for row in likelihoods(agent, choices.after(BEFORE), from_log(log)):
        for who in ("model", "uniform", "popularity"):
            scores[f"{row.choice_set}: {who}"] = getattr(row, who)
    return scores


def ends(seed: int, given: argparse.Namespace) -> Iterator[Row]:
    """Yield the clicks of random slates and of the oracle's in one world."""
    cohort = DistanceWorld(seed=seed).start(given.users or 1000, 2 * seed + 2)
    cohort.log_for(BEFORE)
    radius = np.linalg.norm(cohort.items, axis=1).mean()
    yield {
        "seed": seed,
        **{name: play(cohort, choose)["clicks"] for name, choose in ENDS.items()},
        "distance of items from the centre": float(radius),
    }


def rare(seed: int, given: argparse.Namespace) -> Iterator[Row]:
    """Yield log-probabilities of new choices by prior and by impressions of the chosen item."""
    world = DistanceWorld(num_items=2000, seed=seed)
    logged = world.start(given.users or 100, 2 * seed + 1)
    fresh = world.start(1000, 2 * seed + 2)
    logged.log_for(BEFORE + PLAYED)
    for _ in range(BEFORE + PLAYED):
        fresh.show(fresh.random())
    log, choices = logged.to_log(), from_log(fresh.to_log()).after(BEFORE)
    seen = torch.from_numpy(np.bincount(log.slate.ravel(), minlength=world.num_items))
    bands = {"0": (0, 0), "1-3": (1, 3), "4 and more": (4, 10**9)}
    for hierarchical, temperature in itertools.product((True, False), given.temperatures):
        config = GRUThompsonConfig(
            dim=2,
            state="linear",
            steps=given.steps,
            learning_rate=given.rate,
            held_out=0.25,  # of few users
            likelihood_temperature=temperature,
            hierarchical=hierarchical,
        )
        agent = GRUThompsonAgent(config, log.problem, seed)
        agent.fit(log)
        both = [
            agent.log_probabilities(rows)
            for rows in (choices, replace(choices, choice=torch.zeros_like(choices.choice)))
        ]
        # Conditional on a choice: the appeal of "nothing" has its own parameter.
        each = both[0] - np.log1p(-np.exp(both[1]))
        shown = seen[choices.click.clamp_min(0)]
        for band, (low, high) in bands.items():
            rows = choices.scored & (choices.click >= 0) & (shown >= low) & (shown <= high)
            yield {
                "prior": "hierarchical" if hierarchical else "flat",
                "T": temperature,
                "impressions of the chosen item": band,
                "seed": seed,
                "log-probability": float(each[rows.numpy()].mean()),
                "choices": int(rows.sum()),
            }


def table(rows: list[Row], keys: list[str]) -> pd.DataFrame:
    """Return mean and interval over seeds."""
    frame = pd.DataFrame(rows)
    values = [name for name in frame if name not in {*keys, "seed"}]
    return frame.groupby(keys, sort=False)[values].agg(mean_text)


def by_impressions(rows: list[Row]) -> str:
    """Return the mean of each prior, and the paired difference between the two."""
    frame = pd.DataFrame(rows)
    keys = ["T", "impressions of the chosen item"]
    summary = frame.groupby([*keys, "prior"], sort=False)["log-probability"].agg(mean_text)
    summary = summary.unstack("prior")
    by_seed = frame.pivot_table("log-probability", "seed", ["prior", *keys], sort=False)
    pairs = [(by_seed[("hierarchical", *key)], by_seed[("flat", *key)]) for key in summary.index]
    summary["hierarchical - flat"] = difference_texts(pairs)
    return summary.to_string()


def compared(rows: list[Row]) -> str:
    """Return the tables of clicks, of differences and of predictions."""
    frame = pd.DataFrame(rows)
    played = frame[frame["strategy"].notna()].dropna(axis=1)
    predicted = frame[frame["strategy"].isna()].drop(columns=["strategy", "clicks", "groups"])
    summary = table(played.to_dict("records"), ["model", "strategy"])
    scores = {
        name: played.pivot_table(name, "seed", ["model", "strategy"], sort=False)
        for name in ("clicks", "groups")
    }
    clicks = scores["clicks"]
    learned = [name for name in clicks if name[0] in MODELS]
    above = difference_texts([(clicks[name], clicks["", "random"]) for name in learned])
    below = difference_texts([(clicks["", "oracle"], clicks[name]) for name in learned])
    summary["above random"] = pd.Series(above, pd.MultiIndex.from_tuples(learned))
    summary["below oracle"] = pd.Series(below, pd.MultiIndex.from_tuples(learned))
    rules = clicks["counting", "sequential_rules"]
    counted = difference_texts([(clicks[name], rules) for name in learned])
    summary["less rules"] = pd.Series(counted, pd.MultiIndex.from_tuples(learned))
    apart = all(text.startswith("+") and text.endswith("*") for text in above + below)
    verdict = "not known from one seed" if len(clicks) < 2 else "yes" if apart else "no"
    pairs = [(model, *pair) for model in dict(learned) for pair in PAIRS]
    differences = pd.DataFrame(
        {
            name: difference_texts([(of[model, a], of[model, b]) for model, a, b in pairs])
            for name, of in scores.items()
        },
        index=pd.MultiIndex.from_tuples([(model, f"{a} - {b}") for model, a, b in pairs]),
    )
    prediction_table = table(predicted.to_dict("records"), ["model"]).T
    return (
        f"{summary.fillna('').to_string()}\n\nrandom < every learned strategy < oracle: {verdict}"
        f"\n\n{differences.to_string()}\n\n{prediction_table.to_string()}"
    )


def settings(command: list[str] | None = None) -> argparse.Namespace:
    """Parse arguments, by default those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--users", type=int, help="users of the log; 1000, or 100 with --rare")
    parser.add_argument("--steps", type=int, default=300, help="maximum number of gradient steps")
    parser.add_argument("--rate", type=float, default=0.05, help="learning rate")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rare", action="store_true", help="compare hierarchical and flat prior")
    parser.add_argument(
        "--temperatures", type=float, nargs="+", default=[1.0, 0.2], help="with --rare"
    )
    parser.add_argument("--worlds", type=int, help="only random and oracle, in this many worlds")
    return parser.parse_args(command)


def main() -> None:
    """Run all seeds, and print the table after each."""
    given = settings()
    torch.set_num_threads(1)
    if given.worlds:
        worlds = pd.DataFrame(row for seed in range(given.worlds) for row in ends(seed, given))
        print(worlds.drop(columns="seed").describe().round(3).to_string())
        print(worlds.drop(columns="seed").corr().round(2).to_string())
        return
    run = rare if given.rare else strategies
    rows: list[Row] = []
    for seed in range(given.seeds):
        rows += run(seed, given)
        tables = by_impressions(rows) if given.rare else compared(rows)
        print(f"{seed + 1} of {given.seeds} seeds\n{tables}\n", flush=True)


if __name__ == "__main__":
    main()
