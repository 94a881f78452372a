"""User-steps per second of SlateRec-v0, compared with the bare arithmetic of the same world.

    python benchmarks/simulate.py [--users 1 64 1024 8192] [--seconds 2.0] [--device cuda]

The world: 1,000 items, slates of 10, multinomial logit with interest drift, 8 dimensions. The
baseline is a hand-written numpy loop over the same arithmetic (gather, logits, one draw, drift with
noise, normalisation) without observations, rewards or checks of the action, timed in the same run:
each figure is the best of five repeats that alternate with those of the baseline. One user runs
through gymnasium.make, several through gymnasium.make_vec. Torch runs on --device, by default the
GPU if there is one.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import platform
import time
from collections.abc import Callable

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.table import Table

import recsim

ITEMS, SLATE, DIM = 1000, 10, 8
WORLD = {"catalogue": {"num_items": ITEMS, "dim": DIM}, "session": None}
REPEATS = 5


def actions(users: int) -> list[np.ndarray]:
    """Return sixteen batches of slates of distinct items, (B, K)."""
    rng = np.random.default_rng(0)
    return [rng.random((users, ITEMS)).argpartition(SLATE, axis=1)[:, :SLATE] for _ in range(16)]


def baseline(users: int) -> Callable[[int], None]:
    """Return a function that runs steps of the bare arithmetic in numpy."""
    rng = np.random.default_rng(0)
    items = rng.standard_normal((ITEMS, DIM), dtype=np.float32)
    interest = rng.standard_normal((users, DIM), dtype=np.float32)
    slates, rows = actions(users), np.arange(users)

    def run(steps: int) -> None:
        nonlocal interest
        for step in range(steps):
            shown = items[slates[step % 16]]  # (B, K, d)
            cumulative = np.exp(np.einsum("bkd,bd->bk", shown, interest)).cumsum(1)
            chance = rng.random((users, 1), dtype=np.float32) * (cumulative[:, -1:] + 1)
            slot = (cumulative < chance).sum(1)
            clicked = shown[rows, np.minimum(slot, SLATE - 1)]
            moved = 0.1 * (slot < SLATE)[:, None] * (clicked - interest)
            interest = interest + moved
            interest += 0.02 * rng.standard_normal((users, DIM), dtype=np.float32)
            interest /= np.sqrt((interest * interest).sum(1, keepdims=True))

    return run


def environment(users: int, backend: str = "numpy", device: str = "cpu") -> Callable[[int], None]:
    """Return a function that runs steps of the environment."""
    settings = {"world": WORLD, "slate_size": SLATE, "max_steps": 0}
    slates: list = actions(users)
    if users == 1 and backend == "numpy":
        env = gym.make("recsim:SlateRec-v0", **settings)
        slates = [slate[0] for slate in slates]
    else:
        env = gym.make_vec("recsim:SlateRec-v0", users, backend=backend, device=device, **settings)
    if backend == "torch":
        import torch

        slates = [torch.from_numpy(slate).to(device) for slate in slates]
    env.reset(seed=0)

    def run(steps: int) -> None:
        for step in range(steps):
            env.step(slates[step % 16])
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    return run


def rates(runs: list[Callable[[int], None]], users: int, seconds: float) -> list[float]:
    """Return user-steps per second of each function: the best of alternating repeats."""
    counts = []
    for run in runs:
        run(5)
        start = time.perf_counter()
        run(10)
        counts.append(max(5, int(10 * seconds / REPEATS / (time.perf_counter() - start))))
    best = [0.0] * len(runs)
    for _ in range(REPEATS):
        for index, (run, steps) in enumerate(zip(runs, counts, strict=True)):
            start = time.perf_counter()
            run(steps)
            best[index] = max(best[index], users * steps / (time.perf_counter() - start))
    return best


def main() -> None:
    """Measure and print the table."""
    import torch

    parser = argparse.ArgumentParser(description="User-steps per second of SlateRec-v0.")
    parser.add_argument("--users", type=int, nargs="+", default=[1, 64, 1024, 8192])
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU time for each figure")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    table = Table(
        title=f"user-steps per second: {ITEMS:,} items, slates of {SLATE}, {DIM} dimensions",
        caption=f"slaterec {recsim.__version__}, numpy {np.__version__}, torch {torch.__version__},"
        f" Python {platform.python_version()}, one thread; torch on {device}",
    )
    for name in ("users", "baseline (numpy)", "SlateRec (numpy)", "ratio", "SlateRec (torch)"):
        table.add_column(name, justify="right")
    for users in options.users:
        runs = [baseline(users), environment(users), environment(users, "torch", options.device)]
        bare, ours, on_torch = rates(runs, users, options.seconds)
        table.add_row(
            f"{users:,}", f"{bare:,.0f}", f"{ours:,.0f}", f"{ours / bare:.2f}", f"{on_torch:,.0f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
