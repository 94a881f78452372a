"""The names of items or users: their ids in the user's own world, and the numbers 0 ... n-1.

Inside SlateRec items and users are numbers from 0, which index arrays. Names are what files, tables
and people call them: all text (``"B0042"``, ``"007"``) or all whole numbers (``31``). The number 7
and the text ``"7"`` are never taken for each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Ints
from recsim.errors import UserError, nearest

if TYPE_CHECKING:
    import pandas as pd

Name: TypeAlias = str | int

# Names that are compared with an unknown one for a suggestion, and names given as examples.
_COMPARED, _EXAMPLES = 20_000, 3


class Names:
    """Distinct names of n items or users; the name of number i is ``names[i]``. Immutable.

    Args:
        values: n names, all text or all whole numbers: a list, an array or a pandas column.
        of: What they name in messages, ``item`` or ``user``.

    Raises:
        UserError: If a name is missing, empty, repeated, or neither text nor a whole number of 64
            bits, or some are text and others numbers; the message says which.
    """

    def __init__(self, values: Any, of: str = "item") -> None:
        self.of = of
        checked = _checked(values, of)
        checked.setflags(write=False)
        self.values: NDArray[Any] = checked  # (n,) int64, or object for text
        repeated = self._index.duplicated() if len(checked) else np.zeros(0, dtype=np.bool_)
        _refuse(repeated, checked, of, "is there twice: names must be distinct")

    @property
    def is_text(self) -> bool:
        """Whether names are text; else they are whole numbers."""
        return self.values.dtype == object

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, number: int) -> Name:
        name: Name = self.values[number] if self.is_text else int(self.values[number])
        return name

    def __iter__(self) -> Iterator[Name]:
        return iter(self.values.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Names):
            return NotImplemented
        if self is other:
            return True
        return self.is_text == other.is_text and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Names of {len(self):,} {self.of}s{self._examples()}>"

    def plain(self) -> Any:
        """Return a list of text, or an array of whole numbers, of which ``Names(plain)`` is made.

        These are what `recsim.files.save_state` can save.
        """
        return self.values.tolist() if self.is_text else self.values.copy()

    def take(self, numbers: Any) -> Names:
        """Return the names of some numbers, a new numbering, in this order.

        Args:
            numbers: Distinct numbers ``(m,)``, or a mask or slice.
        """
        return Names(self.values[numbers], self.of)

    def at(self, numbers: Ints) -> NDArray[Any]:
        """Return names in place of numbers, in the same shape; None in place of -1 (padding).

        Args:
            numbers: Numbers of any shape.
        """
        named = np.empty(np.shape(numbers), dtype=object)
        there = np.asarray(numbers) >= 0
        named[there] = self.values[np.asarray(numbers)[there]]
        return named

    def numbers(
        self, names: Any, *, unknown: Literal["error", "ignore"] = "error", where: str = ""
    ) -> Ints:
        """Return numbers in place of names, in the same shape.

        Args:
            names: Names: one, or an array, list or pandas column of any shape.
            unknown: ``error``, or ``ignore`` to give unknown names the number -1. A name of another
                type, such as ``"7"`` where names are whole numbers, is unknown.
            where: Put in front of the message, such as the name of an argument.

        Raises:
            UserError: If a name is unknown; the message gives the nearest known one.
        """
        wanted = np.asarray(names, dtype=None if hasattr(names, "dtype") else object)
        if wanted.dtype.kind not in "iu":
            wanted = wanted.astype(object)
        flat = wanted.reshape(-1)
        found = self._find(_comparable(flat, self.is_text))
        if unknown == "error" and (found < 0).any():
            prefix = f"{where}: " if where else ""
            raise UserError(prefix + self._unknown(flat[int(np.argmax(found < 0))]))
        return found.reshape(wanted.shape)

    @cached_property
    def _index(self) -> pd.Index:
        import pandas as pd

        index: pd.Index = pd.Index(self.values, dtype=self.values.dtype)
        return index

    def _find(self, values: NDArray[Any]) -> Ints:
        """Return the number of each value, -1 where it is not a name."""
        import pandas as pd

        found: Ints = self._index.get_indexer(pd.Index(values, dtype=values.dtype))
        return found.astype(np.int64)

    def _unknown(self, name: Any) -> str:
        """Return a message about a name that is not there."""
        shown = name.item() if isinstance(name, np.generic) else name
        other = _other_type(shown, self.is_text)
        if other is not None and self._find(np.array([other], dtype=object))[0] >= 0:
            what = "text" if self.is_text else "whole numbers"
            return f"there is no {self.of} {shown!r}: names are {what}. Did you mean {other!r}?"
        near = self._near(str(shown)) if isinstance(shown, str) or _is_whole(shown) else ""
        if not near:
            near = f" There are {len(self):,} {self.of}s{self._examples()}."
        return f"there is no {self.of} {shown!r}.{near}"

    def _near(self, name: str) -> str:
        """Return a suggestion for unknown text: another spelling of a name, or the nearest one."""
        names = self.values.tolist() if self.is_text else []
        same = [known for known in names if _spelling(known) == _spelling(name)]
        if same:
            return f" Did you mean {same[0]!r}?"
        if len(names) > _COMPARED:  # not all of a large table
            names = [known for known in names if known[:1] == name[:1]][:_COMPARED]
        return nearest(name, names)

    def _examples(self) -> str:
        few = ", ".join(map(repr, self.values[:_EXAMPLES].tolist()))
        return f", such as {few}" if few else ""


def differing(first: Names | None, other: Names | None) -> str:
    """Return how the names of two tables differ, of as many items or users; empty if one has none.

    Args:
        first: Names.
        other: Names that should be the same.
    """
    if first is None or other is None or first == other:
        return ""
    if len(first) != len(other):
        return f"there are {len(first)} and {len(other)} {first.of}s"
    # Names of the other type differ even if they look the same.
    same = first.values == other.values if first.is_text == other.is_text else np.zeros(1, np.bool_)
    place = int(np.argmin(same))
    return f"{first.of} {place} is {first[place]!r} in one and {other[place]!r} in the other"


def joined(several: Sequence[Names]) -> tuple[Names, list[Ints]]:
    """Return all names of several tables, those of the first in front, and their numbers there.

    Args:
        several: At least one; all text or all whole numbers.

    Returns:
        The names, and for each table the number of each of its names.

    Raises:
        UserError: If some are text and others whole numbers.
    """
    import pandas as pd

    first = several[0]
    if any(names.is_text != first.is_text for names in several):
        raise UserError(f"names of {first.of}s are text in one table and numbers in another.")
    if all(names == first for names in several[1:]):
        return first, [np.arange(len(first)) for _ in several]
    together = Names(pd.unique(np.concatenate([names.values for names in several])), first.of)
    return together, [together.numbers(names.values) for names in several]


def _checked(values: Any, of: str) -> NDArray[Any]:
    """Return names as an array, ``(n,)``: int64, or object for text."""
    if isinstance(values, str | bytes):
        raise UserError(f"names of {of}s must be a list or an array, not the text {values!r}.")
    array = np.asarray(values) if hasattr(values, "dtype") else np.array(list(values), dtype=object)
    if array.dtype.kind not in "iu":
        array = array.astype(object)  # numpy's and pandas' own types of text
    if array.ndim != 1:
        raise UserError(f"names of {of}s must be one list, not {array.ndim} dimensions.")
    if array.dtype != object:
        _refuse(array > np.iinfo(np.int64).max, array, of, "exceeds 64 bits: write it as text")
        return np.array(array, dtype=np.int64)
    text = np.fromiter((isinstance(name, str) for name in array), np.bool_, len(array))
    whole = np.fromiter((_is_whole(name) for name in array), np.bool_, len(array))
    _refuse(~(text | whole), array, of, "is neither text nor a whole number")
    if text.any() and whole.any():
        odd, what = (whole, "a number") if text[0] else (text, "text")
        _refuse(odd, array, of, f"is {what}, and the first name is not")
    if not text.any():
        wide = np.fromiter((not -(2**63) <= int(name) < 2**63 for name in array), np.bool_)
        _refuse(wide, array, of, "exceeds 64 bits: write it as text")
        return array.astype(np.int64)
    _refuse(array == "", array, of, "is empty")
    _refuse(_not_unicode(array), array, of, "cannot be written as UTF-8")
    plain = np.empty(len(array), dtype=object)  # str and nothing that inherits from it
    plain[:] = [str(name) for name in array]
    return plain


def _spelling(name: str) -> str:
    """Return what names have in common that differ in case, spaces or leading zeros only."""
    return name.strip().casefold().lstrip("0")


def _is_whole(name: Any) -> bool:
    return isinstance(name, int | np.integer) and not isinstance(name, bool | np.bool_)


def _not_unicode(array: NDArray[Any]) -> Bools:
    try:
        "".join(array.tolist()).encode("utf-8")
        return np.zeros(len(array), dtype=np.bool_)
    except UnicodeEncodeError:  # lone surrogates
        return np.array([name != name.encode("utf-8", "ignore").decode() for name in array])


def _comparable(flat: NDArray[Any], text: bool) -> NDArray[Any]:
    """Return names to look up; those of another type than the table's become None.

    Python takes 1, 1.0 and True for the same key.
    """
    if flat.dtype != object:  # whole numbers
        return np.full(len(flat), None, dtype=object) if text else flat
    right = [isinstance(name, str) if text else _is_whole(name) for name in flat.tolist()]
    comparable = flat.copy()
    comparable[~np.array(right, dtype=np.bool_)] = None
    return comparable


def _other_type(name: Any, text: bool) -> Name | None:
    """Return a name as text, or as a number if it reads as one and text is not wanted."""
    if text:
        return str(name) if _is_whole(name) else None
    if isinstance(name, str) and re.fullmatch(r"\s*-?[0-9]+\s*", name):
        return int(name)
    return int(name) if isinstance(name, float) and name.is_integer() else None


def _refuse(wrong: Any, array: NDArray[Any], of: str, message: str) -> None:
    wrong = np.asarray(wrong, dtype=np.bool_)
    if wrong.any():
        place = int(np.argmax(wrong))
        value = array[place]
        shown = value.item() if isinstance(value, np.generic) else value
        raise UserError(f"name of {of} {place}: {shown!r} {message}.")
