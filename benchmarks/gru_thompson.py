"""How fast gru_thompson trains and acts, how many parameters it has, and what memory it takes.

    python benchmarks/gru_thompson.py [--items 1000 100000 1300000] [--users 1 256 4096]
        [--prune 200] [--threads 2] [--device cpu] [--limit 60]

Slates of 10 by in-slate Thompson sampling, 25 dimensions, recurrent state, 290 groups; a user has
clicked about ten of the last 200 shown. Draws are made anew for every user among the ``prune``
candidates that are nearest or least certain. A training step is on 256 users of 20 slates, of all
of the items, whose whole prior has its say in every step. The parameters are random: neither time
depends on them.

Every cell has a process of its own, and its memory is the most that this process has held, torch
included; of the device, what torch allocated. A time is the best of three after one that warms up,
of two if that one took a tenth of ``--limit``. Left out, with the reason printed, are cells that
would take more than ``--limit`` seconds by the time of fewer users or items, and those that do not
fit into memory. The aim: 256 users, 100,000 items in less than 2 s on two cores. ``--device cuda``
has not been tried.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson.choices import Choices
from recsim.errors import UserError
from recsim.problem import Problem

SLATE, HISTORY, STEPS, BATCH, TRAINED = 10, 20, 20, 256, 3
AIM_ITEMS, AIM_USERS, AIM_SECONDS = 100_000, 256, 2.0


class RandomChoices:
    """A source of random choices."""

    num_users = BATCH

    def __init__(self, items: int) -> None:
        rng = np.random.default_rng(0)
        shown = rng.integers(items, size=(BATCH, STEPS, SLATE))
        choice = rng.integers(SLATE + 1, size=(BATCH, STEPS))
        click = np.take_along_axis(shown, np.maximum(choice - 1, 0)[:, :, None], axis=2)[:, :, 0]
        yes = torch.ones(BATCH, STEPS, dtype=torch.bool)
        self._choices = Choices(
            items=torch.from_numpy(shown),
            length=torch.full((BATCH, STEPS), SLATE + 1),
            choice=torch.from_numpy(choice),
            click=torch.from_numpy(np.where(choice > 0, click, -1)),
            scored=yes,
            basis=yes,
        )

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Choices]:
        """The same batch again."""
        yield self._choices

    def judged(self, size: int) -> Iterator[Choices]:
        """Nothing is held out."""
        return iter(())


def problem_of(items: int) -> Problem:
    """A catalogue without features."""
    return Problem(
        num_items=items,
        slate_size=SLATE,
        num_candidates=items,
        user_feature_dim=0,
        item_features=np.zeros((items, 0), dtype=np.float32),
        item_groups=np.arange(items) % 290,
        rewards={"click": 1.0},
    )


def observation(items: int, users: int) -> dict[str, np.ndarray]:
    """Users who clicked a twentieth of what they saw."""
    rng = np.random.default_rng(1)
    shape = (users, HISTORY * SLATE)
    return {
        "history_items": rng.integers(items, size=shape),
        "history_clicks": (rng.random(shape) < 0.05).astype(np.int8),
        "candidates": np.broadcast_to(np.arange(items), (users, items)),
    }


@dataclass(frozen=True)
class Cell:
    """What is measured: training if there are no users, else acting.

    Attributes:
        items: Of the catalogue.
        users: Who are shown a slate at once; 0 to train.
        prune: Candidates that are drawn.
        threads: Of torch.
        device: Of torch.
        limit: Seconds that a run may take.
    """

    items: int
    users: int
    prune: int
    threads: int
    device: str
    limit: float


@dataclass(frozen=True)
class Measured:
    """A cell's time, in seconds, its memory, in GB, and the numbers of the posterior."""

    seconds: float
    memory: float
    parameters: int


def best(run: Callable[[], object], cell: Cell) -> float:
    """Seconds of the best of three, after one more; of fewer where they take long."""

    def timed() -> float:
        began = time.perf_counter()
        run()
        if cell.device != "cpu":
            torch.cuda.synchronize(cell.device)
        return time.perf_counter() - began

    first = timed()
    return min(timed() for _ in range(3 if first < cell.limit / 10 else 1))


