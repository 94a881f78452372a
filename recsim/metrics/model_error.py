"""How wrong a model of users is, beside the numbers that come of it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

__all__ = ["PREFIX", "model_error_text", "model_metrics"]

PREFIX = "model_"  # of the metrics that are errors of the model, and nothing that an agent did

# What an error is compared with stands behind it.
_BESIDE = {"base": "of the mean", "popularity": "of popularity"}


def model_metrics(error: Mapping[str, float]) -> dict[str, float]:
    """Return the errors of a model of users as metrics, with the prefix ``model_``."""
    return {f"{PREFIX}{name}": value for name, value in error.items()}


def model_error_text(seeds: pd.DataFrame) -> str:
    """Say how wrong the model of the users is; empty where no model is behind the numbers.

    Args:
        seeds: One row per trial, the errors in columns ``model_*``. Their mean is told, without
            those of other feedback.
    """
    means = {
        str(name).removeprefix(PREFIX): seeds[name].mean()
        for name in seeds.columns
        if str(name).startswith(PREFIX) and not str(name).startswith(f"{PREFIX}feedback_")
    }
    if not means:
        return ""
    told = []
    for name, value in means.items():
        if name.startswith("users_") or name.rpartition("_")[2] in _BESIDE:
            continue
        beside = [
            f"{means[f'{name}_{other}']:.4g} {words}"
            for other, words in _BESIDE.items()
            if f"{name}_{other}" in means
        ]
        told.append(
            f"{name.replace('_', ' ')} {value:.4g}" + (f" ({', '.join(beside)})" if beside else "")
        )
    return (
        "A model stands for the users. Its errors, measured on "
        f"{means['users_tested']:,.0f} users whom it had not seen: {', '.join(told)}."
    )
