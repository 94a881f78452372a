"""``SlateReplay-v0``: the logged outcome if the action matches the log, otherwise none."""

import itertools
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from envs.replay import SlateReplayEnv
from recsim.errors import UserError
from recsim.log import SlateLog
from recsim.problem import Problem


def make_log(**columns) -> SlateLog:
    """Return six rows: two sessions of user 0, interleaved with one of user 1."""
    values = {
        "problem": Problem(
            num_items=4,
            slate_size=2,
            user_feature_dim=1,
            item_features=np.zeros((4, 1), dtype=np.float32),
            rewards={"click": 1.0, "watch": 0.5},
        ),
        "user": np.array([0, 1, 0, 0, 1, 0]),
        "session": np.array([0, 0, 0, 1, 0, 1]),
        "day": np.array([0, 0, 0, 2, 2, 2]),
        "step": np.array([0, 0, 1, 0, 1, 1]),
        "slate": np.array([[0, 1], [2, 3], [1, 2], [3, 0], [0, 2], [1, -1]]),
        "clicks": np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [1, 0]], dtype=np.int8),
        "feedback": {"click": np.array([1.0, 1, 2, 0, 1, 1]), "watch": np.arange(6.0)},
        "user_features": np.array([[0.5], [1.5]], dtype=np.float32),
        "propensity": np.array([[0.5, 0.5]] * 5 + [[0.25, 1.0]]),
        "slate_propensity": np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    }
    return SlateLog(**values | columns).validate()


def one_item_log(rows: int = 8, **columns) -> SlateLog:
    """Return a log like Open Bandit: anonymous users, one item per slate, page positions."""
    log = make_log()
    rng = np.random.default_rng(0)
    clicks = (rng.random((rows, 1)) < 0.5).astype(np.int8)
    problem = replace(log.problem, slate_size=1, rewards={"click": 1.0})
    values = {
        "problem": problem,
        "user": np.arange(rows),
        "session": np.zeros(rows, dtype=np.int64),
        "day": np.zeros(rows, dtype=np.int64),
        "step": np.zeros(rows, dtype=np.int64),
        "slate": rng.integers(0, 4, (rows, 1)),
        "clicks": clicks,
        "feedback": {"click": clicks[:, 0].astype(float)},
        "user_features": rng.normal(size=(rows, 1)).astype(np.float32),
        "propensity": rng.uniform(0.1, 0.9, (rows, 1)),
        "position": rng.integers(1, 4, (rows, 1)),
        "anonymous": True,
    }
    return SlateLog(**values | columns).validate()


def test_a_match_returns_the_logged_outcome():
    env = SlateReplayEnv(log=make_log())
    env.reset(seed=0)
    obs, reward, terminated, truncated, info = env.step(np.array([0, 1]))
    assert (reward, terminated, truncated) == (1.0, False, False)
    assert info["matched"] is True
    assert info["rewards"] == {"click": 1.0, "watch": 0.0}
    assert info["clicks"].tolist() == [1, 0]
    assert info["items"].tolist() == info["logged_items"].tolist() == [0, 1]
    assert info["logged_propensities"].tolist() == [0.5, 0.5]
    assert info["logged_slate_propensity"] == 0.1
    assert info["importance_weight"] == pytest.approx(10.0)
    assert info["row"] == 0
    assert obs["feedback"].tolist() == [1.0, 0.0]
    assert obs["history_items"].tolist() == [-1] * 8 + [0, 1]
    assert obs["history_clicks"].tolist() == [0] * 8 + [1, 0]
    assert obs["history_length"].tolist() == [1]
    assert obs["time"].tolist() == [0, 0, 1]  # row 2: the next of the first session
    _, reward, terminated, _, info = env.step(np.array([1, 2]))
    assert (reward, terminated) == (3.0, True)
    assert info["rewards"] == {"click": 2.0, "watch": 2.0}


