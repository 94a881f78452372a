import os
import re
import subprocess
import sys
from pathlib import Path

from recsim.estimators import SLATE_ESTIMATORS

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "estimators.py"


def test_every_estimator_gives_what_the_numpy_expression_gives(tmp_path):
    sizes = "--rows 300 --slates 60 --streamed 500 --actions 3 --estimators snips --folder"
    command = [sys.executable, str(SCRIPT), *sizes.split(), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "250"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = set(re.findall(r"^│ ([a-z_]+) ", done.stdout, re.MULTILINE))
    assert {"ips", "snips", "clipped_ips", "dr", "mrdr", *SLATE_ESTIMATORS} <= names
    assert re.search(r"│ snips .*│ met, \d+% under 2,048 MiB", done.stdout)
    # Aims are for full sizes: so small an array is all overhead.
    assert "3x" not in done.stdout
    assert list(tmp_path.iterdir()) == []
