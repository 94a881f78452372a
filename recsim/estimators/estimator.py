"""What the estimators of all families share: an estimate is a function of a few sums."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats
from recsim.errors import EstimationError, did_you_mean
from recsim.estimators.settings import Clip
from recsim.settings import validated

# Columns of a sample that a reward model, or a model of the value to go, has predicted.
PREDICTED = frozenset({"model", "weighted_model", "actions", "action_values", "expected_values"})


class LoggedSample:
    """Base of the samples of the three families."""

    described: ClassVar[Mapping[str, str]] = {}
    """What each optional column holds, for messages."""

    def need(self, column: str, estimator: str) -> Any:
        """Return a column that an estimator cannot do without.

        Args:
            column: Its name.
            estimator: What needs it, for the message.

        Raises:
            EstimationError: If the sample has no such column.
        """
        values = getattr(self, column)
        if values is None:
            raise EstimationError(f"{estimator} needs {column}: {self.described[column]}.")
        return values


def refuse(wrong: Bools, name: str, values: NDArray[Any], reason: str) -> None:
    """Raise a ValueError that names the first wrong entry of an array, if there is one."""
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"{name}[{', '.join(map(str, place))}] is {values[place]}: {reason}.")


def check_units(units: NDArray[Any]) -> None:
    """Refuse independent units that are not numbered.

    Raises:
        EstimationError: If they are not whole numbers, or below 0.
    """
    if units.dtype.kind not in "iu":
        raise EstimationError(
            f"units must be whole numbers from 0, not {units.dtype}: number them once for the "
            "whole log, e.g. np.unique(users, return_inverse=True)[1]."
        )
    refuse(units < 0, "units", units, "below zero")


class Weighing(NamedTuple):
    """The weights that an estimator gives to a sample, for the diagnostics.

    Attributes:
        weights: Importance weights before clipping, ``(n,)``.
        used: The weights used instead, ``(n,)``.
        clipped: Where clipping made the difference, ``(n,)``.
        rewarded: |w used times r| of every row of the sample, ``(N,)``: what a row brings to the
            estimate without a reward model.
        cut: Sum of (w - w used)(r - q), which clipping took away from the estimate; 0 where it is
            not known.
    """

    weights: Floats
    used: Floats
    clipped: Bools
    rewarded: Floats
    cut: float = 0.0


def sum_of_ratios(sums: Floats) -> Floats:
    """Return the sum over j of numerator j / denominator j.

    A mean is one such ratio: its denominator is the number of terms.

    Args:
        sums: The m denominators, then the m numerators, ``(..., 2 m)``; real or complex.

    Returns:
        ``(...)``; NaN where a denominator is zero.
    """
    half = sums.shape[-1] // 2
    below, above = sums[..., :half], sums[..., half:]
    with np.errstate(divide="ignore", invalid="ignore"):
        total: Floats = np.where(below == 0, np.nan, above / below).sum(axis=-1)
    return total


@dataclass(frozen=True)
class Estimator:
    """An estimator as a function of sums over a log.

    In all families an off-policy estimate is a smooth function of a few sums. So a log can be read
    once, in pieces and on several machines, and every estimator has its intervals: the same
    function of resampled sums, or its derivative. A ratio is always resampled as a ratio.

    Called with a sample that holds the whole log, an estimator returns its estimate.

    Attributes:
        name: Registered name.
        terms: What is summed: from a sample to ``(N, m)``.
        value: From the sums ``(..., m)`` to the estimate ``(...)``; NaN where it is undefined. Must
            accept complex sums too (sums, products and quotients do), for its exact derivative.
        width: Number of sums, m; None where it depends on the length of a slate or trajectory and
            that was not given.
        clip: Largest weight that is kept, infinite if all are.
        parameter: Its parameter and the value of it, e.g. ``clip=10``; empty if it has none.
        mean: Whether the estimate is the mean of the second column of terms, the first being 1.
        needs: Optional columns of the sample that it reads.
        assumes: ``model`` if it relies on the reward model alone, ``uniform`` if it assumes that
            items were logged uniformly at random; empty otherwise.
        noun: What has a weight, for messages.
        undivided: Whether terms depend on the rest of the sample, which must hold the whole log.
    """

    name: str
    terms: Callable[[Any], Floats]
    value: Callable[[Floats], Floats] = sum_of_ratios
    width: int | None = 2
    clip: float = float("inf")
    parameter: str = ""
    mean: bool = False
    needs: frozenset[str] = frozenset()
    assumes: Literal["", "model", "uniform"] = ""
    noun: str = "impression"
    undivided: bool = False

    def __call__(self, sample: Any, /) -> float:
        """Return the estimate for a sample that holds the whole log."""
        return float(self.value(self.terms(sample).sum(axis=0)))

    def weigh(self, sample: Any) -> Weighing:
        """Return the weights that the diagnostics examine."""
        raise NotImplementedError

    def gradient(self, sums: Floats) -> Floats:
        """Return the exact derivative of the estimate with respect to each of its sums.

        By the complex step (Squire and Trapp 1998): f(x + ih) = f(x) + ih f'(x) up to h^2.

        Args:
            sums: ``(..., m)``.

        Returns:
            ``(..., m)``.
        """
        step = 1e-100
        # (..., m) -> (..., m, m), one sum moved at a time
        moved = sums[..., None, :] + 1j * step * np.eye(sums.shape[-1])
        slopes: Floats = np.imag(self.value(moved)) / step
        return slopes


def check_name(name: str, names: Collection[str]) -> None:
    """Refuse an estimator that a family does not have.

    Raises:
        EstimationError: If there is no such estimator.
    """
    if name not in names:
        raise EstimationError(f"Unknown estimator {name!r}.{did_you_mean(name, names)}")


def checked_clip(name: str, names: Collection[str], clip: float) -> float:
    """Return the largest weight that an estimator keeps; infinity if it clips none.

    Args:
        name: The estimator.
        names: The names that its family has.
        clip: The largest weight that those named ``clipped`` keep.

    Raises:
        UserError: If there is no such estimator, or the clip is not above zero.
    """
    check_name(name, names)
    limit = validated(Clip, {"clip": clip}, "estimator").clip
    return limit if "clipped_" in name else np.inf


def columns(*terms: Any) -> Floats:
    """Put terms side by side, ``(N, m)``, each column contiguous in memory.

    Args:
        *terms: ``(N,)`` each, or numbers; a pair of terms stands for their product.
    """
    flat = [part for term in terms for part in (term if isinstance(term, tuple) else (term,))]
    size = next(len(part) for part in flat if np.ndim(part))
    table = np.empty((len(terms), size))
    for row, term in zip(table, terms, strict=True):
        if isinstance(term, tuple):
            np.multiply(term[0], term[1], out=row)
        else:
            row[:] = term
    return table.T
