"""Held-out users of a log: who they are, and what agents would show them next.

Agents learn from the rows of some users and then meet the others, whom they have never seen, one
slate after the other. Before each slate an agent is told what really happened to its user so far,
never what it would have shown itself; then its slate is compared with the logged one.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from recsim.log import SlateLog
from recsim.metrics import (
    clipped_unigram_precision,
    hit_rate_at,
    ndcg_at,
    precision_at,
    recall,
    similarity_return_score,
)

__all__ = ["HoldoutSpec", "held_out_rows", "next_slate_metrics"]


class HoldoutSpec(BaseModel):
    """Which users of a log are held out, and how what agents show them is judged.

    Attributes:
        users: Share of the users that are held out; another draw for every seed.
        cutoffs: The k of the metrics that look at the first k items.
        target: What should have been shown: all that was ``shown``, or what was ``clicked``.
        history: Past slates that agents see, H.
        user_model: Settings of a model of the held-out users that says whether they would come back
            after the slates of an agent (`envs.learned.config.UserModelConfig`); None for no model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    users: Annotated[float, Field(gt=0, lt=1)] = 0.2
    cutoffs: Annotated[tuple[PositiveInt, ...], Field(min_length=1, strict=False)] = (5, 10)
    target: Literal["shown", "clicked"] = "shown"
    history: PositiveInt = 10
    user_model: dict[str, Any] | None = None

    @field_validator("cutoffs")
    @classmethod
    def _rising(cls, cutoffs: tuple[int, ...]) -> tuple[int, ...]:
        if list(cutoffs) != sorted(set(cutoffs)):
            raise ValueError("must rise")
        return cutoffs


def held_out_rows(user: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which rows are of held-out users, ``(M,)``.

    Args:
        user: User of each row, ``(M,)``, at least two.
        share: Share of the users that are held out, rounded; at least one, and not all.
        seed: Of the draw.
    """
    users = np.unique(user)
    count = min(max(round(share * len(users)), 1), len(users) - 1)
    chosen = np.random.default_rng(seed).choice(users, size=count, replace=False)
    return np.isin(user, chosen)


def next_slate_metrics(
    slates: NDArray[np.int64], log: SlateLog, spec: HoldoutSpec, return_days: int | None
) -> dict[str, float]:
    """Compare generated slates with the logged ones, over the rows where something was wanted.

    Args:
        slates: Item ids generated for each row, ``(M, K)``.
        log: The held-out rows, M of them.
        spec: What is compared.
        return_days: Days over which the reward ``return`` of the log counts; None if it has none.

    Returns:
        Means over rows, by name: ``hit_rate@k``, ``ndcg@k`` and ``precision@k`` for every cutoff,
        ``recall@K``, and ``return_score``, the mean similarity-based user return score, where there
        are returns. NaN where nothing was wanted in any row.
    """
    wanted = log.slate if spec.target == "shown" else np.where(log.clicks > 0, log.slate, -1)
    values: dict[str, NDArray[np.float64]] = {}
    for k in spec.cutoffs:
        values[f"hit_rate@{k}"] = hit_rate_at(slates, wanted, k)
        values[f"ndcg@{k}"] = ndcg_at(slates, wanted, k)
        values[f"precision@{k}"] = precision_at(slates, wanted, k)
    values[f"recall@{slates.shape[1]}"] = recall(slates, wanted)
    metrics = {name: _mean(of_rows) for name, of_rows in values.items()}
    if return_days is not None:
        similarity = clipped_unigram_precision(slates, log.slate)
        score = similarity_return_score(similarity, log.feedback["return"], return_days)
        metrics["return_score"] = score.mean
    return metrics


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of those that are known; NaN if none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
