r"""Ranking metrics estimated from clicks that are missing not at random.

User u has a list of candidates; the recommender scores them, and the best score gets rank 1. The
target is a metric over the items that are relevant to the user, R_i = 1. Observed are clicks (or
other positive feedback) ``Y_i = O_i R_i``: item i is relevant, and its relevance is observed with
probability theta_i. With weight w_i of a clicked item, gain c(r) of rank r, and all sums over one
user's items:

===============  ===========================  ==================================================
estimator        w_i                          value for a user; unbiased for the metric on R?
===============  ===========================  ==================================================
``aoa``          Y_i                          divided by the number of clicks; unbiased only if
                                              theta_i is the same for all items
``ips``          Y_i / theta_i                a sum, not divided; unbiased
``clipped_ips``  Y_i / max(theta_i, floor)    a sum, not divided; too low, but less noisy
``snips``        Y_i / max(theta_i, floor)    divided by the sum of the w_i; consistent in the
                                              number of a user's relevant items, and unchanged if
                                              all theta_i are wrong by the same factor
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

For ``map`` with ``ips`` and ``clipped_ips`` the summand is ``w_r (1 + sum_{j<r} w_j) / r``, whose
mean is the precision at each relevant item. With ``snips`` it is ``Y_r (sum_{j<=r} w_j) / r``,
which does not change if all weights are scaled, but does not correct the precision for missing
clicks.

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

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EstimationError, did_you_mean
from recsim.settings import one_or_more

Estimator = Literal["aoa", "ips", "clipped_ips", "snips"]
Variant = Literal["standard", "published"]

ESTIMATORS = ("aoa", "ips", "clipped_ips", "snips")
METRICS = ("dcg", "ndcg", "recall", "map", "auc")
_NAME = re.compile(r"(dcg|ndcg|recall|map)@([1-9][0-9]*)|auc")


@dataclass(frozen=True, eq=False)
class RankingValue:
    """One metric over many users.

    Attributes:
        metric: Name, e.g. ``dcg@5``.
        estimator: Name of the estimator.
        value: Mean over users; NaN if there are none.
        users: Number of users in the mean.
        skipped: Number of users without a click, who are left out.
        user_ids: All users, sorted, ``(U,)``.
        per_user: Value of each user, ``(U,)``; NaN for those left out.
    """

    metric: str
    estimator: str
    value: float
    users: int
    skipped: int
    user_ids: Ints
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
    metrics: str | Sequence[str] = ("dcg@5", "recall@5", "map@5"),
    *,
    estimator: Estimator = "aoa",
    propensities: Any = None,
    floor: float | None = None,
    ties: Literal["first", "last"] = "first",
    without_clicks: Literal["skip", "zero"] = "skip",
    variant: Variant = "standard",
) -> list[RankingValue]:
    """Return metrics of the ranking of every user's candidates.

    The formulas are in the module docstring.

    Args:
        users: User of each candidate, ``(N,)`` integers, in any order.
        scores: The recommender's score of each candidate, ``(N,)``; higher is better.
        clicks: 1 if the candidate was clicked, else 0, ``(N,)``.
        metrics: ``dcg@k``, ``ndcg@k``, ``recall@k``, ``map@k`` with any k, and ``auc``.
        estimator: ``aoa``, ``ips``, ``clipped_ips`` or ``snips``.
        propensities: theta of each candidate, ``(N,)``, in (0, 1]; for all estimators but ``aoa``.
        floor: Smallest divisor in place of a propensity, in (0, 1]; required by ``clipped_ips``,
            optional for ``snips``.
        ties: Which of several candidates with equal scores gets the better rank: the one listed
            ``first`` or ``last``. (``auc`` counts a tie as a win.)
        without_clicks: Whether to ``skip`` users without a click or count them as ``zero``. ``ips``
            is unbiased over all users only with ``zero``, because users without a click are not a
            random subset.
        variant: ``published`` is the variant of Saito et al.: c(1) = c(2) = 1 and ``1 / log2(r)``
            for later ranks, ``dcg`` and ``map`` are not divided with ``aoa``, and ``map`` is that
            of ``snips`` for all estimators.

    Returns:
        One value per metric, in their order.

    Raises:
        EstimationError: If a name is unknown, an option is missing or has no effect, or an entry
            is malformed; the message names the row.
    """
    lists = _Lists.of(users, scores, clicks, ties)
    weights = _weights(lists, estimator, propensities, floor)
    clicked = lists.sum(lists.clicks) > 0  # (U,)
    if without_clicks not in ("skip", "zero"):
        raise EstimationError(f"without_clicks must be 'skip' or 'zero', not {without_clicks!r}.")
    if variant not in ("standard", "published"):
        raise EstimationError(f"variant must be 'standard' or 'published', not {variant!r}.")
    counted = clicked | (without_clicks == "zero")
    values = []
    for metric in one_or_more(metrics):
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
    metrics: str | Sequence[str] = ("auc",),
    *,
    gamma: float = 1.5,
) -> list[RankingValue]:
    """Return ranking metrics as Yang et al. (2018): SNIPS with propensities from training clicks.

    The propensity of an item is proportional to ``n_i^((gamma + 1) / 2)``. A click on an item that
    was never clicked in training does not count, but the item stays a candidate. gamma = -1 gives
    the average over all clicks (``aoa``).

    Args:
        users: User of each candidate, ``(N,)``.
        scores: The recommender's scores, ``(N,)``.
        clicks: 1 if the candidate was clicked after training, else 0, ``(N,)``.
        counts: n_i, training clicks of each candidate's item, ``(N,)``.
        metrics: As in `ranking_values`.
        gamma: Strength of the popularity bias, at least -1; 1.5 to 2.5 in the paper.

    Raises:
        EstimationError: As in `ranking_values`, or if gamma is below -1.
    """
    if not -1 <= gamma < np.inf:
        raise EstimationError(f"gamma must be a finite number of at least -1, got {gamma}.")
    numbers = np.asarray(counts, dtype=np.float64)
    wrong = ~(np.isfinite(numbers) & (numbers >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise EstimationError(f"Row {row}: {numbers[row]} is not a number of clicks.")
    known = numbers > 0
    # The scale cancels; items without training clicks have no weight.
    share = np.where(known, numbers, 1.0) / max(numbers.max(initial=0.0), 1.0)
    return ranking_values(
        users,
        scores,
        np.asarray(clicks) * known,
        metrics,
        estimator="snips",
        propensities=share ** ((gamma + 1) / 2),
    )


def discount(rank: Ints, *, published: bool = False) -> Floats:
    """Return c(r), the gain of every rank: ``1 / log2(r + 1)``, of any shape.

    Args:
        rank: Ranks; 1 is best.
        published: Whether to use the variant of Saito et al.: 1 for the first two ranks,
            ``1 / log2(r)`` for later ones.
    """
    steps = np.maximum(rank, 2) if published else rank + 1
    gain: Floats = 1 / np.log2(steps)
    return gain


@dataclass(frozen=True, eq=False)
class _Lists:
    """Candidates sorted by user and rank; every array is ``(N,)`` unless noted."""

    ids: Ints  # (U,)
    owner: Ints  # index of the user in `ids`
    rank: Ints  # 1 is best
    higher: Ints  # candidates of the user scored strictly higher
    size: Ints  # (U,) candidates of the user
    clicks: Floats
    order: Ints  # rows of the input

    @staticmethod
    def of(users: Any, scores: Any, clicks: Any, ties: str) -> _Lists:
        users, scores = np.asarray(users), np.asarray(scores, dtype=np.float64)
        clicks = np.asarray(clicks, dtype=np.float64)
        if not users.shape == scores.shape == clicks.shape or users.ndim != 1:
            raise EstimationError(
                "users, scores and clicks must be columns of one length, got shapes "
                f"{users.shape}, {scores.shape} and {clicks.shape}."
            )
        if ties not in ("first", "last"):
            raise EstimationError(f"ties must be 'first' or 'last', not {ties!r}.")
        _refuse(np.isnan(scores), scores, "is not a score")
        _refuse((clicks != 0) & (clicks != 1), clicks, "is not a click: 0 or 1")
        ids, owner = np.unique(users, return_inverse=True)
        place = np.arange(len(users))
        order = np.lexsort((place if ties == "first" else -place, -scores, owner))
        owner, scores = owner[order], scores[order]
        size = np.bincount(owner, minlength=len(ids))
        start = (np.cumsum(size) - size)[owner]
        # Equal scores of one user form a run; all of a run have as many above them as its first.
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = (owner[1:] != owner[:-1]) | (scores[1:] != scores[:-1])
        run = np.maximum.accumulate(np.where(first, place, 0))
        return _Lists(ids, owner, place - start + 1, run - start, size, clicks[order], order)

    def sum(self, values: Floats) -> Floats:
        """Return the sum over each user's candidates, ``(N,)`` to ``(U,)``."""
        total = np.bincount(self.owner, weights=values, minlength=len(self.ids))
        return total.astype(np.float64)  # an empty bincount is of integers

    def running(self, values: Floats) -> Floats:
        """Return the sum over each user's candidates of this rank or better, ``(N,)``."""
        total = np.cumsum(values)
        before = np.concatenate([[0.0], total])[np.cumsum(self.size) - self.size]  # (U,)
        running: Floats = total - before[self.owner]
        return running


