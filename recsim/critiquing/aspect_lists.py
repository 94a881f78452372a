"""Reader of reviews given as lists of aspects, in the layout published with The FacT.

Reference: Tao et al., "The FacT: Taming Latent Factor Models for Explainability with Factorization
Trees", SIGIR 2019, arXiv:1906.02037.

One review per line, without a header: ``user,item,rating,aspect sentiment aspect sentiment ...``.
Users, items and aspects are text without commas, such as ``B0042`` or ``battery`` (an aspect has no
spaces either), or whole numbers from 0, which may have gaps; 007 is text. A sentiment is 1 or -1.
A review may mention an aspect several times, or mention none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Ints
from recsim.conversation.interactions import PARTS
from recsim.conversation.json_files import json_object, names_of
from recsim.critiquing.raw_reviews import RawReviews
from recsim.errors import LogError
from recsim.log import encode
from recsim.log.readers.columns import Columns, Kind, read_columns
from recsim.settings import one_or_more

_KINDS: dict[str, Kind] = {"user": "text", "item": "text", "rating": "float", "aspects": "text"}
_NEGATIVE = re.compile(r"-\d+")
# The published folder also has test_train.txt and test_test.txt, examples of a few lines.
_EXAMPLE = "test"


def read_aspect_lists(
    path: str | Path, *, files: str | Sequence[str] | None = None, positive_only: bool = False
) -> RawReviews:
    """Read one file, or several files of a folder as if they were one.

    Args:
        path: The file or the folder. The folder may also have ``aspect_names.json`` and
            ``item_names.json``, which map ids to names.
        files: Files of the folder, in the order in which to read them. By default those of
            ``NAME_train.txt``, ``NAME_valid.txt`` and ``NAME_test.txt`` that exist; NAME may not be
            ``test``.
        positive_only: Whether an aspect counts as mentioned only with sentiment 1; else either
            sentiment counts.

    Raises:
        LogError: If a file is missing or malformed; the message names file, line and column.
    """
    path = Path(path)
    tables = [read_columns(file, _KINDS, header=list(_KINDS)) for file in _chosen(path, files)]
    ids = {of: _ids(tables, of) for of in ("user", "item")}
    starts = np.cumsum([0, *(table.length for table in tables)])
    mentions = [_mentions(table) for table in tables]
    review = np.concatenate(
        [start + row for start, (row, _, _) in zip(starts[:-1], mentions, strict=True)]
    )
    of_mentions = encode.typed(np.concatenate([aspects for _, aspects, _ in mentions]))
    known, aspect = np.unique(of_mentions, return_inverse=True)
    sentiment = np.concatenate([values for _, _, values in mentions])
    counted = sentiment > 0 if positive_only else np.ones(len(sentiment), dtype=np.bool_)
    aspects = np.zeros((starts[-1], len(known)), dtype=np.bool_)
    aspects[review[counted], aspect[counted]] = True
    folder = path if path.is_dir() else path.parent
    return RawReviews(
        user=ids["user"],
        item=ids["item"],
        rating=np.concatenate([table["rating"] for table in tables]),
        aspects=aspects,
        aspect_names=names_of(known, json_object(folder / "aspect_names.json", optional=True)),
        item_names=json_object(folder / "item_names.json", optional=True),
        source=str(path),
    )


def part_files(folder: Path) -> dict[str, list[str]]:
    """Return the files ``NAME_train.txt``, ``NAME_valid.txt``, ``NAME_test.txt`` by NAME."""
    files: dict[str, list[str]] = {}
    for part in PARTS:
        for file in sorted(folder.glob(f"*_{part}.txt")):
            name = file.name.removesuffix(f"_{part}.txt")
            if name != _EXAMPLE:
                files.setdefault(name, []).append(file.name)
    return files


def _chosen(path: Path, files: str | Sequence[str] | None) -> list[Path]:
    if not path.is_dir():
        if files is not None:
            raise LogError(f"{path} is not a folder; 'files' are files of a folder.")
        return [path]
    if files is None:
        known = part_files(path)
        if len(known) != 1:
            what = f"those of {', '.join(known)}" if known else "none"
            raise LogError(
                f"{path} must hold files NAME_train.txt and NAME_test.txt of one NAME, but it has "
                f"{what}. Choose the files to read: files=[...]."
            )
        (files,) = known.values()
    if not files:
        raise LogError("'files' is empty; it must name at least one file.")
    return [path / file for file in one_or_more(files)]


def _ids(tables: Sequence[Columns], of: str) -> NDArray[Any]:
    """Return the user or item of every review, ``(M,)``."""
    columns = [table.ids(of) for table in tables]
    for table, column in zip(tables, columns, strict=True):
        table.refuse(column == "", of, "is not an id: the entry is missing")
        negative = [_NEGATIVE.fullmatch(text) is not None for text in column]
        table.refuse(np.array(negative), of, "is not an id: numbers are from 0")
    return encode.typed(np.concatenate(columns))


def _mentions(table: Columns) -> tuple[Ints, NDArray[Any], Ints]:
    """Return review, aspect and sentiment of every mention, ``(N,)`` each."""
    words = [text.split() for text in table["aspects"].tolist()]
    lengths = np.array([len(of_review) for of_review in words])
    table.refuse(
        lengths % 2 == 1, "aspects", "must be pairs of an aspect and its sentiment, e.g. '3 1 7 -1'"
    )
    review = np.repeat(np.arange(table.length), lengths // 2)
    flat = np.array(list(chain.from_iterable(words)), dtype=object)
    aspect, sentiment = flat[::2], flat[1::2]
    negative = np.array([_NEGATIVE.fullmatch(word) is not None for word in aspect], dtype=np.bool_)
    known = (sentiment == "1") | (sentiment == "-1")
    for wrong, values, message in (
        (negative, aspect, "is not an aspect: numbers are from 0"),
        (~known, sentiment, "is not a sentiment; it must be 1 or -1"),
    ):
        if wrong.any():
            first = int(np.argmax(wrong))
            table.fail(int(review[first]), "aspects", f"{values[first]!r} {message}", show=False)
    return review, aspect, sentiment.astype(np.int64)
