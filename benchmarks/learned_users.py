"""Does a user model fitted to a log rank agents as the world behind the log does?

A random agent logs users of a simulated world and a user model is fitted to the log. Agents that
learned from the log then run both in the world and in the model. Run as
``python -m benchmarks.learned_users --preset retention --users 3000 --steps 80``; with ``--seeds``,
over several seeds of log, model, agents and users, with 95% Student-t intervals.
"""

import argparse

import pandas as pd

import agents
from envs.learned.env import LearnedRecVectorEnv
from envs.learned.error import ModelError
from envs.learned.fitting import fit_user_model
from envs.slates.env import SlateRecVectorEnv
from recsim.play.rollout import rollout
from reproductions.intervals import mean_text

AGENTS = ("random", "popularity", "linucb")
METRICS = ("reward_per_step", "return_per_session")


def compare(
    preset: str, *, users: int, steps: int, seed: int, evaluated: int = 300
) -> tuple[pd.DataFrame, ModelError]:
    """Run agents in a world and in a model of it.

    Args:
        preset: Preset of ``SlateRec-v0``.
        users: Users in the log.
        steps: Most slates per user.
        seed: Seed of the log, the agents and the users.
        evaluated: Users in the evaluation of each agent.

    Returns:
        One row per agent with columns ``true_<metric>`` and ``model_<metric>``; and the errors of
        the model.
    """
    world = SlateRecVectorEnv(users, preset=preset, max_steps=steps)
    logger = agents.make("random", world.problem, seed=seed)
    log = rollout(world, logger, seed=seed, max_steps=steps, record=True).to_log()
    model = fit_user_model(log)
    environments = {
        "true": SlateRecVectorEnv(evaluated, preset=preset, max_steps=steps),
        "model": LearnedRecVectorEnv(evaluated, user_model=model, max_steps=steps),
    }
    rows = {}
    for name in AGENTS:
        rows[name] = {}
        for source, env in environments.items():
            agent = agents.make(name, env.problem, seed=seed)
            agent.fit(log)
            summary = rollout(env, agent, seed=100 + seed, max_steps=steps).summary()
            rows[name] |= {f"{source}_{m}": summary[m] for m in METRICS if m in summary}
    return pd.DataFrame.from_dict(rows, orient="index"), model.error


def rankings(tables: list[pd.DataFrame]) -> str:
    """Return for each metric in how many seeds the model ranks the agents as the world does."""
    lines = []
    for metric in METRICS:
        columns = [f"{source}_{metric}" for source in ("true", "model")]
        if columns[0] in tables[0]:
            true, model = ([list(t[name].sort_values().index) for t in tables] for name in columns)
            same = sum(a == b for a, b in zip(true, model, strict=True))
            worst = sum(a[0] == b[0] for a, b in zip(true, model, strict=True))
            lines.append(
                f"{metric}: same ranking in {same} of {len(tables)} seeds, same last in {worst}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", default="interest_evolution")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    runs = [
        compare(given.preset, users=given.users, steps=given.steps, seed=seed)
        for seed in range(given.seed, given.seed + given.seeds)
    ]
    tables, errors = [table for table, _ in runs], [error.numbers() for _, error in runs]
    print(pd.concat(tables).groupby(level=0, sort=False).agg(mean_text).to_string())
    print(rankings(tables))
    for name, value in pd.DataFrame(errors).mean().items():
        print(f"{name} {value:.4g}")


if __name__ == "__main__":
    main()