def _weights(lists: _Lists, estimator: str, propensities: Any, floor: float | None) -> Floats:
    """Return w of every candidate, ``(N,)``."""
    if estimator not in ESTIMATORS:
        raise EstimationError(
            f"Unknown estimator {estimator!r}.{did_you_mean(estimator, ESTIMATORS)}"
        )
    if estimator == "aoa":
        if propensities is not None or floor is not None:
            raise EstimationError("The estimator 'aoa' uses neither propensities nor a floor.")
        return lists.clicks
    if propensities is None:
        raise EstimationError(
            f"The estimator {estimator!r} needs the propensity of every candidate."
        )
    theta = np.asarray(propensities, dtype=np.float64)
    if theta.shape != lists.order.shape:
        raise EstimationError(
            f"propensities have shape {theta.shape}, candidates {lists.order.shape}."
        )
    _refuse(~((theta > 0) & (theta <= 1)), theta, "is not a probability in (0, 1]")
    if estimator == "ips" and floor is not None:
        raise EstimationError("'ips' has no floor: use 'clipped_ips'.")
    if estimator == "clipped_ips" and floor is None:
        raise EstimationError("'clipped_ips' needs a floor for the propensities.")
    if floor is not None and not 0 < floor <= 1:
        raise EstimationError(f"floor must be in (0, 1], got {floor}.")
    return lists.clicks / np.maximum(theta[lists.order], floor or 0.0)