def test_a_repeated_item_leaves_its_slot_empty():
    env = SlateReplayEnv(log=make_log())
    env.reset(seed=0, options={"episode": 2})  # rows 3 and 5
    env.step(np.array([3, 0]))
    _, reward, _, _, info = env.step(np.array([1, 1]))
    assert info["items"].tolist() == [1, -1]
    assert info["matched"] is True
    assert reward == 1 + 0.5 * 5
    env.reset(options={"episode": 2})
    assert env.step(np.array([3, 3]))[4]["items"].tolist() == [3, -1]


def test_the_same_items_in_another_order_do_not_match():
    env = SlateReplayEnv(log=make_log())
    env.reset(seed=0)
    _, reward, _, _, info = env.step(np.array([1, 0]))
    assert reward == 0.0
    assert info["matched"] is False
    assert info["importance_weight"] == 0.0
    assert not any(info["rewards"].values())
    assert not info["clicks"].any()


def play(log: SlateLog, actions, **settings) -> list:
    """Return everything that an agent observes."""
    env = SlateReplayEnv(log=log, **settings)
    trace = [env.reset(seed=0)]
    for action in actions:
        trace.append(env.step(np.array(action)))
        if trace[-1][2]:
            trace.append(env.reset())
    return trace


def same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return np.array_equal(one, other)


@pytest.mark.parametrize("row", range(6))
def test_the_outcome_of_another_action_is_not_revealed(row):
    log = make_log()
    shown = log.slate >= 0
    clicks = log.clicks.copy()
    clicks[row] = (1 - clicks[row]) * shown[row]
    feedback = {name: values.copy() for name, values in log.feedback.items()}
    for values in feedback.values():
        values[row] += 7
    other = replace(log, clicks=clicks, feedback=feedback)
    order = [0, 2, 1, 4, 3, 5]  # rows as the episodes give them
    right = [np.where(log.slate[r] < 0, log.slate[r][0], log.slate[r]) for r in order]
    wrong = [slate if r != row else (slate + 1) % 4 for r, slate in zip(order, right, strict=True)]
    assert same(play(log, wrong), play(other, wrong))
    assert not same(play(log, right), play(other, right))  # a matching policy observes the change


def test_later_rows_are_not_revealed_after_a_step_that_does_not_match():
    """Two logs are equal up to row 0, which is not matched, and differ in every later row."""
    log = make_log()
    other = replace(
        log,
        day=log.day + np.array([0, 0, 5, 9, 0, 9]),
        step=np.array([0, 0, 7, 8, 1, 9]),
        slate=np.array([[0, 1], [2, 3], [2, 1], [0, 3], [0, 2], [3, 2]]),
    )
    shorter = other.select([0, 1, 4])  # the user never returns
    for episodes in ("auto", "session", "user"):
        traces = []
        for version in (log, other, shorter):
            env = SlateReplayEnv(log=version, episodes=episodes)
            traces.append([env.reset(seed=0), env.step(np.array([3, 3]))])
            assert traces[-1][1][2:4] == (True, False)
        assert same(traces[0], traces[1])
        assert same(traces[0], traces[2])
    env = SlateReplayEnv(log=log, episodes="log")
    env.reset(seed=0)
    times = [env.step(np.array([3, 3]))[0]["time"].tolist() for _ in range(5)]
    assert times == [[0, 0, 0]] * 5


def test_independent_rows_have_neither_history_nor_feedback():
    for log in (make_log(), one_item_log()):
        env = SlateReplayEnv(log=log, episodes="log", history=2)
        env.reset(seed=0)
        for row in range(4):
            obs, *_, info = env.step(logged_action(log, row))
            assert info["matched"]
            assert np.all(obs["history_items"] == -1)
            assert not obs["feedback"].any()
            assert obs["history_length"] == [0]


def logged_action(log: SlateLog, row: int):
    """Return the action that shows the logged slate; the candidates are the whole catalogue."""
    return np.where(log.slate[row] < 0, log.slate[row][0], log.slate[row])


