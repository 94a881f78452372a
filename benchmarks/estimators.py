"""Seconds and memory of the off-policy estimators, beside the bare numpy expressions.

    python benchmarks/estimators.py [--rows 1000000] [--streamed 1000000] [--actions 10 100 1000]
        [--slates 100000] [--estimators ips snips ...] [--folder /tmp]

Prints three tables, with aims where a table has the size that they are for; a table with 0 rows is
omitted:

- arrays: estimators as functions of arrays on --rows logged rounds. Each time is the best of 20,
  alternating with the numpy expression, which must give the same value; memory is the peak above
  the input by tracemalloc, in a separate run.
- slates: from the probabilities of --slates slates of ten under both policies to the value, and to
  the value with an interval; each time is the best of 20, alternating with all the others.
- log: `evaluate` on a log of --streamed rounds on disk, read in pieces, with Student-t intervals,
  including reading and checking the rows and fitting reward models. The expression beside it reads
  the same file in pieces and gets the reward model as an argument; each is timed once, in its own
  process. Memory is that process's largest resident set (ru_maxrss), including the interpreter and
  its libraries.

Everything runs in one thread.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import multiprocessing
import platform
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

import recsim
from recsim.estimators import (
    SLATE_ESTIMATORS,
    SlateSample,
    Tally,
    evaluate,
    make_estimator,
    make_slate_estimator,
    probability_ratio,
)
from recsim.estimators.slates.pseudo_inverse import product_weights
from recsim.log import SlateLog
from recsim.log.storage import write_log
from recsim.problem import Problem

REPEATS, CLIP, SLOTS, FEATURES, SMOOTH = 20, 10.0, 10, 4, 0.1
TIMES, ABOVE_MB, ESTIMATE_MS, INTERVAL_MS, PEAK_MIB = 3.0, 20.0, 30.0, 100.0, 2048.0
AIMED_ROWS, AIMED_SLATES = 1_000_000, 100_000
AIMED = ("ips", "snips", "clipped_ips")  # for arrays; the others are shown without an aim
LOGGED = ("ips", "snips", "clipped_ips", "ips, unsupported counted", "dr", "switch")
PIECE = 2**16  # rows of the log that are written, and read by the bare expression, at a time
Run = Callable[[], Any]

# The bare expressions: w weights, r rewards, q and v of the reward model.
EXPRESSIONS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "ips": lambda w, r, q, v: (w * r).mean(),
    "snips": lambda w, r, q, v: (w * r).sum() / w.sum(),
    "clipped_ips": lambda w, r, q, v: (np.minimum(w, CLIP) * r).mean(),
    "clipped_snips": lambda w, r, q, v: (u := np.minimum(w, CLIP)) @ r / u.sum(),
    "sub_gaussian": lambda w, r, q, v: (w / (1 - SMOOTH + SMOOTH * w) * r).mean(),
    "replay": lambda w, r, q, v: r[w > 0].mean(),
    "dm": lambda w, r, q, v: v.mean(),
    "dr": lambda w, r, q, v: (v + w * (r - q)).mean(),
    "clipped_dr": lambda w, r, q, v: (v + np.minimum(w, CLIP) * (r - q)).mean(),
    "sndr": lambda w, r, q, v: v.mean() + (w * (r - q)).sum() / w.sum(),
    "switch_dr": lambda w, r, q, v: (v + w * (w <= CLIP) * (r - q)).mean(),
    "dros": lambda w, r, q, v: (v + 400 * w / (w * w + 400) * (r - q)).mean(),
    "mrdr": lambda w, r, q, v: (v + w * (r - q)).mean(),
}


def best(runs: list[Run], repeats: int = REPEATS) -> list[float]:
    """Milliseconds of each run, the best of some alternating repeats."""
    least = [float("inf")] * len(runs)
    for _ in range(repeats + 1):  # the first one warms up
        for index, run in enumerate(runs):
            start = time.perf_counter()
            run()
            least[index] = min(least[index], 1e3 * (time.perf_counter() - start))
    return least


def above_input(run: Run) -> float:
    """Peak memory of a run in MB, above what was allocated before."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def resident() -> float:
    """Largest resident set of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a new process, to measure its memory alone."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def verdict(measured: float, aim: float, unit: str) -> str:
    """Return whether an aim was met, and by how much."""
    apart = abs(measured / aim - 1)
    how = f"met, {apart:.0%} under" if measured <= aim else f"[bold]not met[/], {apart:.0%} over"
    return f"{how} {aim:,.0f}{unit}"


def same(name: str, ours: Any, bare: Any) -> None:
    if not np.allclose(ours, bare, rtol=1e-9, atol=0):
        raise RuntimeError(f"{name}: {ours!r} differs from the expression's {bare!r}")


def policies(actions: int) -> tuple[np.ndarray, np.ndarray]:
    """The logging and the evaluated policy, for two kinds of users, (2, A) each."""
    rng = np.random.default_rng(actions)
    return tuple(rng.dirichlet(np.full(actions, 5.0), size=2) for _ in range(2))


def pieces(rows: int, actions: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Logged rounds in pieces: user features, kind of user, action, reward."""
    rng = np.random.default_rng(rows)
    logging, _ = policies(actions)
    for start in range(0, rows, PIECE):
        users = rng.standard_normal((min(PIECE, rows - start), FEATURES), dtype=np.float32)
        kind, coin = (users[:, 0] > 0).astype(np.int64), rng.random(len(users))
        # Both distributions in one ascending list: the second goes from 1 to 2.
        upto = (logging.cumsum(axis=1) + np.arange(2)[:, None]).ravel()
        drawn = np.searchsorted(upto, coin + kind, side="right") - kind * actions
        yield users, kind, drawn.clip(0, actions - 1), (rng.random(len(users)) < 0.1).astype(float)


