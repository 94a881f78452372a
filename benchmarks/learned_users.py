"""Does a model fitted to a log tell what the world behind the log does?

A random agent logs users of a simulated world, a user model is fitted to the log, and agents that
learned from it play in both: true users and the model's. Run as
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
    preset: str, *, users: int, steps: int, seed: int, met: int = 300
) -> tuple[pd.DataFrame, ModelError]:
    """Let agents play in a world and in a model of it.

    Args:
        preset: Of ``SlateRec-v0``.
        users: How many are logged.
        steps: Slates per user, at most.
        seed: Of everything.
        met: Users that each agent meets.

    Returns:
        One row per agent, with columns ``true_<metric>`` and ``model_<metric>``; and the errors of
        the model.
    """
    world = SlateRecVectorEnv(users, preset=preset, max_steps=steps)
    logger = agents.make("random", world.problem, seed=seed)
    log = rollout(world, logger, seed=seed, max_steps=steps, record=True).to_log()
    model = fit_user_model(log)
    places = {
        "true": SlateRecVectorEnv(met, preset=preset, max_steps=steps),
        "model": LearnedRecVectorEnv(met, user_model=model, max_steps=steps),
    }
    rows = {}
    for name in AGENTS:
        rows[name] = {}
        for place, env in places.items():
            agent = agents.make(name, env.problem, seed=seed)
            agent.fit(log)
            played = rollout(env, agent, seed=100 + seed, max_steps=steps).summary()
            rows[name] |= {f"{place}_{m}": played[m] for m in METRICS if m in played}
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