@pytest.mark.parametrize(
    ("episodes", "rows"),
    [
        ("auto", [[0, 2], [1, 4], [3, 5]]),
        ("session", [[0, 2], [1, 4], [3, 5]]),
        ("user", [[0, 2, 3, 5], [1, 4]]),
        ("log", [[0, 1, 2, 3, 4, 5]]),
    ],
)
def test_episodes(episodes, rows):
    env = SlateReplayEnv(log=make_log(), episodes=episodes)
    assert env.num_episodes == len(rows)
    env.reset(seed=0)
    for expected in rows + rows:  # after the last comes the first
        played, terminated = [], False
        while not terminated:
            row = expected[len(played)]
            _, _, terminated, truncated, info = env.step(logged_action(env.log, row))
            assert not truncated
            played.append(info["row"])
        assert played == expected
        env.reset()


def test_an_anonymous_log_is_one_episode():
    env = SlateReplayEnv(log=one_item_log())
    assert env.num_episodes == 1
    obs, _ = env.reset(seed=0)
    assert set(obs) == set(env.observation_space)
    assert "position" in obs


def rows_played(env: SlateReplayEnv, **reset) -> list[int]:
    env.reset(**reset)
    rows, over = [], False
    while not over:
        _, _, terminated, truncated, info = env.step(logged_action(env.log, next_row(env)))
        over = terminated or truncated
        rows.append(info["row"])
    return rows


def next_row(env: SlateReplayEnv) -> int:
    return int(env._rows[env._step])


def test_shuffle_plays_every_episode_once_and_follows_the_seed():
    env = SlateReplayEnv(log=make_log(), shuffle=True)
    first = [rows_played(env, seed=5), rows_played(env), rows_played(env)]
    assert sorted(first) == [[0, 2], [1, 4], [3, 5]]
    assert [rows_played(env, seed=5), rows_played(env), rows_played(env)] == first
    orders = {tuple(map(tuple, [rows_played(env, seed=s), rows_played(env)])) for s in range(20)}
    assert len(orders) > 1


def test_shuffle_with_one_episode_shuffles_its_rows():
    env = SlateReplayEnv(log=one_item_log(50), shuffle=True, max_steps=10)
    one, two = rows_played(env, seed=1), rows_played(env)
    assert len(one) == len(two) == 10
    assert one != two
    assert rows_played(env, seed=1) == one


def test_max_steps_truncates_and_the_end_terminates():
    env = SlateReplayEnv(log=make_log(), episodes="log", max_steps=2)
    env.reset(seed=0)
    assert env.step(np.array([0, 0]))[2:4] == (False, False)
    assert env.step(np.array([0, 0]))[2:4] == (False, True)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.array([0, 0]))
    env = SlateReplayEnv(log=make_log(), max_steps=2)
    env.reset(seed=0)
    assert env.step(np.array([0, 1]))[2:4] == (False, False)
    assert env.step(np.array([1, 2]))[2:4] == (True, False)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.array([0, 0]))


def test_weighted_rewards_are_unbiased_for_any_policy():
    """Summed over all actions, weighted by their probabilities, the estimate is exactly IPS."""
    log = one_item_log(12)
    policy = np.array([0.1, 0.2, 0.3, 0.4])
    env = SlateReplayEnv(log=log)
    expected = np.zeros(12)
    for action, chance in enumerate(policy):
        env.reset(seed=0)
        for row in range(12):
            _, reward, _, _, info = env.step(np.array([action]))
            expected[row] += chance * reward * info["importance_weight"]
    ips = policy[log.slate[:, 0]] / log.propensity[:, 0] * log.reward
    np.testing.assert_allclose(expected, ips, rtol=1e-12)


def test_actions_index_the_candidates_of_the_row():
    candidates = np.array([[3, 1, 0], [2, 3, 1], [1, 2, 0], [0, 3, 1], [0, 2, 1], [1, 0, 2]])
    log = make_log()
    log = replace(log, problem=replace(log.problem, num_candidates=3), candidates=candidates)
    env = SlateReplayEnv(log=log)
    obs, _ = env.reset(seed=0)
    assert obs["candidates"].tolist() == [3, 1, 0]
    assert env.step(np.array([2, 1]))[4]["matched"]
    assert env.action_space.nvec.tolist() == [3, 3]


