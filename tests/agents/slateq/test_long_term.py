"""Looking ahead earns more in a world where bait is clicked now and costs later clicks."""

import gymnasium as gym
import numpy as np
import pytest

import agents
from recsim.play.rollout import rollout

USERS, STEPS, SEEDS = 400, 60, 5
# Clicks depend strongly on satisfaction, which varies enough in a log of random slates.
WORLD = {"catalogue": {"num_items": 20}, "affinity": 1.0, "choice": {"no_click": 1.0}}


def play(agent_of, seed):
    env = gym.make_vec(
        "recsim:SlateRec-v0",
        num_envs=USERS,
        preset="long_term_satisfaction",
        world=WORLD,
        slate_size=2,
        max_steps=STEPS,
    )
    agent = agent_of(env.unwrapped.problem)
    return rollout(env, agent, seed=seed, max_steps=STEPS, learn=False, record=True)


def clicks_per_user(log, name, seed, **config):
    agent = agents.make(name, log.problem, seed=seed, **config)
    agent.fit(log)
    return play(lambda _: agent, 1000 + seed).summary()["reward_per_user"]


@pytest.mark.slow
@pytest.mark.parametrize("backup", ["sarsa", "q"])
def test_foresight_beats_greed_for_clicks(backup):
    result = []
    for seed in range(SEEDS):
        log = play(lambda problem, seed=seed: agents.make("random", problem, seed=seed), seed)
        log = log.to_log()
        result.append(
            [
                clicks_per_user(log, "slateq", seed, gamma=0.95, backup=backup, steps=1500),
                clicks_per_user(log, "slateq", seed, gamma=0.0, steps=1500),
                clicks_per_user(log, "linucb", seed, alpha=0.1),
            ]
        )
    ahead, myopic, linucb = np.array(result).T  # (seeds,) each
    print(
        f"{backup}: {ahead.round(1)} against {myopic.round(1)} (myopic), {linucb.round(1)} (linucb)"
    )
    for other in (myopic, linucb):
        margin = ahead - other
        assert margin.mean() > 4 * margin.std(ddof=1) / np.sqrt(SEEDS)
        assert margin.min() > 0
