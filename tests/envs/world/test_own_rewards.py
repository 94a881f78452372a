"""Named rewards: columns of the items, slates without a click, functions and parts."""

import copy
import itertools
import pickle
import re

import numpy as np
import pytest

import recsim
from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from envs.world.contracts import RewardPart
from envs.world.presets import PRESETS, Preset
from recsim.errors import EnvError

USERS = 400
DATA = {
    "item": list("abcdef"),
    "embedding": np.random.default_rng(0).normal(size=(6, 4)),
    "margin": [3.0, -2.0, 0.5, 0.0, 8.0, 1.0],
}
CATALOGUE = {"data": DATA, "features": ["margin"]}
CHOICES = [
    {"kind": "multinomial_logit", "no_click": 1.0},
    {"kind": "cascade", "threshold": 1.0},
    {"kind": "position_based", "threshold": 1.0},
]


def world(choice=CHOICES[0], **parts):
    return {"catalogue": CATALOGUE, "choice": choice, "session": None, "drift": None} | parts


def twice(step):
    """A reward from Python: twice the clicks, and the day."""
    return 2 * step.rewards["click"] + step.users.day


class Bought(RewardPart):
    """Ten for every click on the first item."""

    def __call__(self, step):
        return 10 * ((step.items == 0) & step.clicks).sum(1)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice["kind"])
def test_rewards_are_what_their_names_say(choice, backend):
    rewards = {"click": 0.0, "watch": 0.0, "margin": 0.5, "skip": -0.1, "twice": twice}
    rewards["bought"] = (0.25, Bought())
    settings = {"world": world(choice), "slate_size": 3, "rewards": rewards, "backend": backend}
    env = SlateRecVectorEnv(USERS, **settings)
    assert env.problem.rewards == rewards | {"twice": 1.0, "bought": 0.25}
    env.reset(seed=0)
    slate = np.tile([1, 4, 1], (USERS, 1))  # the last slot shows nothing
    slate[0] = [0, 2, 5]
    action = env.simulation.backend.asarray(slate)
    obs, reward, _, _, info = env.step(action)
    clicks = np.asarray(info["clicks"])
    named = {name: np.asarray(values) for name, values in info["rewards"].items()}
    margin = (np.array(DATA["margin"])[slate] * clicks).sum(axis=1)
    assert named["margin"] == pytest.approx(margin, abs=1e-5)
    assert np.array_equal(named["skip"], clicks.sum(axis=1) == 0)
    assert 0 < named["skip"].mean() < 1
    assert np.array_equal(named["twice"], 2 * clicks.sum(axis=1))
    assert np.array_equal(named["bought"], 10 * (clicks * (slate == 0)).sum(axis=1))
    total = 0.5 * margin - 0.1 * named["skip"] + named["twice"] + 0.25 * named["bought"]
    assert np.asarray(reward) == pytest.approx(total, abs=1e-5)
    for row in np.asarray(obs["feedback"]):
        assert env.single_observation_space["feedback"].contains(row)


@pytest.mark.parametrize("choice", CHOICES[:2], ids=lambda choice: choice["kind"])
def test_the_oracle_counts_columns_and_skips_exactly(choice):
    rewards = {"click": 0.2, "watch": 0.0, "margin": 0.5, "skip": -1.0}
    settings = {"world": world(choice), "slate_size": 2, "rewards": rewards}
    env = SlateRecVectorEnv(8, reveal_state=True, **settings)
    _, info = env.reset(seed=1)
    kernel, state, weights = env.simulation.world, env.simulation.state, env.problem.rewards
    every = np.array(list(itertools.product(range(6), repeat=2)))
    values = [kernel.expected_reward(state, np.tile(s, (8, 1)), weights) for s in every]
    found = kernel.expected_reward(state, info["oracle_slate"], weights)
    assert found == pytest.approx(np.max(values, axis=0), abs=1e-5)


@pytest.mark.parametrize("choice", CHOICES[:2], ids=lambda choice: choice["kind"])
def test_the_expected_reward_is_the_mean_of_the_draws(choice):
    users = 40_000
    rewards = {"click": 0.2, "watch": 0.0, "margin": 0.5, "skip": -1.0}
    settings = {"world": world(choice), "slate_size": 2, "rewards": rewards}
    env = SlateRecVectorEnv(users, reveal_state=True, **settings)
    env.reset(seed=1)
    _, reward, _, _, info = env.step(np.tile([0, 4], (users, 1)))
    error = reward - info["expected_reward"]
    assert abs(error.mean()) < 5 * error.std() / np.sqrt(users)


