"""Critiques, preferences and ends of sessions, worked out by hand; the data are in conftest.py.

Popularity of the aspects: 5 5 2 1 4. Session 0 is user 0 (items 3 and 5 in training, c = 4 0 1 0 2)
and item 0 (aspects 0 and 2); session 1 is user 1 (item 2) and item 1.
"""

import gymnasium as gym
import numpy as np
import pytest

from envs.critiquing import CritiqueRecEnv
from recsim.errors import UserError


def start(env, index=0, seed=0):
    return env.reset(seed=seed, options={"index": index})


def criticised(info, sign=-1):
    return np.flatnonzero(info["critiques"] == sign).tolist()


def test_the_start(make):
    env = make()
    obs, info = start(env)
    assert obs["user"].tolist() == [0]
    assert obs["preferences"].tolist() == [3, 0, 1, 0, 2]
    assert obs["shown"].tolist() == [-1] * 10
    assert info["action_mask"].tolist() == [1, 1, 1, 0, 1, 0], "3 and 5 were reviewed in training"
    assert info["goal"] == 0
    assert info["goal_aspects"].tolist() == [1, 0, 1, 0, 0]
    assert len(env.simulation.episode_users) == 2, "pairs reviewed in training are left out"
    assert env.training_data.rows("test").size == 0


def test_two_turns(make, show):
    env = make()
    start(env)
    obs, reward, terminated, truncated, info = env.step(show(1, 0, 1, 4))
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert criticised(info) == [1], "1 and 4 are wrong, and 1 is the more popular"
    assert obs["preferences"].tolist() == [3, -1, 1, 0, 2]
    assert obs["critiqued"].tolist() == [0, -1, 0, 0, 0]
    assert obs["shown"][:2].tolist() == [1, -1]
    assert info["action_mask"].tolist() == [1, 0, 1, 0, 1, 0]
    obs, *_, info = env.step(show(2, 1, 3, 4))
    assert criticised(info) == [4], "1 was criticised before"
    assert obs["preferences"].tolist() == [3, -1, 1, 0, 0]
    obs, reward, terminated, truncated, info = env.step(show(0, 3))
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert (info["success"], info["turn"], info["item"], info["gold_rank"]) == (True, 3, 0, 0)
    assert criticised(info) == [], "no critique of the goal"


def test_without_a_wrong_aspect_the_item_is_just_rejected(make, show):
    env = make()
    before, _ = start(env)
    after, *_, info = env.step(show(1, 0, 2))
    assert criticised(info) == []
    np.testing.assert_array_equal(before["preferences"], after["preferences"])
    assert info["action_mask"][1] == 0


@pytest.mark.parametrize(
    ("settings", "negative", "positive"),
    [
        ({"seeker": "popular"}, [1], []),
        ({"seeker": "unpopular"}, [4], []),
        ({"seeker": "different"}, [4], []),  # item 1 is heavy once and red twice
        ({"critiques": "all"}, [1, 4], []),
        ({"critiques": "none"}, [], []),
        ({"feedback": "positive"}, [], [0]),
        ({"feedback": "both", "critiques": "all"}, [1, 4], [0]),
        ({"feedback": "both", "seeker": "unpopular"}, [4], []),
        ({"mistakes": 1.0}, [0], []),
        ({"mistakes": 1.0, "critiques": "all"}, [0, 1, 4], []),
    ],
)
def test_which_aspects_are_criticised(make, show, settings, negative, positive):
    env = make(**settings)
    start(env)
    obs, *_, info = env.step(show(1, 0, 1, 4))
    assert (criticised(info), criticised(info, 1)) == (negative, positive)
    counts = np.array([3, 0, 1, 0, 2])
    wanted = counts - np.maximum(counts, 1) * np.isin(range(5), negative)
    wanted = wanted + np.maximum(counts, 1) * np.isin(range(5), positive)
    np.testing.assert_array_equal(obs["preferences"], wanted)


def test_users_without_a_critique_may_name_another_aspect(make, show):
    env = make(allow_arbitrary=True)
    start(env)
    *_, info = env.step(show(1, 0, 2))
    assert criticised(info) == [1]
    env = make(allow_arbitrary=True, feedback="positive")
    start(env)
    *_, info = env.step(show(1, 1))
    assert criticised(info, 1) == [0]


def test_any_aspect_may_be_criticised_if_the_goal_has_none(make, show):
    env = make(critiques="all", split="valid")
    start(env)
    *_, info = env.step(show(5, 0, 2, 4))
    assert criticised(info) == [0, 2, 4]


