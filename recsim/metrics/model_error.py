"""Errors of a user model, reported with the results that depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "model_"  # of metrics that are errors of the user model, not results of an agent

# Suffixes of the errors of baselines.
_BASELINES = {"base": "of the mean", "popularity": "of popularity"}


def model_metrics(error: Mapping[str, float]) -> dict[str, float]:
    """Return the errors of a user model as metrics, with the prefix ``model_``."""
    return {f"{PREFIX}{name}": value for name, value in error.items()}


def model_error_text(seeds: pd.DataFrame) -> str:
    """Return a sentence on the errors of the user model; empty if the results depend on none.

    Args:
        seeds: One row per trial, with the errors in columns ``model_*``. The sentence has their
            means, without errors of other feedback than clicks.
    """
    means = {
        str(name).removeprefix(PREFIX): seeds[name].mean()
        for name in seeds.columns
        if str(name).startswith(PREFIX) and not str(name).startswith(f"{PREFIX}feedback_")
    }
    if not means:
        return ""
    parts = []
    for name, value in means.items():
        if name.startswith("users_") or name.rpartition("_")[2] in _BASELINES:
            continue
        baselines = [
            f"{means[f'{name}_{suffix}']:.4g} {words}"
            for suffix, words in _BASELINES.items()
            if f"{name}_{suffix}" in means
        ]
        compared = f" ({', '.join(baselines)})" if baselines else ""
        parts.append(f"{name.replace('_', ' ')} {value:.4g}{compared}")
    return (
        "These results depend on a model of the users. Its errors on "
        f"{means['users_tested']:,.0f} held-out users: {', '.join(parts)}."
    )
