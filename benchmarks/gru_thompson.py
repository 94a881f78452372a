"""How fast gru_thompson trains and acts, how many parameters it has, and what memory it takes.

    python benchmarks/gru_thompson.py [--items 1000 100000] [--users 1 256] [--prune 200]
        [--threads 2] [--device cpu]

Slates of 10 by in-slate Thompson sampling, 25 dimensions, recurrent state, 290 groups; a user has
clicked about ten of the last 200 shown. Draws are made anew for every user among the ``prune``
candidates that are nearest or least certain. A training step is on 256 users of 20 slates. The
parameters are random: neither time depends on them. Each figure is the best of three after one
that warms up; memory is the most that the process has held so far.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson.choices import Choices
from recsim.problem import Problem

SLATE, HISTORY, STEPS, BATCH, TRAINED = 10, 20, 20, 256, 10


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


def best(run: Callable[[], object], device: str) -> float:
    """Seconds of the best of three, after one more."""
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        run()
        if device != "cpu":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--users", type=int, nargs="+", default=[1, 256])
    parser.add_argument("--prune", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    table = Table(title=f"gru_thompson, {given.threads} threads, {given.device}")
    heads = ("items", "parameters", "training steps/s", "users", "act, s", "memory, GB")
    for head in heads:
        table.add_column(head, justify="right")
    for items in given.items:
        config = GRUThompsonConfig(
            prune=given.prune, steps=TRAINED, training="end_to_end", device=given.device
        )
        agent = GRUThompsonAgent(config, problem_of(items), 0)
        source = RandomChoices(items)
        train = best(
            lambda: agent.fit_source(source, slots=SLATE, horizon=STEPS),  # noqa: B023
            given.device,
        )
        model = agent.state_dict()["model"]
        numbers = sum(value.numel() for name, value in model.items() if name != "groups")
        for users in given.users:
            obs = observation(items, users)
            act = best(lambda: agent.act(obs), given.device)  # noqa: B023
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            row = (f"{items:,}", f"{numbers:,}", f"{TRAINED / train:.2f}", f"{users:,}")
            table.add_row(*row, f"{act:.3f}", f"{memory:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
