"""Strategies of gru_thompson in the world of its authors' simulator, where the truth is known.

    python -m reproductions.gru_thompson.simulator [--seeds 5] [--users 1000] [--steps 300]
        [--rare | --worlds 200]

Protocol: a log of 20 slates per user, at each step the oracle's or, as likely, random ones; the
model is trained on it once. Of new users the first five slates are logged the same way; then every
strategy plays 15 more with the same users from the same state. Reported: clicks per slate and
distinct groups per slate, and of new users whose 20 slates are all logged, how well the model
foresees the choices from the sixth on. 300 items in 30 groups, slates of 5, two dimensions, memory
0.9. A seed draws world, logs and training anew. Intervals are Student-t at 95% over seeds;
differences are within a seed, that is, in the same world with the same users.

``--rare`` compares the hierarchical prior with the flat one instead: 2,000 items, and so few users
that an item was shown four times or so; new users choose from random slates, and the mean
log-probability of the item chosen, given that one was, is reported by how often it was in the
training log. Among five items at random it would be -1.609.

``--worlds`` plays only random slates and the oracle's, in that many worlds.

There are no published numbers of this simulator to compare with: those of the paper are on data of
FINN.no that are not public in full, and on its website.
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

from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson.choices import from_log
from agents.gru_thompson.evaluation import likelihoods
from recsim.log import SlateLog
from recsim.metrics import distinct_groups
from reproductions.gru_thompson.distance import DistanceCohort, DistanceWorld
from reproductions.gru_thompson.intervals import half_width, told

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
ENDS: dict[str, Choose] = {"random": lambda c: c.random(), "oracle": lambda c: c.oracle()}


def play(cohort: DistanceCohort, choose: Choose) -> dict[str, float]:
    """Play on with a copy of the cohort."""
    people = copy.deepcopy(cohort)
    for _ in range(PLAYED):
        people.show(choose(people))
    shown, clicks = np.stack(people.slates[BEFORE:]), np.stack(people.clicks[BEFORE:])
    return {
        "clicks": float(clicks.sum(axis=2).mean()),
        "groups": distinct_groups(shown, people.problem.item_groups),
    }


def strategies(seed: int, given: argparse.Namespace) -> Iterator[Row]:
    """Yield a row for each strategy under each model, and one for each model's foresight."""
    world = DistanceWorld(seed=seed)
    users = given.users or 1000
    logged, cohort = world.start(users, 2 * seed + 1), world.start(users, 2 * seed + 2)
    logged.log_for(BEFORE + PLAYED)
    cohort.log_for(BEFORE)
    judged = copy.deepcopy(cohort)
    judged.log_for(PLAYED)
    log = logged.to_log()
    for name, choose in ENDS.items():
        yield {"model": "", "strategy": name, "seed": seed, **play(cohort, choose)}
    for model in given.models:
        training = MODELS[model] | {
            "dim": 2,
            "steps": given.steps,
            "learning_rate": given.rate,
            "batch_size": users,
        }
        fitted = GRUThompsonAgent(GRUThompsonConfig(**training), log.problem, seed)
        fitted.fit(log)
        yield {"model": model, "seed": seed, **foresight(fitted, log, judged.to_log())}
        for name, policy in STRATEGIES.items():
            agent = GRUThompsonAgent(GRUThompsonConfig(**training, **policy), log.problem, seed)
            agent.load_state_dict(fitted.state_dict())
            found = play(cohort, lambda c, agent=agent: agent.act(c.observation()).slates)
            yield {"model": model, "strategy": name, "seed": seed, **found}


def foresight(agent: GRUThompsonAgent, log: SlateLog, judged: SlateLog) -> dict[str, float]:
    """Return hit rate and mean log-probability of choices from step 5 on, beside references."""
    choices = from_log(judged)
    found = {"hit rate": agent.evaluate(choices, BEFORE).hits}
    for row in likelihoods(agent, choices.after(BEFORE), from_log(log)):
        for who in ("model", "uniform", "popularity"):
            found[f"{row.choice_set}: {who}"] = getattr(row, who)
    return found


def ends(seed: int, given: argparse.Namespace) -> Iterator[Row]:
    """Yield what random slates and the oracle's earn in a world, by exact probabilities."""
    cohort = DistanceWorld(seed=seed).start(given.users or 1000, 2 * seed + 2)
    cohort.log_for(BEFORE)
    radius = np.linalg.norm(cohort.items, axis=1).mean()
    yield {
        "seed": seed,
        **{name: play(cohort, choose)["clicks"] for name, choose in ENDS.items()},
        "distance of items from the centre": float(radius),
    }


