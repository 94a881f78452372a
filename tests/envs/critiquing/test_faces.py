"""``CritiqueRec-v0``: one session, and many at once; ranks of the goal."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import DQN
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import recsim  # noqa: F401  (registers the environments)
from envs.critiquing import CritiqueRecVectorEnv

PLANTED = {"users": 40, "num_items": 60, "num_aspects": 8, "reviews": 6}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"justification": "item"},
        {"action": "item", "illegal": "penalise"},
        {"action": "item", "illegal": "penalise", "justification": "item", "patience": 2},
        {"critiques": "all", "feedback": "both", "mistakes": 0.2, "cold_start": True},
        {"seeker": "different", "noise": 0.3, "allow_arbitrary": True, "step_cost": 0.1},
    ],
)
# Scores are unbounded; learners that need bounds can use action="item".
@pytest.mark.filterwarnings("ignore:.*Box action space:UserWarning")
def test_check_env(settings):
    env = gym.make("recsim:CritiqueRec-v0", planted=PLANTED, **settings)
    check_env(env.unwrapped)


def test_stable_baselines3_trains_on_it():
    env = gym.make(
        "recsim:CritiqueRec-v0",
        planted=PLANTED,
        action="item",
        justification="item",
        illegal="penalise",
    )
    sb3_check_env(env.unwrapped)
    DQN("MultiInputPolicy", env, learning_starts=10, buffer_size=100, seed=0).learn(40)


def many(count, **settings):
    return CritiqueRecVectorEnv(count, planted=PLANTED, **settings)


def linear(seed=0):
    """Return a policy whose scores are linear in the preferences."""
    rng = np.random.default_rng(seed)
    weights, bias = rng.normal(size=(8, 60)), rng.normal(size=60)

    def act(obs):
        scores = 0.3 * obs["preferences"] @ weights + bias
        # Rounded, as a matrix product may depend on the shape of the batch in its last digits.
        return {"scores": scores.round(9), "justification": obs["preferences"] < 1}

    return act


SETTINGS = [
    {"seeker": "random"},
    {"noise": 0.5},
    {"mistakes": 0.4, "critiques": "all", "feedback": "both"},
    {"seeker": "random", "justification": "item", "patience": 1},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_session_does_not_depend_on_the_batch(settings):
    act, stories = linear(), {}
    for batch in (1, 7, 40):
        env = many(batch, **settings)
        ends = []
        for begin in range(0, 35, batch):
            numbers = np.arange(begin, begin + batch) % 40
            obs, _ = env.reset(seed=3, options={"index": numbers})
            story, going = [[] for _ in numbers], np.ones(batch, dtype=bool)
            while going.any():
                action = act(obs)
                obs, _, terminated, truncated, info = env.step(
                    action["scores"] if settings.get("justification") else action
                )
                for row in np.flatnonzero(going):
                    critiques = np.flatnonzero(info["critiques"][row]).tolist()
                    story[row].append((info["item"][row], info["gold_rank"][row], critiques))
                going &= ~(terminated | truncated)
            ends += story
        stories[batch] = ends[:35]
    assert stories[1] == stories[7] == stories[40]


def test_a_row_of_the_batch_equals_the_scalar_face(make, make_batch, show):
    env, one = make_batch(3, seeker="random"), make(seeker="random")
    obs, info = env.reset(seed=3, options={"index": [1, 0, 1]})
    alone, alone_info = one.reset(seed=3, options={"index": 0})
    for item in (1, 2, 0):
        for name, value in alone.items():
            np.testing.assert_array_equal(obs[name][1], value, err_msg=name)
        for name, value in alone_info.items():
            np.testing.assert_array_equal(info[name][1], value, err_msg=name)
        other = {1: 0, 2: 3, 0: 4}[item]
        action = {
            "item": np.array([other, item, other]),
            "justification": np.ones((3, 5), dtype=np.int8),
        }
        obs, reward, terminated, truncated, info = env.step(action)
        alone, *rest, alone_info = one.step(show(item, 0, 1, 2, 3, 4))
        assert [reward[1], terminated[1], truncated[1]] == rest
    assert terminated[1]
    np.testing.assert_array_equal(info["final_obs"]["critiqued"][1], alone["critiqued"])
    assert info["final_info"]["turn"][1] == alone_info["turn"] == 3
    assert info["_final_info"].tolist() == [False, True, False]


def test_finished_sessions_are_replaced():
    env = many(20, max_turns=1, justification="item")
    _, info = env.reset(seed=0)
    first = info["session"]
    obs, _, terminated, truncated, info = env.step(np.random.default_rng(0).random((20, 60)))
    assert (terminated | truncated).all()
    assert (obs["turn"] == 0).all()
    assert (obs["shown"] == -1).all()
    assert (info["final_obs"]["turn"] == 1).all()
    assert (info["action_mask"].sum(axis=1) == 60 - 4).all(), "that of the new session"
    np.testing.assert_array_equal(info["session"], first)
    _, _, _, _, info = env.step(np.zeros((20, 60)))
    assert not set(info["session"]) & set(first), "each session has a number of its own"


def test_without_critiques_the_target_comes_nearer_by_one_at_every_turn():
    env = many(40, justification="item", critiques="none")
    scores = np.tile(np.random.default_rng(0).random(60), (40, 1))
    _, info = env.reset(seed=0, options={"index": range(40)})
    allowed = info["action_mask"] > 0
    goals = env.episode_goals
    first = (allowed & (scores > scores[range(40), goals][:, None])).sum(axis=1)
    going = np.ones(40, dtype=bool)
    for turn in range(10):
        _, _, terminated, truncated, info = env.step(scores)
        wanted = np.maximum(first - turn, 0)[going]
        np.testing.assert_array_equal(info["gold_rank"][going], wanted)
        np.testing.assert_array_equal(info["base_gold_rank"][going], wanted)
        np.testing.assert_array_equal(info["base_turns"][going], np.minimum(first + 1, 10)[going])
        np.testing.assert_array_equal(terminated[going], wanted == 0)
        going &= ~(terminated | truncated)
    assert 0 < (first < 10).sum() < 40, "some find it and some do not"


def test_ties_go_to_the_item_with_the_lower_number(make):
    env = make(action="scores", justification="item")
    env.reset(options={"user": 2, "goal": 5})  # user 2 may be shown 4 and 5
    *_, info = env.step(np.zeros(6))
    assert (info["item"], info["gold_rank"]) == (4, 1)
    env.reset(options={"user": 2, "goal": 4})
    *_, info = env.step(np.full(6, -np.inf))
    assert (info["item"], info["gold_rank"], info["success"]) == (4, 0, True)


def test_the_rank_is_unknown_if_actions_are_items(make, show):
    env = make()
    env.reset(options={"index": 0})
    *_, info = env.step(show(1))
    assert (info["gold_rank"], info["base_gold_rank"], info["base_turns"]) == (-1, -1, -1)


def test_the_goal_is_hidden_without_debug(make):
    env = make(debug=False)
    _, info = env.reset(seed=0)
    assert not {"goal", "goal_aspects"} & info.keys()


@pytest.mark.parametrize(
    ("settings", "action", "message"),
    [
        ({}, {"item": 0}, "mapping with the keys"),
        (
            {},
            {"item": 9, "justification": [0] * 5},
            r"action\['item'\] of user 0 is 9; it must be a whole number in 0 \.\.\. 5\.",
        ),
        ({}, {"item": 0.5, "justification": [0] * 5}, "must be whole numbers"),
        ({}, {"item": 0, "justification": [0, 2, 0, 0, 0]}, "every entry must be 0 or 1"),
        ({"action": "scores", "justification": "item"}, [0.0] * 5, r"has shape \(5,\); it must"),
        ({"action": "scores", "justification": "item"}, [np.nan] * 6, "action of user 0 has NaN"),
    ],
)
def test_malformed_actions(make, settings, action, message):
    env = make(**settings)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(action)


def drawn_sessions(env, **reset):
    """Play sessions with a fixed policy, those that replace others included; return their infos."""
    act, story = linear(), []
    obs, info = env.reset(**reset)
    for _ in range(25):
        story.append([info["session"], obs["user"][:, 0], info["critiques"].sum(axis=1)])
        obs, _, terminated, truncated, info = env.step(act(obs))
        story[-1].append(terminated | truncated)
    return np.array(story)  # (T, 4, B)


def test_a_drawn_session_is_a_function_of_seed_row_and_episode():
    settings = {"seeker": "different", "noise": 0.3, "max_turns": 6}
    whole = drawn_sessions(many(9, **settings), seed=4)
    assert whole[:, 3].any(axis=0).all()
    block = drawn_sessions(many(4, **settings), seed=4, options={"first_user": 3})
    assert np.array_equal(whole[:, :, 3:7], block)
    one, two = (drawn_sessions(many(1, **settings), seed=[seed]) for seed in (4, 5))
    both = drawn_sessions(many(2, **settings), seed=[5, 4])
    assert np.array_equal(both, np.concatenate([two, one], axis=2))
    assert np.array_equal(whole[:, :, :1], one)
