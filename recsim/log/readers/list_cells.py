"""Lists in the cells of a CSV file: ``3|5|7``, or as Python, numpy and JSON print them."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsim.log.readers.cells import NO_VALUE, CellError

# Cells that may be printed lists; all others are split at the separator.
_PRINTED = r"^\s*(\[|\(|\{|[a-zA-Z_.]+\(\[)"
# Words and numbers between square brackets, separated by commas: the common case, read in bulk.
_SIMPLE = r"^\s*\[\s*([^\s\[\](){}'\",]+\s*(,\s*[^\s\[\](){}'\",]+\s*)*)?\]\s*$"
# Numbers with another separator than the declared one.
_OTHER_SEPARATOR = r"^\s*[+-]?[\d.]+(\s*[,;| \t/]\s*[+-]?[\d.]+)+\s*$"
_SCALAR = re.compile(r"\bnp\.\w+\(([^()]*)\)")
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
_HIDDEN = re.compile(r"\x00(\d+)\x00")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|True|False")
_MISSING = (*NO_VALUE, "")


def split_cells(column: pa.ChunkedArray, separator: str) -> pa.Array:
    """Return lists of text from cells, ``(N,)``.

    A cell in square brackets is a list as Python, JSON or numpy print it, and so is one in round
    brackets whose entries are numbers or in quotation marks. Others are split at the separator.

    Args:
        column: N cells of text.
        separator: Separator of the entries of cells without brackets.

    Raises:
        CellError: If a cell begins like a printed list and is none, or all cells seem to have
            another separator; says which is the first.
    """
    column = column.cast(pa.string())
    cells = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    printed = np.asarray(pc.fill_null(pc.match_substring_regex(cells, _PRINTED), False))
    if not printed.any():
        _check_separator(cells, separator)
        return _trimmed(pc.split_pattern(cells, separator))
    if np.asarray(pc.fill_null(pc.match_substring_regex(cells, _SIMPLE), False)).all():
        inside = pc.utf8_trim(cells, characters="[] \t\r\n")
        lists = _trimmed(pc.split_pattern(inside, ","))
        empty = np.asarray(pc.equal(inside, ""))
        if not empty.any():
            _check_entries(lists)
            return lists
    _check_separator(cells.filter(pa.array(~printed)), separator, np.flatnonzero(~printed))
    entries = [
        None
        if text is None
        else _entries(place, text, separator)
        if is_printed
        else [part.strip() for part in text.split(separator)]
        for place, (text, is_printed) in enumerate(
            zip(cells.to_pylist(), printed.tolist(), strict=True)
        )
    ]
    return pa.array(entries, pa.list_(pa.string()))


def looks_like_a_list(column: pa.ChunkedArray) -> np.ndarray:
    """Return which cells of a column of text are lists in square brackets, ``(N,)``."""
    return np.asarray(pc.fill_null(pc.match_substring_regex(column, r"^\s*\[.*\]\s*$"), False))


def _trimmed(lists: pa.Array) -> pa.Array:
    flat = pc.utf8_trim_whitespace(lists.flatten())
    if lists.null_count:
        return lists  # missing cells are refused by the caller
    return pa.ListArray.from_arrays(lists.offsets, flat)


def _check_entries(lists: pa.Array) -> None:
    """Refuse entries that stand for a missing value."""
    wrong = np.asarray(pc.is_in(lists.flatten(), pa.array(_MISSING)))
    if wrong.any():
        place = int(np.argmax(wrong))
        cell = int(np.searchsorted(lists.offsets.to_numpy(), place, side="right")) - 1
        raise CellError(
            cell, lists.flatten()[place].as_py(), "in the list stands for a missing value"
        )


def _check_separator(cells: pa.Array, separator: str, places: np.ndarray | None = None) -> None:
    """Refuse cells that are lists with another separator than the declared one."""
    has = np.asarray(pc.fill_null(pc.match_substring(cells, separator), False))
    other = np.asarray(pc.fill_null(pc.match_substring_regex(cells, _OTHER_SEPARATOR), False))
    wrong = other & ~has
    advice = f"is not separated by {separator!r}: set list_separator"
    if not wrong.any() and len(cells) > 1 and not has.any():
        for mark in (",", ";", "|"):
            if np.asarray(pc.fill_null(pc.match_substring(cells, mark), False)).all():
                wrong = np.ones(len(cells), dtype=np.bool_)
    if wrong.any():
        first = int(np.argmax(wrong))
        place = first if places is None else int(places[first])
        raise CellError(place, cells[first].as_py(), advice)


def _entries(place: int, text: str, separator: str) -> list[str]:
    """Return the entries of a cell that begins like a printed list."""
    cell = text.strip()
    inside = _SCALAR.sub(r"\1", cell)  # np.int64(3), as numpy 2 prints it in a list
    refused = "is not a list that can be read: write 3|5|7, or [3, 5, 7]"
    if cell[0] == "(":
        parts = _parts(inside[1:-1]) if inside.endswith(")") else None
        if parts is not None and (len(parts) > 1 or "," in cell) and all(map(_is_printed, parts)):
            return [_unquoted(part) for part in parts]
        return [part.strip() for part in text.split(separator)]  # a title such as (500) Days
    if cell[0] == "{":
        raise CellError(place, text, "is a set, which has no order: write a list")
    if cell[0] != "[" or not cell.endswith("]"):
        raise CellError(place, text, refused)
    if "..." in cell and not _QUOTED.search(cell):
        raise CellError(place, text, "is a list that numpy has shortened: write all its entries")
    parts = _parts(inside[1:-1])
    if parts is None:
        raise CellError(place, text, refused)
    for part in parts:
        if part in _MISSING:
            raise CellError(
                place, text, f"has {part!r} in the list, which stands for a missing value"
            )
    return [_unquoted(part) for part in parts]


def _parts(inside: str) -> list[str] | None:
    """Return the entries between two brackets as they are printed; None if they are no list."""
    quoted: list[str] = []

    def hide(match: re.Match[str]) -> str:
        quoted.append(match.group())
        return f"\x00{len(quoted) - 1}\x00"

    masked = _QUOTED.sub(hide, inside).strip()  # commas and spaces between quotation marks are text
    if re.search(r"[\[\](){}'\"]", masked):
        return None
    if "," in masked:
        pieces = [piece.strip() for piece in masked.split(",")]
        if pieces[-1] == "":  # (3,)
            pieces.pop()
        wrong = any(len(piece.split()) > 1 and _all_numbers(piece) for piece in pieces)  # [1 2, 3]
    else:
        pieces = masked.split()
        wrong = len(pieces) > 1 and not all(  # [new york]: one entry or two
            piece[0] == "\x00" or _NUMBER.fullmatch(piece) for piece in pieces
        )
    parts = []
    for piece in pieces:
        place = _HIDDEN.fullmatch(piece)
        if wrong or (place is None and "\x00" in piece):
            return None
        parts.append(piece if place is None else quoted[int(place.group(1))])
    return parts


def _all_numbers(text: str) -> bool:
    return all(_NUMBER.fullmatch(word) for word in text.split())


def _is_printed(part: str) -> bool:
    """Return whether an entry is a number or in quotation marks, as Python prints a tuple."""
    return bool(_NUMBER.fullmatch(part) or _QUOTED.fullmatch(part))


def _unquoted(part: str) -> str:
    if not _QUOTED.fullmatch(part):
        return part
    return re.sub(r"\\(.)", r"\1", part[1:-1]).strip()
