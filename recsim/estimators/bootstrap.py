"""The Poisson bootstrap: resampling as sums that merge.

A bootstrap sample of N units takes each of them a multinomial number of times. For more than a
few units those numbers are nearly independent Poisson(1) draws (Hanley and MacGibbon 2006;
Chamandy et al., "Estimating Uncertainty for Massive Data Streams", 2012), and independent draws
need no list of all units: each unit's draw is a function of the seed and of the unit's number. The
resampled sums are therefore the same however the log is cut, and add up over its pieces.
"""

from __future__ import annotations

import math

import numpy as np

from recsim.arrays import Floats, Ints

_BLOCK = 256  # units whose draws come from one generator
_STREAM = 0xB007


def _poisson_table() -> Floats:
    """Return the Poisson(1) count for every value of a 16-bit draw: its inverse distribution.

    Rounding the distribution to 1/65536 leaves the mean at 1 and the variance at 0.99997, and is
    seven times as fast as exact draws.
    """
    cumulative = np.cumsum([math.exp(-1) / math.factorial(count) for count in range(12)])
    return np.searchsorted(np.round(cumulative * 2**16), np.arange(2**16), "right").astype(float)


_TABLE = _poisson_table()


def poisson_counts(seed: int, block: int, samples: int) -> Floats:
    """Return how often each bootstrap sample takes each unit of a block.

    Args:
        seed: Seed of the bootstrap.
        block: Number of the block, which starts at unit 256 * block.
        samples: Bootstrap samples, S.

    Returns:
        Whole numbers, ``(256, S)``.
    """
    # The first number keeps these draws apart from others that use the same seed.
    rng = np.random.default_rng([_STREAM, seed, block])
    counts: Floats = _TABLE[rng.integers(0, 2**16, size=(_BLOCK, samples), dtype=np.uint16)]
    return counts


def resampled_sums(terms: Floats, units: Ints, *, seed: int, samples: int) -> Floats:
    """Return the sums of ``terms`` in every bootstrap sample.

    Work grows with N and with the number of blocks of 256 unit numbers that occur, so unit numbers
    should be dense.

    Args:
        terms: What is summed, ``(N, m)``.
        units: Unit of each row, ``(N,)``; the rows of a unit are resampled together.
        seed: Seed of the bootstrap.
        samples: Bootstrap samples, S.

    Returns:
        ``(S, m)``.
    """
    sums = np.zeros((samples, terms.shape[1]))
    if len(units) == 0:
        return sums
    block = units // _BLOCK
    order = np.argsort(block, kind="stable")
    blocks, starts = np.unique(block[order], return_index=True)
    for number, rows in zip(blocks.tolist(), np.split(order, starts[1:]), strict=True):
        inside = np.zeros((_BLOCK, terms.shape[1]))
        np.add.at(inside, units[rows] % _BLOCK, terms[rows])  # (n, m) -> (256, m)
        sums += poisson_counts(seed, number, samples).T @ inside
    return sums


def percentile_interval(replicates: Floats, level: float) -> tuple[float, float]:
    """Return the central part of the bootstrap distribution.

    Samples in which the estimate is undefined (NaN) are left out.

    Args:
        replicates: The estimate in each bootstrap sample, ``(S,)``.
        level: Nominal coverage, in (0, 1).

    Returns:
        Lower and upper end; NaN if the estimate is undefined in every sample.
    """
    defined = replicates[~np.isnan(replicates)]
    if len(defined) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bca_interval(
    replicates: Floats, value: float, skewness: float, n: int, level: float
) -> tuple[float, float]:
    """Return the bias-corrected and accelerated interval (BCa) of Efron 1987.

    The quantiles of the bootstrap distribution move by its median bias, and by the acceleration,
    skewness / (6 sqrt(n)). Samples in which the estimate is undefined are left out.

    Args:
        replicates: The estimate in each bootstrap sample, ``(S,)``.
        value: The estimate.
        skewness: Skewness of the influence of the units on it.
        n: Units.
        level: Nominal coverage, in (0, 1).

    Returns:
        Lower and upper end; NaN if the estimate is undefined in every sample.
    """
    from scipy.special import ndtr, ndtri

    defined = replicates[~np.isnan(replicates)]
    if len(defined) == 0 or n < 2:
        return float("nan"), float("nan")
    # Ties count half, so that a distribution of few values has no bias by rounding.
    below = (np.count_nonzero(defined < value) + np.count_nonzero(defined <= value)) / 2
    inside = 0.5 / len(defined)
    bias = float(ndtri(np.clip(below / len(defined), inside, 1 - inside)))
    shifted = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    acceleration = skewness / (6 * math.sqrt(n))
    low, high = np.quantile(defined, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)
