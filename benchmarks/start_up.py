"""CPU time of starting SlateRec, beside that of importing Gymnasium.

    python benchmarks/start_up.py [--repeats 7]

Every command runs in a fresh process, the commands in turn, after one round that fills the file
cache. The time is the user and system time of the process; the table gives the median over the
repeats and the median of its ratio to ``import gymnasium`` of the same round. The last column names
those of the heavy libraries that a command imports (as ``-X importtime`` reports them).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

COMMANDS = {
    "import gymnasium": ("-c", "import gymnasium"),
    "import recsim": ("-c", "import recsim"),
    "recsim.run --list": ("-m", "recsim.run", "--list"),
    "recsim.run --validate quickstart": ("-m", "recsim.run", "--validate", "quickstart"),
}
BASELINE = "import gymnasium"
HEAVY = ("torch", "scipy", "sklearn", "pandas")


def cpu_seconds(arguments: tuple[str, ...]) -> float:
    """Return the user and system time of a Python process, children included."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"python {' '.join(arguments)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def heavy_imports(arguments: tuple[str, ...]) -> list[str]:
    """Return which of the heavy libraries a Python process imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    imported = {line.rpartition("|")[2].strip() for line in report.splitlines()}
    return [name for name in HEAVY if name in imported]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="default 7")
    repeats = parser.parse_args().repeats
    if repeats < 1:
        parser.error("--repeats must be at least 1")
    imports = {name: heavy_imports(command) for name, command in COMMANDS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, command in COMMANDS.items():
            seconds[name].append(cpu_seconds(command))
    print(f"{'command':34}{'CPU s':>8}{'ratio':>8}  imports")
    for name, own in seconds.items():
        pairs = zip(own, seconds[BASELINE], strict=True)
        ratio = statistics.median(time / baseline for time, baseline in pairs)
        libraries = ", ".join(imports[name]) or "none of " + ", ".join(HEAVY)
        print(f"{name:34}{statistics.median(own):8.2f}{ratio:8.2f}  {libraries}")


if __name__ == "__main__":
    main()