def _per_user(
    lists: _Lists, weights: Floats, name: str, k: int, estimator: str, variant: str
) -> Floats:
    """Return the metric of every user, ``(U,)``; undefined for those without a click."""
    published = variant == "published"
    top = lists.rank <= k
    if name == "ndcg" and estimator in ("ips", "clipped_ips"):
        raise EstimationError(
            f"'ndcg' cannot be estimated with {estimator!r}, because its divisor depends on all "
            "relevant items: use 'dcg', or the estimator 'snips'."
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
    # Sorting within users does not change owners and ranks.
    top = lists.rank <= k
    return lists.sum(weights[order] * discount(lists.rank, published=published) * top)


def _divide(total: Floats, by: Floats) -> Floats:
    return np.divide(total, by, out=np.zeros_like(total), where=by > 0)


def _parse(metric: str) -> tuple[str, int]:
    match = _NAME.fullmatch(metric)
    if match is None:
        name = metric.partition("@")[0]
        if name in METRICS:
            right = "takes no rank" if name == "auc" else "needs a rank of at least 1, e.g. @5"
            raise EstimationError(f"Metric {metric!r}: {name!r} {right}.")
        raise EstimationError(f"Unknown metric {metric!r}.{did_you_mean(name, METRICS)}")
    return (match[1], int(match[2])) if match[1] else ("auc", 0)


def _refuse(wrong: Bools, values: Floats, message: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise EstimationError(f"Row {row}: {values[row]} {message}.")
