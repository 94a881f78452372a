"""``autoreset_mode``: each as Gymnasium's ``SyncVectorEnv`` of the scalar environment."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from recsim.errors import UserError
from tests.envs.families import FAMILIES, MANY, SLATES, flat, stacked

USERS, SEEDS = 4, [3, 1, 4, 5]


def assert_same(left, right, rows=slice(None), but=()):
    """The same numbers; sums over many items may be rounded otherwise in a larger batch."""
    left, right = flat(left), flat(right)
    for name, value in left.items():
        if name.split(".")[0] not in but:
            close = np.allclose if name.endswith("_reward") else np.array_equal
            assert close(value[rows], right[name][rows]), name


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_vector_face_is_the_scalar_face_in_every_row(name, mode):
    one, many = FAMILIES[name]
    ours = many(USERS, autoreset_mode=mode)
    theirs = SyncVectorEnv([one] * USERS, autoreset_mode=mode)
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"] == mode
    theirs.single_action_space.seed(0)
    rng = np.random.default_rng(0)
    (obs, info), (batch, infos) = theirs.reset(seed=SEEDS), ours.reset(seed=SEEDS)
    assert_same(obs, batch)
    assert_same(info, infos)
    ends = 0
    for _ in range(30):
        action = stacked([theirs.single_action_space.sample() for _ in range(USERS)])
        obs, *results, info = theirs.step(action)
        batch, *outcomes, infos = ours.step(action)
        assert_same(obs, batch)
        for result, outcome in zip(results, outcomes, strict=True):
            assert np.array_equal(result, outcome)
        done = results[1] | results[2]
        ends += done.sum()
        if mode == AutoresetMode.SAME_STEP and done.any():
            final = {
                key: np.stack([info["final_obs"][row][key] for row in np.flatnonzero(done)])
                for key in obs
            }
            ours_final = {key: value[done] for key, value in infos["final_obs"].items()}
            assert_same(final, ours_final)
            assert_same(info["final_info"], infos["final_info"], done)
            # Beside what belongs to the observation, our info is about the step just taken.
            assert_same(ours.simulation.outlook(), infos)
            assert_same(info, infos, ~done, but=["final_obs", "final_info"])
            assert_same(infos["final_info"], infos, but=list(ours.simulation.outlook()))
        else:
            assert_same(info, infos)
        if mode == AutoresetMode.DISABLED and done.any():
            mask = done | (rng.random(USERS) < 0.3)
            options = {"reset_mask": mask}
            batch, infos = ours.reset(options=options)
            assert options == {"reset_mask": mask}
            obs, info = theirs.reset(options=dict(options))
            assert_same(obs, batch)
            assert_same(info, infos, mask)
    assert ends > 4


@pytest.mark.parametrize("name", ["slots", "revealed", "questions", "critiques"])
def test_some_rows_may_be_reset_with_seeds_of_their_own(name):
    one, many = FAMILIES[name]
    ours, theirs = many(3, autoreset_mode="disabled"), SyncVectorEnv([one] * 3)
    action = stacked([ours.single_action_space.sample() for _ in range(3)])
    for env in (ours, theirs):
        env.reset(seed=[1, 2, 3])
        env.step(action)
    mask = np.array([True, False, True])
    for seed in ([7, None, None], [None, 9, 8]):  # a seed of a row that goes on has no effect
        (obs, info), (batch, infos) = (
            env.reset(seed=seed, options={"reset_mask": mask}) for env in (theirs, ours)
        )
        assert_same(obs, batch)
        assert_same(info, infos, mask)
    again, _ = ours.reset(seed=7, options={"reset_mask": mask, "first_user": 5})
    whole, _ = many(3).reset(seed=7, options={"first_user": 5})
    assert_same(
        {key: value[mask] for key, value in again.items()},
        {key: value[mask] for key, value in whole.items()},
    )
    assert_same(
        {key: value[~mask] for key, value in again.items()},
        {key: value[~mask] for key, value in batch.items()},
    )


def test_torch_does_as_numpy():
    for mode in ("NEXT_STEP", "DISABLED"):
        for action in ("slate", "slot"):
            traces = []
            for backend in ("numpy", "torch"):
                env = SlateRecVectorEnv(
                    5, backend=backend, autoreset_mode=mode, **SLATES | {"action": action}
                )
                env.reset(seed=2)
                rng, trace = np.random.default_rng(0), []
                for _ in range(20):
                    given = rng.integers(12, size=env.action_space.shape)
                    given = torch.from_numpy(given) if backend == "torch" else given
                    obs, reward, terminated, truncated, _ = env.step(given)
                    trace.append([*(np.asarray(part) for part in obs.values()), np.asarray(reward)])
                    done = terminated | truncated
                    if mode == "DISABLED" and done.any():
                        env.reset(options={"reset_mask": done})
                traces.append(trace)
            for left, right in zip(*traces, strict=True):
                for one, other in zip(left, right, strict=True):
                    assert np.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", MANY)
def test_a_step_needs_a_running_episode(name):
    env = MANY[name](2, autoreset_mode="DISABLED")
    action = stacked([env.single_action_space.sample() for _ in range(2)])
    with pytest.raises(ResetNeeded, match="no episode is running"):
        env.step(action)
    with pytest.raises(ResetNeeded, match="Reset all rows first"):
        env.reset(options={"reset_mask": np.array([True, False])})
    env.reset(seed=0)
    done = np.zeros(2, dtype=bool)
    while not done.any():
        action = stacked([env.single_action_space.sample() for _ in range(2)])
        _, _, terminated, truncated, _ = env.step(action)
        done = terminated | truncated
    with pytest.raises(ResetNeeded, match=f"over, the first is row {done.argmax()}: call reset"):
        env.step(action)
    env.reset(options={"reset_mask": done})
    env.step(action)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(2, dtype=bool), r"must be booleans of shape \(3,\), one per row, not bool of"),
        (np.array([0, 1, 1]), "not int64 of shape"),
        (np.zeros(3, dtype=bool), "is False everywhere"),
    ],
)
def test_a_wrong_mask_is_refused(mask, message):
    env = SlateRecVectorEnv(3)
    env.reset(seed=0)
    with pytest.raises(UserError, match=message):
        env.reset(options={"reset_mask": mask})
    with pytest.raises(UserError, match=r"no option 'reset_msk'\. Did you mean 'reset_mask'"):
        env.reset(options={"reset_msk": mask})
    with pytest.raises(UserError, match="reset has no option 'reset_mask'"):
        SlateRecEnv().reset(options={"reset_mask": mask})


def test_modes_have_names():
    for mode in ("NEXT_STEP", "next_step", "NextStep", AutoresetMode.NEXT_STEP):
        env = gym.make_vec("recsim:SlateRec-v0", num_envs=2, autoreset_mode=mode)
        assert env.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert SlateRecVectorEnv.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    with pytest.raises(UserError, match=r"must be one of NEXT_STEP, SAME_STEP, DISABLED\.$"):
        SlateRecVectorEnv(2, autoreset_mode="never")
    with pytest.raises(UserError, match=r"Did you mean 'SAME_STEP'\?"):
        SlateRecVectorEnv(2, autoreset_mode="same")
    with pytest.raises(UserError, match="a vector environment is not rendered"):
        SlateRecVectorEnv(2, render_mode="rgb_array")
