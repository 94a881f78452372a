"""The Open Bandit Dataset: a fashion shop's log of two policies, with true propensities.

Reference: Saito, Aihara, Matsutani, Narita, "Open Bandit Dataset and Pipeline: Towards Realistic
and Reproducible Off-Policy Evaluation", arXiv 2008.07146.

What the files are not: a row is one item at one of three page positions. The slate of three is
not recoverable and there is no user id, so every row becomes a slate of one item, shown to a user
of its own (`SlateLog.anonymous`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError, did_you_mean
from recsim.log import encode
from recsim.log.readers.base import Reader
from recsim.log.readers.columns import Columns, Kind, read_columns, whole_days
from recsim.log.slate_log import SlateLog
from recsim.problem import Problem

POLICIES = ("random", "bts")
_USER = tuple(f"user_feature_{number}" for number in range(4))
_ITEM_CATEGORIES = tuple(f"item_feature_{number}" for number in range(1, 4))
_AFFINITY = "user-item_affinity_"
_GET = (
    "Get the Open Bandit Dataset (10,000 rows a file: folder obd/ of github.com/st-tech/zr-obp; "
    "in full: research.zozo.com/data.html) and let 'path' be the folder with random/ and bts/."
)


class OpenBanditReader(Reader):
    """The Open Bandit Dataset, one campaign and one logging policy.

    Attributes:
        path: The folder that holds ``random/`` and ``bts/``.
        campaign: ``men`` (34 items), ``women`` (46) or ``all`` (80).
        policy: Who logged: ``random``, or ``bts`` (Bernoulli Thompson sampling).
        affinity: Whether the user's affinity to every item is among the user features.
    """

    path: Path
    campaign: Literal["men", "women", "all"] = "men"
    policy: Literal["random", "bts"] = "bts"
    affinity: bool = True

    def read(self) -> SlateLog:
        """Read the log; see `read_open_bandit`."""
        return read_open_bandit(self.path, self.campaign, self.policy, affinity=self.affinity)


def read_open_bandit(
    path: str | Path, campaign: str = "men", policy: str = "bts", *, affinity: bool = True
) -> SlateLog:
    """Read one campaign as logged by one policy.

    The user's four categories become one-hot columns. Their vocabulary is taken from the files of
    both policies, where both are there, so that what is learned on one log means the same on the
    other. The item categories are hashed differently in the folders of the two policies; they
    are numbered by first occurrence in the order of the items, which is the same in both. The
    coarsest of them, ``item_feature_3``, serves as the group of an item: the data set does not
    say what it means.

    Args:
        path: The folder that holds ``random/`` and ``bts/``.
        campaign: ``men``, ``women`` or ``all``.
        policy: ``random`` or ``bts``.
        affinity: Whether to add the user's affinity to every item, I columns, to the features.

    Returns:
        An anonymous log of slates of one item, in the order of time. ``position`` is 1 (left), 2
        or 3; ``propensity`` the probability of the item at that position; ``day`` counts from the
        first row; the reward is the click.

    Raises:
        UserError: If a file is missing or a row is malformed.
    """
    root = Path(path)
    if policy not in POLICIES:
        near = did_you_mean(policy, POLICIES)
        raise UserError(f"Open Bandit has no policy {policy!r}.{near}")
    features, groups = _read_items(root / policy / campaign / "item_context.csv")
    items = len(features)
    file = root / policy / campaign / f"{campaign}.csv"
    affinities = [f"{_AFFINITY}{item}" for item in range(items)] if affinity else []
    kinds: dict[str, Kind] = {
        "timestamp": "time",
        "item_id": "int",
        "position": "int",
        "click": "int",
        "propensity_score": "float",
        **dict.fromkeys(_USER, "text"),
        **dict.fromkeys(affinities, "float"),
    }
    table = read_columns(file, kinds, missing=_GET)
    columns = _check_rows(table, items)
    rows = table.length
    known = _vocabularies(root, campaign)
    parts = [encode.one_hot(table[name], known[name]) for name in _USER]
    users = encode.stack([*parts, *(table[name] for name in affinities)], rows)
    seconds = table["timestamp"]
    order = np.argsort(seconds, kind="stable")
    clicks = columns["click"][order]
    return SlateLog(
        problem=Problem(
            num_items=items,
            slate_size=1,
            num_candidates=items,
            user_feature_dim=users.shape[1],
            item_features=features,
            item_groups=groups,
            rewards={"click": 1.0},
        ),
        user=np.arange(rows),
        session=np.zeros(rows, dtype=np.int64),
        day=whole_days(seconds[order]),
        step=np.zeros(rows, dtype=np.int64),
        slate=columns["item_id"][order][:, None],
        clicks=clicks.astype(np.int8)[:, None],
        feedback={"click": clicks.astype(np.float64)},
        user_features=users[order],
        propensity=columns["propensity_score"][order][:, None],
        position=columns["position"][order][:, None],
        anonymous=True,
    ).validate()


def _check_rows(table: Columns, items: int) -> dict[str, NDArray[Any]]:
    """Return the columns that a row can get wrong, or name the line of the first that does."""
    names = ("item_id", "position", "click", "propensity_score")
    item, position, click, propensity = (table[name] for name in names)
    outside = (item < 0) | (item >= items)
    table.refuse(outside, "item_id", f"is outside the catalogue (0 ... {items - 1})")
    table.refuse((position < 1) | (position > 3), "position", "is not a position: 1, 2 or 3")
    table.refuse((click != 0) & (click != 1), "click", "is not a click: 0 or 1")
    wrong = ~((propensity > 0) & (propensity <= 1))
    table.refuse(wrong, "propensity_score", "is not a probability in (0, 1]")
    return dict(zip(names, (item, position, click, propensity), strict=True))


def _read_items(file: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return item features ``(I, D)`` and groups ``(I,)``."""
    kinds: dict[str, Kind] = {"item_id": "int", "item_feature_0": "float"}
    kinds |= dict.fromkeys(_ITEM_CATEGORIES, "text")
    table = read_columns(file, kinds, missing=_GET)
    order = np.argsort(table["item_id"])
    wrong = np.zeros(table.length, dtype=np.bool_)
    wrong[order] = table["item_id"][order] != np.arange(table.length)
    table.refuse(wrong, "item_id", "breaks the numbering 0, 1, 2, ...")
    categories = [table[name][order] for name in _ITEM_CATEGORIES]
    hot = [encode.one_hot(values, encode.first_seen(values)) for values in categories]
    features = encode.stack([table["item_feature_0"][order], *hot], table.length)
    return features, encode.codes(categories[-1], encode.first_seen(categories[-1]))


def _vocabularies(root: Path, campaign: str) -> dict[str, list[Any]]:
    """Return the values of every user feature in the files of all policies that are there."""
    files = [root / policy / campaign / f"{campaign}.csv" for policy in POLICIES]
    tables = [read_columns(f, dict.fromkeys(_USER, "text")) for f in files if f.is_file()]
    return {
        name: encode.distinct(np.concatenate([table[name] for table in tables])) for name in _USER
    }
