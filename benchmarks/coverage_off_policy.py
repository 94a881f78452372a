"""How often the intervals of off-policy estimates contain the value.

    python -m benchmarks.coverage_off_policy [--logs 2000] [--cases lognormal slates ...]

Makes many logs of problems whose value is known, estimates the value from each, and prints one line
per problem and estimator: rows of a log, mean effective sample size, median effective number of
terms, median n / g^2 (independent units over the squared skewness of their terms), share of logs
with a warning about one of the last two, and for each kind of 95% interval the percentage of logs
in which it contains the value, in brackets outside 92 to 97. `width` is the median width of `hall`
over that of `t`. Below the table: how well the warnings tell the problems in which `t` misses.

`johnson` is Johnson's modified t (JASA 73, 1978), value + g s / (6 n) +- t s / sqrt(n). It only
shifts `t`, and covers as `t` does, so that it is not among the kinds to choose from. `bernstein` is
for the means of bounded rewards of independent rows.

The problems are those of `benchmarks/logs_of_known_value.py`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.logs_of_known_value import Case, Floats, Logs, cases
from recsim.estimators import Estimator
from recsim.estimators.bootstrap import bca_interval, percentile_interval, poisson_counts
from recsim.estimators.diagnostics import EFFECTIVE_TERMS, SYMMETRIC_UNITS
from recsim.estimators.intervals import empirical_bernstein, hall

Ends = tuple[Floats, Floats]

LEVEL = 0.95
COVERS = (0.92, 0.97)
KINDS = ("t", "johnson", "hall", "bootstrap", "bca", "bernstein")

_AT_A_TIME = 1_000_000  # rows of several logs


@dataclass
class Line:
    """What was measured for one estimator in one problem; every array has one entry per log.

    Attributes:
        case: The problem.
        estimator: Name of the estimator.
        covered: Whether the interval contains the value, by kind.
        widths: Widths of the intervals, by kind.
        ess: Effective sample size.
        terms: Effective number of terms.
        symmetric: n over the squared skewness.
    """

    case: Case
    estimator: str
    covered: dict[str, NDArray[np.bool_]]
    widths: dict[str, Floats]
    ess: Floats
    terms: Floats
    symmetric: Floats

    def coverage(self, kind: str) -> float:
        """Return the share of logs in which intervals of a kind contain the value."""
        return float(self.covered[kind].mean()) if kind in self.covered else math.nan

    @property
    def warned(self) -> float:
        """Share of logs with few effective terms or much skewness."""
        few = self.terms < EFFECTIVE_TERMS
        return float((few | (self.symmetric < SYMMETRIC_UNITS)).mean())


def measure(
    case: Case, logs: int, *, seed: int = 0, samples: int = 500, kinds: Sequence[str] = KINDS
) -> list[Line]:
    """Return one line per estimator.

    Args:
        case: The problem.
        logs: Number of logs.
        seed: Of the logs.
        samples: Bootstrap samples.
        kinds: Kinds of intervals; without resampling it takes a small part of the time.
    """
    rng = np.random.default_rng([seed, case.rows])
    lines: dict[str, list[Line]] = {}
    step = max(1, _AT_A_TIME // case.rows)
    for start in range(0, logs, step):
        count = min(step, logs - start)
        made = case.draw(rng, count, case.rows)
        for estimator in case.estimators:
            line = _line(case, estimator, made, count, samples, kinds)
            lines.setdefault(estimator.name, []).append(line)
    return [_joined(parts) for parts in lines.values()]


def _line(
    case: Case, estimator: Estimator, made: Logs, logs: int, samples: int, kinds: Sequence[str]
) -> Line:
    weighing = estimator.weigh(made.sample)
    sums = _by_unit(estimator.terms(made.sample), logs, made.units)  # (L, U, m)
    z = _by_unit(weighing.rewarded[:, None], logs, made.units)[:, :, 0]  # (L, U)
    used = weighing.used.reshape(logs, -1)
    mean = sums.mean(axis=1)  # (L, m)
    values = np.asarray(estimator.value(mean))
    influence = np.einsum("lum,lm->lu", sums - mean[:, None], estimator.gradient(mean))
    square = (influence**2).mean(axis=1)
    cube = (influence**3).mean(axis=1)
    skewness = np.divide(cube, square**1.5, out=np.zeros(logs), where=square > 0)
    variance, n = square * made.units / (made.units - 1), made.units
    ends: dict[str, Ends] = {}
    for kind, moved, skew in (("t", 0.0, 0.0), ("johnson", 1 / 6, 0.0), ("hall", 0.0, skewness)):
        low, high = hall(n, variance, skew, LEVEL)
        shift = moved * skewness * np.sqrt(variance) / n
        ends[kind] = values + shift + low, values + shift + high
    if {"bootstrap", "bca"} & set(kinds):
        ends |= _resampled(estimator, sums, values, skewness, samples)
    if math.isfinite(made.bound) and estimator.name == "ips" and "bernstein" in kinds:
        half = [empirical_bernstein(n, v, made.bound, (1 + LEVEL) / 2) for v in variance]
        ends["bernstein"] = values - half, values + half
    return Line(
        case,
        estimator.name,
        {k: (low <= made.value) & (made.value <= high) for k, (low, high) in ends.items()},
        {k: high - low for k, (low, high) in ends.items()},
        used.sum(axis=1) ** 2 / (used**2).sum(axis=1),
        z.sum(axis=1) ** 2 / np.maximum((z**2).sum(axis=1), 1e-300),
        n / np.maximum(skewness**2, 1e-300),
    )


def _resampled(
    estimator: Estimator, sums: Floats, values: Floats, skewness: Floats, samples: int
) -> dict[str, Ends]:
    """Return both bootstrap intervals; all logs share the draws."""
    logs, units, width = sums.shape
    total = np.zeros((samples, logs * width))
    flat = sums.transpose(1, 0, 2).reshape(units, -1)
    for block, start in enumerate(range(0, units, 256)):
        part = flat[start : start + 256]
        total += poisson_counts(0, block, samples)[: len(part)].T @ part
    replicates = np.asarray(estimator.value(total.reshape(samples, logs, width))).T  # (L, S)
    plain = [percentile_interval(of_log, LEVEL) for of_log in replicates]
    moved = [
        bca_interval(of_log, float(value), float(skew), units, LEVEL)
        for of_log, value, skew in zip(replicates, values, skewness, strict=True)
    ]
    return {
        "bootstrap": tuple(np.array(plain).T),  # type: ignore[dict-item]
        "bca": tuple(np.array(moved).T),  # type: ignore[dict-item]
    }


def _joined(lines: list[Line]) -> Line:
    first = lines[0]
    return Line(
        first.case,
        first.estimator,
        {k: np.concatenate([line.covered[k] for line in lines]) for k in first.covered},
        {k: np.concatenate([line.widths[k] for line in lines]) for k in first.widths},
        np.concatenate([line.ess for line in lines]),
        np.concatenate([line.terms for line in lines]),
        np.concatenate([line.symmetric for line in lines]),
    )


def _by_unit(terms: Floats, logs: int, units: int) -> Floats:
    """Return the sums over the rows of every unit: ``(L N, m) -> (L, U, m)``."""
    return terms.reshape(logs, units, -1, terms.shape[1]).sum(axis=2)


def row(line: Line) -> list[str]:
    """Return the cells of a line of the table."""
    coverage = []
    t, hall_width = line.widths["t"], line.widths["hall"]
    for kind in KINDS:
        share = line.coverage(kind)
        text = "" if math.isnan(share) else f"{100 * share:.1f}"
        outside = not COVERS[0] <= share <= COVERS[1]
        coverage.append(f"[{text}]" if text and outside else text)
    return [
        line.case.name,
        line.estimator,
        f"{line.case.rows}",
        f"{line.ess.mean():.0f}",
        f"{np.median(line.terms):.0f}",
        f"{np.median(line.symmetric):.0f}",
        f"{line.warned:.0%}",
        *coverage,
        f"{np.median(hall_width[t > 0] / t[t > 0]):.2f}",  # 0 in a log without a click
    ]


def audit(lines: Sequence[Line]) -> str:
    """Return how well the warnings tell where `t` misses, and how often `hall` covers."""
    lines = [line for line in lines if "adaptive" not in line.case.name]
    bad = [line for line in lines if line.coverage("t") < COVERS[0]]
    good = [line for line in lines if line.coverage("t") >= LEVEL - 0.01]
    enough = [line for line in lines if np.median(line.terms) > 100 and line.ess.mean() > 100]
    inside = [COVERS[0] <= line.coverage("hall") <= COVERS[1] for line in enough]
    return (
        f"Without the adaptive logs: {len(bad)} lines in which t covers below {COVERS[0]:.0%}, "
        f"{_few(bad)}; {len(good)} in which it covers at least {LEVEL - 0.01:.0%}, {_few(good)}. "
        f"hall covers {COVERS[0]:.0%} to {COVERS[1]:.0%} in {sum(inside)} of the {len(inside)} "
        "lines with an effective sample size and effective terms above 100."
    )


def _few(lines: Sequence[Line]) -> str:
    """Return in how many logs each warning appears."""
    if not lines:
        return "none"
    few = np.mean([(line.terms < EFFECTIVE_TERMS).mean() for line in lines])
    either = np.mean([line.warned for line in lines])
    return (
        f"with fewer than {EFFECTIVE_TERMS} effective terms in {few:.0%} of the logs and a warning "
        f"of either kind in {either:.0%}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Coverage of off-policy intervals.")
    parser.add_argument("--logs", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=500, help="bootstrap samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", nargs="+", default=[""], help="parts of the names of problems")
    options = parser.parse_args()
    heads = ["log", "estimator", "rows", "ESS", "terms", "n / g^2", "warned", *KINDS, "width"]
    print("| " + " | ".join(heads) + " |")
    print("|---|---" + "|---:" * (len(heads) - 2) + "|")
    lines = []
    for case in cases():
        if any(part in case.name for part in options.cases):
            logs = max(1, round(case.share * options.logs))
            for line in measure(case, logs, seed=options.seed, samples=options.samples):
                lines.append(line)
                print("| " + " | ".join(row(line)) + " |", flush=True)
    print()
    print(audit(lines))


if __name__ == "__main__":
    main()
