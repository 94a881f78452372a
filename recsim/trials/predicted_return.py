"""Model-based user return score: would users come back after slates that they were not shown?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.learned.model import UserModel
from envs.learned.scoring import predicted_returns
from envs.learned.sessions import Sessions
from recsim.log import SlateLog
from recsim.metrics import mean_predicted_return, never_returning_share, return_improvement
from recsim.metrics.model_error import model_metrics

__all__ = ["NAMES", "predicted_return_metrics"]

NAMES = ("predicted_return", "return_improvement", "never_returning_share")


def predicted_return_metrics(
    model: UserModel, slates: NDArray[Any], log: SlateLog, return_days: int | None
) -> dict[str, float]:
    """Return what a frozen model expects of slates in the place of the logged ones.

    Args:
        model: Fitted to users whom no agent was fitted on.
        slates: Item ids generated for each row, ``(M, K)``; slots that were empty in the log are
            left empty.
        log: The rows, M of them.
        return_days: Days over which the reward ``return`` of the log counts, or None.

    Returns:
        Over the rows that end a session: ``predicted_return`` (MB-URS), ``return_improvement``
        (IUR, over the mean logged return) and, with ``return_days``, ``never_returning_share``
        (NRC); and the errors of the model, ``model_*``.
    """
    rows = np.flatnonzero(Sessions.of(log, model.config.window).end)
    # As many items as were shown: the model has not seen what longer slates do.
    cut = np.where(log.slate[rows] >= 0, slates[rows], -1)
    predicted = predicted_returns(model, log, rows, cut)
    metrics = {
        "predicted_return": mean_predicted_return(predicted),
        "return_improvement": return_improvement(predicted, log.feedback["return"][rows]),
    }
    if return_days is not None:
        share = never_returning_share(log.user[rows], predicted, return_days)
        metrics["never_returning_share"] = share
    return metrics | model_metrics(model.error.numbers())