def arrays(rows: int, actions: int) -> dict[str, tuple[float, float, float]]:
    """Milliseconds of the expression and of ours, and MB of ours, for each estimator."""
    logging, policy = policies(actions)
    parts = [(policy[k, a], logging[k, a], r) for _, k, a, r in pieces(rows, actions)]
    pi, mu, r = (np.concatenate(column) for column in zip(*parts, strict=True))
    rng = np.random.default_rng(0)
    q, v, matching = 0.2 * rng.random(rows), 0.2 * rng.random(rows), rng.random(rows) < 1 / actions
    w = pi / mu
    runs: dict[str, list[Run]] = {"pi / mu": [lambda: pi / mu, lambda: probability_ratio(pi, mu)]}
    for name, expression in EXPRESSIONS.items():
        weights = matching.astype(float) if name == "replay" else w
        given: dict[str, Any] = {"policy": weights} if name == "replay" else {}
        if make_estimator(name).needs & {"model", "weighted_model"}:
            given = {"q": q, "v": v}
        bare = partial(expression, weights, r, q, v)
        runs[name] = [bare, partial(made, name, weights, r, **given)]
    # Pair by pair: the columns of other pairs would displace those of a pair from the cache.
    return {n: (*timed({n: pair})[n], above_input(pair[1])) for n, pair in runs.items()}


def made(name: str, *columns: Any, **given: Any) -> float:
    return make_estimator(name)(*columns, **given)


def timed(runs: dict[str, list[Run]]) -> dict[str, list[float]]:
    """Milliseconds of the expression, of what must equal it, and of others, alternating."""
    for name, (bare, own, *_) in runs.items():
        same(name, own(), bare())
    times = iter(best([run for of_one in runs.values() for run in of_one]))
    return {name: [next(times) for _ in of_one] for name, of_one in runs.items()}


def arrays_table(rows: int, actions: list[int]) -> Table:
    found = {a: in_a_process(arrays, rows, a) for a in actions}
    table = Table(title=f"Functions of arrays, {rows:,} logged rounds")
    table.add_column("estimator")
    for a in actions:
        table.add_column(f"{a:,} actions:\nnumpy / ours, ms", justify="right")
    for title in ("ours / numpy\n(largest)", "MB above input\n(numpy: 8 a column)"):
        table.add_column(title, justify="right")
    table.add_column("aims")
    for name in next(iter(found.values())):
        lines = [found[a][name] for a in actions]
        ratio, above = max(o / b for b, o, _ in lines), max(line[2] for line in lines)
        aims = f"{verdict(ratio, TIMES, 'x')}; {verdict(above, ABOVE_MB, ' MB')}"
        times = [f"{bare:.2f} / {ours:.2f}" for bare, ours, _ in lines]
        aimed = rows >= AIMED_ROWS and name in AIMED
        table.add_row(name, *times, f"{ratio:.2f}", f"{above:.1f}", aims if aimed else "")
    return table


