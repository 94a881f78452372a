"""Speed of training and decoding with dt4ier, and memory of a large training step.

    python benchmarks/dt4ier.py                  # prints a table; minutes on one thread
    python benchmarks/dt4ier.py --device cuda

The reference computes the same loss and the same slates (both are checked first) without batches:
user by user, step by step, with one pass of the transformer over the steps so far for every step,
and item by item in the decoder. Both leave out the contrastive term, which would double their work;
its cost is shown in a separate row. A session is one slate of a trajectory. Memory is the peak of a
fresh process after one training step, including torch itself; on a GPU, it is the memory allocated
by torch there. Targets: ten times the speed of the reference, and less than 2 GiB for 8,000 items
and 128 windows of 30 slates of 30 items.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from agents.dt4ier.config import DT4IERConfig
from agents.dt4ier.data import Trajectories, trajectories
from agents.dt4ier.decoding import decode
from agents.dt4ier.losses import Batch
from agents.dt4ier.model import Model
from agents.dt4ier.training import Trainer, prepare
from recsim.log import SlateLog
from recsim.problem import Problem

TARGET_RATIO, TARGET_GIB = 10, 2.0


def random_log(users: int, steps: int, slots: int, items: int) -> SlateLog:
    """Return a log of random slates in which a quarter of the items is clicked."""
    rng = np.random.default_rng(0)
    rows = users * steps
    problem = Problem(
        num_items=items,
        slate_size=slots,
        rewards={"click": 1.0, "return": 0.0},
    )
    clicks = (rng.random((rows, slots)) < 0.25).astype(np.int8)
    first = rng.integers(items, size=(rows, 1))
    return SlateLog(
        problem=problem,
        user=np.repeat(np.arange(users), steps),
        session=np.tile(np.arange(steps), users),
        day=np.tile(np.arange(steps), users),
        step=np.zeros(rows, dtype=np.int64),
        slate=(first + np.arange(slots)) % items,
        clicks=clicks,
        feedback={"click": clicks.sum(axis=1).astype(float), "return": rng.random(rows)},
        user_features=np.zeros((users, 0), dtype=np.float32),
    )


class Case:
    """A network and a log to train it on.

    Args:
        batch: Number of users, each with one window.
        steps: Slates per user, all in one window.
        slots: Items per slate.
        items: Items in the catalogue.
        device: Device of torch.
        alpha: Weight of the contrastive term.
    """

    def __init__(
        self, batch: int, steps: int, slots: int, items: int, device: str, alpha: float = 0.0
    ) -> None:
        torch.manual_seed(0)
        self.config = DT4IERConfig(context=steps, batch_size=batch, steps=100, alpha=alpha)
        log = random_log(batch, steps, slots, items)
        self.data: Trajectories = trajectories(log, self.config.reward_names, device)
        self.model = Model(self.config, items, 0, steps).to(device)
        generator = torch.Generator(device).manual_seed(0)
        weights = prepare(self.model, self.data, self.config, generator)
        self.trainer = Trainer(self.model, self.data, weights, self.config, generator)
        self.starts = (self.data.time == 0).nonzero()[:, 0]
        self.candidates = torch.arange(1, items + 1, device=device).expand(batch, -1)

    def batch(self) -> Batch:
        """Return the whole trajectories of all users."""
        return self.trainer.batch(self.starts)

    def train(self) -> Tensor:
        """Compute the gradient of the loss on all trajectories; return the loss."""
        self.model.zero_grad(set_to_none=True)
        return self.trainer.backward(self.batch())[0]

    @torch.no_grad()
    def decode(self) -> Tensor:
        """Return the decoded slates of the last step, ``(B, K)``."""
        batch, data, model = self.batch(), self.data, self.model
        rows = batch.windows.rows
        time, states = data.time[rows], data.states(rows, self.config.history)
        users = model.user_vectors(data.features)[data.user[rows]]
        parts = [
            model.reward_token(batch.rtg, time),
            model.state_token(states, users, time),
            model.action_token(data.slates[rows], time),
        ]
        tokens = batch.windows.place(torch.stack(parts, dim=1))
        contexts = model.contexts(tokens, batch.windows.mask)[:, -1]
        return decode(model.decoder, contexts, self.candidates, data.slates.shape[1])[0]


class Naive:
    """The reference: the same computations without batches."""

    def __init__(self, case: Case) -> None:
        self.case, self.model, self.data = case, case.model, case.data

    def _tokens(self, row: int, rtg: Tensor) -> Tensor:
        """Return the three tokens of one step, ``(3, D)``."""
        rows = torch.tensor([row], device=rtg.device)
        model, data, time = self.model, self.data, self.data.time[rows]
        user = model.user_vectors(data.features[data.user[rows]])
        state = model.state_token(data.states(rows, model.config.history), user, time)
        parts = [
            model.reward_token(rtg[None], time),
            state,
            model.action_token(data.slates[rows], time),
        ]
        return torch.cat(parts)

    def _trajectory(self, start: int) -> tuple[range, Tensor]:
        """Return the rows of a user and their tokens, ``(1, T, 3, D)``."""
        rows = range(start, int(self.data.end[start]))
        rtg = self.data.rtg[start : rows.stop] * self.case.trainer.weights[start : rows.stop]
        pairs = zip(rows, rtg, strict=True)
        return rows, torch.stack([self._tokens(row, own) for row, own in pairs])[None]

    def _context(self, tokens: Tensor, step: int) -> Tensor:
        """Return the context of one step, ``(1, D)``."""
        past = tokens[:, : step + 1]
        mask = torch.ones(past.shape[:2], dtype=torch.bool, device=past.device)
        return self.model.contexts(past, mask)[:, -1]

    def train(self, users: int) -> Tensor:
        """Compute the gradient of the mean cross-entropy of some users; return the latter."""
        decoder, losses = self.model.decoder, []
        self.model.zero_grad(set_to_none=True)
        for start in self.case.starts[:users].tolist():
            rows, tokens = self._trajectory(start)
            for step, row in enumerate(rows):
                context = self._context(tokens, step)
                state = decoder.begin(context)
                previous = context.new_full((1, 1), decoder.first_token, dtype=torch.int64)
                for item in self.data.slates[row]:
                    vector, state = decoder.step(context, previous, state)
                    losses.append(functional.cross_entropy(decoder.out(vector[:, 0]), item[None]))
                    previous = item.view(1, 1)
        loss = torch.stack(losses).mean()
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def decode(self, users: int) -> Tensor:
        """Return the decoded slates of some users at the last step, ``(B, K)``."""
        slates = []
        for start in self.case.starts[:users].tolist():
            rows, tokens = self._trajectory(start)
            context = self._context(tokens, len(rows) - 1)
            slots = self.data.slates.shape[1]
            slates.append(decode(self.model.decoder, context, self.case.candidates[:1], slots)[0])
        return torch.cat(slates)


def seconds(run: Callable[[], object], device: str, times: int = 3) -> float:
    """Return the shortest of several run times, after one warm-up run."""

    def once() -> float:
        began = time.perf_counter()
        run()
        if device != "cpu":
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    return min(once() for _ in range(times + 1))


def memory(device: str, threads: int) -> float:
    """Return the memory of a large training step in GiB; to be called in a fresh process."""
    torch.set_num_threads(threads)
    case = Case(128, 30, 30, 8000, device, alpha=0.1)
    case.trainer.step()
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Print the rates, their ratios and the memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--naive-users", type=int, default=4, help="users of the reference")
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        peak = pool.submit(memory, given.device, given.threads).result()
    torch.set_num_threads(given.threads)
    batch, steps, few = 64, 20, given.naive_users
    case = Case(batch, steps, 5, 1000, given.device)
    naive = Naive(case)
    case.model.eval()
    small = case.trainer.batch(case.starts[:few])
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no gradients in evaluation mode
        loss, reference = case.trainer.backward(small)[0], naive.train(few)
    torch.testing.assert_close(loss, reference, rtol=1e-4, atol=1e-4)
    # An accelerator sums in another order, so items with nearly equal scores may be swapped.
    if (case.decode()[:few] == naive.decode(few)).float().mean() < 0.99:
        raise SystemExit("the reference decodes other slates")
    case.model.train()
    contrasted = Case(batch, steps, 5, 1000, given.device, alpha=0.1)
    times = {
        "train, sessions per s": (
            batch * steps / seconds(case.train, given.device),
            few * steps / seconds(lambda: naive.train(few), given.device, 1),
        ),
        "decode, users per s": (
            batch / seconds(case.decode, given.device),
            few / seconds(lambda: naive.decode(few), given.device, 1),
        ),
    }
    with_contrast = batch * steps / seconds(contrasted.train, given.device)
    title = f"dt4ier, 1,000 items, {batch} users x {steps} slates x 5, {given.device}"
    table = Table(title=f"{title}, {given.threads} threads")
    for head in ("task", "dt4ier", "reference", "ratio", f"target: {TARGET_RATIO}"):
        table.add_column(head, justify="right")
    for task, (own, other) in times.items():
        reached = "reached" if own >= TARGET_RATIO * other else "not reached"
        table.add_row(task, f"{own:,.0f}", f"{other:,.1f}", f"{own / other:.1f}", reached)
    table.add_row("train with contrast", f"{with_contrast:,.0f}", "", "", "")
    console = Console(width=100)
    console.print(table)
    reached = "reached" if peak < TARGET_GIB else "not reached"
    size = "8,000 items, 128 windows of 30 slates of 30 items, with contrast"
    console.print(
        f"training step with {size}: {peak:.2f} GiB; target {TARGET_GIB:g} GiB: {reached}"
    )


if __name__ == "__main__":
    main()
