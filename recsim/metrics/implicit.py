r"""How good a ranking is, told from clicks that are missing not at random.

User u is offered a list of candidates; the recommender scores them, the best score gets rank 1.
What is wanted is a metric over the items that are relevant to the user, R_i = 1. What is known are
clicks (or other positives) ``Y_i = O_i R_i``: item i was relevant, and observed, with probability
theta_i. With weight w_i of a clicked item, gain c(r) of rank r, and all sums over one user's items:

===============  ===========================  ==================================================
estimator        w_i                          value for a user; unbiased for the metric on R?
===============  ===========================  ==================================================
``aoa``          Y_i                          divided by the number of clicks; only if what is
                                              observed does not depend on the item
``ips``          Y_i / theta_i                a sum, not divided; unbiased
``clipped_ips``  Y_i / max(theta_i, floor)    a sum, not divided; too low, but less noisy
``snips``        Y_i / max(theta_i, floor)    divided by the sum of the w_i; consistent in the
                                              number of a user's relevant items, and unharmed if
                                              all theta_i are wrong by one factor
===============  ===========================  ==================================================

===========  ==========================================================  ========================
metric       sum over one user's items                                   at rank r beyond k
===========  ==========================================================  ========================
``dcg@k``    sum of w c(r), c(r) = 1 / log2(r + 1)                       0
``recall@k`` sum of w                                                    0
``map@k``    sum over clicked items of the precision at their rank       0
``ndcg@k``   dcg over that of the best ranking of the same weights       0
``auc``      sum of w (1 - Z / C), Z of C candidates scored higher       counts all ranks
===========  ==========================================================  ========================

For ``map`` under ``ips`` and ``clipped_ips`` the sum is that of ``w_r (1 + sum_{j<r} w_j) / r``,
whose mean is the sum over relevant items of the precision. Under ``snips`` it is
``Y_r (sum_{j<=r} w_j) / r``, which does not change if all weights are scaled, but precision itself
is not corrected for what was missed.

References: Yang, Cui, Xuan, Wang, Belongie and Estrin, "Unbiased Offline Recommender Evaluation for
Missing-Not-At-Random Implicit Feedback", RecSys 2018 (AOA, IPS and SNIPS; AUC); Saito, Yaginuma,
Nishino, Sakata and Nakata, "Unbiased Recommender Learning from Missing-Not-At-Random Implicit
Feedback", WSDM 2020 (the variant ``published``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError, did_you_mean

Floats = NDArray[np.float64]
Estimator = Literal["aoa", "ips", "clipped_ips", "snips"]
Variant = Literal["standard", "published"]

ESTIMATORS = ("aoa", "ips", "clipped_ips", "snips")
METRICS = ("dcg", "ndcg", "recall", "map", "auc")
_NAME = re.compile(r"(dcg|ndcg|recall|map)@([1-9][0-9]*)|auc")


@dataclass(frozen=True, eq=False)
class RankingValue:
    """One metric over many users.

    Attributes:
        metric: Its name, e.g. ``dcg@5``.
        estimator: Which estimator.
        value: Mean over the users that count; NaN if there is none.
        users: Users that count.
        skipped: Users without a click, who do not.
        user_ids: Every user, ``(U,)``, sorted.
        per_user: Value of each, ``(U,)``, NaN for those skipped.
    """

    metric: str
    estimator: str
    value: float
    users: int
    skipped: int
    user_ids: NDArray[np.int64]
    per_user: Floats

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"{self.metric} ({self.estimator}): {self.value:.4f} over {self.users} users, "
            f"{self.skipped} without a click skipped"
        )


def ranking_values(
    users: Any,
    scores: Any,
    clicks: Any,
    metrics: Sequence[str] = ("dcg@5", "recall@5", "map@5"),
    *,
    estimator: Estimator = "aoa",
    propensities: Any = None,
    floor: float | None = None,
    ties: Literal["first", "last"] = "first",
    without_clicks: Literal["skip", "zero"] = "skip",
    variant: Variant = "standard",
) -> list[RankingValue]:
    """Judge the ranking of every user's candidates; see the top of this module for the formulas.

    Args:
        users: Whose candidate it is, ``(N,)`` integers, in any order.
        scores: The recommender's score of each candidate, ``(N,)``; higher is better.
        clicks: 1 where the candidate was clicked, else 0, ``(N,)``.
        metrics: ``dcg@k``, ``ndcg@k``, ``recall@k``, ``map@k`` with any k, and ``auc``.
        estimator: ``aoa``, ``ips``, ``clipped_ips`` or ``snips``.
        propensities: theta of each candidate, ``(N,)``, in (0, 1]; for all estimators but ``aoa``.
        floor: Least propensity that is divided by, in (0, 1]; ``clipped_ips`` needs one, ``snips``
            may have one.
        ties: Which of equally scored candidates gets the better rank: the one listed ``first`` or
            ``last``. (``auc`` counts a tie as won.)
        without_clicks: Whether a user without a click is left out, or counts as 0. Only with
            ``zero`` is ``ips`` unbiased over all users: who clicked nothing is no random choice.
        variant: ``published`` computes what Saito et al. computed: c(1) = c(2) = 1 and
            ``1 / log2(r)`` after, ``dcg`` and ``map`` not divided under ``aoa``, and ``map`` as
            under ``snips`` for all estimators.

    Returns:
        One value per metric, in their order.

    Raises:
        UserError: A name is unknown, an option has no effect or is missing, or an entry cannot be
            right; the message names the row.
    """
    lists = _Lists.of(users, scores, clicks, ties)
    weights = _weights(lists, estimator, propensities, floor)
    clicked = lists.sum(lists.clicks) > 0  # (U,)
    if without_clicks not in ("skip", "zero"):
        raise UserError(f"without_clicks must be 'skip' or 'zero', not {without_clicks!r}.")
    if variant not in ("standard", "published"):
        raise UserError(f"variant must be 'standard' or 'published', not {variant!r}.")
    counted = clicked | (without_clicks == "zero")
    values = []
    for metric in metrics:
        name, k = _parse(metric)
        per_user = _per_user(lists, weights, name, k, estimator, variant)
        per_user = np.where(clicked, per_user, 0.0)
        values.append(
            RankingValue(
                metric=metric,
                estimator=estimator,
                value=float(per_user[counted].mean()) if counted.any() else np.nan,
                users=int(counted.sum()),
                skipped=int((~counted).sum()),
                user_ids=lists.ids,
                per_user=np.where(counted, per_user, np.nan),
            )
        )
    return values


def yang_snips(
    users: Any,
    scores: Any,
    clicks: Any,
    counts: Any,
    metrics: Sequence[str] = ("auc",),
    *,
    gamma: float = 1.5,
) -> list[RankingValue]:
    """Judge a ranking as Yang et al. (2018) do: SNIPS with propensities from training clicks.

    The propensity of an item is proportional to ``n_i^((gamma + 1) / 2)``. A click on an item that
    was never clicked in training does not count; the item stays a candidate. gamma = -1 is the
    average over all.

    Args:
        users: Whose candidate it is, ``(N,)``.
        scores: The recommender's scores, ``(N,)``.
        clicks: 1 where the candidate was clicked after training, ``(N,)``.
        counts: n_i, training clicks of each candidate's item, ``(N,)``.
        metrics: As in `ranking_values`.
        gamma: How much more popular items are shown, at least -1; 1.5 to 2.5 in the paper.

    Raises:
        UserError: As `ranking_values`, or gamma is below -1.
    """
    if not -1 <= gamma < np.inf:
        raise UserError(f"gamma must be a finite number of at least -1, got {gamma}.")
    numbers = np.asarray(counts, dtype=np.float64)
    wrong = ~(np.isfinite(numbers) & (numbers >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UserError(f"Row {row}: {numbers[row]} is not a number of clicks.")
    known = numbers > 0
    # The scale cancels; where nothing was clicked no weight is left to be divided.
    share = np.where(known, numbers, 1.0) / max(numbers.max(initial=0.0), 1.0)
    return ranking_values(
        users,
        scores,
        np.asarray(clicks) * known,
        metrics,
        estimator="snips",
        propensities=share ** ((gamma + 1) / 2),
    )


def discount(rank: NDArray[np.int64], *, published: bool = False) -> Floats:
    """Return c(r), the gain of every rank: ``1 / log2(r + 1)``, of any shape.

    Args:
        rank: Ranks; 1 is best.
        published: The variant of Saito et al.: 1 for the first two, ``1 / log2(r)`` after.
    """
    steps = np.maximum(rank, 2) if published else rank + 1
    gain: Floats = 1 / np.log2(steps)
    return gain


@dataclass(frozen=True, eq=False)
class _Lists:
    """Candidates sorted by user and rank; every array is ``(N,)``, or ``(U,)`` where said."""

    ids: NDArray[np.int64]  # (U,)
    owner: NDArray[np.int64]  # which of the U users
    rank: NDArray[np.int64]  # 1 is best
    higher: NDArray[np.int64]  # candidates of the user scored strictly higher
    size: NDArray[np.int64]  # (U,) candidates of the user
    clicks: Floats
    order: NDArray[np.int64]  # rows of the input

    @staticmethod
    def of(users: Any, scores: Any, clicks: Any, ties: str) -> _Lists:
        users, scores = np.asarray(users), np.asarray(scores, dtype=np.float64)
        clicks = np.asarray(clicks, dtype=np.float64)
        if not users.shape == scores.shape == clicks.shape or users.ndim != 1:
            raise UserError(
                "users, scores and clicks must be columns of one length, got shapes "
                f"{users.shape}, {scores.shape} and {clicks.shape}."
            )
        if ties not in ("first", "last"):
            raise UserError(f"ties must be 'first' or 'last', not {ties!r}.")
        _refuse(np.isnan(scores), scores, "is no score")
        _refuse((clicks != 0) & (clicks != 1), clicks, "is not a click: 0 or 1")
        ids, owner = np.unique(users, return_inverse=True)
        place = np.arange(len(users))
        order = np.lexsort((place if ties == "first" else -place, -scores, owner))
        owner, scores = owner[order], scores[order]
        size = np.bincount(owner, minlength=len(ids))
        start = (np.cumsum(size) - size)[owner]
        # Equal scores of one user form a run; all of a run have as many above as its first.
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = (owner[1:] != owner[:-1]) | (scores[1:] != scores[:-1])
        run = np.maximum.accumulate(np.where(first, place, 0))
        return _Lists(ids, owner, place - start + 1, run - start, size, clicks[order], order)

    def sum(self, values: Floats) -> Floats:
        """Sum over each user's candidates, ``(N,)`` to ``(U,)``."""
        total = np.bincount(self.owner, weights=values, minlength=len(self.ids))
        return total.astype(np.float64)  # an empty bincount is of integers

    def running(self, values: Floats) -> Floats:
        """Sum over each user's candidates of this rank or better, ``(N,)``."""
        total = np.cumsum(values)
        before = np.concatenate([[0.0], total])[np.cumsum(self.size) - self.size]  # (U,)
        running: Floats = total - before[self.owner]
        return running


