"""Settings of every environment: types, names, documentation, and the spec as JSON."""

import json
import re
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator

import agents
import recsim
from recsim.errors import AgentError, EnvError
from recsim.scenario.environments import environment_presets, registered_environments

ENVIRONMENTS = sorted(registered_environments())
WRONG = [
    ("SlateRec-v0", {"max_steps": 2.5}, "max_steps: must be a valid integer, not 2.5."),
    ("SlateRec-v0", {"history": "x"}, "history: must be a valid integer, not 'x'."),
    ("SlateRec-v0", {"slate_size": True}, "slate_size: must be a valid integer, not True."),
    ("SlateRec-v0", {"reveal_state": 1}, "reveal_state: must be a valid boolean, not 1."),
    ("SlateRec-v0", {"prset": "retention"}, "prset: unknown key. Did you mean 'preset'?"),
    ("SlateRec-v0", {"device": "cpu"}, "device: unknown key."),
    ("LearnedRec-v0", {"fit": {"epoch": 1}}, "fit.epoch: unknown key. Did you mean 'epochs'?"),
    ("ConvRec-v0", {"max_turns": 2.5}, "max_turns: must be a valid integer"),
    ("ConvRec-v0", {"debg": True}, "debg: unknown key. Did you mean 'debug'?"),
    ("CritiqueRec-v0", {"patience": "x"}, "patience: must be a valid integer, not 'x'."),
    ("SlateReplay-v0", {"shuffle": "yes"}, "shuffle: must be a valid boolean, not 'yes'."),
    ("SlateReplay-v0", {"pth": "log"}, "pth: unknown key. Did you mean 'path'?"),
]


def creators(name):
    spec = gym.spec(name)
    entries = [spec.entry_point, spec.vector_entry_point]
    return [load_env_creator(entry) for entry in entries if entry is not None]


@pytest.mark.parametrize(("name", "settings", "message"), WRONG)
def test_make_refuses_a_wrong_setting_and_names_it(name, settings, message):
    with pytest.raises(EnvError, match=re.escape(f"{name}.{message}")):
        gym.make(f"recsim:{name}", **settings)
    if gym.spec(name).vector_entry_point is not None and "device" not in settings:
        with pytest.raises(EnvError, match=re.escape(f"{name}.{message}")):
            gym.make_vec(f"recsim:{name}", num_envs=2, **settings)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_both_faces_share_the_settings(name):
    scalar, *vector = (creator.Settings for creator in creators(name))
    assert scalar.env_id == name
    assert all(issubclass(settings, scalar) for settings in vector)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_setting_is_documented(name):
    for creator in creators(name):
        described = "".join(base.__doc__ or "" for base in (creator, creators(name)[0]))
        missing = [key for key in creator.Settings.model_fields if f"``{key}``" not in described]
        assert missing == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_settings_have_a_json_schema(name):
    for creator in creators(name):
        schema = creator.Settings.model_json_schema()
        assert schema["additionalProperties"] is False
        assert json.loads(json.dumps(schema)) == schema


def test_numpy_numbers_and_paths_are_plain_values(tmp_path):
    env = gym.make(
        "recsim:SlateRec-v0",
        slate_size=np.int64(3),
        rewards={"click": np.float32(0.5)},
        reveal_state=np.bool_(True),
        world={"catalogue": {"num_items": np.int32(20)}},
    )
    assert env.unwrapped.problem.slate_size == 3
    assert env.unwrapped.problem.num_items == 20
    assert env.unwrapped.problem.rewards["click"] == 0.5
    with pytest.raises(recsim.errors.UserError, match="There is no log at"):
        gym.make("recsim:SlateReplay-v0", reader="saved", path=tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ConvRec-v0", {"planted": {"kind": "codes", "bits": 3}, "slate_size": 2}),
        ("CritiqueRec-v0", {"planted": {"users": 20, "num_items": 30}, "critiques": "all"}),
    ],
)
def test_the_spec_survives_json(name, settings):
    env = gym.make(f"recsim:{name}", **settings)
    assert json.loads(env.spec.to_json())["kwargs"] == settings


@pytest.mark.parametrize("name", ["ConvRec-v0", "CritiqueRec-v0"])
def test_make_vec_passes_the_limit_of_turns(name):
    env = gym.make_vec(f"recsim:{name}", num_envs=2, max_episode_steps=4)
    assert env.unwrapped.problem.max_turns == 4
    env = gym.make_vec(f"recsim:{name}", num_envs=2, max_episode_steps=4, max_turns=3)
    assert env.unwrapped.problem.max_turns == 3


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_the_size_of_a_batch_is_a_positive_number(size):
    for name in ("SlateRec-v0", "ConvRec-v0", "CritiqueRec-v0"):
        with pytest.raises(EnvError, match=f"num_envs is {size}; it must be a whole number"):
            load_env_creator(gym.spec(name).vector_entry_point)(size)


def test_describing_environments_imports_nothing_heavy():
    code = (
        "import sys; from recsim.scenario.environments import *;"
        "registered_environments(); environment_presets();"
        "print(*sorted({'torch', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
    assert all(registered_environments().values())
    assert all(environment_presets().values())


@pytest.mark.parametrize("weight", [1e39, -1e16, float("inf"), float("nan")])
def test_numbers_that_float32_cannot_compute_with_are_refused(weight):
    for settings in ({"rewards": {"click": weight}}, {"world": {"choice": {"bias": weight}}}):
        key = next(iter(settings))
        with pytest.raises(EnvError, match=rf"SlateRec-v0\.{key}.* finite"):
            gym.make("recsim:SlateRec-v0", **settings)
    problem = gym.make("recsim:SlateRec-v0").unwrapped.problem
    with pytest.raises(AgentError, match=r"agent 'linucb': config\.alpha.*"):
        agents.make("linucb", problem, alpha=weight)
