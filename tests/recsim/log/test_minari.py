import shutil
import warnings
from dataclasses import fields, replace

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, read_log
from recsim.problem import Names

minari = pytest.importorskip("minari", reason="the extra 'minari' is not installed")


def assert_same(log, other):
    for field in fields(SlateLog):
        one, two = getattr(log, field.name), getattr(other, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == two.dtype, field.name
            np.testing.assert_array_equal(one, two, err_msg=field.name)
        elif isinstance(one, dict):
            assert one.keys() == two.keys()
            for key, values in one.items():
                assert values.dtype == two[key].dtype
                np.testing.assert_array_equal(values, two[key], err_msg=key)
        elif field.name == "problem":
            assert str(one) == str(two)
            for name in ("item_features", "item_groups"):
                np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
            for name in ("item_names", "user_names"):
                mine, theirs = getattr(one, name), getattr(two, name)
                assert (mine is None) == (theirs is None)
                assert mine is None or mine.values.tolist() == theirs.values.tolist()
        else:
            assert one == two, field.name


def full_log(random_log, rows=40):
    """A log with every optional column; the last of its six users has no rows."""
    log = random_log(rows, users=5)
    last = np.zeros(rows, dtype=bool)
    last[[np.flatnonzero(log.user == user)[-1] for user in np.unique(log.user)]] = True
    slate = log.slate.copy()
    slate[3, 1] = -1
    clicks = np.where(slate < 0, 0, log.clicks).astype(np.int8)
    rng = np.random.default_rng(1)
    candidates = np.concatenate([log.slate, (6 - log.slate[:, :1]) % 7], axis=1)
    return replace(
        log,
        problem=replace(
            log.problem,
            num_candidates=3,
            item_names=Names(["007", "a,b", "ü", "d", "e", "f", "g"], "item"),
            user_names=Names([10, 20, 30, 40, 50, 60], "user"),
        ),
        slate=slate,
        clicks=clicks,
        user_features=rng.normal(size=(6, 3)).astype(np.float32),
        propensity=np.where(slate < 0, 1.0, log.propensity),
        slate_propensity=rng.uniform(0.1, 1, rows),
        prefix_propensity=np.where(slate < 0, 0.5, rng.uniform(0.1, 1, slate.shape)),
        position=np.where(slate < 0, -1, slate),
        candidates=candidates,
        time=1.7e9 + np.arange(rows) / 3,
        logger=rng.integers(0, 2, rows),
        logger_names=("old", "new"),
        target_propensities={"p new": np.where(slate < 0, 1.0, rng.random(slate.shape))},
        terminated=last & (log.user % 2 == 0),
        truncated=last & (log.user % 2 == 1),
        adaptive=True,
    ).validate()


@pytest.mark.parametrize("data_format", ["arrow", "parquet", "hdf5"])
@pytest.mark.parametrize("full", [True, False])
def test_a_log_survives(random_log, tmp_path, data_format, full):
    if data_format == "hdf5":
        pytest.importorskip("h5py")
    log = full_log(random_log) if full else random_log(40, features=0)
    folder = log.to_minari(tmp_path / "sub" / "log", data_format=data_format)
    data = minari.MinariDataset(folder)
    assert data.total_steps == 40
    assert data.total_episodes == len(np.unique(log.user))
    assert data.spec.dataset_id == "log-v0"
    episode = data[1]
    own = log.select(log.user == np.unique(log.user)[1])
    assert np.array_equal(episode.actions, own.slate)
    np.testing.assert_array_equal(episode.rewards, own.reward)
    assert episode.observations["history_items"].shape == (len(own) + 1, 10)
    assert episode.observations["history_items"][-1, -2:].tolist() == own.slate[-1].tolist()
    assert data.action_space.contains(episode.actions[0])
    assert data.observation_space.contains({k: v[0] for k, v in episode.observations.items()})
    assert_same(log.select(log.by_user), read_log("minari", path=folder))


def test_episodes_end_where_the_log_says(random_log, tmp_path):
    log = random_log(6, users=1)
    ends = {"terminated": np.array([0, 0, 1, 0, 0, 0]) > 0, "truncated": np.zeros(6, dtype=bool)}
    folder = replace(log, **ends).to_minari(tmp_path / "log")
    data = minari.MinariDataset(folder)
    assert [len(episode) for episode in data] == [3, 3]
    assert [bool(episode.truncations[-1]) for episode in data] == [False, True]
    back = read_log("minari", path=folder)
    assert back.user.tolist() == [0] * 6
    assert np.flatnonzero(back.truncated).tolist() == [5]  # the log ends there


def create(collector, name):
    """Write what a DataCollector has recorded."""
    with warnings.catch_warnings():
        # Of the author and other particulars, and that a temporary folder is removed late.
        warnings.simplefilter("ignore")
        collector.create_dataset(name)
    collector._tmp_dir.cleanup()


@pytest.mark.parametrize("record_infos", [True, False])
def test_what_a_data_collector_recorded(tmp_path, monkeypatch, record_infos):
    pytest.importorskip("jax", reason="Minari's DataCollector needs the extra 'create'")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = gym.make("SlateRec-v0", num_candidates=10)
    collector = minari.DataCollector(env, record_infos=record_infos, data_format="arrow")
    played = []
    for seed in range(3):
        obs, _ = collector.reset(seed=seed)
        features = obs["user_features"]
        over = False
        while not over:
            before = obs
            action = np.random.default_rng(len(played)).permutation(10)[:5]
            obs, _, terminated, truncated, info = collector.step(action)
            over = terminated or truncated
            played.append((seed, before, action, info, terminated, truncated, features))
    create(collector, "slates/test-v0")
    log = read_log("minari", path="slates/test-v0")
    assert len(log) == len(played)
    assert log.user.tolist() == [seed for seed, *_ in played]
    for row, (seed, before, action, info, terminated, truncated, features) in enumerate(played):
        assert log.slate[row].tolist() == before["candidates"][action].tolist()
        assert log.clicks[row].tolist() == info["clicks"].tolist()
        assert log.candidates[row].tolist() == before["candidates"].tolist()
        assert log.user_features[seed].tolist() == features.tolist()
        assert (log.terminated[row], log.truncated[row]) == (terminated, truncated)
        assert log.observations(np.array([row]))["time"][0].tolist() == before["time"].tolist()
        for name, value in info["rewards"].items():
            seen = value if record_infos else np.float32(value)
            assert log.feedback[name][row] == seen
    assert log.problem.rewards == env.unwrapped.problem.rewards
    assert np.array_equal(log.problem.item_features, env.unwrapped.problem.item_features)


def test_datasets_of_other_environments_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("jax", reason="Minari's DataCollector needs the extra 'create'")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))

    def record(env, name):
        collector = minari.DataCollector(env, data_format="arrow")
        collector.reset(seed=0)
        collector.step(collector.action_space.sample())
        create(collector, name)
        return name

    pole = record(gym.make("CartPole-v1"), "cartpole/test-v0")
    with pytest.raises(LogError, match=r"'CartPole-v1' gives no catalogue"):
        read_log("minari", path=pole)
    flat = gym.wrappers.FlattenObservation(gym.make("SlateRec-v0"))
    with pytest.raises(LogError, match="the observations lack history_items"):
        read_log("minari", path=record(flat, "flat/test-v0"))
    slots = record(gym.make("SlateRec-v0", action="slot"), "slots/test-v0")
    with pytest.raises(LogError, match=r"must be slates of 5 items"):
        read_log("minari", path=slots)


