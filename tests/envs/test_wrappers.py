"""Wrappers of vector environments around ours: Gymnasium's own, and ours in their place."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces.utils import flatten
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import (
    DictInfoToList,
    FlattenObservation,
    NormalizeObservation,
    NormalizeReward,
)

from envs.slates.env import SlateRecVectorEnv
from envs.wrappers import RecordEpisodeStatistics
from recsim.errors import EnvError
from tests.envs.families import FAMILIES, MANY, flat, stacked

USERS = 3


def played(env, steps=20):
    """Yield what every step returns, under actions that are the same for all wrappers."""
    space = env.unwrapped.single_action_space
    space.seed(0)
    env.reset(seed=[5, 6, 7])
    disabled = env.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    for _ in range(steps):
        result = env.step(stacked([space.sample() for _ in range(USERS)]))
        yield result
        done = result[2] | result[3]
        if disabled and done.any():
            env.reset(options={"reset_mask": done})


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("name", ["slates", "slots", "conversations", "critiques"])
def test_statistics_of_episodes_are_sums_of_rewards(name, mode):
    env = RecordEpisodeStatistics(MANY[name](USERS, autoreset_mode=mode))
    total, length, ends, fresh = np.zeros(USERS), np.zeros(USERS, dtype=int), 0, np.zeros(USERS)
    for _, reward, terminated, truncated, info in played(env):
        counts = fresh == 0
        total, length = total + reward, length + counts
        done = terminated | truncated
        if done.any():
            assert np.array_equal(info["_episode"], done)
            assert info["episode"]["r"][done] == pytest.approx(total[done])
            assert np.array_equal(info["episode"]["l"][done], length[done])
        ends += done.sum()
        total[done], length[done] = 0, 0
        # In this mode the step after the last one only resets.
        fresh = done if mode == AutoresetMode.NEXT_STEP else np.zeros(USERS)
    assert ends > 2
    assert env.episode_count == ends == len(env.length_queue) == len(env.return_queue)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_statistics_of_episodes_are_those_of_gymnasium(mode):
    if mode == AutoresetMode.SAME_STEP and gymnasium.__version__ < "1.4":
        pytest.skip("Gymnasium's wrapper counts wrong returns and lengths before 1.4")
    theirs, ours = (
        wrapper(SlateRecVectorEnv(USERS, preset="boredom", max_steps=5, autoreset_mode=mode))
        for wrapper in (gymnasium.wrappers.vector.RecordEpisodeStatistics, RecordEpisodeStatistics)
    )
    ends = 0
    for (*_, info), (*_, own) in zip(played(theirs, 40), played(ours, 40), strict=True):
        assert ("episode" in info) == ("episode" in own)
        if "episode" in own:
            ends += 1
            for key in ("r", "l"):
                assert info["episode"][key] == pytest.approx(own["episode"][key])
    assert ends >= 6
    assert list(theirs.length_queue) == list(ours.length_queue)


def test_statistics_need_a_mode_of_resetting():
    env = SlateRecVectorEnv(USERS)
    env.metadata = {}
    with pytest.raises(EnvError, match="autoreset_mode"):
        RecordEpisodeStatistics(env)


@pytest.mark.parametrize("mode", ["NEXT_STEP", "DISABLED"])
@pytest.mark.parametrize("name", ["slates", "slots", "learned", "conversations", "critiques"])
def test_observations_are_flattened(name, mode):
    plain = MANY[name](USERS, autoreset_mode=mode)
    env = FlattenObservation(MANY[name](USERS, autoreset_mode=mode))
    assert np.isfinite(env.single_observation_space.low).all()
    for (obs, *_), (vectors, *_) in zip(played(plain), played(env), strict=True):
        assert env.observation_space.contains(vectors)
        for row in range(USERS):
            one = {key: value[row] for key, value in obs.items()}
            assert np.array_equal(vectors[row], flatten(plain.single_observation_space, one))


def test_observations_and_rewards_are_normalised():
    make = SlateRecVectorEnv(USERS, preset="boredom", max_steps=5, autoreset_mode="NEXT_STEP")
    env = NormalizeReward(NormalizeObservation(FlattenObservation(make)))
    results = list(played(env, 200))
    observations = np.concatenate([result[0] for result in results[100:]])
    assert np.isfinite(observations).all()
    varying = observations.std(axis=0) > 0.1
    assert varying.sum() > 20
    assert np.abs(observations[:, varying].mean(axis=0)).mean() < 0.3
    assert 0.7 < observations[:, varying].std() < 1.3
    rewards = np.concatenate([result[1] for result in results[100:]])
    assert 0 < rewards.std() < 2


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize("name", ["slates", "conversations"])
def test_rewards_are_normalised_as_those_of_single_environments(name, mode):
    one, many = FAMILIES[name]
    ours = NormalizeReward(many(USERS, autoreset_mode=mode))
    theirs = NormalizeReward(SyncVectorEnv([one] * USERS, autoreset_mode=mode))
    space = ours.unwrapped.single_action_space
    space.seed(0)
    for env in (ours, theirs):
        env.reset(seed=[5, 6, 7])
    for _ in range(20):
        action = stacked([space.sample() for _ in range(USERS)])
        assert np.allclose(ours.step(action)[1], theirs.step(action)[1])


@pytest.mark.skipif(gymnasium.__version__ < "1.2", reason="the wrapper needs masks of all entries")
@pytest.mark.parametrize("name", MANY)
def test_infos_may_be_split_by_row(name):
    plain, env = MANY[name](USERS), DictInfoToList(MANY[name](USERS))
    for (*_, info), (*_, infos) in zip(played(plain), played(env), strict=True):
        final = info.get("_final_info", np.zeros(USERS, dtype=bool))
        for row in range(USERS):
            assert ("final_info" in infos[row]) == final[row]
            for key, value in flat(infos[row]).items():
                assert np.array_equal(value, flat(info)[key][row]), key
