"""What docs/own_worlds.md says can be copied and runs."""

import re
import tomllib
from pathlib import Path

import pytest

from envs.slates.env import SlateRecEnv
from recsim.run import run_scenario
from recsim.scenario.files import load_scenario

PAGE = (Path(__file__).parents[3] / "docs" / "own_worlds.md").read_text()


def block(begin):
    """Return the first block of the page that begins with some text."""
    return next(text for text in re.findall(r"```\w*\n(.*?)```", PAGE, re.S) if begin in text)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "items.csv").write_text(block("item,group"))
    (tmp_path / "users.csv").write_text(block("user,group"))
    (tmp_path / "shop.yaml").write_text(block("name: my_shop"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_scenario_of_the_page_runs(folder):
    scenario = load_scenario("shop.yaml", ["users=5", "steps=5", "seeds=1"])
    run = run_scenario(scenario, workers=1)
    summary = (run.folder.path / "summary.csv").read_text()
    assert "random" in summary
    assert "linucb" in summary


def test_the_arrays_of_the_page_are_a_world():
    names = {}
    exec(block("import numpy as np"), names)
    names["env"].reset(seed=0)
    assert list(names["env"].unwrapped.problem.item_names) == list(range(50))


def test_the_message_of_the_page_is_the_real_one(folder):
    text = (folder / "items.csv").read_text().replace("3.5", "n/a")
    (folder / "items.csv").write_text(text)
    with pytest.raises(Exception, match="n/a") as caught:
        run_scenario(load_scenario("shop.yaml"))
    assert str(caught.value).splitlines()[-1] in PAGE


def test_the_package_of_the_page_has_a_choice_model_and_a_preset():
    names = {}
    exec(block("class Coin"), names)
    env = SlateRecEnv(preset=names["FAIR"], world={"choice": names["Coin"](chance=1.0)})
    env.reset(seed=0)
    assert env.step([0, 1, 2, 3, 4])[4]["clicks"].sum() == 5
    entries = tomllib.loads(block('name = "coins"'))["project"]["entry-points"]["recsim.world"]
    assert all(target.partition(":")[2] in names for target in entries.values())


def test_the_preset_of_the_page_is_read(folder):
    (folder / "my_shop.yaml").write_text(block("base: retention"))
    env = SlateRecEnv(preset="my_shop.yaml")
    assert list(env.problem.item_names) == ["oolong", "assam", "espresso", "decaf"]
    assert env.problem.rewards == {"click": 1.0, "watch": 0.0, "return": 5.0}


def test_the_check_of_the_page_passes():
    exec(block("recsim.check_world"))


def test_the_rewards_of_the_page_are_those_of_a_world():
    names = {}
    exec(block("def late"), names)
    names["env"].reset(seed=0)
    info = names["env"].step([0, 2])[4]
    assert info["rewards"].keys() == {"click", "watch", "skip", "margin", "late"}
