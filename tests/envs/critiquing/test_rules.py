"""What is criticised, what is believed, how a session ends: by hand; the data are in conftest.py.

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


def said(info, sign=-1):
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
    assert len(env.setting.episode_users) == 2, "who met the goal in training is left out"
    assert env.training_data.rows("test").size == 0


def test_two_turns(make, show):
    env = make()
    start(env)
    obs, reward, terminated, truncated, info = env.step(show(1, 0, 1, 4))
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert said(info) == [1], "1 and 4 are wrong, and 1 is the more popular"
    assert obs["preferences"].tolist() == [3, -1, 1, 0, 2]
    assert obs["critiqued"].tolist() == [0, -1, 0, 0, 0]
    assert obs["shown"][:2].tolist() == [1, -1]
    assert info["action_mask"].tolist() == [1, 0, 1, 0, 1, 0]
    obs, *_, info = env.step(show(2, 1, 3, 4))
    assert said(info) == [4], "1 was criticised before"
    assert obs["preferences"].tolist() == [3, -1, 1, 0, 0]
    obs, reward, terminated, truncated, info = env.step(show(0, 3))
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert (info["success"], info["turn"], info["item"], info["gold_rank"]) == (True, 3, 0, 0)
    assert said(info) == [], "who has found it does not criticise"


def test_nothing_wrong_is_just_a_no(make, show):
    env = make()
    before, _ = start(env)
    after, *_, info = env.step(show(1, 0, 2))
    assert said(info) == []
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
def test_who_says_what(make, show, settings, negative, positive):
    env = make(**settings)
    start(env)
    obs, *_, info = env.step(show(1, 0, 1, 4))
    assert (said(info), said(info, 1)) == (negative, positive)
    counts = np.array([3, 0, 1, 0, 2])
    wanted = counts - np.maximum(counts, 1) * np.isin(range(5), negative)
    wanted = wanted + np.maximum(counts, 1) * np.isin(range(5), positive)
    np.testing.assert_array_equal(obs["preferences"], wanted)


def test_who_has_nothing_to_say_may_name_something_else(make, show):
    env = make(allow_arbitrary=True)
    start(env)
    *_, info = env.step(show(1, 0, 2))
    assert said(info) == [1]
    env = make(allow_arbitrary=True, feedback="positive")
    start(env)
    *_, info = env.step(show(1, 1))
    assert said(info, 1) == [0]


def test_a_target_without_aspects_lacks_all(make, show):
    env = make(critiques="all", split="valid")
    start(env)
    *_, info = env.step(show(5, 0, 2, 4))
    assert said(info) == [0, 2, 4]


def test_random_picks_follow_the_session_and_the_seed(make_batch):
    count = 3000
    env = make_batch(count, seeker="random", action="scores")
    action = {
        "scores": np.tile([0, 1, 0, 0, 0, 0], (count, 1)),
        "justification": np.tile([1, 1, 0, 0, 1], (count, 1)),
    }
    env.setting.users, env.setting.goals = np.zeros(count, dtype=int), np.zeros(count, dtype=int)
    env.reset(seed=0, options={"index": range(count)})
    *_, info = env.step(action)
    share = (info["critiques"] < 0).mean(axis=0)
    assert abs(share[1] - 0.5) < 4 * np.sqrt(0.25 / count)
    np.testing.assert_allclose(share[[0, 2, 3]], 0)
    env.reset(seed=1, options={"index": range(count)})
    *_, other = env.step(action)
    assert (info["critiques"] != other["critiques"]).any()


def test_without_a_seed_nobody_knows_what_is_picked(make_batch):
    found = []
    for _ in range(2):
        env = make_batch(200, seeker="random", action="scores")
        env.reset(options={"user": [0] * 200, "goal": [0] * 200})
        env.setting.sessions.session = np.arange(200)
        *_, info = env.step(
            {
                "scores": np.tile([0, 1, 0, 0, 0, 0], (200, 1)),
                "justification": np.tile([1, 1, 0, 0, 1], (200, 1)),
            }
        )
        found.append(info["critiques"])
    assert (found[0] != found[1]).any()


def test_noise_is_a_random_pick_as_often_as_it_says(make_batch):
    count = 4000
    env = make_batch(count, noise=0.5, action="scores")
    env.setting.users, env.setting.goals = np.zeros(count, dtype=int), np.zeros(count, dtype=int)
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
    assert said(info) == []
    assert obs["preferences"].tolist() == [3, -1, 1, 0, 2]
    start(env)
    env.step(show(1, 1))
    _, reward, terminated, truncated, _ = env.step(show(0))
    assert (reward, terminated, truncated) == (1.0, True, False)
    with pytest.raises(gym.error.ResetNeeded, match="no session is running"):
        env.step(show(2))
    with pytest.raises(gym.error.ResetNeeded):
        make().step(show(2))


def test_who_is_not_listened_to_leaves(make, show):
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


def test_who_is_shown_what_they_praised_stays(make, show):
    env = make(patience=1, mask_train=False, feedback="positive")
    start(env)
    env.step(show(2, 0))  # "cheap is right"
    *_, terminated, _, info = env.step(show(5))
    assert (said(info), terminated) == ([], False)


def test_nobody_is_known(make, show):
    env = make(cold_start=True)
    obs, info = start(env)
    assert obs["user"].tolist() == [-1]
    assert obs["preferences"].tolist() == [0] * 5
    assert info["action_mask"].tolist() == [1] * 6
    obs, *_ = env.step(show(5, 4))
    assert obs["preferences"].tolist() == [0, 0, 0, 0, -1]
    with pytest.raises(UserError, match=r"options\['user'\] must hold 1 numbers, -1 \.\.\. -1"):
        env.reset(options={"user": 0, "goal": 0})


def test_items_of_training_may_be_shown_where_that_is_wanted(make, show):
    env = make(mask_train=False)
    _, info = start(env)
    assert info["action_mask"].tolist() == [1] * 6


def test_what_is_not_allowed(make, show):
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
    assert (info["turn"], info["item"], said(info)) == (2, -1, [])


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


def test_every_pair_has_a_session_of_its_own(make):
    env = make(mask_train=False)
    options = [{"user": user, "goal": goal} for user in range(-1, 3) for goal in range(6)]
    options += [{"index": 0}, {"index": 1}, {}]
    numbers = [env.reset(options=one)[1]["session"] for one in options]
    assert len(set(numbers)) == len(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"index": 2}, r"options\['index'\] must hold 1 numbers, 0 \.\.\. 1"),
        ({"user": 3, "goal": 0}, r"options\['user'\] must hold 1 numbers, -1 \.\.\. 2"),
        ({"goal": 0}, "options are 'index', or 'user' and 'goal'"),
        ({"index": "one"}, r"options\['index'\] must hold 1 numbers"),
        ({"index": 0.5}, r"options\['index'\] must hold 1 numbers"),
    ],
)
def test_pairs_that_are_not_there(make, options, message):
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
        ({"split": "train"}, "split is 'train'. Known: test, valid"),
        ({"split": None}, "split is None. Known: test, valid"),
        ({"action": "items"}, "action is 'items'. Did you mean 'item'"),
        ({"justification": "agents"}, "justification is 'agents'. Did you mean 'agent'"),
        ({"planted": {}}, "only one of 'data', 'path' and 'planted'"),
        ({"reader": {}}, "'reader' says how to read 'path'"),
    ],
)
def test_mistakes_are_told(make, settings, message):
    with pytest.raises(UserError, match=message):
        make(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"planted": {"user": 3}}, r"planted\.user: unknown key\. Did you mean 'users'"),
        ({"planted": {"users": "many"}}, r"planted\.users: must be a valid integer, not 'many'"),
        ({"planted": 3}, "planted: must be a block of 'key: value' lines, not 3"),
        ({"path": "x", "reader": {"path": "y"}}, r"reader\.path: unknown key"),
        ({"path": "x", "reader": {"min_rating": "4"}}, r"reader\.min_rating: must be a valid num"),
        ({"path": "nowhere"}, "nowhere does not exist"),
        ({"path": 5}, "'path' is 5; it must be the name of a file or a folder"),
        ({"data": "folder"}, "'data' is 'folder'; it must be AspectReviews"),
    ],
)
def test_arguments_of_data_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        CritiqueRecEnv(**settings)
