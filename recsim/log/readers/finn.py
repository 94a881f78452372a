"""FINN.no: slates of a marketplace that 2.3 million people were shown and clicked, as arrays.

Reference: Eide, Frigessi, Jenssen, Leslie, Rishaug and Verrewaere, "FINN.no Slates Dataset: A New
Sequential Dataset Logging Interactions, All Viewed Items and Click Responses/No-Click for
Recommender Systems Research", RecSys 2021, arXiv:2111.03340.

The log has no propensities: what it says of other policies rests on an assumed or estimated logging
policy. The arrays are mapped into memory, never loaded; the files are optional, and
`recsim.log.readers.finn_layout` writes the same layout from any log.

Files: ``data.npz`` with ``slate`` (N, T, S), ``click``, ``click_idx``, ``slate_lengths`` and
``interaction_type`` (N, T), or their older names; ``itemattr.npz`` with ``category`` (I + 3,).
Their ids 0, 1 and 2 are padding, "nothing clicked" and an unknown item, so that item i of ours is
i + 3 of theirs; slot 0 of every slate is "nothing".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from recsim.errors import UserError
from recsim.log.readers.base import Reader
from recsim.log.readers.npz import mapped
from recsim.log.slate_log import SlateLog
from recsim.problem import Problem

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PAD, NOTHING, UNKNOWN, FIRST_ITEM = 0, 1, 2, 3
KINDS = {"search": 1, "recommendation": 2}
# Names in version 1.x of the data set, and in 1.0.
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
    """The steps of n users, under our ids.

    Attributes:
        items: Items shown, "nothing" left out, ``(n, T, S - 1)``; -1 where there is none, or an
            unknown one.
        length: Slots used, "nothing" included, ``(n, T)``; 0 where the step did not happen.
        choice: 0 for nothing, k for the k-th item, ``(n, T)``.
        click: Item clicked, ``(n, T)``; -1 for nothing and for an unknown one.
        usable: Whether it is known what was chosen from what, ``(n, T)``: the step happened, and
            the item clicked is known and stands where it is said to.
        kind: 1 for search, 2 for recommendations, 0 where unknown, ``(n, T)``.
    """

    items: Ints
    length: Ints
    choice: Ints
    click: Ints
    usable: Bools
    kind: Ints


@dataclass(frozen=True)
class FinnFaults:
    """How often the rules of the layout are broken, in steps.

    Attributes:
        steps: Steps that happened.
        first_slot: Steps whose slot 0 is not "nothing".
        absent: Clicks that are not in the slot where they are said to be.
        leftover: Steps that did not happen, but hold an item or a length.
        outside: Ids outside the catalogue, clicks and slots beyond the slate.
    """

    steps: int
    first_slot: int
    absent: int
    leftover: int
    outside: int


class FinnSlates:
    """The data set, mapped into memory.

    Args:
        path: The folder.
        cache: Where compressed arrays are unpacked to, 4.6 GB for the real file; by default
            ``unpacked`` in the folder.

    Attributes:
        num_users: N.
        steps: T.
        slots: S, "nothing" included.
        groups: Category of each item, ``(I,)``.

    Raises:
        UserError: A file or array is missing, or the shapes do not fit together.
    """

    def __init__(self, path: str | Path, cache: str | Path | None = None) -> None:
        folder = Path(path)
        cache = folder / "unpacked" if cache is None else Path(cache)
        data, items = folder / "data.npz", folder / "itemattr.npz"
        for file in (data, items):
            if not file.is_file():
                raise UserError(f"{file} does not exist. {_GET}")
        arrays = {key: mapped(data, names, cache) for key, names in _NAMES.items()}
        slate = arrays["slate"]
        if slate.ndim != 3:
            raise UserError(f"{data}: slate must be (users, steps, slots), it is {slate.shape}.")
        for key, array in arrays.items():
            if key != "slate" and array.shape != slate.shape[:2]:
                raise UserError(
                    f"{data}: {_NAMES[key][0]} must be {slate.shape[:2]} like slate, it is "
                    f"{array.shape}."
                )
        self._arrays, self._file = arrays, data
        self.num_users, self.steps, self.slots = (int(size) for size in slate.shape)
        category = np.asarray(mapped(items, ("category",), cache))
        if category.ndim != 1 or len(category) <= FIRST_ITEM:
            raise UserError(f"{items}: category must list 3 special ids and then the items.")
        groups = category[FIRST_ITEM:].astype(np.int64)
        # The first three categories are those of the special ids.
        self.groups: Ints = groups - (FIRST_ITEM if groups.min() >= FIRST_ITEM else 0)

    @property
    def num_items(self) -> int:
        """I, special ids left out."""
        return len(self.groups)

    @cached_property
    def problem(self) -> Problem:
        """The public facts."""
        return Problem(
            num_items=self.num_items,
            slate_size=self.slots - 1,
            num_candidates=self.num_items,
            user_feature_dim=0,
            item_features=np.zeros((self.num_items, 0), dtype=np.float32),
            item_groups=self.groups,
            rewards={"click": 1.0},
        )

    def read(self, users: slice | Ints) -> FinnBlock:
        """Read some users; nothing else is touched.

        Args:
            users: Rows of the arrays; sorted ones are read fastest.
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
        """Count where the rules of the layout are broken, reading ``users`` at a time.

        The real file breaks them: in 0.4 % of the clicks the item is not in the slate.
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
            foreign = ((slate < 0) | (slate >= largest)).any(axis=2)
            counts += [
                real.sum(),
                (real & (slate[:, :, 0] != NOTHING)).sum(),
                (real & (at_slot != click)).sum(),
                (~real & ((slate != PAD).any(axis=2) | (raw["length"] != 0))).sum(),
                (foreign | (click < 0) | (click >= largest) | ~inside).sum(),
            ]
        return FinnFaults(*(int(count) for count in counts))

    def to_log(self, users: slice | Ints, kind: str = "all") -> SlateLog:
        """Return usable steps of some users as a log; user u of it is the u-th of them.

        Args:
            users: Rows of the arrays.
            kind: ``search`` or ``recommendation`` slates only, or ``all``.
        """
        block = self.read(users)
        kept = block.usable if kind == "all" else block.usable & (block.kind == KINDS[kind])
        user, step = np.nonzero(kept)
        slate, choice = block.items[user, step], block.choice[user, step]  # (M, K), (M,)
        clicks = (np.arange(1, self.slots) == choice[:, None]).astype(np.int8)
        zeros = np.zeros(len(user), dtype=np.int64)
        return SlateLog(
            problem=self.problem,
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
    """Whose later steps are held out.

    Attributes:
        valid: Users for validation, sorted, ``(V,)``.
        test: Users for testing, sorted, ``(W,)``.
        step: Their steps from here on are held out; those before are trained on.
    """

    valid: Ints
    test: Ints
    step: int = 5

    def training(self, users: Ints, steps: int) -> Bools:
        """Return whether each step of some users may be trained on, ``(n, T)``."""
        held_out = np.isin(users, self.valid) | np.isin(users, self.test)
        return ~held_out[:, None] | (np.arange(steps) < self.step)


def split_users(
    num_users: int, *, valid: float = 0.05, test: float = 0.05, step: int = 5, seed: int = 0
) -> FinnSplit:
    """Split users as the authors do: the same seed gives the same people.

    Args:
        num_users: N.
        valid: Share of users for validation.
        test: Share of users for testing.
        step: First step that is held out.
        seed: Of torch's generator.
    """
    import torch  # the permutation is torch's

    order = torch.randperm(num_users, generator=torch.Generator().manual_seed(seed)).numpy()
    first, second = int(valid * num_users), int(test * num_users)
    return FinnSplit(np.sort(order[:first]), np.sort(order[first : first + second]), step)


class FinnReader(Reader):
    """The FINN.no slates, or some of their users, as a log in memory.

    Attributes:
        path: The folder that holds ``data.npz`` and ``itemattr.npz``.
        users: How many users are read, from the first on; None for all, which takes some 10 GB.
        kind: ``search`` or ``recommendation`` slates only, or ``all``.
        cache: Where compressed arrays are unpacked to; see `FinnSlates`.
    """

    path: Path
    users: PositiveInt | None = Field(default=100_000)
    kind: Literal["all", "search", "recommendation"] = "all"
    cache: Path | None = None

    def read(self) -> SlateLog:
        """Read the log and check it."""
        slates = FinnSlates(self.path, self.cache)
        return slates.to_log(slice(0, self.users), self.kind).validate()
