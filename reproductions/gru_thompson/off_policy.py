"""Off-policy estimates of the values of gru_thompson's strategies, compared with the true values.

    python -m reproductions.gru_thompson.off_policy [--seeds 20] [--slots 1 2] [--users 2000]

Protocol: a model is fitted on a log of uniform slates in the world of the authors' simulator, and
frozen. New users are also shown uniform slates; the estimators use only this second log, with its
exact propensities. The true value of a strategy is the mean, over the same users and steps, of the
exact probability that its own slate would have been clicked. Eight items in four groups; 10 slates
per user; a seed determines world, logs and training.

Users choose one item of a slate, or nothing, in proportion to weights, so a click on an item
depends on the whole slate. For slates of more than one item, only the importance weight of the
whole slate (`sips`) gives an unbiased estimate, which is feasible with few candidates and short
slates. `iips` assumes that the click on an item depends only on that item, `rips` also on the items
before it, `pi` that effects add up over positions; all three are wrong here, and the tables show by
how much. For slates of one item they are all equal, except for their own random draws.

Thompson and in-slate Thompson cannot compute the probability of a slate. `SampledPolicy` draws M
slates for the same user and counts how many equal the logged one; this fraction is unbiased, and so
is `sips`, which is linear in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from recsim.estimators import SampledPolicy, UniformSlates, evaluate_slates
from recsim.log import SlateLog
from reproductions.gru_thompson.distance import DistanceCohort, DistanceWorld
from reproductions.intervals import mean_text

STEPS = 10
STRATEGIES = {
    "greedy": {"policy": "greedy"},
    "epsilon-greedy 0.3": {"policy": "epsilon_greedy", "epsilon": 0.3},
    "Thompson": {"policy": "thompson"},
    "in-slate": {"policy": "in_slate"},
    "UCB": {"policy": "ucb", "width": 2.0},
}
SAMPLED = ("Thompson", "in-slate")
CERTAIN = ("greedy", "UCB")
ESTIMATORS = ("sips", "snsips", "rips", "iips", "pi")
Row = dict[str, object]


def uniform_log(cohort: DistanceCohort) -> SlateLog:
    """Return the log of users who were shown uniform slates, with all propensities."""
    log = cohort.to_log()
    policy = UniformSlates(log.problem.slate_size)
    obs = log.observations(history_slates=1)
    prefixes = policy.prefix_propensities(obs, log.slate)
    return replace(
        log,
        propensity=policy.propensities(obs, log.slate),
        prefix_propensity=prefixes,
        slate_propensity=prefixes[:, -1],
    ).validate()


def fitted(log: SlateLog, seed: int, steps: int) -> dict[str, GRUThompsonAgent]:
    """Return an agent per strategy, all with the same posterior given the log."""
    training = {
        "dim": 2,
        "state": "linear",
        "steps": steps,
        "learning_rate": 0.05,
        "likelihood_temperature": 0.2,
        "top": 4,
    }
    first = GRUThompsonAgent(GRUThompsonConfig(**training), log.problem, seed)
    first.fit(log)
    strategies = {}
    for name, policy in STRATEGIES.items():
        agent = GRUThompsonAgent(GRUThompsonConfig(**training, **policy), log.problem, seed)
        agent.load_state_dict(first.state_dict())
        strategies[name] = agent
    return strategies


def values(
    slots: int, seed: int, *, users: int = 2000, draws: int = 10, steps: int = 200
) -> Iterator[Row]:
    """Yield the true value and the estimates of every strategy.

    Args:
        slots: Items of a slate.
        seed: Seed of world, logs and training.
        users: Users of the evaluated log; the training log has half as many.
        draws: M, slates drawn per row by `SampledPolicy`.
        steps: Gradient steps.
    """
    world = DistanceWorld(num_items=8, num_groups=4, slate_size=slots, history=STEPS, seed=seed)
    training = world.start(users // 2, 2 * seed + 1)
    training.log_for(STEPS, oracle=0.0)
    strategies = fitted(training.to_log(), seed, steps)
    cohort = world.start(users, 2 * seed + 2)
    true = dict.fromkeys(strategies, 0.0)
    for _ in range(STEPS):
        obs = cohort.observation()
        for name, agent in strategies.items():
            shown = [agent.act(obs).slates for _ in range(1 if name in CERTAIN else draws)]
            clicked = [cohort.probabilities(slates).sum(axis=1).mean() for slates in shown]
            true[name] += float(np.mean(clicked)) / STEPS
        cohort.show(cohort.random())
    log = uniform_log(cohort)
    for name, agent in strategies.items():
        policy = SampledPolicy(agent, draws) if name in SAMPLED else agent
        estimates = evaluate_slates(
            log,
            policy,
            ESTIMATORS,
            logging=UniformSlates(slots),
            interval="t",
            history_slates=STEPS,
            overlap=False,
        )
        for value in estimates:
            yield {
                "slots": slots,
                "seed": seed,
                "strategy": name,
                "estimator": value.estimator,
                "simulated": true[name],
                "estimate": value.value,
                "low": value.low,
                "high": value.high,
                "agrees": value.low <= true[name] <= value.high,
            }


def one_seed(frame: pd.DataFrame) -> str:
    """Return the table of `sips` on the first log."""
    part = frame[(frame["seed"] == frame["seed"].min()) & (frame["estimator"] == "sips")]
    columns = ["slots", "strategy", "simulated", "estimate", "low", "high", "agrees"]
    return part[columns].round(3).to_string(index=False)


def all_seeds(frame: pd.DataFrame) -> str:
    """Return the mean error of each estimator, and how many intervals contain the true value."""
    frame = frame.assign(error=frame["estimate"] - frame["simulated"])
    groups = frame.groupby(["slots", "strategy", "estimator"], sort=False)
    count = groups.ngroup().value_counts().iloc[0]
    errors = groups["error"].agg(mean_text).unstack("estimator")[list(ESTIMATORS)]
    agree = groups["agrees"].sum().unstack("estimator")[list(ESTIMATORS)]
    return (
        f"mean of estimate minus simulated value\n{errors.to_string()}\n\n"
        f"intervals that contain the simulated value, of {count}\n{agree.to_string()}"
    )


def main() -> None:
    """Print the tables after each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 2], help="items of a slate")
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=10, help="slates drawn per row")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[Row] = []
    for seed in range(given.seeds):
        for slots in given.slots:
            rows += values(slots, seed, users=given.users, draws=given.draws)
        frame = pd.DataFrame(rows)
        print(f"{seed + 1} of {given.seeds} seeds\n{all_seeds(frame)}\n", flush=True)
    print(f"sips on the first log\n{one_seed(frame)}")


if __name__ == "__main__":
    main()