def test_random_picks_depend_on_the_session_and_the_seed(make_batch):
    count = 3000
    env = make_batch(count, seeker="random", action="scores")
    action = {
        "scores": np.tile([0, 1, 0, 0, 0, 0], (count, 1)),
        "justification": np.tile([1, 1, 0, 0, 1], (count, 1)),
    }
    env.simulation.users, env.simulation.goals = (
        np.zeros(count, dtype=int),
        np.zeros(count, dtype=int),
    )
    env.reset(seed=0, options={"index": range(count)})
    *_, info = env.step(action)
    share = (info["critiques"] < 0).mean(axis=0)
    assert abs(share[1] - 0.5) < 4 * np.sqrt(0.25 / count)
    np.testing.assert_allclose(share[[0, 2, 3]], 0)
    env.reset(seed=1, options={"index": range(count)})
    *_, other = env.step(action)
    assert (info["critiques"] != other["critiques"]).any()


def test_without_a_seed_picks_differ_from_run_to_run(make_batch):
    critiques = []
    for _ in range(2):
        env = make_batch(200, seeker="random", action="scores")
        env.reset(options={"user": [0] * 200, "goal": [0] * 200})
        # The keys of drawn sessions, as sessions about one pair under one seed are all alike.
        env.simulation.sessions._draws.put(np.arange(200), env.simulation.episodes.keys())
        *_, info = env.step(
            {
                "scores": np.tile([0, 1, 0, 0, 0, 0], (200, 1)),
                "justification": np.tile([1, 1, 0, 0, 1], (200, 1)),
            }
        )
        critiques.append(info["critiques"])
    assert (critiques[0] != critiques[1]).any()


def test_noise_is_the_frequency_of_random_picks(make_batch):
    count = 4000
    env = make_batch(count, noise=0.5, action="scores")
    env.simulation.users, env.simulation.goals = (
        np.zeros(count, dtype=int),
        np.zeros(count, dtype=int),
    )
    env.reset(seed=0, options={"index": range(count)})
    *_, info = env.step(
        {
            "scores": np.tile([0, 1, 0, 0, 0, 0], (count, 1)),
            "justification": np.tile([1, 1, 0, 0, 1], (count, 1)),
        }
    )
    share = (info["critiques"][:, 4] < 0).mean()  # the popular one is 1
    assert abs(share - 0.25) < 4 * np.sqrt(0.1875 / count)


def test_the_last_item_is_shown_and_not_criticised(make, show):
    env = make(max_turns=2)
    start(env)
    env.step(show(1, 1))
    obs, _, terminated, truncated, info = env.step(show(2, 4))
    assert (terminated, truncated, info["turn"]) == (False, True, 2)
    assert criticised(info) == []
    assert obs["preferences"].tolist() == [3, -1, 1, 0, 2]
    start(env)
    env.step(show(1, 1))
    _, reward, terminated, truncated, _ = env.step(show(0))
    assert (reward, terminated, truncated) == (1.0, True, False)
    with pytest.raises(gym.error.ResetNeeded, match="no episode is running"):
        env.step(show(2))
    with pytest.raises(gym.error.ResetNeeded):
        make().step(show(2))


def test_users_whose_critiques_are_ignored_leave(make, show):
    env = make(patience=1, mask_train=False)
    start(env)
    *_, terminated, truncated, info = env.step(show(1, 4))  # "not red"
    assert not terminated
    *_, terminated, truncated, info = env.step(show(2, 1))  # is not red
    assert not terminated
    _, reward, terminated, truncated, info = env.step(show(5, 3))  # is red
    assert (reward, terminated, truncated, info["success"]) == (0.0, True, False, False)
    patient = make(patience=2, mask_train=False)
    start(patient)
    for item, aspect in ((1, 4), (2, 1), (5, 3)):
        _, _, terminated, _, _ = patient.step(show(item, aspect))
    assert not terminated


def test_users_who_are_shown_a_praised_aspect_stay(make, show):
    env = make(patience=1, mask_train=False, feedback="positive")
    start(env)
    env.step(show(2, 0))  # "cheap is right"
    *_, terminated, _, info = env.step(show(5))
    assert (criticised(info), terminated) == ([], False)


def test_cold_start_hides_the_user(make, show):
    env = make(cold_start=True)
    obs, info = start(env)
    assert obs["user"].tolist() == [-1]
    assert obs["preferences"].tolist() == [0] * 5
    assert info["action_mask"].tolist() == [1] * 6
    obs, *_ = env.step(show(5, 4))
    assert obs["preferences"].tolist() == [0, 0, 0, 0, -1]
    with pytest.raises(UserError, match=r"options\['user'\] of user 0 is 0; .* in -1 \.\.\. -1"):
        env.reset(options={"user": 0, "goal": 0})


