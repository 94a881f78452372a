"""Ways to damage a file: bytes, text, and the values of a tree.

Every mutator draws from a generator and returns what it did, in words.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Rng = np.random.Generator

# What people and programs write where a number or a name should be.
HOSTILE: Sequence[str] = (
    "",
    " ",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0",
    "1.5",
    "1e18",
    "9" * 30,
    "9" * 5_000,
    "-9223372036854775809",
    "0x10",
    "1_000",
    "1,5",
    "true",
    "null",
    "~",
    "???",
    "${x}",
    "${oc.env:HOME}",
    "[v2]",
    "[/b]",
    "[red]x[/red]",
    "{",
    "[1, 2",
    "{broken",
    "é" * 3,
    "\u202e",
    "\ud7ff",
    "\x00",
    "\x1b[31m",
    "'",
    '"',
    "a\tb",
    "a\nb",
    "x" * 13_000,
    "../../x",
    "/dev/null",
    "%s%n",
    "=1+1",
    "<b>",
    "-",
)
VALUES: Sequence[Any] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**30,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "1",
    "random",
    "x" * 13_000,
    [],
    [1],
    [[]],
    [None],
    {},
    {"x": 1},
    {"": ""},
    [1, "a"],
    {"a": {"b": {"c": 1}}},
)


def pick(rng: Rng, options: Sequence[Any]) -> Any:
    """Return one of the options."""
    return options[int(rng.integers(len(options)))]


def files_in(folder: Path) -> list[Path]:
    """Return the files below a folder in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def damage_file(path: Path, rng: Rng) -> str:
    """Damage the bytes of a file, or the file as such."""
    return f"{path.name}: {pick(rng, FILE_MUTATORS)(path, rng)}"


def flip_byte(path: Path, rng: Rng) -> str:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    if not data:
        return append(path, rng)
    at = int(rng.integers(len(data)))
    data[at] ^= int(rng.integers(1, 256))
    path.write_bytes(data)
    return f"byte {at} changed"


def flip_bytes(path: Path, rng: Rng) -> str:
    """Change several bytes at once."""
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
    if not len(data):
        return append(path, rng)
    at = rng.integers(len(data), size=int(rng.integers(2, 50)))
    data[at] = rng.integers(256, size=len(at))
    path.write_bytes(data.tobytes())
    return f"{len(at)} bytes changed"


def truncate(path: Path, rng: Rng) -> str:
    """Cut a file off."""
    data = path.read_bytes()
    kept = int(rng.integers(len(data) + 1))
    path.write_bytes(data[:kept])
    return f"cut off after {kept} of {len(data)} bytes"


def append(path: Path, rng: Rng) -> str:
    """Add bytes at the end."""
    more = rng.integers(256, size=int(rng.integers(1, 100)), dtype=np.uint8).tobytes()
    path.write_bytes(path.read_bytes() + more)
    return f"{len(more)} bytes added"


def insert(path: Path, rng: Rng) -> str:
    """Put bytes somewhere inside."""
    data = path.read_bytes()
    at = int(rng.integers(len(data) + 1))
    more = rng.integers(256, size=int(rng.integers(1, 20)), dtype=np.uint8).tobytes()
    path.write_bytes(data[:at] + more + data[at:])
    return f"{len(more)} bytes inserted at {at}"


def remove_part(path: Path, rng: Rng) -> str:
    """Take bytes out of the middle."""
    data = path.read_bytes()
    at, stop = np.sort(rng.integers(len(data) + 1, size=2))
    path.write_bytes(data[:at] + data[stop:])
    return f"bytes {at} to {stop} removed"


def repeat_part(path: Path, rng: Rng) -> str:
    """Write a part twice."""
    data = path.read_bytes()
    at, stop = np.sort(rng.integers(len(data) + 1, size=2))
    path.write_bytes(data[:stop] + data[at:])
    return f"bytes {at} to {stop} repeated"


def empty(path: Path, rng: Rng) -> str:
    """Leave nothing of the content."""
    path.write_bytes(b"")
    return "emptied"


def remove(path: Path, rng: Rng) -> str:
    """Remove the file."""
    path.unlink()
    return "removed"


def make_folder(path: Path, rng: Rng) -> str:
    """Put a folder in the place of the file."""
    path.unlink()
    path.mkdir()
    return "a folder in its place"


def replace_content(path: Path, rng: Rng) -> str:
    """Write something else entirely."""
    options = (
        b"{broken",
        b"{}",
        b"[]",
        b"null",
        b"\x00" * 100,
        b"PK\x03\x04" + b"\x00" * 50,
        b"PAR1",
        b"\x80\x02}q\x00.",
        b"\xff\xfe" + b"a\x00" * 20,
        b"\x1f\x8b\x08\x00",
        b"\n" * 1000,
    )
    content = pick(rng, options)
    path.write_bytes(content)
    return f"replaced by {content[:20]!r}"


