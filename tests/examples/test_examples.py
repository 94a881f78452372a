"""Every example runs, and prints what it is about."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"


def run(name, *arguments, cwd):
    command = [sys.executable, str(FOLDER / name), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tested_and_described():
    tested = re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text())
    tested.append("serve.py")  # see test_serve.py
    assert sorted(tested) == sorted(path.name for path in FOLDER.glob("*.py"))
    readme = (FOLDER / "README.md").read_text()
    assert all(f"[{name}]({name})" in readme for name in tested)


def test_own_agent(tmp_path):
    head, *rows = run("own_agent.py", cwd=tmp_path).splitlines()
    assert head.split() == ["agent", "mean", "low", "high"]
    clicks = {name: float(mean) for name, mean, *_ in map(str.split, rows)}
    assert clicks.keys() == {"random", "epsilon_greedy", "own"}
    assert clicks["own"] > clicks["random"] + 0.05


def test_own_log(tmp_path):
    lines = run("own_log.py", cwd=tmp_path).splitlines()
    assert [line.split()[:2] for line in lines if "warning:" not in line] == [
        ["log", "logged:"],
        ["popularity", "snips:"],
        ["popularity", "dr:"],
        ["linucb", "snips:"],
        ["linucb", "dr:"],
    ]


def test_own_world(tmp_path):
    head, *rows = run("own_world.py", cwd=tmp_path).splitlines()
    assert head.split() == ["agent", "mean", "low", "high"]
    clicks = {name: float(mean) for name, mean, *_ in map(str.split, rows)}
    assert clicks.keys() == {"random", "linucb", "oracle"}
    assert clicks["oracle"] > clicks["random"] + 0.05


def test_train_sb3(tmp_path):
    printed = run("train_sb3.py", "--steps", "2048", cwd=tmp_path)
    assert re.fullmatch(r"random 1\d\.\d\d\nPPO    \d\d\.\d\d\n", printed)


def assert_learned(printed, name):
    """Both lines are there, and the learner earns more than random items."""
    random, learned = re.search(rf"random +(\d+\.\d\d)\n{name} +(\d+\.\d\d)\n", printed).groups()
    assert float(learned) > float(random) + 0.2


@pytest.mark.slow
def test_train_maskable_ppo(tmp_path):
    pytest.importorskip("sb3_contrib", reason="sb3-contrib is not installed")
    assert_learned(run("train_maskable_ppo.py", cwd=tmp_path), "MaskablePPO")


@pytest.mark.slow
def test_train_torchrl(tmp_path):
    pytest.importorskip("torchrl", reason="TorchRL is not installed")
    assert_learned(run("train_torchrl.py", cwd=tmp_path), "PPO")


@pytest.mark.long
def test_train_tianshou(tmp_path):
    pytest.importorskip("tianshou", reason="Tianshou is not installed")
    assert_learned(run("train_tianshou.py", cwd=tmp_path), "DQN")


@pytest.mark.long
def test_train_rllib(tmp_path):
    pytest.importorskip("ray.rllib", reason="RLlib is not installed")
    assert_learned(run("train_rllib.py", cwd=tmp_path), "PPO")
