"""``observation="features"``: every number by a plain loop over the ids, bounds and refusals."""

import json
import pickle
import re

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FlattenObservation
from gymnasium.wrappers.vector import NormalizeObservation
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import agents
import recsim
from envs.learned.env import LearnedRecVectorEnv
from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from envs.slates.features import FeatureObservation
from envs.world.backend import Backend
from envs.world.bounds import Bounds
from envs.wrappers import RecordEpisodeStatistics
from recsim.errors import EnvError, UserError
from recsim.play.rollout import rollout
from recsim.problem import Problem
from tests.envs.families import SLATES, user_model

FEATURES = {"observation": "features"}
BACKENDS = ["numpy", "torch"]
VARIANTS = {
    "slates": {},
    "slots": {"action": "slot"},
    "candidates": {"num_candidates": 5, "history": 3},
    "slots of candidates": {"num_candidates": 5, "action": "slot", "history": 1},
    "no limits": {"max_steps": 0, "max_days": 0},
    "no days": {"preset": "position_bias", "world": {"catalogue": {"num_items": 12}}},
}


def by_hand(obs, problem, history, limits):
    """Blocks of the vector of one user, from the observation of ids."""
    table = problem.item_features.astype(float)
    nothing = [0.0] * table.shape[1]

    def mean(items):
        return np.mean([table[item] for item in items], axis=0) if items else nothing

    shown = [int(item) for item in obs["history_items"] if item >= 0]
    clicked = [
        int(item)
        for item, click in zip(obs["history_items"], obs["history_clicks"], strict=True)
        if click
    ]
    ignored = [
        int(item)
        for item, click in zip(obs["history_items"], obs["history_clicks"], strict=True)
        if item >= 0 and not click
    ]
    time = [
        count / (count + 10) if limit is None else count / max(limit, 1)
        for count, limit in zip(obs["time"].tolist(), limits, strict=True)
    ]
    blocks = {
        "user": obs["user_features"],
        "time": time,
        "feedback": obs["feedback"],
        "clicked": mean(clicked),
        "not_clicked": mean(ignored),
        "rates": [len(clicked) / max(len(shown), 1), obs["history_length"][0] / history],
    }
    columns = []
    for item, allowed in zip(
        obs["candidates"].tolist(),
        obs.get("action_mask", np.ones(len(obs["candidates"]))),
        strict=True,
    ):
        columns += [*table[item], shown.count(item) / history, clicked.count(item) / history]
        if "partial_slate" in obs:
            columns.append(1 - allowed)
    if "partial_slate" in obs:
        chosen = [int(item) for item in obs["partial_slate"] if item >= 0]
        blocks["slate"] = [*mean(chosen), len(chosen) / problem.slate_size]
    return blocks | {"candidates": columns}


def assert_by_hand(env, vectors, observations):
    """Compare vectors ``(B, P)`` with the observations of ids of the same users."""
    simulation = env.simulation
    limits = simulation.world.bounds(env.problem.slate_size).time(
        simulation.max_steps, simulation.max_days
    )
    history = simulation._width // env.problem.slate_size
    for row, vector in enumerate(vectors):
        one = {name: np.asarray(value[row]) for name, value in observations.items()}
        blocks = by_hand(one, env.problem, history, limits)
        assert list(blocks) == list(env.feature_layout)
        for name, numbers in blocks.items():
            np.testing.assert_allclose(vector[env.feature_layout[name]], numbers, atol=1e-5)


def played(env, users, steps=25):
    env.reset(seed=3)
    env.single_action_space.seed(0)
    for _ in range(steps):
        yield env.step(np.stack([env.single_action_space.sample() for _ in range(users)]))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_number_is_that_of_a_loop_over_the_ids(name):
    settings = SLATES | VARIANTS[name]
    env, twin = SlateRecVectorEnv(4, **settings, **FEATURES), SlateRecVectorEnv(4, **settings)
    assert_by_hand(env, env.reset(seed=3)[0], twin.reset(seed=3)[0])
    ends = clicks = 0
    for (vectors, *rest, info), (obs, *others, infos) in zip(
        played(env, 4), played(twin, 4), strict=True
    ):
        assert_by_hand(env, vectors, obs)
        for one, other in zip(rest, others, strict=True):
            assert np.array_equal(one, other)
        done = rest[1] | rest[2]
        if done.any():
            rows = np.flatnonzero(done)
            final = {key: value[rows] for key, value in infos["final_obs"].items()}
            assert_by_hand(env, info["final_obs"][rows], final)
        ends, clicks = ends + done.sum(), clicks + info["clicks"].sum()
    assert clicks > 5
    assert ends > 2 or name == "no limits"