def test_items_of_training_may_be_shown_without_the_mask(make, show):
    env = make(mask_train=False)
    _, info = start(env)
    assert info["action_mask"].tolist() == [1] * 6


def test_illegal_items(make, show):
    env = make()
    start(env)
    with pytest.raises(ValueError, match="item 5 was shown before, or the user has reviewed it"):
        env.step(show(5))
    env = make(illegal="penalise", step_cost=0.5)
    start(env)
    env.step(show(1, 1))
    obs, reward, _, _, info = env.step(show(1, 4))
    assert reward == -0.5
    assert obs["shown"][:2].tolist() == [1, -1]
    assert (info["turn"], info["item"], criticised(info)) == (2, -1, [])


def test_any_pair_can_be_chosen(make, show):
    env = make()
    obs, info = env.reset(options={"user": 2, "goal": 4})
    assert (obs["user"].tolist(), info["goal"]) == ([2], 4)
    obs, info = env.reset(options={"user": -1, "goal": 5})
    assert obs["preferences"].tolist() == [0] * 5
    with pytest.raises(UserError, match="the user has reviewed already"):
        env.reset(options={"user": 0, "goal": 5})
    _, info = make(mask_train=False).reset(options={"user": 0, "goal": 5})
    assert info["goal"] == 5


def test_sessions_of_different_pairs_have_different_numbers(make):
    env = make(mask_train=False)
    options = [{"user": user, "goal": goal} for user in range(-1, 3) for goal in range(6)]
    options += [{"index": 0}, {"index": 1}, {}]
    numbers = [env.reset(options=one)[1]["session"] for one in options]
    assert len(set(numbers)) == len(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"index": 2}, r"options\['index'\] of user 0 is 2; .* in 0 \.\.\. 1"),
        (
            {"user": 3, "goal": 0},
            r"options\['user'\] of user 0 is 3; .* in -1 \.\.\. 2",
        ),
        ({"goal": 0}, "options are 'index', or 'user' and 'goal'"),
        ({"index": "one"}, r"options\['index'\] must be whole numbers"),
        ({"index": 0.5}, r"options\['index'\] must be whole numbers"),
    ],
)
def test_unknown_pairs_are_refused(make, options, message):
    with pytest.raises(UserError, match=message):
        make().reset(options=options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_turn": 3}, r"CritiqueRec-v0\.max_turn: unknown key\. Did you mean 'max_turns'"),
        ({"noise": 1.5}, r"CritiqueRec-v0\.noise"),
        ({"noise": 0.5, "critiques": "all"}, "noise has no effect"),
        ({"seeker": "popular", "critiques": "none"}, "seeker has no effect with critiques 'none'"),
        ({"mistakes": 0.5, "critiques": "none"}, "mistakes has no effect with critiques 'none'"),
        ({"seeker": "popula"}, r"CritiqueRec-v0\.seeker: must be 'popular'"),
        ({"split": "train"}, r"CritiqueRec-v0\.split: must be 'test' or 'valid', not 'train'"),
        ({"split": None}, r"CritiqueRec-v0\.split: must be 'test' or 'valid', not None"),
        ({"action": "items"}, r"CritiqueRec-v0\.action: must be 'scores' or 'item', not 'items'"),
        ({"justification": "agents"}, r"justification: must be 'agent' or 'item', not 'agents'"),
        ({"planted": {}}, "only one of 'data', 'path' and 'planted'"),
        ({"reader": {}}, "reader has no effect without path"),
    ],
)
def test_wrong_settings_are_refused(make, settings, message):
    with pytest.raises(UserError, match=message):
        make(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"planted": {"user": 3}}, r"planted\.user: unknown key\. Did you mean 'users'"),
        ({"planted": {"users": "many"}}, r"planted\.users: must be a valid integer, not 'many'"),
        ({"planted": 3}, r"CritiqueRec-v0\.planted: must be a block of 'key: value' lines, not 3"),
        ({"path": "x", "reader": {"path": "y"}}, r"reader\.path: unknown key"),
        ({"path": "x", "reader": {"min_rating": "4"}}, r"reader\.min_rating: must be a valid num"),
        ({"path": "nowhere"}, "nowhere does not exist"),
        ({"path": 5}, r"CritiqueRec-v0\.path: must be text, not 5"),
        ({"data": "folder"}, "'data' is 'folder'; it must be AspectReviews"),
    ],
)
def test_settings_of_the_data_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        CritiqueRecEnv(**settings)
