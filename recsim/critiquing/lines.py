"""Reader of reviews that are lists of aspects, in the layout of the data of The FacT.

Reference: Tao et al., "The FacT: Taming Latent Factor Models for Explainability with Factorization
Trees", SIGIR 2019, arXiv:1906.02037.

One review a line, without a header: ``user,item,rating,aspect sentiment aspect sentiment ...``.
Users, items and aspects are whole numbers from 0 on and may have gaps; sentiments are 1 and -1. An
aspect may stand there repeatedly, and a review may mention none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsim.conversation.attributes import PARTS
from recsim.conversation.files import json_object, names_of
from recsim.critiquing.opinions import Opinions
from recsim.errors import UserError
from recsim.log.readers.columns import Columns, Kind, read_columns

Ints = NDArray[np.int64]

_KINDS: dict[str, Kind] = {"user": "int", "item": "int", "rating": "float", "aspects": "text"}
# Beside the published files lie test_train.txt and test_test.txt, toys of a few lines.
_TOY = "test"


def read_lines(
    path: str | Path, *, files: Sequence[str] | None = None, positive_only: bool = False
) -> Opinions:
    """Read one file, or files of a folder as if they were one.

    Args:
        path: The file or the folder. Beside the reviews may lie ``aspect_names.json`` and
            ``item_names.json``, which map ids to names.
        files: Files of the folder, in the order in which they are read. By default
            ``NAME_train.txt``, ``NAME_valid.txt`` and ``NAME_test.txt``, as many of them as there
            are; NAME may not be ``test``.
        positive_only: Whether a mention needs sentiment 1; else either sentiment is one.

    Raises:
        UserError: A file is missing or malformed; with file, line and column.
    """
    path = Path(path)
    tables = [read_columns(file, _KINDS, header=list(_KINDS)) for file in _chosen(path, files)]
    for table in tables:
        for column in ("user", "item"):
            table.refuse(table[column] < 0, column, "is no id; ids are whole numbers from 0 on")
    starts = np.cumsum([0, *(table.length for table in tables)])
    found = [_mentions(table) for table in tables]
    review = np.concatenate(
        [start + row for start, (row, _, _) in zip(starts[:-1], found, strict=True)]
    )
    ids, aspect = np.unique(np.concatenate([of for _, of, _ in found]), return_inverse=True)
    sentiment = np.concatenate([said for _, _, said in found])
    counted = sentiment > 0 if positive_only else np.ones(len(sentiment), dtype=np.bool_)
    aspects = np.zeros((starts[-1], len(ids)), dtype=np.bool_)
    aspects[review[counted], aspect[counted]] = True
    folder = path if path.is_dir() else path.parent
    return Opinions(
        user=np.concatenate([table["user"] for table in tables]),
        item=np.concatenate([table["item"] for table in tables]),
        rating=np.concatenate([table["rating"] for table in tables]),
        aspects=aspects,
        aspect_names=names_of(ids, json_object(folder / "aspect_names.json", optional=True)),
        item_names=json_object(folder / "item_names.json", optional=True),
        source=str(path),
    )


def part_files(folder: Path) -> dict[str, list[str]]:
    """Return the files ``NAME_train.txt``, ``NAME_valid.txt``, ``NAME_test.txt`` by NAME."""
    there: dict[str, list[str]] = {}
    for part in PARTS:
        for file in sorted(folder.glob(f"*_{part}.txt")):
            name = file.name.removesuffix(f"_{part}.txt")
            if name != _TOY:
                there.setdefault(name, []).append(file.name)
    return there


def _chosen(path: Path, files: Sequence[str] | None) -> list[Path]:
    if not path.is_dir():
        if files is not None:
            raise UserError(f"{path} is no folder; 'files' are files of a folder.")
        return [path]
    if files is None:
        there = part_files(path)
        if len(there) != 1:
            what = f"those of {', '.join(there)}" if there else "none"
            raise UserError(
                f"{path} must hold files NAME_train.txt and NAME_test.txt of one NAME; there are "
                f"{what}. Say which to read: files=[...]."
            )
        (files,) = there.values()
    if not files:
        raise UserError("'files' is empty; name one at least.")
    return [path / file for file in files]


def _mentions(table: Columns) -> tuple[Ints, Ints, Ints]:
    """Return review, aspect and sentiment of every mention, ``(N,)`` each."""
    words = [text.split() for text in table["aspects"].tolist()]
    lengths = np.array([len(of_review) for of_review in words])
    table.refuse(
        lengths % 2 == 1, "aspects", "must be pairs of an aspect and its sentiment, e.g. '3 1 7 -1'"
    )
    try:
        numbers = pa.array(chain.from_iterable(words), pa.string()).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        for place, of_review in enumerate(words):
            for word in of_review:
                if not re.fullmatch(r"-?[0-9]{1,18}", word):
                    table.fail(place, "aspects", f"{word!r} is no whole number", show=False)
        raise
    review = np.repeat(np.arange(table.length), lengths // 2)
    aspect, sentiment = numbers[::2], numbers[1::2]
    for wrong, values, message in (
        (aspect < 0, aspect, "is no aspect; aspects are whole numbers from 0 on"),
        (np.abs(sentiment) != 1, sentiment, "is no sentiment; it must be 1 or -1"),
    ):
        if wrong.any():
            first = int(np.argmax(wrong))
            table.fail(int(review[first]), "aspects", f"{values[first]} {message}", show=False)
    return review, aspect, sentiment
