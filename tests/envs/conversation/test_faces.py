"""``ConvRec-v0``: one conversation, and many at once."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import DQN
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import recsim  # noqa: F401  (registers the environments)

CASES = [
    {},
    {"action": "discrete"},
    {"question": "multi_choice", "choices": 3},
    {"opening": "free", "noise": 0.1, "answer_model": "unknown"},
    {"acceptable": 4, "opening": "costs_turn"},
    {"free_recommendations": 2, "mask_certain": True},
]


@pytest.mark.parametrize("settings", CASES)
def test_check_env(settings):
    env = gym.make("recsim:ConvRec-v0", illegal="penalise", **settings)
    check_env(env.unwrapped)


@pytest.mark.parametrize("question", ["enumerated", "binary"])
@pytest.mark.parametrize("action", ["slate", "discrete"])
def test_check_env_with_classes(make, question, action):
    check_env(make(question=question, action=action, illegal="penalise"), skip_render_check=True)


def test_stable_baselines3_trains_on_it():
    env = gym.make("recsim:ConvRec-v0", illegal="penalise", action="discrete")
    sb3_check_env(env.unwrapped)
    DQN("MultiInputPolicy", env, learning_starts=10, buffer_size=100, seed=0).learn(40)


def actions(rng, env, count):
    """Draw legal questions, and slates of items that were not shown yet."""
    problem, mask = env.problem, env.action_masks()
    mask = mask[None] if mask.ndim == 1 else mask
    key = rng.random(mask.shape) * mask
    best = np.argmax(key, axis=1)
    asks = (best < problem.num_attributes) & (rng.random(count) < 0.6)
    shown = env.simulation.conversations.shown
    free = rng.random((count, problem.num_items))
    row, slot = np.nonzero(shown >= 0)
    free[row, shown[row, slot]] = -1
    return {
        "type": np.where(asks, 0, 1),
        "attribute": np.where(asks, best, 0),
        "slate": np.argsort(-free, axis=1)[:, : problem.slate_size],
    }


@pytest.mark.parametrize("settings", [{}, {"opening": "costs_turn", "noise": 0.2}])
def test_a_row_of_the_batch_equals_the_scalar_face(make, make_batch, settings):
    many, one = make_batch(3, **settings), make(**settings)
    obs, info = many.reset(seed=3, options={"index": [2, 0, 3]})
    alone, alone_info = one.reset(seed=3, options={"index": 0})
    rng = np.random.default_rng(0)
    for _ in range(5):
        for name, value in alone.items():
            np.testing.assert_array_equal(obs[name][1], value, err_msg=name)
        for name, value in alone_info.items():
            np.testing.assert_array_equal(info[name][1], value, err_msg=name)
        action = actions(rng, many, 3)
        obs, reward, terminated, truncated, info = many.step(action)
        alone, *rest, alone_info = one.step({name: part[1] for name, part in action.items()})
        assert [reward[1], terminated[1], truncated[1]] == rest
        if terminated[1] or truncated[1]:
            np.testing.assert_array_equal(info["final_obs"]["answers"][1], alone["answers"])
            assert info["final_info"]["turn"][1] == alone_info["turn"]
            assert info["_final_info"][1]
            break


def test_finished_conversations_are_replaced(make_batch):
    env = make_batch(4, max_turns=1, sampler="each")
    _, info = env.reset(seed=0)
    assert info["index"].tolist() == [0, 1, 2, 3]
    action = {
        "type": np.ones(4, dtype=int),
        "attribute": np.zeros(4, dtype=int),
        "slate": np.tile([0, 2], (4, 1)),
    }
    obs, _, terminated, truncated, info = env.step(action)
    assert terminated.tolist() == [True, False, False, True]
    assert truncated.tolist() == [False, True, True, False]
    assert (obs["turn"] == 0).all()
    assert (obs["shown"] == -1).all()
    assert info["rank"].tolist() == [1, 0, 0, 2]
    assert (info["final_obs"]["turn"] == 1).all()


def test_users_are_drawn_uniformly_whatever_they_took(make_batch):
    env = make_batch(4000)
    _, info = env.reset(seed=0)
    # User 0 has three of the four interactions and is drawn as often as user 1.
    assert abs((info["user"] == 0).mean() - 0.5) < 4 * np.sqrt(0.25 / 4000)
    _, again = env.reset(seed=0)
    np.testing.assert_array_equal(info["index"], again["index"])
    _, other = env.reset()
    assert (info["index"] != other["index"]).any()


def drawn(env, **reset):
    """Play conversations that show slates only; return what they are about, (T, 2, B)."""
    _, info = env.reset(**reset)
    story = []
    for _ in range(12):
        story.append([info["index"], info["truth"].sum(axis=1)])
        count = len(info["index"])
        shown = env.simulation.conversations.shown
        free = np.ones((count, env.problem.num_items))
        row, slot = np.nonzero(shown >= 0)
        free[row, shown[row, slot]] = -1
        slate = np.argsort(-free, axis=1, kind="stable")[:, : env.problem.slate_size]
        zeros = np.zeros(count, dtype=int)
        *_, info = env.step({"type": zeros + 1, "attribute": zeros, "slate": slate})
    return np.array(story)


@pytest.mark.parametrize("sampler", ["uniform_user", "each"])
def test_a_conversation_is_a_function_of_seed_row_and_episode(make_batch, sampler):
    settings = {"sampler": sampler, "max_turns": 2, "noise": 0.2, "acceptable": 2}
    one, two = (drawn(make_batch(1, **settings), seed=[seed]) for seed in (4, 5))
    both = drawn(make_batch(2, **settings), seed=[5, 4])
    assert np.array_equal(both, np.concatenate([two, one], axis=2))
    whole = drawn(make_batch(6, **settings), seed=4)
    if sampler == "each":  # row i is about the interactions i, i + 6, ...
        total = whole[0, 0].max() + 1
        assert whole[0, 0].tolist() == [number % total for number in range(6)]
    else:
        block = drawn(make_batch(3, **settings), seed=4, options={"first_user": 2})
        assert np.array_equal(whole[:, :, 2:5], block)
        assert np.array_equal(whole[:, :, :1], one)


def test_the_target_is_hidden_without_debug(make):
    env = make(debug=False)
    _, info = env.reset(seed=0)
    assert not {"user", "target", "truth", "candidates"} & info.keys()


def test_popular_candidates_are_shown_by_default(make):
    env = make(action="discrete", split="train", max_turns=3)
    env.reset(seed=0, options={"index": 0})
    obs, *_ = env.step(4)  # taken most often: item 4 twice, item 3 once
    assert obs["shown"][:2].tolist() == [4, 3]
    env = make(action="discrete", rank_fn=lambda obs: np.tile([1, 2], (len(obs["turn"]), 1)))
    env.reset(seed=0, options={"index": 0})
    obs, *_ = env.step(4)
    assert obs["shown"][:2].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"type": 0, "attribute": 0}, "mapping with the keys"),
        ({"type": 5, "attribute": 0, "slate": [-1, -1]}, r"0 \.\.\. 1: 0 to ask, 1 to show"),
        (
            {"type": 0, "attribute": 9, "slate": [-1, -1]},
            r"action\['attribute'\] of user 0 is 9; it must be a whole number in -1 \.\.\. 3\.",
        ),
        (
            {"type": 1, "attribute": 0, "slate": [0, 7]},
            r"action\['slate'\] of user 0 is \[0, 7\]; it must be 2 whole numbers in -1 \.\.\. 4\.",
        ),
        ({"type": 1, "attribute": 0, "slate": [0, 1, 2]}, r"has shape \(3,\); it must have"),
        ({"type": 0.0, "attribute": 0, "slate": [0, 1]}, "whole numbers, not float64"),
    ],
)
def test_malformed_actions(make, make_batch, action, message):
    env = make()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message) as one:
        env.step(action)
    env = make_batch(2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message) as many:
        env.step({name: np.array([part, part]) for name, part in action.items()})
    assert str(one.value) == str(many.value)


def test_malformed_discrete_actions(make_batch):
    env = make_batch(2, action="discrete")
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"user 1 is 5; it must be a whole number in 0 \.\.\. 4"):
        env.step(np.array([0, 5]))
    with pytest.raises(ValueError, match="is given for 3 users; there are 2 users"):
        env.step(np.array([0, 1, 2]))
    with pytest.raises(ValueError, match="The action must be whole numbers, not float64"):
        env.step(np.array([0.5, 1]))
    with pytest.raises(ValueError, match="There are 3 seeds for 2 environments"):
        env.reset(seed=[1, 2, 3])