FILE_MUTATORS: Sequence[Callable[[Path, Rng], str]] = (
    flip_byte,
    flip_byte,
    flip_bytes,
    truncate,
    append,
    insert,
    remove_part,
    repeat_part,
    empty,
    remove,
    make_folder,
    replace_content,
)


def damage_text(path: Path, rng: Rng) -> str:
    """Damage a text file: lines, cells and words."""
    return f"{path.name}: {pick(rng, TEXT_MUTATORS)(path, rng)}"


def replace_cell(path: Path, rng: Rng, separator: str = ",") -> str:
    """Put something hostile in place of a cell."""
    lines = _lines(path)
    at = int(rng.integers(len(lines)))
    cells = lines[at].split(separator)
    column = int(rng.integers(len(cells)))
    cells[column] = pick(rng, HOSTILE)
    lines[at] = separator.join(cells)
    _write(path, lines)
    return f"line {at + 1}, cell {column + 1}: {cells[column][:30]!r}"


def replace_word(path: Path, rng: Rng) -> str:
    """Put something hostile in place of a word."""
    lines = _lines(path)
    at = int(rng.integers(len(lines)))
    words = lines[at].split(" ")
    column = int(rng.integers(len(words)))
    words[column] = pick(rng, HOSTILE)
    lines[at] = " ".join(words)
    _write(path, lines)
    return f"line {at + 1}, word {column + 1}: {words[column][:30]!r}"


def repeat_line(path: Path, rng: Rng) -> str:
    """Write a line twice."""
    lines = _lines(path)
    at = int(rng.integers(len(lines)))
    _write(path, [*lines[: at + 1], *lines[at:]])
    return f"line {at + 1} twice"


def drop_line(path: Path, rng: Rng) -> str:
    """Leave a line out."""
    lines = _lines(path)
    at = int(rng.integers(len(lines)))
    _write(path, lines[:at] + lines[at + 1 :])
    return f"line {at + 1} dropped"


def swap_lines(path: Path, rng: Rng) -> str:
    """Exchange two lines."""
    lines = _lines(path)
    one, other = rng.integers(len(lines), size=2)
    lines[one], lines[other] = lines[other], lines[one]
    _write(path, lines)
    return f"lines {one + 1} and {other + 1} exchanged"


def add_cell(path: Path, rng: Rng) -> str:
    """Give a line a cell too many."""
    lines = _lines(path)
    at = int(rng.integers(len(lines)))
    lines[at] += f",{pick(rng, HOSTILE)}"
    _write(path, lines)
    return f"line {at + 1}: a cell more"


def drop_cell(path: Path, rng: Rng) -> str:
    """Give a line a cell too few."""
    lines = _lines(path)
    at = int(rng.integers(len(lines)))
    lines[at] = lines[at].rpartition(",")[0]
    _write(path, lines)
    return f"line {at + 1}: a cell less"


TEXT_MUTATORS: Sequence[Callable[[Path, Rng], str]] = (
    replace_cell,
    replace_cell,
    replace_cell,
    replace_word,
    repeat_line,
    drop_line,
    swap_lines,
    add_cell,
    drop_cell,
)


def damage_tree(tree: Any, rng: Rng) -> tuple[Any, str]:
    """Return a tree of mappings and lists with one entry changed, and what was changed."""
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    if not places:
        return pick(rng, VALUES), "replaced"
    holder, key, where = pick(rng, places)
    what = pick(rng, ("replace", "replace", "replace", "remove", "rename", "repeat"))
    if what == "remove":
        del holder[key]
    elif what == "rename" and isinstance(holder, dict):
        holder[f"{key}{pick(rng, HOSTILE)[:20]}"] = holder.pop(key)
    elif what == "repeat" and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        what = "replace"
        holder[key] = pick(rng, (*VALUES, *HOSTILE))
        return tree, f"{where} replaced by {str(holder[key])[:30]!r}"
    return tree, f"{where}: {what}"


def _places(tree: Any, where: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Yield every entry of a tree: what holds it, its key, and its path."""
    if isinstance(tree, dict):
        entries: Any = list(tree.items())
    elif isinstance(tree, list):
        entries = list(enumerate(tree))
    else:
        return
    for key, value in entries:
        path = f"{where}.{key}" if where else str(key)
        yield tree, key, path
        yield from _places(value, path)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