def test_a_small_case_by_hand():
    env = SlateRecEnv(
        preset="boredom", world={"catalogue": {"num_items": 3}}, slate_size=2, history=2, **FEATURES
    )
    # A user who clicks the second item only.
    seed = next(
        number
        for number in range(100)
        if env.reset(seed=number) and env.step([2, 0])[4]["clicks"].tolist() == [0, 1]
    )
    start, _ = env.reset(seed=seed)
    layout, table = env.feature_layout, env.problem.item_features
    assert {name: part.stop - part.start for name, part in layout.items()} == {
        "user": 8,
        "time": 3,
        "feedback": 2,
        "clicked": 9,
        "not_clicked": 9,
        "rates": 2,
        "candidates": 3 * (9 + 2),
    }
    assert not start[layout["clicked"]].any()
    columns = start[layout["candidates"]].reshape(3, 11)
    assert np.array_equal(columns[:, :9], table)
    assert not columns[:, 9:].any()
    obs = env.step([2, 0])[0]
    assert np.array_equal(obs[layout["clicked"]], table[0])
    assert np.array_equal(obs[layout["not_clicked"]], table[2])
    assert obs[layout["rates"]].tolist() == [0.5, 0.5]
    assert obs[layout["time"]].tolist() == [0, 0, np.float32(1 / 60)]
    columns = obs[layout["candidates"]].reshape(3, 11)
    assert columns[:, 9].tolist() == [0.5, 0, 0.5]  # shown in one slate of at most two
    assert columns[:, 10].tolist() == [0.5, 0, 0]


def test_users_of_a_log_have_features_too():
    log = {"user_model": user_model(), "max_steps": 5}
    env, twin = LearnedRecVectorEnv(3, **log, **FEATURES), LearnedRecVectorEnv(3, **log)
    env.reset(seed=3), twin.reset(seed=3)
    for (vectors, *_), (obs, *_) in zip(played(env, 3), played(twin, 3), strict=True):
        assert_by_hand(env, vectors, obs)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("name", VARIANTS)
def test_the_vector_face_is_the_scalar_face_in_every_row(name, mode):
    settings = SLATES | VARIANTS[name] | FEATURES
    ours = SlateRecVectorEnv(3, autoreset_mode=mode, **settings)
    theirs = SyncVectorEnv([lambda: SlateRecEnv(**settings)] * 3, autoreset_mode=mode)
    theirs.single_action_space.seed(0)
    assert ours.single_observation_space == theirs.single_observation_space
    obs, batch = theirs.reset(seed=[3, 1, 4])[0], ours.reset(seed=[3, 1, 4])[0]
    assert np.array_equal(obs, batch)
    for _ in range(30):
        action = np.stack([theirs.single_action_space.sample() for _ in range(3)])
        obs, reward, terminated, truncated, info = theirs.step(action)
        batch, rewards, *_, infos = ours.step(action)
        assert np.array_equal(obs, batch)
        assert np.array_equal(reward, rewards)
        assert ours.single_observation_space.contains(batch[0])
        done = terminated | truncated
        if mode == AutoresetMode.SAME_STEP and done.any():
            final = np.stack([info["final_obs"][row] for row in np.flatnonzero(done)])
            assert np.array_equal(final, infos["final_obs"][done])
        if mode == AutoresetMode.DISABLED and done.any():
            obs, _ = theirs.reset(options={"reset_mask": done})
            batch, _ = ours.reset(options={"reset_mask": done})
            assert np.array_equal(obs, batch)


@pytest.mark.parametrize("name", VARIANTS)
def test_torch_does_as_numpy(name):
    settings = SLATES | VARIANTS[name] | FEATURES
    one, other = (SlateRecVectorEnv(5, backend=backend, **settings) for backend in BACKENDS)
    one.reset(seed=2), other.reset(seed=2)
    one.single_action_space.seed(0)
    for _ in range(20):
        action = np.stack([one.single_action_space.sample() for _ in range(5)])
        vectors, tensors = one.step(action)[0], other.step(torch.from_numpy(action))[0]
        assert tensors.dtype == torch.float32
        np.testing.assert_allclose(vectors, tensors.numpy(), atol=1e-6)


