"""Users played in blocks, alone or beside others, under one agent or another: always the same."""

import numpy as np
import pytest

import agents
from envs.slates.env import SlateRecVectorEnv
from recsim.play.rollout import rollout

WORLD = {
    "preset": "retention",
    "world": {"catalogue": {"num_items": 30}, "session": {"minutes": 6.0}},
    "slate_size": 3,
    "max_steps": 12,
    "reveal_state": True,
}
USERS, STEPS = 24, 12

# Agents that draw for each user, with settings under which they do.
DRAWING = {
    "random": {},
    "epsilon_greedy": {"epsilon": 0.6},
    "softmax": {"temperature": 0.5},
    "clone": {"temperature": 0.5, "steps": 10},
    "ts_mnl": {},
    "mnl_bandit": {},
    "ppo": {},
    "mixture": {},
    "dt4ier": {"temperature": 1.0, "steps": 2, "embed_dim": 8},
    "gru_thompson": {"policy": "epsilon_greedy", "epsilon": 0.5, "dim": 3, "steps": 10},
    "slateq": {"epsilon": 0.5, "steps": 10},
}


def make_env(users):
    return SlateRecVectorEnv(users, **WORLD)


@pytest.fixture(scope="module")
def log():
    env = make_env(40)
    logger = agents.make("random", env.problem, seed=9)
    return rollout(env, logger, seed=9, max_steps=STEPS, record=True).to_log()


def rows_of(run):
    """Everything that a rollout knows of its users, by name, (T, B, ...), 0 after their end."""
    arrays = {"items": run.items, "clicks": run.clicks, "reward": run.reward, "day": run.day}
    arrays |= {"gap": run.gap_days, "churned": run.churned, "expected": run.expected_reward}
    steps, active = len(run.active), run.active
    filled = {}
    for name, array in {**arrays, "active": active}.items():
        mask = active.reshape(*active.shape, *[1] * (array.ndim - 2))
        padding = np.zeros((STEPS - steps, *array.shape[1:]), array.dtype)
        filled[name] = np.concatenate([np.where(mask, array, 0), padding])
    return filled


def play(agent, users, first_user=None):
    env = make_env(users)
    return rows_of(rollout(env, agent, seed=3, max_steps=STEPS, learn=False, first_user=first_user))


@pytest.mark.parametrize("name", DRAWING)
def test_blocks_of_users_equal_the_whole_cohort(name, log):
    agent = agents.make(name, log.problem, seed=5, **DRAWING[name])
    agent.fit(log)
    whole = play(agent, USERS)
    assert 0 < whole["churned"].sum() < USERS
    for first, count in ((0, 10), (10, 14), (23, 1)):
        block = play(agent, count, first_user=first)
        for key, values in whole.items():
            # The expected reward is a product whose last bits depend on the batch.
            assert block[key] == pytest.approx(values[:, first : first + count], abs=1e-5), key


def test_cohorts_in_turn_are_new_users_to_the_agent(log):
    agent = agents.make("random", log.problem, seed=5)
    first, second = (play(agent, USERS) for _ in range(2))
    assert np.mean(first["items"] == second["items"]) < 0.2
    agent = agents.make("random", log.problem, seed=5)
    agent.begin(10)
    rest = play(agent, 14)
    assert np.array_equal(first["items"][0, 10:], rest["items"][0])


def test_the_agent_and_the_users_of_one_seed_draw_independently():
    env = SlateRecVectorEnv(4000, **WORLD | {"num_candidates": 10})
    agent = agents.make("random", env.problem, seed=7)
    agent.begin(4000)
    obs, _ = env.reset(seed=7)
    slates = agent.act(obs).slates
    drawn = np.column_stack([slates[:, 0], obs["user_features"][:, :3], obs["candidates"][:, :3]])
    correlation = np.corrcoef(drawn.T)[0, 1:]
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


def test_two_agents_share_users_until_their_slates_differ():
    """And a user's ending has no effect on any other user."""

    def run(switch, changed):
        env = make_env(USERS)
        obs, _ = env.reset(seed=3)
        story = []
        for step in range(STEPS):
            slates = np.tile(np.arange(3), (USERS, 1)) + step
            if step >= switch:
                slates[changed] = slates[changed][:, ::-1] + 10
            obs, reward, terminated, _truncated, info = env.step(slates)
            story.append([obs["user_features"][:, 0], reward, terminated, info["gap_days"]])
        return np.array(story)  # (T, 4, B)

    base = run(STEPS, slice(0, 0))
    for switch in (0, 4):
        other = run(switch, slice(None))
        assert np.array_equal(base[:switch], other[:switch])
        assert not np.array_equal(base[switch:], other[switch:])
    alone = run(0, [2, 3])
    rest = np.setdiff1d(np.arange(USERS), [2, 3])
    assert np.array_equal(base[:, :, rest], alone[:, :, rest])
    assert (base[:, 2].sum(axis=0) != alone[:, 2].sum(axis=0)).any(), "an ending has moved"