def _weights(lists: _Lists, estimator: str, propensities: Any, floor: float | None) -> Floats:
    """Return w of every candidate, ``(N,)``."""
    if estimator not in ESTIMATORS:
        raise UserError(f"Unknown estimator {estimator!r}.{did_you_mean(estimator, ESTIMATORS)}")
    if estimator == "aoa":
        if propensities is not None or floor is not None:
            raise UserError("The estimator 'aoa' uses neither propensities nor a floor.")
        return lists.clicks
    if propensities is None:
        raise UserError(f"The estimator {estimator!r} needs the propensity of every candidate.")
    theta = np.asarray(propensities, dtype=np.float64)
    if theta.shape != lists.order.shape:
        raise UserError(f"{theta.shape} propensities for {lists.order.shape} candidates.")
    _refuse(~((theta > 0) & (theta <= 1)), theta, "is not a probability in (0, 1]")
    if estimator == "ips" and floor is not None:
        raise UserError("'ips' has no floor; with one it is 'clipped_ips'.")
    if estimator == "clipped_ips" and floor is None:
        raise UserError("'clipped_ips' needs a floor: the least propensity that is divided by.")
    if floor is not None and not 0 < floor <= 1:
        raise UserError(f"floor must be in (0, 1], got {floor}.")
    return lists.clicks / np.maximum(theta[lists.order], floor or 0.0)


