import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "start_up.py"


@pytest.mark.slow
def test_every_command_has_a_time_and_a_ratio():
    command = [sys.executable, str(SCRIPT), "--repeats", "1"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    head, baseline, *others = printed.splitlines()
    assert head.split() == ["command", "CPU", "s", "ratio", "imports"]
    assert baseline.split()[:2] == ["import", "gymnasium"]
    assert baseline.split()[3] == "1.00"
    assert [line[:34].strip() for line in others] == [
        "import recsim",
        "recsim.run --list",
        "recsim.run --validate quickstart",
    ]
