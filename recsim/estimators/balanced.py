r"""Logs of several logging policies, weighted as if their mixture had made them.

A row that logger j showed can be weighted by :math:`\pi / \mu_j`, its own propensity (naive), or by

.. math:: \pi(a) / \bar\mu(a), \qquad \bar\mu(a) = \sum_k \frac{n_k}{n} \mu_k(a)

with n_k of the n rows by logger k (balanced). Both are unbiased; the balanced estimate has the
smaller variance wherever an item that one logger hardly shows is shown by another: its weight
cannot exceed that of the mixture. It needs the probability of each item shown under every logger.

References: the balance heuristic of multiple importance sampling, Veach and Guibas, "Optimally
Combining Sampling Techniques for Monte Carlo Rendering", SIGGRAPH 1995; for off-policy evaluation,
Agarwal, Basu, Schnabel and Joachims, "Effective Evaluation using Logged Bandit Feedback from
Multiple Loggers", KDD 2017, arXiv:1703.06180.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recsim.errors import EstimationError, did_you_mean
from recsim.estimators.policies import AGREEMENT
from recsim.log import SlateLog


def with_balanced_propensities(log: SlateLog) -> SlateLog:
    """Return a log whose propensities are those of the mixture of its logging policies.

    Shares of the loggers are those of the rows given, so select rows first.

    Args:
        log: A log that names the logger of each row, and has the probability of each item shown
            under every logger among its ``target_propensities``, by the logger's name.

    Raises:
        EstimationError: If one of these is missing, or a row's own propensity contradicts that of
            its logger; names the row.
    """
    if log.logger is None:
        raise EstimationError(
            "The log does not say which logging policy showed a row: name the column 'logger' "
            "when it is read."
        )
    counts = np.bincount(log.logger, minlength=len(log.logger_names))
    mixture = np.zeros(log.slate.shape)
    for number in np.flatnonzero(counts).tolist():
        name = log.logger_names[number]
        if name not in log.target_propensities:
            near = did_you_mean(name, log.target_propensities)
            raise EstimationError(
                f"The log has no probabilities of its logging policy {name!r}: name their column, "
                f"such as target_propensity: {{{name}: p_{name}}}.{near}"
            )
        own = log.target_propensities[name]
        mixture += counts[number] / len(log) * own
        if log.propensity is not None:
            rows = np.flatnonzero(log.logger == number)
            logged, shown = log.propensity[rows], log.slate[rows] >= 0
            least = AGREEMENT * np.maximum(logged, own[rows])
            differ = shown & ~(np.abs(own[rows] - logged) <= least)
            if differ.any():
                row, position = np.argwhere(differ)[0]
                raise EstimationError(
                    f"row {rows[row]}, position {position}: the logged propensity is "
                    f"{logged[row, position]:g}, but its logger {name!r} has the probability "
                    f"{own[rows][row, position]:g}."
                )
    mixture = np.where(log.slate < 0, 1.0, np.minimum(mixture, 1.0))
    return replace(log, propensity=mixture).validate()