@pytest.mark.parametrize(
    ("choice", "rewards", "why"),
    [
        (CHOICES[0], {"twice": twice}, "reward 'twice' is not known before the step"),
        (CHOICES[2], {"skip": -1.0}, "reward 'skip' depends on the whole slate"),
    ],
)
def test_the_oracle_says_which_reward_it_does_not_know(choice, rewards, why):
    settings = {"world": world(choice), "slate_size": 2, "rewards": rewards}
    with pytest.warns(UserWarning, match=why):
        env = SlateRecEnv(reveal_state=True, **settings)
    env.reset(seed=0)
    assert "oracle_reward" not in env.step([0, 1])[4]


def test_without_weight_they_are_shown_and_the_oracle_stays_exact():
    settings = {"world": world(), "slate_size": 2, "rewards": {"twice": (0, twice), "skip": 0}}
    env = SlateRecEnv(reveal_state=True, **settings)
    env.reset(seed=0)
    info = env.step([0, 1])[4]
    assert info["rewards"].keys() == {"click", "watch", "twice", "skip"}
    assert "oracle_reward" in info


def test_a_function_sees_the_users_before_the_step():
    seen = []

    def look(step):
        seen.append((step.users.slates.copy(), step.users.interest.copy()))
        return 0.0 * step.users.satisfaction

    env = SlateRecEnv(preset="interest_evolution", rewards={"look": (1.0, look)})
    env.reset(seed=0)
    before = env.simulation.state.weights[:, :8].copy()
    env.step([0, 1, 2, 3, 4])
    assert seen[0][0].tolist() == [0]
    assert np.array_equal(seen[0][1], before)


def test_copies_and_both_faces_agree():
    settings = {"world": world(), "slate_size": 2, "rewards": {"twice": twice, "margin": 1.0}}
    one, many = SlateRecEnv(**settings), SlateRecVectorEnv(3, **settings)
    one.reset(seed=5), many.reset(seed=5)
    for _ in range(5):
        twins = [copy.deepcopy(one), pickle.loads(pickle.dumps(one))]
        reward = one.step([0, 4])[1]
        assert reward == many.step(np.tile([0, 4], (3, 1)))[1][0]
        assert [twin.step([0, 4])[1] for twin in twins] == [reward, reward]


def test_a_preset_may_name_rewards():
    config = SlateRecEnv(world=world(), slate_size=2).world
    start = Preset(description="d", world=config, rewards={"margin": 1.0}, slate_size=2)
    env = SlateRecEnv(preset=start, rewards={"skip": -1})
    assert env.problem.rewards == {"click": 0.0, "watch": 0.0, "margin": 1.0, "skip": -1.0}
    assert PRESETS["retention"].rewards == SlateRecEnv(preset="retention").problem.rewards


def test_agents_compared_on_rewards_of_ones_own():
    env = {"world": world(), "slate_size": 2, "rewards": {"margin": 1.0, "bought": Bought()}}
    with pytest.warns(UserWarning, match="reward 'bought' is not known before the step"):
        result = recsim.compare(env, ["random", "linucb"], seeds=2, users=5, steps=4, baseline=None)
    assert {"margin_per_user", "bought_per_user"} <= set(result.table["metric"])


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ({"margn": 1.0}, "rewards: this world has no reward 'margn'. Did you mean 'margin'?"),
        ({"clik": 1.0}, "this world has no reward 'clik'. Did you mean 'click'?"),
        ({"return": 1.0}, "this world has no reward 'return'"),
        ({"margin": "x"}, "rewards.margin: must be a valid number, not 'x'"),
        ({"margin": True}, "rewards.margin: must be a valid number"),
        ({"margin": None}, "rewards.margin: must be a valid number"),
        ({"own": ("x", twice)}, "rewards.own: must be a number"),
        ({"own": Bought}, "rewards.own: must be a number"),
        ({"click": twice}, "rewards.click: a world has this reward already"),
        ({"margin": float("nan")}, "rewards.margin: must be a finite number"),
        ({"own": (float("inf"), twice)}, "must be finite"),
        ({"own": lambda step: 1.0}, "reward 'own' must be an array of shape (1,), not float"),
        ({"own": lambda step: step.rewards["click"] * np.nan}, "reward 'own' must be finite"),
        ({"own": lambda step: step.clicks}, "must be an array of shape (1,), not shape (1, 2)"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_wrong_rewards_are_refused(rewards, message):
    def play():
        env = SlateRecEnv(world=world(), slate_size=2, rewards=rewards)
        env.reset(seed=0)
        env.step([0, 1])

    with pytest.raises(EnvError, match=re.escape(message)):
        play()
