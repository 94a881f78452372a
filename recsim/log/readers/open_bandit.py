"""The Open Bandit Dataset: logs of two policies in a fashion shop, with true propensities.

Reference: Saito, Aihara, Matsutani, Narita, "Open Bandit Dataset and Pipeline: Towards Realistic
and Reproducible Off-Policy Evaluation", arXiv 2008.07146.

A row of the files is one item at one of three page positions. The slate of three cannot be
reconstructed and there is no user id, so every row becomes a slate of one item, shown to a user of
its own (`SlateLog.anonymous`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from recsim.arrays import Floats32, Ints
from recsim.log import encode
from recsim.log.readers.base import Reader
from recsim.log.readers.columns import Kind, read_columns
from recsim.log.readers.times import whole_days
from recsim.log.slate_log import SlateLog
from recsim.problem import Problem

_POLICIES = ("random", "bts")
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
        policy: The logging policy: ``random``, or ``bts`` (Bernoulli Thompson sampling).
        affinity: Whether to add the user's affinity to every item, I columns, to the features.
    """

    path: Path
    campaign: Literal["men", "women", "all"] = "men"
    policy: Literal["random", "bts"] = "bts"
    affinity: bool = True

    def read(self) -> SlateLog:
        """Read one campaign as logged by one policy.

        The user's four categories become one-hot columns. Their values are collected from the
        files of both policies, if both exist, so that the features mean the same in both logs. The
        item categories are hashed differently in the folders of the two policies; they are numbered
        by first occurrence in the order of the items, which is the same in both. The coarsest of
        them, ``item_feature_3``, serves as the group of an item; the data set does not document its
        meaning.

        Returns:
            An anonymous log of slates of one item, in the order of time. ``position`` is 1 (left),
            2 or 3; ``propensity`` the probability of the item at that position; ``day`` counts from
            the first row; the reward is the click. The log of ``bts``, which learned while it was
            made, is `SlateLog.adaptive`.

        Raises:
            LogError: If a file is missing or a row is malformed.
        """
        folder = self.path / self.policy / self.campaign
        features, groups = _read_items(folder / "item_context.csv")
        items = len(features)
        affinities = [f"{_AFFINITY}{item}" for item in range(items)] if self.affinity else []
        kinds: dict[str, Kind] = {
            "timestamp": "time",
            "item_id": "int",
            "position": "int",
            "click": "int",
            "propensity_score": "float",
            **dict.fromkeys(_USER, "text"),
            **dict.fromkeys(affinities, "float"),
        }
        table = read_columns(folder / f"{self.campaign}.csv", kinds, missing=_GET)
        item, position = table["item_id"], table["position"]
        outside = (item < 0) | (item >= items)
        table.refuse(outside, "item_id", f"is outside the catalogue (0 ... {items - 1})")
        table.refuse((position < 1) | (position > 3), "position", "is not a position: 1, 2 or 3")
        click = table.flags("click", "is not a click: 0 or 1")
        propensity = table.propensities("propensity_score")
        known = _user_values(self.path, self.campaign)
        hot = [encode.one_hot(table[name], known[name]) for name in _USER]
        users = encode.stack([*hot, *(table[name] for name in affinities)], table.length)
        seconds = table["timestamp"]
        order = np.argsort(seconds, kind="stable")
        zeros = np.zeros(table.length, dtype=np.int64)
        return SlateLog(
            problem=Problem(
                num_items=items,
                user_feature_dim=users.shape[1],
                item_features=features,
                item_groups=groups,
            ),
            user=np.arange(table.length),
            session=zeros,
            day=whole_days(seconds[order]),
            step=zeros,
            slate=item[order][:, None],
            clicks=click[order].astype(np.int8)[:, None],
            feedback={"click": click[order].astype(np.float64)},
            user_features=users[order],
            propensity=propensity[order][:, None],
            position=position[order][:, None],
            anonymous=True,
            adaptive=self.policy == "bts",
        ).validate()


def _read_items(file: Path) -> tuple[Floats32, Ints]:
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


def _user_values(root: Path, campaign: str) -> dict[str, list[Any]]:
    """Return the values of every user category in the files of all policies."""
    files = [root / policy / campaign / f"{campaign}.csv" for policy in _POLICIES]
    kinds: dict[str, Kind] = dict.fromkeys(_USER, "text")
    tables = [read_columns(file, kinds) for file in files if file.is_file()]
    return {
        name: encode.distinct(np.concatenate([table[name] for table in tables])) for name in _USER
    }
