"""Parts and presets of other packages by name, and presets as files."""

import re
import sys

import pytest

import recsim
from envs.slates.env import SlateRecEnv
from envs.world.presets import PRESETS, Preset, preset
from recsim.errors import EnvError
from recsim.scenario.files import load_scenario

MODULE = '''
"""Parts of another package."""
from pathlib import Path
from typing import ClassVar, Literal

from envs.world.contracts import ChoicePart
from envs.world.presets import Preset
from envs.world.config import WorldConfig


class Coin(ChoicePart):
    """Every item is clicked with one probability."""

    at_most_one: ClassVar = False
    kind: Literal["coin"] = "coin"
    chance: float = 0.5

    def probabilities(self, xp, utility, shown=None):
        chance = 0 * utility + self.chance
        return chance if shown is None else chance * shown


COINS = Preset(description="coins decide", world=WorldConfig(choice=Coin(chance=1.0)), slate_size=3)
FILE = Path(__file__).with_name("coins.yaml")
NUMBER = 5
'''
ENTRIES = """[recsim.world]
choice.coin = coins:Coin
choice.number = coins:NUMBER
choice.gone = coins:Gone
choice.broken = broken_coins:Coin
chioce.coin = coins:Coin
preset.coins = coins:COINS
preset.coin_file = coins:FILE
preset.number = coins:NUMBER
preset.boredom = coins:COINS
"""
FILE = """base: retention
description: coins that churn
world:
  choice: {kind: coin, chance: 0.25}
  retention: {churn: -1e0}
rewards: {return: 2}
max_days: 9
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package with parts and presets."""
    (tmp_path / "coins.py").write_text(MODULE)
    (tmp_path / "broken_coins.py").write_text("class Coin(:\n")
    (tmp_path / "coins.yaml").write_text(FILE)
    information = tmp_path / "coins-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: coins\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("coins", None)


def test_a_part_of_another_package_by_name(package):
    env = SlateRecEnv(world={"choice": {"kind": "coin", "chance": 1.0}}, slate_size=2)
    env.reset(seed=0)
    assert env.step([3, 4])[4]["clicks"].tolist() == [1, 1]
    assert "choice.coin" in recsim.available("parts")


def test_presets_of_another_package_by_name(package):
    env = SlateRecEnv(preset="coins")
    env.reset(seed=0)
    assert env.step([3, 4, 5])[4]["clicks"].sum() == 3
    found = preset("coin_file")
    assert found.description == "coins that churn"
    assert found.world.choice.chance == 0.25
    assert found.world.retention.churn == -1
    assert found.world.retention.hazard_slope == PRESETS["retention"].world.retention.hazard_slope
    assert found.rewards == {"click": 1.0, "watch": 0.0, "return": 2.0}
    assert (found.max_days, found.max_steps, found.slate_size) == (9, 600, 5)
    listed = recsim.available("presets")
    assert listed["coins"] == "coins decide"
    assert listed["coin_file"] == "coins that churn"
    assert "must be an envs.world.presets.Preset" in listed["number"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "coinz"}, "Unknown preset 'coinz'. Did you mean 'coins'?"),
        ({"preset": "boredom"}, "has the name of a preset of this package"),
        ({"preset": 5}, "preset: must be the name of a preset, a YAML file or a Preset, not 5"),
        ({"world": {"choice": {"kind": "coim"}}}, "world.choice: unknown kind 'coim'. Did you mea"),
        ({"world": {"choice": {"kind": "coin", "chanse": 1}}}, "world.choice.chanse: unknown key."),
        ({"world": {"choice": {"kind": "coin", "chance": "x"}}}, "world.choice.chance: must be a"),
        (
            {"world": {"choice": {"kind": "number"}}},
            "must be a subclass of envs.world.contracts.Ch",
        ),
        ({"world": {"choice": {"kind": "gone"}}}, "cannot be imported"),
    ],
)
def test_wrong_names_are_refused(package, settings, message):
    with pytest.raises(EnvError, match=re.escape(message)):
        SlateRecEnv(**settings)


def test_a_broken_package_does_not_hide_the_others(package):
    listed = recsim.available("parts")
    assert "SyntaxError" in listed["choice.broken"]
    assert "there is no slot 'chioce'. Did you mean 'choice'" in listed["chioce.coin"]
    assert listed["choice.cascade"].startswith("The user scans")


def test_a_preset_from_python():
    base = PRESETS["position_bias"]
    env = SlateRecEnv(preset=Preset(description="mine", world=base.world, slate_size=2))
    assert env.world == base.world
    assert env.problem.slate_size == 2


def test_a_preset_and_its_tables_stand_beside_the_scenario(package, monkeypatch):
    folder = package / "scenarios"
    folder.mkdir()
    (folder / "items.csv").write_text("item,price\na,1\nb,2\nc,4\n")
    (folder / "users.csv").write_text("user,age\nann,1\nben,2\n")
    (folder / "mine.yaml").write_text(
        "world:\n  catalogue: {path: items.csv}\n  choice: {kind: coin}\nslate_size: 2\n"
    )
    (folder / "scenario.yaml").write_text(
        "name: s\ndescription: d\nseeds: 1\nusers: 2\nsteps: 2\nagents: [random]\n"
        "env:\n  preset: mine.yaml\n  world: {population: {path: users.csv}}\n"
    )
    monkeypatch.chdir(package)
    scenario = load_scenario("scenarios/scenario.yaml")
    assert scenario.env.options["preset"] == "scenarios/mine.yaml"
    env = SlateRecEnv(**scenario.env.options)
    assert list(env.problem.item_names) == ["a", "b", "c"]
    monkeypatch.chdir(folder)
    assert load_scenario("scenario.yaml").env.options["preset"] == "mine.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "mine.yaml cannot be read: No such file"),
        ("", "a preset is a list of 'key: value' lines"),
        ("word", "a preset is a list of 'key: value' lines"),
        ("- 1", "a preset is a list of 'key: value' lines"),
        ("world: [", "not valid YAML"),
        ("bse: retention", "bse: unknown key. Did you mean 'base'?"),
        ("base: retentoin", "Unknown preset 'retentoin'. Did you mean 'retention'?"),
        ("base: 5", "base: must be the name of a preset, not 5"),
        ("world: {drift: {rat: 1}}", "world.drift.rat: unknown key. Did you mean 'rate'?"),
        ("world: 5", "world: must be"),
        ("slate_size: 2.5", "preset.slate_size: must be a valid integer, not 2.5"),
        ("slate_size: 0", "preset.slate_size: must be greater than or equal to 1"),
        ("rewards: {click: .nan}", "preset.rewards.click: must be a finite number"),
        ("rewards: {clik: 1}", "rewards: this world has no reward 'clik'. Did you mean 'click'?"),
        ("max_steps: -1", "preset.max_steps"),
        ("world: {catalogue: {path: none.csv}}", "none.csv does not exist"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(EnvError, match=re.escape(message)):
        SlateRecEnv(preset=str(path))


def test_a_preset_may_not_be_its_own_base(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f"base: {path}\n")
    with pytest.raises(EnvError, match="base"):
        SlateRecEnv(preset=path)
