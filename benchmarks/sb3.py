"""What learners of stable-baselines3 earn in a simulated world, beside agents of this project.

    python -m benchmarks.sb3 [--steps 15360 102400] [--seeds 5]

PPO is trained on 64 users at a time: on ids as it is, and also with other settings, on ids and on
features with the policy of stable-baselines3, and on features with
`agents.sb3.scoring.ScoringPolicy`. ``linucb`` learns online from as many slates, of 128 users at a
time, and ``popularity`` shows the items that had most clicks per impression in as many random
slates. Then each serves new users, the same for all, and learns no more; PPO shows its best slates.
Printed is the mean reward per user in one episode, with 95% Student-t intervals over seeds of
learner and users. A falling learning rate ends at 0 at the largest number of slates, so ask for one
number then: ``--steps 102400``.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO

import agents
from agents.sb3.scoring import ScoringPolicy
from envs.sb3 import SB3VecEnv
from recsim.log import SlateLog
from recsim.play.rollout import rollout
from recsim.statistics import mean_interval

USERS, COHORT, SERVED = 64, 128, 512
EVER = 10**6  # steps: every episode ends before
# The immediate reward is all that a slate earns (gamma=0): rewards to come add noise to it.
SETTINGS = {
    "n_steps": 16,
    "batch_size": 256,
    "n_epochs": 5,
    "learning_rate": 3e-3,
    "gamma": 0.0,
    "device": "cpu",
}

Results = Iterator[tuple[int, float]]


def make(preset: str, users: int, **settings: Any) -> Any:
    """Return users of a preset."""
    return gymnasium.make_vec("recsim:SlateRec-v0", num_envs=users, preset=preset, **settings)


def reward_per_user(env: Any, act: Callable[[Any], Any], seed: int) -> float:
    """Serve the first episode of every user; return the mean sum of rewards."""
    obs, _ = env.reset(seed=seed)
    total, running = np.zeros(env.num_envs), np.ones(env.num_envs, dtype=bool)
    while running.any():
        obs, reward, terminated, truncated, _ = env.step(act(obs))
        total += np.where(running, reward, 0.0)
        running &= ~(terminated | truncated)
    return float(total.mean())


def ppo(policy: Any, observation: str, settings: dict[str, Any]) -> Callable[..., Results]:
    """Return a function that trains PPO, and yields what it earns after each budget of steps."""

    def train(preset: str, budgets: list[int], seed: int) -> Results:
        env = make(preset, USERS, observation=observation)
        kwargs = {"layout": env.unwrapped.feature_layout} if policy is ScoringPolicy else None
        model = PPO(policy, SB3VecEnv(env), policy_kwargs=kwargs, seed=seed, **settings)
        served = make(preset, SERVED, observation=observation)
        done = 0
        for budget in budgets:
            model.learn(budget - done, reset_num_timesteps=False)
            done = budget
            yield (
                model.num_timesteps,
                reward_per_user(
                    served, lambda obs: model.predict(obs, deterministic=True)[0], 1000 + seed
                ),
            )

    return train


def serve(learner: Any, preset: str, seed: int) -> float:
    """Return what an agent of this project earns per user, learning no more."""
    played = rollout(make(preset, SERVED), learner, seed=1000 + seed, max_steps=EVER, learn=False)
    return float(played.reward.sum(axis=0).mean())


def random(preset: str, budgets: list[int], seed: int) -> Results:
    """Yield what uniform slates earn."""
    yield (
        0,
        serve(agents.make("random", make(preset, 1).unwrapped.problem, seed=seed), preset, seed),
    )


def popularity(preset: str, budgets: list[int], seed: int) -> Results:
    """Yield what the most clicked items of a log of random slates earn."""
    env = make(preset, COHORT)
    problem, logs, done = env.unwrapped.problem, [], 0
    learner, logger = (agents.make(name, problem, seed=seed) for name in ("popularity", "random"))
    while done < budgets[-1]:
        played = rollout(env, logger, seed=seed + 100 * len(logs), max_steps=EVER, record=True)
        logs.append(played.to_log())
        done += len(logs[-1])
    learner.fit(SlateLog.concat(logs))
    yield done, serve(learner, preset, seed)


def linucb(preset: str, budgets: list[int], seed: int) -> Results:
    """Yield what linucb earns after it has learned online from each number of slates."""
    env = make(preset, COHORT)
    learner, done, cohorts = agents.make("linucb", env.unwrapped.problem, seed=seed), 0, 0
    for budget in budgets:
        while done < budget:
            played = rollout(env, learner, seed=seed + 100 * cohorts, max_steps=EVER)
            done, cohorts = done + int(played.active.sum()), cohorts + 1
        yield done, serve(learner, preset, seed)


LEARNERS: dict[str, Callable[[str, list[int], int], Results]] = {
    "random": random,
    "popularity": popularity,
    "linucb": linucb,
    # The default of 2048 steps of every user would be more than all slates here.
    "PPO, ids, defaults": ppo("MultiInputPolicy", "ids", {"device": "cpu", "n_steps": 32}),
    "PPO, ids": ppo("MultiInputPolicy", "ids", SETTINGS),
    "PPO, features": ppo("MlpPolicy", "features", SETTINGS),
    "PPO, features, ScoringPolicy": ppo(ScoringPolicy, "features", SETTINGS),
    "the same, falling learning rate": ppo(
        ScoringPolicy, "features", SETTINGS | {"learning_rate": lambda left: 3e-3 * left}
    ),
}


def table(names: list[str], preset: str, budgets: list[int], seeds: list[int]) -> Iterator[str]:
    """Yield the lines of the table, each when it is known."""
    yield "| learner | slates | reward per user | 95% interval |"
    yield "|---|---|---|---|"
    for name in names:
        results = [list(LEARNERS[name](preset, budgets, seed)) for seed in seeds]
        for stage in zip(*results, strict=True):
            steps = round(np.mean([done for done, _ in stage]))
            earned = [reward for _, reward in stage]
            low, high = mean_interval(earned)
            yield f"| {name} | {steps:,} | {np.mean(earned):.2f} | {low:.2f} to {high:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--preset", default="long_term_satisfaction")
    parser.add_argument("--steps", type=int, nargs="+", default=[15_360, 102_400])
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--only", nargs="+", choices=LEARNERS, default=list(LEARNERS))
    given = parser.parse_args()
    torch.set_num_threads(1)  # the networks are small: more threads cost more than they give
    start = time.process_time()
    for line in table(given.only, given.preset, sorted(given.steps), list(range(given.seeds))):
        print(line, flush=True)
    print(f"{time.process_time() - start:.0f} CPU seconds, torch {torch.__version__}")
    print(f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}")


if __name__ == "__main__":
    main()
