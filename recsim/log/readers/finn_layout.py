"""Any log as files in the layout of the FINN.no slates; see `recsim.log.readers.finn`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from recsim.errors import LogError
from recsim.log import encode
from recsim.log.readers.finn import FIRST_ITEM, KINDS, NOTHING
from recsim.log.slate_log import SlateLog

_SPECIAL = ("PAD", "noClick", "UNK")


def write_finn(folder: str | Path, log: SlateLog, *, compress: bool = False) -> Path:
    """Write ``data.npz``, ``itemattr.npz`` and ``ind2val.json``.

    The users are those with a row in the log, in the order of their ids; their steps are in the
    order of the log, and short sequences are padded. All slates count as recommendations.

    Args:
        folder: Folder to write to; created if it does not exist.
        log: Slates with at most one click.
        compress: Whether to compress the arrays; uncompressed ones can be mapped in place.

    Returns:
        The folder.

    Raises:
        LogError: If a slate has several clicks, which the layout cannot hold.
    """
    several = log.clicks.sum(axis=1) > 1
    if several.any():
        row = int(np.argmax(several))
        raise LogError(
            f"Row {row}: {int(log.clicks[row].sum())} clicks on one slate; the layout of the "
            "FINN.no slates holds at most one."
        )
    user = np.unique_inverse(log.user).inverse_indices
    step = encode.rank_within(user)
    size = (int(user.max(initial=-1)) + 1, int(step.max(initial=-1)) + 1)
    slate = np.zeros((*size, log.slate.shape[1] + 1), dtype=np.int32)
    click, slot, length, kind = (np.zeros(size, dtype=np.int32) for _ in range(4))
    slate[user, step, 0] = NOTHING
    slate[user, step, 1:] = np.where(log.slate >= 0, log.slate + FIRST_ITEM, 0)
    place = np.where(log.clicks.sum(axis=1) > 0, np.argmax(log.clicks, axis=1) + 1, 0)
    slot[user, step] = place
    click[user, step] = slate[user, step, place]
    length[user, step] = 1 + (log.slate >= 0).sum(axis=1)
    kind[user, step] = KINDS["recommendation"]

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    save = np.savez_compressed if compress else np.savez
    save(
        target / "data.npz",
        userId=np.arange(size[0], dtype=np.int32),
        slate=slate,
        click=click,
        click_idx=slot,
        slate_lengths=length,
        interaction_type=kind,
    )
    groups = log.problem.item_groups + FIRST_ITEM
    category = np.concatenate([np.arange(FIRST_ITEM), groups]).astype(np.float64)
    save(target / "itemattr.npz", category=category)
    names = [*_SPECIAL, *(f"group {group}" for group in range(int(groups.max()) - 2))]
    names_of_values = {
        "category": dict(enumerate(names)),
        "interaction_type": {0: "UNK", 1: "search", 2: "rec"},
    }
    (target / "ind2val.json").write_text(json.dumps(names_of_values), encoding="utf-8")
    return target
