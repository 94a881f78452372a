"""The commands that people read are targets of the Makefile, and those that CI runs."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*##", MAKEFILE, re.MULTILINE))
CI = re.findall(r"^step (\S+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_continuous_integration_runs_targets_and_nothing_else():
    assert CI == ["install", "check", "test", "test-avx2", "test-slow", "wheel", "quickstart"]
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
