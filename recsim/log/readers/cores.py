"""The part of a log whose users and items all have enough events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.arrays import Bools, Ints
from recsim.errors import LogError

# A user with fewer events has none to learn from beside one to validate on and one to test on.
FEWEST_EVENTS = 3


@dataclass(frozen=True, eq=False)
class Core:
    """The events that are kept, with users and items numbered anew.

    Attributes:
        rows: Which events, ``(n,)``.
        user: Their users, ``(n,)``, 0 ... U-1.
        item: Their items, ``(n,)``, 0 ... I-1.
        users: Former number of each user, ascending, ``(U,)``.
        items: Former number of each item, ascending, ``(I,)``.
    """

    rows: Ints
    user: Ints
    item: Ints
    users: Ints
    items: Ints


def core(
    user: Ints, item: Ints, least: int | None, *, duplicate: Bools | None = None
) -> tuple[Core, dict[str, int]]:
    """Drop duplicates, rare items and users, and users with fewer than three events.

    Args:
        user: User of each event, ``(N,)``.
        item: Its item, ``(N,)``.
        least: k of the k-core: items with fewer events are dropped, then users, and so on until all
            that are left have k; None drops no item.
        duplicate: Which events repeat an earlier one, ``(N,)``.

    Returns:
        What is left, and the counts: ``events``, ``users`` and ``items`` before and after
        (``left``), and how many events were dropped why.

    Raises:
        LogError: If no event is left.
    """
    kept = np.ones(len(user), dtype=np.bool_) if duplicate is None else ~duplicate
    duplicates = int((~kept).sum())
    before = int(kept.sum())
    if least is not None:
        kept = in_core(user, item, kept, least)
    of_core = int(kept.sum())
    kept &= np.bincount(user[kept], minlength=int(user.max()) + 1)[user] >= FEWEST_EVENTS
    rows = np.flatnonzero(kept)
    if not len(rows):
        rule = "there are no users with 3 events."
        if least:
            rule = f"there are no users and items with {least} events or more. Use a lower k_core."
        raise LogError(f"no event is left: {rule}")
    users, new_user = np.unique(user[rows], return_inverse=True)
    items, new_item = np.unique(item[rows], return_inverse=True)
    counts = {
        "events": len(user),
        "users": len(np.unique(user)),
        "items": len(np.unique(item)),
        "duplicates": duplicates,
        **({} if least is None else {f"events outside the {least}-core": before - of_core}),
        "events of users with fewer than 3": of_core - len(rows),
        "events left": len(rows),
        "users left": len(users),
        "items left": len(items),
    }
    return Core(rows, new_user.astype(np.int64), new_item.astype(np.int64), users, items), counts


def in_core(user: Ints, item: Ints, kept: Bools, least: int) -> Bools:
    """Return which events are in the k-core, ``(N,)``.

    Args:
        user: User of each event, ``(N,)``.
        item: Its item, ``(N,)``.
        kept: Events to begin with, ``(N,)``.
        least: k.
    """
    while True:
        count = int(kept.sum())
        for of in (item, user):
            frequent = np.bincount(of[kept], minlength=int(of.max(initial=0)) + 1) >= least
            kept = kept & frequent[of]
        if int(kept.sum()) == count:
            return kept
