"""Runs that a script begins."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TINY = """\
name: tiny
description: Two agents meet a few users.
env: {preset: retention}
agents: [random, linucb]
seeds: 1
users: 4
steps: 3
"""


@pytest.fixture
def place(tmp_path):
    """A working directory with one scenario."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def as_script(place, code):
    (place / "script.py").write_text(code)
    path = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "script.py"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=place,
    )


SCRIPT = """\
from recsim.run import run_scenario
from recsim.scenario.files import load_scenario

"""


def test_a_script_without_a_guard_is_refused_and_leaves_no_folders(place):
    ended = as_script(place, SCRIPT + "run_scenario(load_scenario('tiny.yaml'), workers=2)\n")
    assert ended.returncode == 1
    assert "a worker process must not start a run of its own" in ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("recsim.errors.UserError: no worker process could be started")
    assert "if __name__ == '__main__':" in last
    assert list(place.glob("runs/*/*")) == []


def test_the_script_in_the_documentation_runs(place, root):
    text = (root / "docs" / "scenarios.md").read_text()
    (code,) = re.findall(r"From Python:\n\n```python\n(.*?)```", text, re.DOTALL)
    code = code.replace('"quickstart", ["users=50"]', '"tiny.yaml"')
    assert "tiny.yaml" in code
    ended = as_script(place, code)
    assert ended.returncode == 0, ended.stderr
    (folder,) = place.glob("runs/*/*")
    assert ended.stdout.split() == [str(folder.relative_to(place)), "[]"]
