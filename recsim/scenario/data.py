"""The logs of a scenario: read once, and compared with what agents are built for."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

import recsim.log
from recsim.errors import UserError, located
from recsim.log import SlateLog
from recsim.problem import Problem
from recsim.problem.names import differing
from recsim.scenario.sources import DataSpec


def read_data(data: DataSpec, options: Mapping[str, Any] | None = None) -> SlateLog:
    """Read the log of a scenario.

    Args:
        data: The block ``data``.
        options: Reader options that add to those of the block, or replace them.

    Raises:
        UserError: If the reader or an option is wrong, a file is missing, or a row is malformed.
    """
    if data.log is not None:
        return data.log
    with located("data"):
        recsim.log.READERS.load(data.reader)  # refuses an unknown name before the path is checked
        return _read(
            data.reader, json.dumps({"path": data.path, **data.options, **(options or {})})
        )


# The two logs that consecutive trials read: that of the case, and its reference.
@functools.lru_cache(maxsize=2)
def _read(reader: str, options: str) -> SlateLog:
    return recsim.log.read_log(reader, **json.loads(options))


def forget_logs() -> None:
    """Read files again: they may have changed since an earlier run in this process."""
    _read.cache_clear()


def check_same_problem(given: Problem, wanted: Problem) -> None:
    """Refuse a log of another catalogue or slate size.

    A log without features and groups of items is assumed to have the same items.

    Raises:
        UserError: Says how they differ.
    """
    for name in ("num_items", "slate_size", "user_feature_dim"):
        mine, theirs = getattr(given, name), getattr(wanted, name)
        if mine != theirs:
            words = name.replace("_", " ").replace("num ", "number of ")
            raise UserError(f"the log has {words} {mine}, where the agents need {theirs}.")
    if difference := differing(given.item_names, wanted.item_names):
        raise UserError(
            f"the log is of another catalogue of the same size: {difference}. Read both logs with "
            "one table of items."
        )
    if given.item_features.shape[1]:
        mine, theirs = given.item_features.shape[1], wanted.item_features.shape[1]
        if mine != theirs:
            raise UserError(f"the log has {mine} item features, where the agents need {theirs}.")
        same = np.isclose(given.item_features, wanted.item_features, equal_nan=True).all(axis=1)
        _refuse_other_items(same, "features")
    if given.item_groups.any() and wanted.item_groups.any():
        _refuse_other_items(given.item_groups == wanted.item_groups, "groups")


def _refuse_other_items(same: Any, what: str) -> None:
    """Refuse items, ``(I,)``, that are not the same."""
    if not same.all():
        raise UserError(
            f"the log is of another catalogue of the same size: the {what} of "
            f"{int((~same).sum())} of its {len(same)} items differ, "
            f"those of item {int(np.argmin(same))} first."
        )
