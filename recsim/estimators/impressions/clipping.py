r"""Choosing how far to limit the weights, on the log at hand.

A small clip has a small variance and an unknown bias. Two rules balance them:

- ``slope`` (Lepski's method): go from the widest interval to narrower ones, and stop at the first
  whose value differs from an earlier one by more than their widths allow. Keep i while
  ``|v_j - v_i| <= c_i + (sqrt(6) - 1) c_j`` for every kept j, where v are the values and c their
  one-sided Student-t half widths at confidence 1 - delta. A smaller bias may remain.
- ``mse``: the smallest ``variance / n + bias^2``, with the upper bound of the bias
  ``|mean of (w - w_used) (r - q)| + sqrt(2 E[w^2] l / n) + 2 max(w) l / (3 n)``, l = log(2/delta).

References: Su, Srinath and Krishnamurthy, "Adaptive Estimator Selection for Off-Policy Evaluation"
(SLOPE), 2020, arXiv:2002.07729; Tucker and Lee, "Improved Estimator Selection for Off-Policy
Evaluation" (SLOPE++), 2021; the bound, Su et al. 2020, arXiv:1907.09623.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsim.arrays import Floats
from recsim.errors import EstimationError, did_you_mean
from recsim.estimators.diagnostics import WeightSums
from recsim.estimators.estimator import Estimator
from recsim.estimators.impressions.estimators import LIMIT_OF, make_estimator
from recsim.estimators.impressions.sample import Sample
from recsim.estimators.intervals import student_t
from recsim.estimators.settings import LimitRule
from recsim.estimators.tally import Tally

# `mse` measures the bias against these; the difference of the two is mean of (w - w_used) (r - q).
_UNLIMITED = {
    "clipped_ips": "ips",
    "sub_gaussian": "ips",
    "clipped_dr": "dr",
    "switch_dr": "dr",
    "dros": "dr",
}

_WEIGHTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, math.inf)
CANDIDATES: dict[str, tuple[float, ...]] = {
    "clip": _WEIGHTS,
    "tau": _WEIGHTS,
    "shrinkage": tuple(4 * weight**2 for weight in _WEIGHTS),  # these leave the same weights
    "subgaussian": (*(1 / weight for weight in _WEIGHTS),),
}

_DELTA = {"slope": 0.1, "mse": 0.05}


@dataclass(frozen=True)
class Choice:
    """The limit that was chosen for one estimator on one log.

    Attributes:
        estimator: The estimator with the chosen limit.
        parameter: Name of the limit.
        chosen: Its value.
        rule: ``slope`` or ``mse``.
        candidates: The candidates, from the one that limits least to the one that limits most.
        values: The estimate with each of them.
        scores: What the rule compared: half widths for ``slope``, bounds of the mean squared error
            for ``mse``.
    """

    estimator: Estimator
    parameter: str
    chosen: float
    rule: LimitRule
    candidates: tuple[float, ...]
    values: tuple[float, ...]
    scores: tuple[float, ...]


def choose(
    samples: Sample | Iterable[Sample],
    name: str,
    candidates: Iterable[float] | None = None,
    *,
    rule: LimitRule = "slope",
    delta: float | None = None,
) -> Choice:
    """Choose the limit of an estimator on a log.

    Args:
        samples: The log, from `recsim.estimators.policy_samples`.
        name: An estimator that limits weights: one of `LIMIT_OF`.
        candidates: The candidates; `CANDIDATES` by default.
        rule: ``slope`` or ``mse``.
        delta: Probability that the bounds fail; by default 0.1 for ``slope``, 0.05 for ``mse``.

    Raises:
        UserError: If the estimator has no limit, the rule does not work for it, a candidate is out
            of range, or the log has fewer than two independent units.
    """
    check_rule(name, rule)
    parameter = LIMIT_OF[name]
    # From the one that limits least, which is kept first among equals.
    grid = sorted(
        set(CANDIDATES[parameter] if candidates is None else candidates),
        reverse=parameter != "subgaussian",
    )
    if not grid:
        raise EstimationError(f"candidates: there is no {parameter} to choose from.")
    delta = _DELTA[rule] if delta is None else delta
    if not 0 < delta < 1:
        raise EstimationError(f"delta must be between 0 and 1, got {delta}.")
    family = [make_estimator(name, **{parameter: value}) for value in grid]
    plain = [make_estimator(_UNLIMITED[name])] if rule == "mse" else []
    tally = Tally([*family, *plain], interval="t")
    sums = WeightSums()
    for sample in [samples] if isinstance(samples, Sample) else samples:
        tally.add(sample)
        sums += WeightSums.of(make_estimator("ips").weigh(sample))
    values = np.array([value.value for value in tally.values()])
    if tally.influence(family[0]).count < 2:
        raise EstimationError(
            f"{parameter} cannot be chosen from fewer than two independent units."
        )
    if rule == "slope":
        scores = _half_widths(tally, family, 1 - delta)
        best = slope(values, scores)
    else:
        scores = _error_bounds(tally, family, values[-1] - values[:-1], sums, delta)
        best = int(np.argmin(scores))
    return Choice(
        family[best],
        parameter,
        grid[best],
        rule,
        tuple(grid),
        tuple(values[: len(grid)].tolist()),
        tuple(scores.tolist()),
    )


def slope(values: Sequence[float] | Floats, half_widths: Sequence[float] | Floats) -> int:
    """Return which of several estimates SLOPE keeps.

    Args:
        values: The estimates, ``(G,)``.
        half_widths: Half widths of their intervals, ``(G,)``, in any order.

    Returns:
        Index of the last estimate, starting at the widest interval, that agrees with all before
        it.
    """
    v, c = np.asarray(values, dtype=np.float64), np.asarray(half_widths, dtype=np.float64)
    kept: list[int] = []
    for i in np.argsort(-c, kind="stable").tolist():
        if kept and (np.abs(v[kept] - v[i]) > c[i] + (math.sqrt(6) - 1) * c[kept]).any():
            break
        kept.append(i)
    return kept[-1]


def check_rule(name: str, rule: Any) -> None:
    """Refuse a rule that is unknown, or does not work for this estimator.

    Raises:
        EstimationError: Names the rule that would work.
    """
    if rule not in _DELTA:
        raise EstimationError(f"Unknown rule {rule!r}.{did_you_mean(str(rule), _DELTA)}")
    if name not in LIMIT_OF:
        make_estimator(name)  # refuses an unknown name first
        raise EstimationError(f"{name!r} has no limit to choose.")
    if rule == "mse" and name not in _UNLIMITED:
        raise EstimationError(f"rule 'mse' has no bound for the bias of {name!r}: use 'slope'.")


def _half_widths(tally: Tally, family: Sequence[Estimator], confidence: float) -> Floats:
    widths = []
    for estimator in family:
        influence = tally.influence(estimator)
        widths.append(student_t(influence.count, influence.variance, confidence))
    return np.array(widths)


def _error_bounds(
    tally: Tally, family: Sequence[Estimator], bias: Floats, sums: WeightSums, delta: float
) -> Floats:
    """Return an upper bound of the mean squared error of each of a family, ``(G,)``."""
    log = math.log(2 / delta)
    unknown = math.sqrt(2 * sums.square / sums.n * log / sums.n) + 2 * sums.largest * log / (
        3 * sums.n
    )
    errors = []
    for estimator in family:
        influence = tally.influence(estimator)
        n = influence.count
        errors.append(influence.variance * (n - 1) / n / n)  # denominator n
    bounds: Floats = np.array(errors) + (np.abs(bias) + unknown) ** 2
    return bounds
