"""Accuracy of estimators on many logs of a problem whose value is known.

Every log gives an estimate and an interval. Their accuracy is the mean error (bias), the root mean
squared error (RMSE), and the share of intervals that contain the value (coverage). All are computed
from sums, so that logs can be processed in pieces and on several machines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recsim.estimators.tally import PolicyValue

if TYPE_CHECKING:
    import pandas as pd

# Coverage this far below or above the nominal one still counts as covering.
COVERS = (-0.03, 0.02)

_SUMS = (
    "logs",
    "undefined",
    "error",
    "square",
    "covered",
    "below",
    "width",
    "ess",
    "effective_terms",
    "warned",
)


class ErrorSums:
    """Sums of the errors of one estimator with one kind of interval.

    Attributes:
        sums: By name: ``logs``; ``undefined``, logs without an estimate or interval; ``error`` and
            ``square`` of estimate minus value; ``covered``, intervals that contain the value;
            ``below``, intervals that end below it; ``width``; ``ess``; ``effective_terms``;
            ``warned``, estimates with a warning.
    """

    def __init__(self, sums: Mapping[str, float] | None = None) -> None:
        self.sums = dict.fromkeys(_SUMS, 0.0) | dict(sums or {})

    def add(self, estimate: PolicyValue, value: float) -> None:
        """Add the estimate from one log."""
        self.sums["logs"] += 1
        self.sums["ess"] += estimate.ess
        self.sums["effective_terms"] += estimate.effective_terms
        self.sums["warned"] += bool(estimate.warnings)
        if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
            self.sums["undefined"] += 1
            return
        error = estimate.value - value
        self.sums["error"] += error
        self.sums["square"] += error**2
        self.sums["covered"] += estimate.low <= value <= estimate.high
        self.sums["below"] += estimate.high < value
        self.sums["width"] += estimate.high - estimate.low

    def __add__(self, other: ErrorSums) -> ErrorSums:
        """Return the sums over the logs of both."""
        return ErrorSums({name: self.sums[name] + other.sums[name] for name in _SUMS})


def accuracy_table(
    rows: Iterable[Mapping[str, Any]], *, level: float, sure: float = 0.95
) -> pd.DataFrame:
    """Return one line per policy, estimator and kind of interval.

    Args:
        rows: ``policy``, ``value``, ``estimator``, ``interval`` and the sums of `ErrorSums`; rows
            with the same four are added up.
        level: Nominal coverage of the intervals.
        sure: Level of the intervals around bias and coverage.

    Returns:
        Columns ``policy``, ``value``, ``estimator``, ``interval``, ``logs``, ``bias`` with
        ``bias_low`` ... ``bias_high``, ``rmse``, ``coverage`` with ``coverage_low`` ...
        ``coverage_high``, ``width``, ``ess``, ``effective_terms``, ``warned`` (share of logs),
        ``undefined`` (logs) and `verdict`.
    """
    import pandas as pd

    groups: dict[tuple[Any, ...], ErrorSums] = {}
    for row in rows:
        key = row["policy"], row["value"], row["estimator"], row["interval"]
        groups[key] = groups.get(key, ErrorSums()) + ErrorSums({k: row[k] for k in _SUMS})
    return pd.DataFrame(
        [
            dict(zip(("policy", "value", "estimator", "interval"), key, strict=True))
            | _line(group.sums, level, sure)
            for key, group in groups.items()
        ]
    )


def wilson(successes: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval for a probability, from ``successes`` of ``trials``.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    from scipy.special import ndtri

    if not trials:
        return math.nan, math.nan
    z2 = float(ndtri((1 + level) / 2)) ** 2
    share = successes / trials
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2)))
    half /= 1 + z2 / trials
    # Rounding must not exclude the share itself.
    return max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0)


def verdict(coverage: float, low: float, high: float, level: float) -> str:
    """Return whether intervals cover the value as often as they should.

    Args:
        coverage: Share of intervals that contain the value.
        low: Lower end of an interval around that share.
        high: Upper end.
        level: Nominal coverage.

    Returns:
        ``covers``, ``too narrow``, ``too wide``; ``unsure`` where the difference may be chance;
        ``undefined`` without any estimate.
    """
    if math.isnan(coverage):
        return "undefined"
    if level + COVERS[0] <= coverage <= level + COVERS[1]:
        return "covers"
    if low <= level <= high:
        return "unsure"
    return "too narrow" if coverage < level else "too wide"


def _line(sums: Mapping[str, float], level: float, sure: float) -> dict[str, Any]:
    from scipy.special import ndtri

    logs = sums["logs"]
    known = logs - sums["undefined"]
    bias = sums["error"] / known if known else math.nan
    square = sums["square"] / known if known else math.nan
    spread = max(square - bias**2, 0.0)
    half = float(ndtri((1 + sure) / 2)) * math.sqrt(spread / known) if known else math.nan
    coverage = sums["covered"] / known if known else math.nan
    low, high = wilson(sums["covered"], known, sure)
    return {
        "logs": int(logs),
        "bias": bias,
        "bias_low": bias - half,
        "bias_high": bias + half,
        "rmse": math.sqrt(square),
        "coverage": coverage,
        "coverage_low": low,
        "coverage_high": high,
        "width": sums["width"] / known if known else math.nan,
        "ess": sums["ess"] / logs,
        "effective_terms": sums["effective_terms"] / logs,
        "warned": sums["warned"] / logs,
        "undefined": int(sums["undefined"]),
        "verdict": verdict(coverage, low, high, level),
    }


def misses(table: pd.DataFrame, level: float) -> list[str]:
    """Return a sentence for each kind of interval that does not cover."""
    return [
        f"{row['policy']}: {row['estimator']}: the {level:.0%} {row['interval']} intervals are "
        f"{row['verdict']}: {row['coverage']:.1%} of {row['logs']} contain the value"
        for _, row in table.iterrows()
        if row["verdict"] in ("too narrow", "too wide")
    ]


def seeds_of_logs(seed: int, logs: int) -> Sequence[int]:
    """Return independent seeds, one for each log of a trial."""
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(logs)]