@pytest.mark.filterwarnings("ignore:render_mode='human'")
@pytest.mark.parametrize("name", VARIANTS)
def test_check_env(name):
    settings = SLATES | VARIANTS[name] | FEATURES
    env = gym.make("recsim:SlateRec-v0", reveal_state=True, **settings)
    check_env(env.unwrapped)
    sb3_check_env(env.unwrapped)
    json.loads(env.spec.to_json())


@pytest.mark.parametrize("name", VARIANTS)
def test_bounds_are_real(name):
    env = SlateRecVectorEnv(50, **SLATES | VARIANTS[name], **FEATURES)
    space, layout = env.single_observation_space, env.feature_layout
    assert space.dtype == np.float32
    assert [part.start for part in layout.values()] == [0, *(p.stop for p in layout.values())][:-1]
    assert layout["candidates"].stop == space.shape[0]
    assert np.abs([space.low, space.high]).max() < 1e4
    seen = np.concatenate([env.reset(seed=0)[0], *(step[0] for step in played(env, 50, 60))])
    assert (seen >= space.low).all()
    assert (seen <= space.high).all()
    # Features of all candidates are the whole catalogue, whose extremes are the bounds.
    width = (layout["candidates"].stop - layout["candidates"].start) // env.problem.num_candidates
    items = slice(layout["candidates"].start, layout["candidates"].start + width)
    dim = env.problem.item_features.shape[1]
    table = env.problem.item_features
    assert np.array_equal(space.low[items][:dim], table.min(axis=0))
    assert np.array_equal(space.high[items][:dim], table.max(axis=0))


def test_wrappers_and_copies():
    env = RecordEpisodeStatistics(SlateRecVectorEnv(3, **SLATES, **FEATURES))
    total = np.zeros(3)
    ends = 0
    for _, reward, terminated, truncated, info in played(env, 3):
        total += reward
        done = terminated | truncated
        if done.any():
            assert info["episode"]["r"][done] == pytest.approx(total[done])
        ends, total[done] = ends + done.sum(), 0
    assert ends > 2
    flat = SlateRecVectorEnv(3, autoreset_mode="NEXT_STEP", **SLATES, **FEATURES)
    for obs, *_ in played(NormalizeObservation(flat), 3):
        assert np.isfinite(obs).all()
    one = FlattenObservation(gym.make("recsim:SlateRec-v0", **SLATES, **FEATURES))
    assert one.unwrapped.feature_layout == flat.feature_layout
    assert np.array_equal(one.reset(seed=3)[0], flat.reset(seed=3)[0][0])
    twin = pickle.loads(pickle.dumps(flat))
    for left, right in zip(played(flat, 3), played(twin, 3), strict=True):
        assert np.array_equal(left[0], right[0])


def test_what_is_refused_and_how():
    with pytest.raises(EnvError, match=re.escape("SlateRec-v0.observation: ")) as refusal:
        SlateRecEnv(observation="feature")
    assert "'features'" in str(refusal.value)
    large = {"world": {"catalogue": {"num_items": 10_000}}, **FEATURES}
    for face in (SlateRecEnv, lambda **settings: SlateRecVectorEnv(2, **settings)):
        with pytest.raises(EnvError, match="Set num_candidates to at most 1815: as many") as why:
            face(**large)
        assert "11 numbers for each of 10000 candidates" in str(why.value)
        assert face(num_candidates=1815, **large).feature_layout["candidates"].stop <= 20_000
        with pytest.raises(EnvError, match="at most 1815"):
            face(num_candidates=1816, **large)
    with pytest.raises(EnvError, match="Give the items fewer features"):
        SlateRecEnv(world={"catalogue": {"dim": 9_000}}, **FEATURES)
    assert SlateRecEnv().feature_layout == {}


def test_items_without_features_are_refused():
    bounds = Bounds(np.zeros((2, 0)), np.array([[0.0], [1.0]]), gap=0, session=None)
    with pytest.raises(EnvError, match="the items have no features; use observation='ids'"):
        FeatureObservation(
            Problem(num_items=3),
            bounds,
            Backend.make(),
            history=1,
            slots=False,
            max_steps=5,
            max_days=None,
        )


def test_agents_of_slates_and_scenarios_need_ids():
    env = SlateRecVectorEnv(2, **FEATURES)
    agent = agents.make("random", env.problem)
    with pytest.raises(UserError, match="observation='ids'"):
        rollout(env, agent, seed=0, max_steps=2)
    with pytest.raises(UserError, match=r"env\.observation: must be 'ids' in a scenario"):
        recsim.compare({"preset": "boredom", **FEATURES}, ["random"], seeds=1, users=2, steps=2)
