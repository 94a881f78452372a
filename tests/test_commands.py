"""The commands that people read are targets of the Makefile, and those that CI runs."""

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import recsim

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*##", MAKEFILE, re.MULTILINE))
CI = re.findall(r"^ *step (\S+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_continuous_integration_runs_targets_and_nothing_else():
    tests = ["test", "test-avx2", "test-slow"]
    newest = ["install-locked", "install", "audit", "check", *tests]
    assert [*newest, "wheel", "quickstart", "resolve", "install-lowest", "test"] == CI
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


def test_the_lock_pins_every_dependency_with_hashes():
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"\S+==\S+( +--hash=sha256:[0-9a-f]{64})+", line) for line in lines)
    pinned = dict(line.split()[0].split("==") for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras, asked = project["optional-dependencies"], {"dev"}
    asked |= Requirement(extras["dev"][0]).extras
    wanted = [*project["dependencies"], *(line for extra in asked for line in extras[extra])]
    for requirement in map(Requirement, wanted):
        if requirement.name != project["name"]:
            version = pinned[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version, prereleases=True), requirement
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    for requirement in (Requirement(line) for line in constraints if not line.startswith("#")):
        assert requirement.specifier.contains(pinned[requirement.name]), requirement


def test_the_installed_version_is_that_of_the_package():
    assert version("slaterec") == recsim.__version__
