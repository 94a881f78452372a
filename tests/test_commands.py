"""The commands that people read are targets of the Makefile, and those that CI runs."""

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import recsim

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*##", MAKEFILE, re.MULTILINE))
CI = re.findall(r"^step (\S+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_continuous_integration_runs_targets_and_nothing_else():
    tests = ["test", "test-avx2", "test-slow"]
    newest = ["install", "check", *tests, "wheel", "quickstart", "resolve"]
    assert [*newest, "install-lowest", "test"] == CI
    assert set(CI) <= TARGETS


def test_documented_commands_exist_and_those_of_ci_are_documented():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    text += (ROOT / ".github" / "pull_request_template.md").read_text()
    named = set(re.findall(r"(?:`|^)make ([a-z0-9-]+)", text, re.MULTILINE))
    assert named <= TARGETS
    assert set(CI) <= named


def test_make_alone_lists_every_target():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in listed.splitlines()} == TARGETS


def test_the_oldest_versions_are_the_floors():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["tables"]]
    floors = dict(requirement.split(">=") for requirement in wanted)
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pinned.keys() == floors.keys()
    for name, floor in floors.items():
        assert re.fullmatch(rf"{re.escape(floor)}(\.0)*", pinned[name]), name


def test_the_installed_version_is_that_of_the_package():
    assert version("slaterec") == recsim.__version__