def test_folders_that_are_no_dataset(random_log, tmp_path):
    with pytest.raises(LogError, match="no dataset of Minari"):
        read_log("minari", path=tmp_path / "nothing")
    log = random_log(5)
    folder = log.to_minari(tmp_path / "log")
    with pytest.raises(LogError, match="exists already"):
        log.to_minari(folder)
    with pytest.raises(LogError, match="empty"):
        log.select([]).to_minari(tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_relative_folder(random_log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = random_log(6)
    assert str(log.to_minari("log")) == "log"
    assert_same(log.select(log.by_user), read_log("minari", path="log"))


def test_damage_is_named(random_log, tmp_path):
    whole = random_log(30).to_minari(tmp_path / "whole")
    files = [path for path in whole.rglob("*") if path.is_file() and "slaterec" not in path.parts]
    for number, path in enumerate(files):
        copied = tmp_path / f"copy{number}"
        shutil.copytree(whole, copied)
        damaged = copied / path.relative_to(whole)
        damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
        if path.name == "metadata.json" and path.parent != whole:  # not read
            assert_same(read_log("minari", path=copied), read_log("minari", path=whole))
            continue
        with pytest.raises(LogError, match=str(copied)):
            read_log("minari", path=copied)


def test_the_dataset_of_a_dataframe_keeps_its_names(tmp_path):
    frame = pd.DataFrame({"who": ["b", "a", "b"], "sku": ["x", "007", "007"]})
    log = read_log("table", data=frame, columns={"item": "sku", "user": "who"})
    back = read_log("minari", path=log.to_minari(tmp_path / "log"))
    pd.testing.assert_frame_equal(
        back.to_pandas().drop(columns="row"),
        log.select(log.by_user).to_pandas().drop(columns="row"),
    )