def measure(cell: Cell) -> Measured:
    """Measure one cell; to be called in a process of its own."""
    torch.set_num_threads(cell.threads)
    config = GRUThompsonConfig(
        prune=cell.prune,
        steps=TRAINED if not cell.users else 1,
        training="end_to_end",
        device=cell.device,
    )
    agent = GRUThompsonAgent(config, problem_of(cell.items), 0)
    source = RandomChoices(cell.items)

    def train() -> object:
        return agent.fit_source(source, slots=SLATE, horizon=STEPS)

    if cell.users:
        train()
        obs = observation(cell.items, cell.users)
        if cell.device == "cpu":
            _forget_peak()
        seconds = best(lambda: agent.act(obs), cell)
    else:
        seconds = best(train, cell) / TRAINED
    if cell.device == "cpu":
        memory = _peak()
    else:
        memory = torch.cuda.max_memory_allocated(cell.device) / 1e9
    model = agent.state_dict()["model"]
    numbers = sum(value.numel() for name, value in model.items() if name != "groups")
    return Measured(seconds, memory, numbers)


def _forget_peak() -> None:
    """Count memory from here on, where the system can (Linux)."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def _peak() -> float:
    """Return the most memory held since, or else since the start, in GB."""
    try:
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def alone(cell: Cell) -> Measured | str:
    """Measure a cell in a process of its own, or say why that is not possible."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(measure, cell).result()
        except BrokenProcessPool:
            return "its process was ended, for want of memory as it seems"
        except (MemoryError, RuntimeError, UserError) as error:
            return str(error).partition("\n")[0] or "no memory"


def expected(seconds: dict[tuple[int, int], float], items: int, users: int) -> float:
    """Return how long a cell should take, by the largest one measured with fewer users or items."""
    known = [
        time * (items / i) * (max(users, 1) / max(u, 1))
        for (i, u), time in seconds.items()
        if i <= items and u <= users and bool(u) == bool(users) and u * i > 10**6
    ]
    return known[-1] if known else 0.0


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[1000, 100_000, 1_300_000])
    parser.add_argument("--users", type=int, nargs="+", default=[1, 256, 4096])
    parser.add_argument("--prune", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one run")
    given = parser.parse_args()
    table = Table(title=f"gru_thompson, {given.threads} threads, {given.device}")
    for head in ("items", "parameters", "what", "seconds", "steps or users per s", "memory, GB"):
        table.add_column(head, justify="right")
    seconds: dict[tuple[int, int], float] = {}
    left_out = []
    for items in given.items:
        for users in (0, *given.users):
            what = f"act, {users:,} users" if users else "a training step"
            guess = expected(seconds, items, users)
            cell = Cell(items, users, given.prune, given.threads, given.device, given.limit)
            found = f"some {guess:.0f} s expected" if guess > given.limit else alone(cell)
            if isinstance(found, str):
                table.add_row(f"{items:,}", "", what, "left out", "", "")
                left_out.append(f"{items:,} items, {what}: {found}")
                continue
            seconds[items, users] = found.seconds
            rate = max(users, 1) / found.seconds
            row = (f"{found.parameters:,}", what, f"{found.seconds:.3f}", f"{rate:,.1f}")
            table.add_row(f"{items:,}", *row, f"{found.memory:.2f}")
    console = Console(width=110)
    console.print(table)
    for reason in left_out:
        console.print(f"left out: {reason}")
    aimed = seconds.get((AIM_ITEMS, AIM_USERS))
    if aimed is not None:
        reached = "reached" if aimed < AIM_SECONDS else "not reached"
        size = f"{AIM_USERS} users, {AIM_ITEMS:,} items"
        console.print(f"aim: {size} in less than {AIM_SECONDS:g} s: {aimed:.2f} s, {reached}")


if __name__ == "__main__":
    main()
