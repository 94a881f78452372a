"""Does a user model fitted to a log rank agents as the world behind the log does?

A random agent logs users of a simulated world and a user model is fitted to the log. Agents that
learned from the log then run both in the world and in the model. Run as
``python benchmarks/learned_users.py --preset retention --users 3000 --steps 80``.
"""

import argparse

import pandas as pd

import agents
from envs.learned.env import LearnedRecVectorEnv
from envs.learned.error import ModelError
from envs.learned.fitting import fit_user_model
from envs.slates.env import SlateRecVectorEnv
from recsim.play.rollout import rollout

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", default="interest_evolution")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table, error = compare(given.preset, users=given.users, steps=given.steps, seed=given.seed)
    print(table.round(3).to_string())
    for name, value in error.numbers().items():
        print(f"{name} {value:.4g}")


if __name__ == "__main__":
    main()
