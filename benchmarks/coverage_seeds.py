"""Measured coverage of intervals over seeds.

    python benchmarks/coverage_seeds.py [--replications 20000]

For results of several shapes and 3 to 20 seeds: the share of 95% intervals that contain the mean or
the interquartile mean of the distribution, the share of samples that `recsim.metrics.seeds.doubt`
marks, and, for comparison, the coverage of the percentile bootstrap of the interquartile mean that
versions before 0.2 printed. Then the same for means over seeds and users
(`recsim.statistics.crossed_interval`), where every seed has the same users, beside a t interval
over seeds alone, one over users alone and the bootstrap that resamples both. Values below 93% are
bold.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from recsim.metrics.seeds import doubt
from recsim.statistics import (
    crossed_interval,
    iqm,
    iqm_interval,
    mean_interval,
    ratio,
)

SEEDS = (3, 5, 10, 20)
MARKED = 0.93

Draws = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


def _modes(share: float) -> Draws:
    """Return draws from two normal modes at 1 and -1, the first with a probability."""
    return lambda rng, shape: rng.normal(2.0 * (rng.random(shape) < share) - 1.0, 0.3)


def _binary(share: float) -> Draws:
    return lambda rng, shape: (rng.random(shape) < share).astype(np.float64)


SHAPES: dict[str, Draws] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape),
    "bimodal, 1 : 1": _modes(0.5),
    "bimodal, 1 : 4": _modes(0.2),
    "binary, p = .5": _binary(0.5),
    "binary, p = .9": _binary(0.9),
}
MEANS = {
    "normal": 0.0,
    "exponential": 1.0,
    "bimodal, 1 : 1": 0.0,
    "bimodal, 1 : 4": -0.6,
    "binary, p = .5": 0.5,
    "binary, p = .9": 0.9,
}
# Standard deviations of what seeds, users and cells contribute.
EFFECTS = {
    "seeds, users and cells": (1.0, 1.0, 1.0),
    "users and cells": (0.0, 1.0, 1.0),
    "seeds and cells": (1.0, 0.0, 1.0),
    "cells": (0.0, 0.0, 1.0),
    "mostly cells": (0.2, 1.0, 3.0),
}


def covered(ends: tuple[NDArray[np.float64], NDArray[np.float64]], truth: float) -> float:
    """Return the share of intervals that contain a value."""
    low, high = ends
    # Sums of the same numbers in another order differ in the last digits.
    return float(np.mean((low <= truth + 1e-12) & (truth - 1e-12 <= high)))


def percentile_bootstrap(
    samples: NDArray[np.float64], rng: np.random.Generator, resamples: int = 1000
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the percentile interval of the interquartile mean of each sample, ``(R, n)``."""
    n = samples.shape[1]
    ends = []
    for sample in samples:
        means = iqm(sample[rng.integers(n, size=(resamples, n))], axis=1)
        ends.append(np.quantile(means, (0.025, 0.975)))
    low, high = np.transpose(ends)
    return low, high


def over_seeds(replications: int) -> Iterator[list[str]]:
    """Yield a row for each shape and number of seeds."""
    rng = np.random.default_rng(0)
    few = max(replications // 10, 1)  # the bootstrap is slow
    for shape, draw in SHAPES.items():
        middle = float(iqm(draw(rng, (4_000_000,))))
        for seeds in SEEDS:
            samples = draw(rng, (replications, seeds))
            shares = [
                covered(mean_interval(samples, axis=1), MEANS[shape]),
                covered(iqm_interval(samples, axis=1), middle),
                covered(percentile_bootstrap(samples[:few], rng), middle),
            ]
            doubted = np.mean([doubt(sample) != "" for sample in samples[:few]])
            yield [shape, str(seeds), *map(_share, shares), f"{doubted:.0%}"]


def over_seeds_and_users(replications: int) -> Iterator[list[str]]:
    """Yield a row for each mixture of effects, number of seeds and of users."""
    rng = np.random.default_rng(0)
    few = max(replications // 20, 1)
    for name, (seed, user, cell) in EFFECTS.items():
        for seeds, users in ((3, 40), (3, 300), (5, 40), (5, 300), (10, 40), (10, 300)):
            hits = []
            for _ in range(few):
                table = seed * rng.normal(size=(seeds, 1)) + cell * rng.normal(size=(seeds, users))
                table += user * (rng.exponential(size=users) - 1)
                crossed = crossed_interval(*ratio(table, np.ones_like(table)))
                pairs = [
                    (crossed.low, crossed.high),
                    mean_interval(table.mean(axis=1)),
                    mean_interval(table.mean(axis=0)),
                    _resampled(table, rng),
                ]
                hits.append([low <= 0 <= high for low, high in pairs])
            yield [name, str(seeds), str(users), *map(_share, np.mean(hits, axis=0))]


def _resampled(
    table: NDArray[np.float64], rng: np.random.Generator, resamples: int = 300
) -> tuple[float, float]:
    """Return the percentile interval of a mean when seeds and users are both resampled."""
    s, u = table.shape
    rows = rng.multinomial(s, np.full(s, 1 / s), size=resamples)
    columns = rng.multinomial(u, np.full(u, 1 / u), size=resamples)
    means = ((rows @ table) * columns).sum(axis=1) / (s * u)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _share(share: float) -> str:
    text = f"{share:.1%}"
    return f"**{text}**" if share < MARKED else text


def print_table(heads: list[str], rows: Iterator[list[str]]) -> None:
    """Print a table in Markdown."""
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
    print()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replications", type=int, default=20_000, metavar="N")
    replications = parser.parse_args().replications
    if replications < 1:
        parser.error("--replications must be at least 1")
    print_table(
        ["results", "seeds", "mean, t", "interquartile mean", "bootstrap before 0.2", "marked"],
        over_seeds(replications),
    )
    print_table(
        ["what varies", "seeds", "users", "two-way", "t over seeds", "t over users", "resampled"],
        over_seeds_and_users(replications),
    )


if __name__ == "__main__":
    main()