@pytest.mark.parametrize(
    ("slots", "columns", "known"),
    [
        (2, {}, True),
        (2, {"slate_propensity": None}, False),  # item propensities do not determine the slate's
        (2, {"slate_propensity": None, "propensity": None}, False),
        (1, {}, True),
        (1, {"propensity": None}, False),
    ],
)
def test_the_importance_weight_is_given_where_it_is_known(slots, columns, known):
    log = make_log(**columns) if slots == 2 else one_item_log(**columns)
    env = SlateReplayEnv(log=log)
    env.reset(seed=0)
    info = env.step(env.action_space.sample())[4]
    assert ("importance_weight" in info) == known
    assert ("logged_propensities" in info) == (log.propensity is not None)


def test_wrong_arguments_are_refused(tmp_path):
    log = make_log()
    cases = [
        ({}, "needs reader and path"),
        ({"log": log, "path": "x"}, "a log, or reader and path, not both"),
        ({"log": log.select([])}, "the log has no rows"),
        ({"log": log, "max_steps": 0}, r"max_steps: must be greater than or equal to 1, not 0"),
        ({"log": log, "history": -1}, r"history: must be greater than or equal to 0, not -1"),
        (
            {"log": log, "episodes": "sesion"},
            "episodes: must be 'auto', 'session', 'user' or 'log'",
        ),
        ({"reader": "saved", "path": str(tmp_path / "no")}, "There is no log at"),
        ({"reader": "saved", "path": "x", "options": {"pth": 1}}, "unknown key. Did you mean"),
    ]
    for settings, message in cases:
        with pytest.raises(UserError, match=message):
            SlateReplayEnv(**settings)
    env = SlateReplayEnv(log=log)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.array([0, 0]))
    with pytest.raises(UserError, match=r"There is no episode 3: the log has 0 \.\.\. 2"):
        env.reset(options={"episode": 3})
    for episode in (1.0, True, "1"):
        with pytest.raises(UserError, match=f"There is no episode {episode!r}"):
            env.reset(options={"episode": episode})
    for seed in (1.7, "5", True, -1):
        with pytest.raises(UserError, match=r"seed is .* must be a whole number of at least 0"):
            env.reset(seed=seed)
    with pytest.raises(UserError, match="reset has no option 'epsode'"):
        env.reset(options={"epsode": 3})
    env.reset()
    for action in ([0, 4], [-1, 0]):
        with pytest.raises(ValueError, match=r"2 whole numbers in 0 \.\.\. 3, indices of cand"):
            env.step(np.array(action))
    for action, message in (([0], r"has shape \(1,\)"), ([0.0, 1], "whole numbers, not float64")):
        with pytest.raises(ValueError, match=message):
            env.step(np.array(action))


VARIANTS = list(itertools.product([make_log, one_item_log], [False, True], [None, 3]))


@pytest.mark.parametrize(("build", "shuffle", "max_steps"), VARIANTS)
def test_gymnasium_and_stable_baselines_accept_it(tmp_path, build, shuffle, max_steps):
    build().save(tmp_path / "log")
    env = gym.make(
        "recsim:SlateReplay-v0",
        reader="saved",
        path=str(tmp_path / "log"),
        shuffle=shuffle,
        max_steps=max_steps,
    )
    check_env(env.unwrapped)
    check_env_sb3(env.unwrapped)
    assert env.spec.to_json()


def test_a_log_without_user_features_has_no_such_key():
    log = make_log()
    problem = replace(log.problem, user_feature_dim=0)
    env = SlateReplayEnv(log=replace(log, problem=problem, user_features=np.zeros((2, 0))))
    assert "user_features" not in env.observation_space.spaces
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)


def test_open_bandit_by_name(data_dir):
    path = data_dir / "obd_small"
    if not path.is_dir():
        pytest.skip(f"no Open Bandit sample at {path}")
    env = gym.make(
        "recsim:SlateReplay-v0",
        reader="open_bandit",
        path=str(path),
        options={"campaign": "women", "policy": "random"},
        max_steps=500,
    )
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    matched = [env.step(np.array([7]))[4]["matched"] for _ in range(500)]
    log = env.unwrapped.log
    assert matched == (log.slate[:500, 0] == 7).tolist()
    assert 0 < sum(matched) < 50
