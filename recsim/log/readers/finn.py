"""FINN.no: slates that a marketplace showed to 2.3 million users, and their clicks, as arrays.

Reference: Eide, Frigessi, Jenssen, Leslie, Rishaug and Verrewaere, "FINN.no Slates Dataset: A New
Sequential Dataset Logging Interactions, All Viewed Items and Click Responses/No-Click for
Recommender Systems Research", RecSys 2021, arXiv:2111.03340.

The log has no propensities: evaluating another policy on it requires an assumed or estimated
logging policy. The arrays are memory-mapped, never loaded as a whole.
`recsim.log.readers.finn_layout` writes any log in the same layout.

Files: ``data.npz`` with ``slate`` (N, T, S), ``click``, ``click_idx``, ``slate_lengths`` and
``interaction_type`` (N, T), or their older names; ``itemattr.npz`` with ``category`` (I + 3,).
In the files the ids 0, 1 and 2 are padding, "nothing clicked" and an unknown item, so item i of a
`SlateLog` has the id i + 3; slot 0 of every slate is "nothing".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, PositiveInt

from recsim.arrays import Bools, Ints
from recsim.errors import LogError
from recsim.log.readers.base import Reader
from recsim.log.readers.npz import mapped
from recsim.log.slate_log import SlateLog
from recsim.problem import Names, Problem

PAD, NOTHING, UNKNOWN, FIRST_ITEM = 0, 1, 2, 3
KINDS = {"search": 1, "recommendation": 2}
# Names of the arrays in version 1.x of the data set, and in 1.0.
_NAMES = {
    "slate": ("slate", "action"),
    "click": ("click",),
    "click_idx": ("click_idx",),
    "length": ("slate_lengths", "lengths"),
    "kind": ("interaction_type", "displayType"),
}
_GET = (
    "Get data.npz and itemattr.npz of the FINN.no Slates Dataset (github.com/finn-no/"
    "recsys_slates_dataset) and let 'path' be their folder."
)


@dataclass(frozen=True, eq=False)
class FinnBlock:
    """The steps of n users, with the item ids of a `SlateLog`.

    Attributes:
        items: Items shown, without "nothing", ``(n, T, S - 1)``; -1 for an empty slot and for an
            unknown item.
        length: Slots used, including "nothing", ``(n, T)``; 0 if the step did not happen.
        choice: 0 for nothing, k for the k-th item, ``(n, T)``.
        click: Item clicked, ``(n, T)``; -1 for nothing and for an unknown item.
        usable: Whether slate and choice are both known, ``(n, T)``: the step happened, and the item
            clicked is known and in the recorded slot.
        kind: 1 for search, 2 for recommendations, 0 if unknown, ``(n, T)``.
    """

    items: Ints
    length: Ints
    choice: Ints
    click: Ints
    usable: Bools
    kind: Ints


@dataclass(frozen=True)
class FinnFaults:
    """How many steps break a rule of the layout.

    Attributes:
        steps: Steps that happened.
        first_slot: Steps whose slot 0 is not "nothing".
        absent: Clicks on an item that is not in the recorded slot.
        leftover: Steps that did not happen, but have an item or a length.
        outside: Ids outside the catalogue, and clicks and slots outside the slate.
    """

    steps: int
    first_slot: int
    absent: int
    leftover: int
    outside: int


class FinnSlates:
    """The data set, memory-mapped.

    Args:
        path: The folder.
        cache: Folder for unpacked copies of compressed arrays, 4.6 GB for the real file; by
            default ``unpacked`` in the folder.

    Attributes:
        num_users: N.
        steps: T.
        slots: S, including "nothing".
        groups: Category of each item, ``(I,)``.

    Raises:
        LogError: If a file or array is missing, or the shapes are inconsistent.
    """

    def __init__(self, path: str | Path, cache: str | Path | None = None) -> None:
        folder = Path(path)
        cache = folder / "unpacked" if cache is None else Path(cache)
        data, items = folder / "data.npz", folder / "itemattr.npz"
        for file in (data, items):
            if not file.is_file():
                raise LogError(f"{file} does not exist. {_GET}")
        arrays = {key: mapped(data, names, cache) for key, names in _NAMES.items()}
        slate = arrays["slate"]
        if slate.ndim != 3:
            raise LogError(f"{data}: slate must be (users, steps, slots), not {slate.shape}.")
        for key, array in arrays.items():
            if key != "slate" and array.shape != slate.shape[:2]:
                raise LogError(
                    f"{data}: {_NAMES[key][0]} must be {slate.shape[:2]} like slate, not "
                    f"{array.shape}."
                )
        self._arrays, self._file = arrays, data
        self.num_users, self.steps, self.slots = (int(size) for size in slate.shape)
        category = np.asarray(mapped(items, ("category",), cache))
        if category.ndim != 1 or len(category) <= FIRST_ITEM:
            raise LogError(f"{items}: category must list the 3 special ids and then the items.")
        groups = category[FIRST_ITEM:].astype(np.int64)
        # The first three categories are those of the special ids.
        self.groups: Ints = groups - (FIRST_ITEM if groups.min() >= FIRST_ITEM else 0)

    @property
    def num_items(self) -> int:
        """I, without the special ids."""
        return len(self.groups)

    @cached_property
    def problem(self) -> Problem:
        """The problem of the log; the data set has no features. Items are named by their ids."""
        return Problem(
            num_items=self.num_items,
            slate_size=self.slots - 1,
            item_groups=self.groups,
            item_names=Names(np.arange(FIRST_ITEM, self.num_items + FIRST_ITEM), "item"),
        )

    def read(self, users: slice | Ints) -> FinnBlock:
        """Read some users, and nothing else of the files.

        Args:
            users: Rows of the arrays; sorted rows are read fastest.
        """
        raw = {
            key: np.asarray(array[users]).astype(np.int64) for key, array in self._arrays.items()
        }
        slate, click, slot = raw["slate"], raw["click"], raw["click_idx"]
        at_slot = np.take_along_axis(slate, slot.clip(0, self.slots - 1)[:, :, None], axis=2)
        usable = (click != PAD) & (click != UNKNOWN) & (at_slot[:, :, 0] == click)
        return FinnBlock(
            items=np.where(slate[:, :, 1:] >= FIRST_ITEM, slate[:, :, 1:] - FIRST_ITEM, -1),
            length=np.where(click == PAD, 0, (slate != PAD).sum(axis=2)),
            choice=np.where(usable, slot, 0),
            click=np.where(click >= FIRST_ITEM, click - FIRST_ITEM, -1),
            usable=usable,
            kind=raw["kind"],
        )

    def faults(self, users: int = 65_536) -> FinnFaults:
        """Count the steps that break a rule of the layout.

        The real file has some: in 0.4 % of the clicks the item is not in the slate.

        Args:
            users: Users read at a time.
        """
        counts = np.zeros(5, dtype=np.int64)
        for start in range(0, self.num_users, users):
            raw = {key: array[start : start + users] for key, array in self._arrays.items()}
            slate, click, slot = raw["slate"], raw["click"], raw["click_idx"]
            real = click != PAD
            inside = (slot >= 0) & (slot < self.slots)
            place = np.where(inside, slot, 0).astype(np.int64)[:, :, None]
            at_slot = np.take_along_axis(slate, place, axis=2)[:, :, 0]
            largest = self.num_items + FIRST_ITEM
            unknown = ((slate < 0) | (slate >= largest)).any(axis=2)
            counts += [
                real.sum(),
                (real & (slate[:, :, 0] != NOTHING)).sum(),
                (real & (at_slot != click)).sum(),
                (~real & ((slate != PAD).any(axis=2) | (raw["length"] != 0))).sum(),
                (unknown | (click < 0) | (click >= largest) | ~inside).sum(),
            ]
        return FinnFaults(*(int(count) for count in counts))

    def to_log(self, users: slice | Ints, kind: str = "all") -> SlateLog:
        """Return the usable steps of some users, who are named by their rows, as a log.

        Args:
            users: Rows of the arrays; user u of the log is the u-th of them.
            kind: ``search`` or ``recommendation`` slates only, or ``all``.
        """
        block = self.read(users)
        kept = block.usable if kind == "all" else block.usable & (block.kind == KINDS[kind])
        user, step = np.nonzero(kept)
        slate, choice = block.items[user, step], block.choice[user, step]  # (M, K), (M,)
        clicks = (np.arange(1, self.slots) == choice[:, None]).astype(np.int8)
        zeros = np.zeros(len(user), dtype=np.int64)
        names = Names(np.arange(self.num_users)[users], "user")
        return SlateLog(
            problem=replace(self.problem, user_names=names),
            user=user,
            session=zeros,
            day=zeros,
            step=step,
            slate=slate,
            clicks=clicks,
            feedback={"click": clicks.sum(axis=1).astype(np.float64)},
            user_features=np.zeros((len(block.usable), 0), dtype=np.float32),
        )


@dataclass(frozen=True, eq=False)
class FinnSplit:
    """Users whose later steps are held out.

    Attributes:
        valid: Users for validation, sorted, ``(V,)``.
        test: Users for testing, sorted, ``(W,)``.
        step: First of their steps that is held out; the earlier ones are training data.
    """

    valid: Ints
    test: Ints
    step: int = 5

    def training(self, users: Ints, steps: int) -> Bools:
        """Return which steps of some users are training data, ``(n, T)``.

        Args:
            users: ``(n,)``.
            steps: T.
        """
        held_out = np.isin(users, self.valid) | np.isin(users, self.test)
        return ~held_out[:, None] | (np.arange(steps) < self.step)


def split_users(
    num_users: int, *, valid: float = 0.05, test: float = 0.05, step: int = 5, seed: int = 0
) -> FinnSplit:
    """Split users as the authors do: the same seed gives the same users.

    Args:
        num_users: N.
        valid: Fraction of users for validation.
        test: Fraction of users for testing.
        step: First step that is held out.
        seed: Seed of torch's generator.
    """
    import torch  # the authors' permutation is torch's

    order = torch.randperm(num_users, generator=torch.Generator().manual_seed(seed)).numpy()
    first, second = int(valid * num_users), int(test * num_users)
    return FinnSplit(np.sort(order[:first]), np.sort(order[first : first + second]), step)


class FinnReader(Reader):
    """The FINN.no slates, or some of their users, as a log in memory.

    Attributes:
        path: The folder that holds ``data.npz`` and ``itemattr.npz``.
        users: Number of users to read, from the first on; None for all, which takes about 10 GB.
        kind: ``search`` or ``recommendation`` slates only, or ``all``.
        cache: Folder for unpacked copies of compressed arrays; see `FinnSlates`.
    """

    path: Path
    users: PositiveInt | None = Field(default=100_000)
    kind: Literal["all", "search", "recommendation"] = "all"
    cache: Path | None = None

    def read(self) -> SlateLog:
        """Read the log and check it."""
        slates = FinnSlates(self.path, self.cache)
        return slates.to_log(slice(0, self.users), self.kind).validate()
