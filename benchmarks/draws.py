"""Time of the random numbers of a step, compared with one numpy generator for the whole batch.

    python benchmarks/draws.py [--users 1 64 1024 8192] [--seconds 1.0]

The numbers of one step: a uniform one for the click and eight normal ones for the drift. The
generator draws float32 numbers too; both are timed in turn in the same run, and each figure is the
best of five repeats.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

import recsim
from recsim.draws import Draws, Purpose, chain, key_of

DIM, REPEATS = 8, 5
CLICKS, DRIFT = Purpose("clicks"), Purpose("drift")


def of_users(users: int) -> Callable[[], None]:
    """Return a function that draws the numbers of one step for each user by itself."""
    draws = Draws(chain(key_of(0, "benchmark"), np.arange(users)))

    def step() -> None:
        draws.advance()
        draws.uniform(CLICKS, 1)
        draws.normal(DRIFT, DIM)

    return step


def of_batch(users: int) -> Callable[[], None]:
    """Return a function that draws the same amount from one generator."""
    generator = np.random.default_rng(0)

    def step() -> None:
        generator.random((users, 1), dtype=np.float32)
        generator.standard_normal((users, DIM), dtype=np.float32)

    return step


def times(steps: list[Callable[[], None]], seconds: float) -> list[float]:
    """Return seconds per call of each function: the best of alternating repeats."""
    best = [np.inf] * len(steps)
    for _ in range(REPEATS):
        for index, step in enumerate(steps):
            calls, start = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - start) < seconds / REPEATS:
                step()
                calls += 1
            best[index] = min(best[index], elapsed / calls)
    return best


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Time of the random numbers of a step.")
    parser.add_argument("--users", type=int, nargs="+", default=[1, 64, 1024, 8192])
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each figure")
    options = parser.parse_args()
    table = Table(
        title=f"microseconds per step: 1 uniform and {DIM} normal numbers per user",
        caption=f"slaterec {recsim.__version__}, numpy {np.__version__}, "
        f"Python {platform.python_version()}, one thread",
    )
    for name in ("users", "one generator", "each user by itself", "ratio"):
        table.add_column(name, justify="right")
    for users in options.users:
        shared, own = (1e6 * t for t in times([of_batch(users), of_users(users)], options.seconds))
        table.add_row(f"{users:,}", f"{shared:,.1f}", f"{own:,.1f}", f"{own / shared:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
