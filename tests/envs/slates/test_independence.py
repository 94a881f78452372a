"""What happens to a user is a function of (seed, user, episode, step), not of other users."""

import numpy as np
import pytest
import torch

from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from recsim.errors import UserError

torch.set_num_threads(1)

# Everything that draws random numbers, and users who churn, return and are replaced.
WORLD = {
    "preset": "retention",
    "world": {"drift": {"noise": 0.3}, "session": {"minutes": 4.0}, "catalogue": {"num_items": 60}},
    "num_candidates": 12,
    "slate_size": 3,
    "max_steps": 15,
}
STEPS = 40
BACKENDS = ["numpy", "torch"]


def numpy(value):
    return value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def slates_of(users, step):
    """Slates that differ between users and steps, ``(B, 3)``."""
    return (np.asarray(users)[:, None] + np.array([0, 3, 7]) + step) % 12


def trajectories(users, backend="numpy", only=None, **reset):
    """Play the users of a vector environment; return what they see and do as (T, B, ...) arrays.

    Args:
        users: Numbers that determine the slates, one per row.
        backend: Array library.
        only: Rows that are shown other slates from step 3 on; None for no row.
        **reset: Arguments of ``reset``.
    """
    env = SlateRecVectorEnv(len(users), backend=backend, **WORLD)
    obs, _ = env.reset(**reset)
    trace = {name: [numpy(value)] for name, value in obs.items()}
    for step in range(STEPS):
        slates = slates_of(users, step)
        if only is not None and step >= 3:
            slates[only] = (slates[only] + 1) % 12
        action = slates if backend == "numpy" else torch.from_numpy(slates)
        obs, reward, terminated, truncated, info = env.step(action)
        happened = {"reward": reward, "terminated": terminated, "truncated": truncated}
        happened |= {name: info[name] for name in ("clicks", "gap_days", "session_end")}
        for name, value in {**obs, **happened}.items():
            trace.setdefault(name, []).append(numpy(value))
    return {name: np.stack(values) for name, values in trace.items()}


def same(left, right, rows=slice(None)):
    """Compare rows of one batch with all rows of another."""
    for name, values in left.items():
        assert np.array_equal(values[:, rows], right[name]), name
    return True


