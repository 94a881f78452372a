r"""Logs of several logging policies, weighted as if their mixture had made them.

A row that logger j showed can be weighted by :math:`\pi / \mu_j`, its own propensity (naive), or by

.. math:: \pi(a) / \bar\mu(a), \qquad \bar\mu(a) = \sum_k \frac{n_k}{n} \mu_k(a)

with n_k of the n items at the position shown by logger k (balanced).

========  ========================================  ============================================
weights   unbiased if                               need the probability of each item shown
========  ========================================  ============================================
naive     mu_k > 0 wherever pi > 0, for every k     under the logger of its row
balanced  mu_k > 0 wherever pi > 0, for some k, and  under every logger
          all loggers met the same users in the
          same state, as in a randomised test
========  ========================================  ============================================

A balanced weight is at most the naive one of any logger divided by that logger's share, so an item
that one logger hardly shows and another often has no large weight. Where both are unbiased,
balanced `ips` never has the larger variance. Loggers that worked one after the other did not meet
the same state if rewards change over time: naive weights then give the mean value over those times,
balanced ones mix rewards of different times.

References: the balance heuristic of multiple importance sampling, Veach and Guibas, "Optimally
Combining Sampling Techniques for Monte Carlo Rendering", SIGGRAPH 1995; for off-policy evaluation,
Agarwal, Basu, Schnabel and Joachims, "Effective Evaluation using Logged Bandit Feedback from
Multiple Loggers", KDD 2017, arXiv:1703.06180.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recsim.arrays import Bools, Floats
from recsim.errors import EstimationError, did_you_mean
from recsim.estimators.policies import AGREEMENT
from recsim.estimators.rows import positions_of
from recsim.log import SlateLog

ONE_AFTER_THE_OTHER = (
    "no day of the log has two logging policies, and balanced weights assume that all of them met "
    "the same users in the same state: if rewards change over time, weight without 'balanced'"
)
"""The reason to doubt balanced weights of loggers that worked one after the other."""


def with_balanced_propensities(log: SlateLog) -> SlateLog:
    """Return a log whose propensities are those of the mixture of its logging policies.

    They are for `evaluate` and `evaluate_difference`, and for estimators of slates that weight each
    item by itself. Shares of the loggers are those of the rows given, so select rows first.

    Args:
        log: A log that names the logger of each row, and has the probability of each item shown
            under every logger among its ``target_propensities``, by the logger's name.

    Raises:
        EstimationError: If one of these is missing, or a row contradicts the probabilities of its
            logger; names the row.
    """
    if not isinstance(log, SlateLog):
        raise EstimationError(
            "the shares of the loggers are those of a whole log: give a SlateLog, such as "
            f"SlateLog.load(folder), not a {type(log).__name__}."
        )
    if log.logger is None:
        raise EstimationError(
            "The log does not say which logging policy showed a row: name the column 'logger' "
            "when it is read."
        )
    shown = log.slate >= 0
    _, place = np.unique(np.where(shown, positions_of(log), -1), return_inverse=True)
    place = place.reshape(shown.shape)  # (M, K) number of the position
    total = np.bincount(place[shown], minlength=int(place.max(initial=0)) + 1)
    mixture = np.zeros(log.slate.shape)
    for number in np.unique(log.logger).tolist():
        name = log.logger_names[number]
        if name not in log.target_propensities:
            near = did_you_mean(name, log.target_propensities)
            raise EstimationError(
                f"The log has no probabilities of its logging policy {name!r}: name their column, "
                f"such as target_propensity: {{{name}: p_{name}}}.{near}"
            )
        probability = log.target_propensities[name]
        made = shown & (log.logger == number)[:, None]
        if (impossible := made & ~(probability > 0)).any():
            row, position = np.argwhere(impossible)[0]
            raise EstimationError(
                f"row {row}, position {position}: its logger {name!r} has the probability 0 of the "
                "item shown."
            )
        counts = np.bincount(place[made], minlength=len(total))
        shares = np.divide(counts, total, out=np.zeros(len(total)), where=total > 0)
        mixture += shares[place] * probability
    _refuse_other_propensities(log, 0, "")
    mixture = np.where(shown, np.minimum(mixture, 1.0), 1.0)
    return replace(log, propensity=mixture).validate()


def one_after_the_other(log: SlateLog) -> bool:
    """Return whether several loggers made a log, and no two of them the same day."""
    if log.logger is None or len(np.unique(log.logger)) < 2:
        return False
    pairs = np.unique(np.stack([log.day, log.logger]), axis=1)
    return bool(len(np.unique(pairs[0])) == pairs.shape[1])


def refuse_balanced(log: SlateLog, first_row: int = 0) -> None:
    """Refuse propensities of a mixture where those of several items or steps are multiplied.

    A user or a slate has one logger, so the mixture of products is not the product of mixtures.

    Args:
        log: The log, or some rows of it.
        first_row: Number of the first row, for messages.

    Raises:
        EstimationError: If a propensity is not that of its row's logger; names the row.
    """
    advice = (
        " Balanced propensities are those of single items: whole slates and trajectories need the "
        "log without with_balanced_propensities."
    )
    _refuse_other_propensities(log, first_row, advice)


def _refuse_other_propensities(log: SlateLog, first_row: int, advice: str) -> None:
    own = _of_own_logger(log)
    if own is None or log.propensity is None:
        return
    least = AGREEMENT * np.maximum(log.propensity, own)
    differ: Bools = (log.slate >= 0) & (np.abs(own - log.propensity) > least)
    if differ.any():
        row, position = np.argwhere(differ)[0]
        assert log.logger is not None
        raise EstimationError(
            f"row {first_row + row}, position {position}: the logged propensity is "
            f"{log.propensity[row, position]:g}, but its logger "
            f"{log.logger_names[log.logger[row]]!r} has the probability "
            f"{own[row, position]:g}.{advice}"
        )


def _of_own_logger(log: SlateLog) -> Floats | None:
    """Return the probability of each item under its row's logger, ``(M, K)``.

    NaN in rows of loggers whose probabilities the log lacks; None if it has those of none.
    """
    if log.logger is None or not set(log.logger_names) & set(log.target_propensities):
        return None
    own = np.full(log.slate.shape, np.nan)
    for number, name in enumerate(log.logger_names):
        if name in log.target_propensities:
            rows = log.logger == number
            own[rows] = log.target_propensities[name][rows]
    return own