def _per_user(
    lists: _Lists, weights: Floats, name: str, k: int, estimator: str, variant: str
) -> Floats:
    """Return the metric of every user, ``(U,)``; anything for those without a click."""
    published = variant == "published"
    top = lists.rank <= k
    if name == "ndcg" and estimator in ("ips", "clipped_ips"):
        raise UserError(
            f"'ndcg' divides by an unknown, so {estimator!r} has none: use 'dcg', or 'snips'."
        )
    if name == "auc":
        total = lists.sum(weights * (1 - lists.higher / lists.size[lists.owner]))
    elif name == "recall":
        total = lists.sum(weights * top)
    elif name == "map":
        if estimator in ("ips", "clipped_ips") and not published:
            above = lists.running(weights) - weights
            precision = weights * (1 + above) / lists.rank
        else:
            precision = lists.clicks * lists.running(weights) / lists.rank
        total = lists.sum(precision * top)
    else:
        total = lists.sum(weights * discount(lists.rank, published=published) * top)
    if name == "ndcg":
        return _divide(total, _ideal(lists, weights, k, published))
    if estimator in ("ips", "clipped_ips"):
        return total
    if estimator == "aoa" and published and name in ("dcg", "map"):
        return total
    return _divide(total, lists.sum(weights))


def _ideal(lists: _Lists, weights: Floats, k: int, published: bool) -> Floats:
    """Return the DCG of every user's candidates ranked by weight, ``(U,)``."""
    order = np.lexsort((-weights, lists.owner))
    # Sorting within users leaves owners and ranks where they are.
    top = lists.rank <= k
    return lists.sum(weights[order] * discount(lists.rank, published=published) * top)


def _divide(total: Floats, by: Floats) -> Floats:
    return np.divide(total, by, out=np.zeros_like(total), where=by > 0)


def _parse(metric: str) -> tuple[str, int]:
    found = _NAME.fullmatch(metric)
    if found is None:
        name = metric.partition("@")[0]
        if name in METRICS:
            right = "takes no rank" if name == "auc" else "needs a rank of at least 1, e.g. @5"
            raise UserError(f"Metric {metric!r}: {name!r} {right}.")
        raise UserError(f"Unknown metric {metric!r}.{did_you_mean(name, METRICS)}")
    return (found[1], int(found[2])) if found[1] else ("auc", 0)


def _refuse(wrong: NDArray[np.bool_], values: Floats, message: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UserError(f"Row {row}: {values[row]} {message}.")