def slates(rows: int) -> dict[str, list[float]]:
    """Milliseconds of the expression, the estimate, its t and its bootstrap interval."""
    rng = np.random.default_rng(0)
    mu, pi = rng.uniform(0.05, 0.3, (2, rows, SLOTS))
    mu_prefix, pi_prefix = mu.cumprod(axis=1), pi.cumprod(axis=1)
    clicks = (rng.random((rows, SLOTS)) < 0.1).astype(float)
    q, v = rng.random((2, rows, SLOTS))
    columns: dict[str, Callable[[], dict[str, Any]]] = {
        "slate_weights": lambda: {"slates": (pi_prefix[:, -1], mu_prefix[:, -1])},
        "prefix_weights": lambda: {"prefixes": (pi_prefix, mu_prefix)},
        "slot_weights": lambda: {"marginals": (pi, mu)},
        "additive_weights": lambda: {
            "additive_weights": product_weights(probability_ratio(pi, mu))
        },
    }
    ratios: dict[str, Callable[[], np.ndarray]] = {
        "slate_weights": lambda: pi_prefix[:, -1] / mu_prefix[:, -1],
        "prefix_weights": lambda: pi_prefix / mu_prefix,
        "slot_weights": lambda: pi / mu,
        "additive_weights": lambda: (pi / mu).sum(axis=1) - SLOTS + 1,
    }
    runs: dict[str, list[Run]] = {}
    resampled: dict[str, Run] = {}
    for name in SLATE_ESTIMATORS:
        made = make_slate_estimator(name, clip=CLIP, slots=SLOTS)

        def sample(made: Any = made) -> SlateSample:
            given = columns[made.weights]()
            if made.name.endswith("cascade_dr"):
                given |= {"action_values": q, "expected_values": v}
            return SlateSample.of_slots(clicks, **given)

        def bare(made: Any = made) -> float:
            w = ratios[made.weights]()
            if np.isfinite(made.clip):
                w = w.clip(-made.clip if made.weights == "additive_weights" else None, made.clip)
            kind = made.name.removeprefix("clipped_")
            if kind == "cascade_dr":
                before = np.concatenate([np.ones((rows, 1)), w[:, :-1]], axis=1)
                return (w * (clicks - q) + before * v).sum() / rows
            earned = w * (clicks.sum(axis=1) if w.ndim == 1 else clicks)
            below = w.sum(axis=0) if kind.startswith("sn") or kind == "wpi" else rows
            return (earned.sum(axis=0) / below).sum()

        def interval(kind: Any, made: Any = made, sample: Any = sample) -> Any:
            tally = Tally([made], interval=kind)
            tally.add(sample())
            return tally.values()[0]

        def estimate(made: Any = made, sample: Any = sample) -> float:
            return made(sample())

        runs[name] = [bare, estimate, partial(interval, "t")]
        resampled[name] = partial(interval, "bootstrap")
    times, slow = timed(runs), best(list(resampled.values()), repeats=1)
    return {name: [*times[name], last] for name, last in zip(runs, slow, strict=True)}


def slates_table(rows: int) -> Table:
    table = Table(title=f"{rows:,} slates of {SLOTS}, from probabilities; ms")
    table.add_column("estimator")
    for title in ("numpy", "estimate", "with t interval", "with bootstrap"):
        table.add_column(title, justify="right")
    table.add_column("aims (estimate; with t interval)")
    for name, (bare, value, interval, bootstrap) in in_a_process(slates, rows).items():
        aims = f"{verdict(value, ESTIMATE_MS, ' ms')}; {verdict(interval, INTERVAL_MS, ' ms')}"
        times = (f"{ms:.1f}" for ms in (bare, value, interval, bootstrap))
        table.add_row(name, *times, aims if rows == AIMED_SLATES else "")
    return table


class Explicit:
    """A policy that depends on the kind of user, as returned by `policies`."""

    def __init__(self, table: np.ndarray) -> None:
        self._table = table

    def propensities(self, obs: Any, items: np.ndarray) -> np.ndarray:
        """Return the probability of each item at its position, (B, 1)."""
        return self._table[(obs["user_features"][:, 0] > 0).astype(np.int64)[:, None], items]

    def action_probabilities(self, obs: Any) -> np.ndarray:
        """Return the probability of every action, (B, 1, A)."""
        return self._table[(obs["user_features"][:, 0] > 0).astype(np.int64)][:, None, :]


