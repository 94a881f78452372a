"""PPO: probabilities by hand, what it learns, and that it keeps it."""

import numpy as np
import pytest
import torch

import agents
from agents.sb3.slate_policy import conditional_entropy
from recsim.contracts.slates import Feedback
from recsim.errors import UserError

QUICK = {"n_steps": 2, "n_epochs": 2, "hidden": 16}


def answer(items, rewards, done=False, active=None):
    batch = len(items)
    return Feedback(
        items=items,
        clicks=np.zeros(items.shape, dtype=np.int8),
        rewards={},
        reward=np.asarray(rewards, dtype=float),
        done=np.full(batch, done),
        active=np.ones(batch, dtype=bool) if active is None else active,
    )


def play(agent, obs, steps, rewarded, active=None):
    """Play one cohort in which a slate earns the share of its items that are rewarded."""
    agent.begin(len(obs["candidates"]))
    shown = []
    for _ in range(steps):
        items = np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)
        agent.observe(answer(items, np.isin(items, rewarded).mean(axis=1), True, active))
        shown.append(items)
    return np.array(shown)  # (T, B, K)


def test_entropy_by_hand():
    first = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    logits = torch.log(torch.tensor([[1.0, 3.0]]))
    assert conditional_entropy(logits, torch.tensor([[0]])).item() == pytest.approx(first)
    # The second of two items is certain once the first is known.
    both = conditional_entropy(logits, torch.tensor([[0, 1]]))
    assert both.item() == pytest.approx(first, abs=1e-6)


def test_the_decision_tells_the_probability_of_its_slate(make_problem, observe_users):
    problem = make_problem(num_items=6, slate_size=3)
    obs = observe_users(problem, 5)
    agent = agents.make("ppo", problem, seed=0)
    agent.begin(5)
    decision = agent.act(obs)
    items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
    known = agent.prefix_propensities(obs, items)
    np.testing.assert_allclose(decision.slate_propensities, known[:, -1])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_bandit_is_learned(make_problem, observe_users, seed):
    problem = make_problem(num_items=8, slate_size=2)
    obs = observe_users(problem, 64, seed)
    agent = agents.make("ppo", problem, seed=seed, n_steps=4, learning_rate=0.01)
    shares = [np.isin(play(agent, obs, 8, [1, 4]), [1, 4]).mean() for _ in range(8)]
    assert shares[0] < 0.6  # a uniform slate has 0.25
    assert shares[-1] > 0.8


def test_same_seed_same_slates_and_the_global_generator_is_left_alone(make_problem, observe_users):
    problem = make_problem(num_items=6)
    obs = observe_users(problem, 8)

    def run(seed):
        agent = agents.make("ppo", problem, seed=seed, **QUICK)
        return play(agent, obs, 6, [0])

    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = run(3)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(first, run(3))
    assert (first != run(4)).any()


def test_a_saved_agent_goes_on_the_same(make_problem, observe_users):
    problem = make_problem(num_items=6)
    obs = observe_users(problem, 8)
    agent = agents.make("ppo", problem, seed=0, **QUICK)
    play(agent, obs, 5, [0])
    other = agents.make("ppo", problem, seed=9, **QUICK)
    other.load_state_dict(agent.state_dict())
    np.testing.assert_array_equal(play(agent, obs, 5, [0]), play(other, obs, 5, [0]))
    stranger = agents.make("ppo", make_problem(num_items=7), seed=0, **QUICK)
    with pytest.raises(UserError, match="'ppo' was fitted on another catalogue or with other set"):
        stranger.load_state_dict(agent.state_dict())


def test_rows_without_a_user_teach_nothing(make_problem, observe_users):
    problem = make_problem(num_items=6)
    obs = observe_users(problem, 8)
    active = np.arange(8) < 4

    def learned(noise):
        agent = agents.make("ppo", problem, seed=0, **QUICK)
        agent.begin(8)
        for _ in range(3):
            items = np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)
            rewards = np.where(active, np.isin(items, [0]).any(axis=1), noise)
            agent.observe(answer(items, rewards, True, active))
        return agent.state_dict()["policy"]

    quiet, loud = learned(0.0), learned(100.0)
    start = agents.make("ppo", problem, seed=0, **QUICK).state_dict()["policy"]
    assert all(torch.equal(quiet[name], loud[name]) for name in quiet)
    assert any(not torch.equal(quiet[name], start[name]) for name in quiet)


def test_it_settles_on_the_best_slate_and_learns_no_more(make_problem, observe_users):
    problem = make_problem(num_items=6)
    obs = observe_users(problem, 8)
    agent = agents.make("ppo", problem, seed=0, deterministic_after=1, **QUICK)
    play(agent, obs, 4, [0])
    shown = play(agent, obs, 4, [0])
    before = agent.state_dict()["policy"]
    agent.begin(8)
    assert (shown == shown[0]).all()
    assert all(
        torch.equal(value, before[name]) for name, value in agent.state_dict()["policy"].items()
    )


def test_a_device_that_is_not_here_is_refused(make_problem):
    with pytest.raises(UserError, match="no device 'nowhere' here"):
        agents.make("ppo", make_problem(), seed=0, device="nowhere")
