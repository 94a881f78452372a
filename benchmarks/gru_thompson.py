"""Speed, number of parameters and memory of gru_thompson in training and acting.

    python benchmarks/gru_thompson.py [--items 1000 100000 1300000] [--users 1 256 4096]
        [--prune 200] [--threads 2] [--device cpu] [--limit 60]

Slates of 10 by in-slate Thompson sampling, 25 dimensions, recurrent state, 290 groups; a user has
clicked about ten of the last 200 items shown. Samples are independent across users, among the
``prune`` candidates that are nearest or least certain. A training step uses 256 users with 20
slates and all items, whose prior enters every step. The parameters are random; neither time depends
on them.

Every cell runs in its own process. Its memory is the peak of that process, including torch; on an
accelerator, the memory allocated by torch there. A time is the best of three runs after one warm-up
run, or the only other run if the warm-up took a tenth of ``--limit``. Cells are left out, with the
reason printed, if they are expected to take more than ``--limit`` seconds, judging by cells with
fewer users or items, or if they do not fit into memory. The target is 256 users and 100,000 items
in less than 2 s on two cores.
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
TARGET_ITEMS, TARGET_USERS, TARGET_SECONDS = 100_000, 256, 2.0


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
            context=yes,
        )

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Choices]:
        """Yield the same batch."""
        yield self._choices

    def held_out(self, size: int) -> Iterator[Choices]:
        """Yield nothing."""
        return iter(())


def problem_of(items: int) -> Problem:
    """Return a catalogue without features."""
    return Problem(
        num_items=items,
        slate_size=SLATE,
        item_groups=np.arange(items) % 290,
    )


def observation(items: int, users: int) -> dict[str, np.ndarray]:
    """Return an observation of users who clicked a twentieth of the items shown."""
    rng = np.random.default_rng(1)
    shape = (users, HISTORY * SLATE)
    return {
        "history_items": rng.integers(items, size=shape),
        "history_clicks": (rng.random(shape) < 0.05).astype(np.int8),
        "candidates": np.broadcast_to(np.arange(items), (users, items)),
    }


@dataclass(frozen=True)
class Cell:
    """One measurement: of training if there are no users, else of acting.

    Attributes:
        items: Items in the catalogue.
        users: Users per decision; 0 for training.
        prune: Candidates that are sampled.
        threads: Threads of torch.
        device: Device of torch.
        limit: Largest time of a run, in seconds.
    """

    items: int
    users: int
    prune: int
    threads: int
    device: str
    limit: float


@dataclass(frozen=True)
class Measured:
    """A cell's time in seconds, its memory in GB, and the number of posterior parameters."""

    seconds: float
    memory: float
    parameters: int


def best(run: Callable[[], object], cell: Cell) -> float:
    """Return the shortest time of three runs after a warm-up, or of one run if they are slow."""

    def timed() -> float:
        began = time.perf_counter()
        run()
        if cell.device != "cpu":
            torch.cuda.synchronize(cell.device)
        return time.perf_counter() - began

    first = timed()
    return min(timed() for _ in range(3 if first < cell.limit / 10 else 1))


def measure(cell: Cell) -> Measured:
    """Measure one cell; to be called in a fresh process."""
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
            _reset_peak()
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


def _reset_peak() -> None:
    """Reset the peak memory of the process if the system supports it (Linux)."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def _peak() -> float:
    """Return the peak memory since the last reset, or else since the start, in GB."""
    try:
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def measure_in_process(cell: Cell) -> Measured | str:
    """Measure a cell in a fresh process, or return the reason why that failed."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(measure, cell).result()
        except BrokenProcessPool:
            return "its process was killed, probably because it ran out of memory"
        except (MemoryError, RuntimeError, UserError) as error:
            return str(error).partition("\n")[0] or "out of memory"


def expected(seconds: dict[tuple[int, int], float], items: int, users: int) -> float:
    """Return the expected time of a cell, from the largest smaller cell that was measured."""
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
    for head in ("items", "parameters", "task", "seconds", "steps or users per s", "memory, GB"):
        table.add_column(head, justify="right")
    seconds: dict[tuple[int, int], float] = {}
    left_out = []
    for items in given.items:
        for users in (0, *given.users):
            task = f"act, {users:,} users" if users else "training step"
            guess = expected(seconds, items, users)
            cell = Cell(items, users, given.prune, given.threads, given.device, given.limit)
            if guess > given.limit:
                result: Measured | str = f"expected to take {guess:.0f} s"
            else:
                result = measure_in_process(cell)
            if isinstance(result, str):
                table.add_row(f"{items:,}", "", task, "left out", "", "")
                left_out.append(f"{items:,} items, {task}: {result}")
                continue
            seconds[items, users] = result.seconds
            rate = max(users, 1) / result.seconds
            row = (f"{result.parameters:,}", task, f"{result.seconds:.3f}", f"{rate:,.1f}")
            table.add_row(f"{items:,}", *row, f"{result.memory:.2f}")
    console = Console(width=110)
    console.print(table)
    for reason in left_out:
        console.print(f"left out: {reason}")
    actual = seconds.get((TARGET_ITEMS, TARGET_USERS))
    if actual is not None:
        reached = "reached" if actual < TARGET_SECONDS else "not reached"
        size = f"{TARGET_USERS} users, {TARGET_ITEMS:,} items"
        console.print(
            f"target: {size} in less than {TARGET_SECONDS:g} s: {actual:.2f} s, {reached}"
        )


if __name__ == "__main__":
    main()