def ends(trace):
    return (trace["terminated"] | trace["truncated"]).sum(axis=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_blocks_of_users_are_rows_of_the_whole(backend):
    whole = trajectories(np.arange(12), backend, seed=3)
    assert ends(whole).min() >= 2  # users were replaced, and not all at once
    assert len(np.unique(ends(whole))) > 1
    for first, end in ((0, 5), (5, 12), (11, 12)):
        users = np.arange(first, end)
        block = trajectories(users, backend, seed=3, options={"first_user": first})
        assert same(whole, block, slice(first, end))
    longer = trajectories(np.arange(140), backend, seed=3)
    assert same(longer, whole, slice(0, 12))


@pytest.mark.parametrize("backend", BACKENDS)
def test_permuted_seeds_are_permuted_users(backend):
    seeds, order = [5, 8, 2, 40, 7, 1], np.array([3, 0, 5, 1, 4, 2])
    whole = trajectories(np.arange(6), backend, seed=seeds)
    permuted = trajectories(order, backend, seed=[seeds[place] for place in order])
    assert same(whole, permuted, order)


def test_numpy_and_torch_have_the_same_users():
    left, right = (trajectories(np.arange(30), backend, seed=4) for backend in BACKENDS)
    for name, values in left.items():
        assert values == pytest.approx(right[name], abs=1e-4), name


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_the_scalar_face_is_a_row_of_the_vector_face(seed):
    """With all its episodes: reset without a seed is what replaces a user in the batch."""
    seeds = [seed, seed + 1, seed + 2]
    by_seed = trajectories([0, 1, 2], seed=seeds)
    by_user = trajectories([0, 1, 2], seed=seed)
    cases = [(by_seed, row, s, {}) for row, s in enumerate(seeds)]
    cases += [(by_user, row, seed, {"first_user": row}) for row in range(3)]
    for whole, row, own, options in cases:
        env = SlateRecEnv(**WORLD)
        obs, _ = env.reset(seed=own, options=options)
        for step in range(STEPS):
            for name, value in obs.items():
                assert np.array_equal(whole[name][step, row], value), name
            obs, reward, terminated, truncated, info = env.step(slates_of([row], step)[0])
            assert whole["reward"][step, row] == reward
            assert np.array_equal(whole["clicks"][step, row], info["clicks"])
            assert whole["terminated"][step, row] == terminated
            if terminated or truncated:
                obs, _ = env.reset()


def test_row_zero_is_the_scalar_face_with_the_same_seed():
    by_user, by_seed = (trajectories([0], seed=seed) for seed in (6, [6]))
    assert same(by_user, by_seed)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_one_user_is_shown_has_no_effect_on_others(backend):
    """Neither do the endings that follow from it, and the users who replace them."""
    base = trajectories(np.arange(20), backend, seed=5)
    other = trajectories(np.arange(20), backend, only=[0, 7], seed=5)
    rest = np.setdiff1d(np.arange(20), [0, 7])
    assert same(base, {name: values[:, rest] for name, values in other.items()}, rest)
    assert not np.array_equal(ends(base)[[0, 7]], ends(other)[[0, 7]])
    assert np.array_equal(base["clicks"][:3], other["clicks"][:3])
    # The first episode of a row begins alike; so does the second, whenever it begins.
    for row in (0, 7):
        seconds = [
            trace["user_features"][np.flatnonzero((trace["time"][:, row] == 0).all(axis=1))[1], row]
            for trace in (base, other)
        ]
        assert np.array_equal(*seconds)


def test_a_cohort_of_another_seed_has_other_users():
    """Under consecutive seeds too, as people number their replications."""
    first, second = (trajectories(np.arange(8), seed=seed)["user_features"][0] for seed in (0, 1))
    assert not np.isin(first, second).any()


def test_reset_without_a_seed_goes_on_to_the_next_users():
    env = SlateRecVectorEnv(4, **WORLD)
    first = env.reset(seed=1)[0]["user_features"]
    second = env.reset()[0]["user_features"]
    third = env.reset(seed=[None, 9, None, None])[0]["user_features"]
    assert not np.isin(second, first).any()
    assert np.array_equal(env.reset(seed=1)[0]["user_features"], first)
    assert np.array_equal(env.reset()[0]["user_features"], second)
    again = env.reset()[0]["user_features"]
    assert np.array_equal(third[[0, 2, 3]], again[[0, 2, 3]])
    assert np.array_equal(third[1], SlateRecEnv(**WORLD).reset(seed=9)[0]["user_features"])


def test_without_any_seed_environments_differ():
    envs = [SlateRecVectorEnv(2, **WORLD) for _ in range(2)]
    left, right = (env.reset()[0]["user_features"] for env in envs)
    assert not np.isin(left, right).any()
    other = SlateRecVectorEnv(2, **WORLD).reset(seed=[None, 3])[0]["user_features"]
    assert not np.isin(other[0], left).any()


def test_a_generator_that_is_set_by_hand_determines_the_users():
    env, features = SlateRecEnv(**WORLD), []
    for _ in range(2):
        env.np_random = np.random.default_rng(5)
        features += [env.reset()[0]["user_features"], env.reset()[0]["user_features"]]
    assert np.array_equal(features[0], features[2])
    assert np.array_equal(features[1], features[3])
    assert not np.array_equal(features[0], features[1])


@pytest.mark.parametrize(
    ("reset", "error", "message"),
    [
        ({"seed": [1, 2]}, ValueError, "There are 2 seeds for 3 environments"),
        ({"seed": [1, 2, 3], "options": {"first_user": 1}}, UserError, "needs one seed"),
        ({"seed": 1, "options": {"first_user": -1}}, UserError, "whole number of at least 0"),
        ({"seed": 1, "options": {"first_user": 1.5}}, UserError, "whole number of at least 0"),
        ({"options": {"first_user": 1}}, UserError, "needs a seed"),
        ({"options": {"first_usr": 1}}, UserError, "no option 'first_usr'. Did you mean 'first_us"),
        ({"seed": [1, 2.0, 3]}, UserError, r"seed is 2.0; it must be a whole number"),
        ({"seed": [1, True, 3]}, UserError, "seed is True"),
        ({"seed": "123"}, UserError, "seed is '123'"),
        ({"seed": np.array(3)}, UserError, r"seed is array\(3\)"),
        ({"seed": [[1, 2, 3]]}, UserError, r"seed is \[1, 2, 3\]"),
        ({"seed": 1.7}, UserError, "seed is 1.7"),
        ({"seed": True}, UserError, "seed is True"),
        ({"seed": -1}, UserError, "seed is -1"),
    ],
)
@pytest.mark.parametrize("began", [False, True])
def test_wrong_seeds_and_users_are_refused(reset, error, message, began):
    env = SlateRecVectorEnv(3, **WORLD)
    if began:
        env.reset(seed=0)
    with pytest.raises(error, match=message):
        env.reset(**reset)


@pytest.mark.parametrize("seed", [1.7, "5", True, -1])
def test_wrong_seeds_of_one_user_are_refused(seed):
    env = SlateRecEnv(**WORLD)
    with pytest.raises(UserError, match="it must be a whole number of at least 0"):
        env.reset(seed=seed)
    with pytest.raises(UserError, match=r"reset has no option 'index'\. Known: first_user"):
        env.reset(options={"index": 0})
    with pytest.raises(UserError, match="needs a seed"):
        env.reset(options={"first_user": 2})
    env.reset(seed=np.int64(1))