def write(folder: Path, rows: int, actions: int) -> None:
    """Write a log of anonymous rounds, a piece at a time."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((actions, FEATURES), dtype=np.float32)
    groups = np.zeros(actions, dtype=np.int64)
    problem = Problem(actions, 1, actions, FEATURES, features, groups, {"click": 1.0})
    logging, _ = policies(actions)

    def logs() -> Iterator[SlateLog]:
        for users, kind, action, reward in pieces(rows, actions):
            zero, click = np.zeros(len(kind), dtype=np.int64), reward.astype(np.int8)
            yield SlateLog(
                problem, np.arange(len(kind)), zero, zero, zero, action[:, None], click[:, None],
                {"click": reward}, users, logging[kind, action][:, None], anonymous=True,
            )  # fmt: skip

    write_log(folder, logs())


def ours(folder: Path, actions: int, name: str) -> tuple[float, float, float, float]:
    """Seconds, MiB at the peak and before it, and the value, of `evaluate` on the log."""
    logging, policy = (Explicit(table) for table in policies(actions))
    estimator, _, counted = name.partition(", ")
    asked: dict[str, Any] = {"overlap": bool(counted)} if estimator.endswith("ips") else {}
    if estimator == "switch":
        asked["logging"] = logging
    before, start = resident(), time.perf_counter()
    value = evaluate(folder, policy, [estimator], interval="t", **asked)[0].value
    return time.perf_counter() - start, resident(), before, value


def expression(folder: Path, actions: int, name: str) -> tuple[float, float, float, float]:
    """The same of the bare expression."""
    logging, policy = policies(actions)
    slopes = np.random.default_rng(0).random((FEATURES, actions)) / 100
    before, start, total = resident(), time.perf_counter(), np.zeros(2)
    every = name in ("dr", "switch") or "unsupported" in name
    step = max(1, 2**20 // actions) if every else PIECE
    wanted, never = np.zeros(actions), np.ones(actions, dtype=bool)
    rows, users = (pq.ParquetFile(folder / f"{file}.parquet") for file in ("interactions", "users"))
    batches = rows.iter_batches(step, columns=["slate", "propensity", "feedback.click"])
    for batch, people in zip(batches, users.iter_batches(step), strict=True):
        columns = (batch.column("slate"), batch.column("propensity"), people.column("features"))
        a, mu, x = (column.flatten().to_numpy(zero_copy_only=False) for column in columns)
        x, r = x.reshape(-1, FEATURES), batch.column("feedback.click").to_numpy()
        kind, at = (x[:, 0] > 0).astype(np.int64), np.arange(len(a))
        w = policy[kind, a] / mu
        if name == "dr":
            q = x @ slopes
            terms = (policy[kind] * q).sum(axis=1) + w * (r - q[at, a])
        elif name == "switch":
            beyond = policy[kind] > CLIP * logging[kind]
            terms = w * (w <= CLIP) * r + (policy[kind] * (x @ slopes) * beyond).sum(axis=1)
        else:
            terms = (np.minimum(w, CLIP) if name == "clipped_ips" else w) * r
            if "unsupported" in name:
                wanted += policy[kind].sum(axis=0)
                never[a] = False
        total += terms.sum(), w.sum() if name == "snips" else len(a)
    _ = np.count_nonzero(never & (wanted > 0))
    return time.perf_counter() - start, resident(), before, total[0] / total[1]


def log_table(rows: int, actions: int, folder: Path | None, names: list[str]) -> Table:
    table = Table(title=f"A log of {rows:,} anonymous rounds, {actions:,} actions, from disk")
    table.add_column("estimator")
    for title in ("numpy, s", "evaluate, s", "ratio", "numpy,\npeak MiB", "evaluate,\npeak MiB"):
        table.add_column(title, justify="right")
    table.add_column("before\nit read", justify="right")
    table.add_column("aim (peak)")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        log = Path(place, "log")
        in_a_process(write, log, rows, actions)
        for name in names:
            bare, bare_peak, _, value = in_a_process(expression, log, actions, name)
            seconds, peak, before, own = in_a_process(ours, log, actions, name)
            if name not in ("dr", "switch"):  # these fit their own reward model
                same(name, own, value)
            times = (f"{bare:.1f}", f"{seconds:.1f}", f"{seconds / bare:.1f}")
            memory = (f"{mib:,.0f}" for mib in (bare_peak, peak, before))
            table.add_row(name, *times, *memory, verdict(peak, PEAK_MIB, " MiB"))
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Seconds and memory of the estimators.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="in arrays")
    parser.add_argument("--slates", type=int, default=100_000)
    parser.add_argument("--streamed", type=int, default=1_000_000, help="rows of the log on disk")
    parser.add_argument("--actions", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--estimators", nargs="+", default=LOGGED, choices=LOGGED)
    parser.add_argument("--folder", type=Path, help="where the log is written meanwhile")
    options = parser.parse_args()
    console = Console()
    console.print(
        f"slaterec {recsim.__version__}, numpy {np.__version__}, Python "
        f"{platform.python_version()}, one thread"
    )
    if options.rows:
        console.print(arrays_table(options.rows, options.actions))
    if options.slates:
        console.print(slates_table(options.slates))
    for count in options.actions if options.streamed else ():
        table = log_table(options.streamed, count, options.folder, options.estimators)
        console.print(table)


if __name__ == "__main__":
    main()