def rare(seed: int, given: argparse.Namespace) -> Iterator[Row]:
    """Yield the log-probability of new choices by prior and by impressions of the chosen item."""
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
            agent.log_probabilities(asked)
            for asked in (choices, replace(choices, choice=torch.zeros_like(choices.choice)))
        ]
        # Given that something was chosen: how appealing "nothing" is has a parameter of its own.
        each = both[0] - np.log1p(-np.exp(both[1]))
        shown = seen[choices.click.clamp_min(0)]
        for band, (low, high) in bands.items():
            asked = choices.scored & (choices.click >= 0) & (shown >= low) & (shown <= high)
            yield {
                "prior": "hierarchical" if hierarchical else "flat",
                "T": temperature,
                "impressions of the chosen item": band,
                "seed": seed,
                "log-probability": float(each[asked.numpy()].mean()),
                "choices": int(asked.sum()),
            }


def table(rows: list[Row], keys: list[str]) -> pd.DataFrame:
    """Return mean and interval over seeds."""
    frame = pd.DataFrame(rows)
    values = [name for name in frame if name not in {*keys, "seed"}]
    return frame.groupby(keys, sort=False)[values].agg(told)


def by_impressions(rows: list[Row]) -> str:
    """Return mean and deviation over seeds of what `rare` yields."""
    groups = pd.DataFrame(rows).groupby(
        ["prior", "T", "impressions of the chosen item"], sort=False
    )
    return groups[["log-probability", "choices"]].agg(["mean", "std"]).round(3).to_string()


def compared(rows: list[Row]) -> str:
    """Return the tables of what was played and foreseen, and whether everything is in between."""
    frame = pd.DataFrame(rows)
    played = frame[frame["strategy"].notna()].dropna(axis=1)
    foreseen = frame[frame["strategy"].isna()].drop(columns=["strategy", "clicks", "groups"])
    clicks = played.pivot_table("clicks", "seed", ["model", "strategy"], sort=False)
    found = table(played.to_dict("records"), ["model", "strategy"])
    random, oracle = clicks["", "random"], clicks["", "oracle"]
    found["above random"] = [told(clicks[name] - random) for name in found.index]
    found["below oracle"] = [told(oracle - clicks[name]) for name in found.index]
    low = {name: clicks[name].mean() - half_width(clicks[name]) for name in clicks}
    high = {name: clicks[name].mean() + half_width(clicks[name]) for name in clicks}
    learned = [name for name in clicks if name[0]]
    apart = all(high["", "random"] < low[one] and high[one] < low["", "oracle"] for one in learned)
    verdict = "not known from one seed" if len(clicks) < 2 else "yes" if apart else "no"
    foresights = table(foreseen.to_dict("records"), ["model"]).T
    return (
        f"{found.to_string()}\n\nrandom < every learned strategy < oracle, intervals apart: "
        f"{verdict}\n\n{foresights.to_string()}"
    )


def settings(command: list[str] | None = None) -> argparse.Namespace:
    """Return what was asked for, by default on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--users", type=int, help="in the log; default 1000, or 100 if --rare")
    parser.add_argument("--steps", type=int, default=300, help="gradient steps at most")
    parser.add_argument("--rate", type=float, default=0.05, help="learning rate")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rare", action="store_true", help="hierarchical against flat")
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1.0, 0.2], help="if rare")
    parser.add_argument("--worlds", type=int, help="random and oracle only, in so many worlds")
    return parser.parse_args(command)


def main() -> None:
    """Run all seeds, and print the table after each."""
    given = settings()
    torch.set_num_threads(1)
    if given.worlds:
        found = pd.DataFrame(row for seed in range(given.worlds) for row in ends(seed, given))
        print(found.drop(columns="seed").describe().round(3).to_string())
        print(found.drop(columns="seed").corr().round(2).to_string())
        return
    run = rare if given.rare else strategies
    rows: list[Row] = []
    for seed in range(given.seeds):
        rows += run(seed, given)
        found = by_impressions(rows) if given.rare else compared(rows)
        print(f"{seed + 1} of {given.seeds} seeds\n{found}\n", flush=True)


if __name__ == "__main__":
    main()
