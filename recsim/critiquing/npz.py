"""Reviews that are already split, as arrays of one ``.npz`` file, which is read without pickle.

================  ========  =====================================================================
array             shape     content
================  ========  =====================================================================
``user``          (M,)      user of each review, 0 ... U-1
``item``          (M,)      item of each review, 0 ... I-1
``part``          (M,)      0 train, 1 valid, 2 test
``aspects``       (M, K)    which aspects each review mentions, bool (or 0 and 1)
``user_names``    (U,)      optional: text; if missing, U is the highest user + 1
``item_names``    (I,)      optional: text
``aspect_names``  (K,)      optional: text
================  ========  =====================================================================
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.conversation.interactions import PARTS
from recsim.critiquing.reviews import AspectReviews
from recsim.errors import LogError
from recsim.files import write_atomically

_COLUMNS = ("user", "item", "part", "aspects")
_NAMES = ("user_names", "item_names", "aspect_names")


def write_reviews(path: str | Path, reviews: AspectReviews) -> None:
    """Write reviews to a file that `read_npz` reads.

    Args:
        path: The file; its name should end in ``.npz``.
        reviews: The reviews.
    """
    arrays: dict[str, Any] = {name: getattr(reviews, name) for name in _COLUMNS}
    arrays |= {name: np.array(getattr(reviews, name), dtype=np.str_) for name in _NAMES}
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_atomically(Path(path), content.getvalue())


def read_npz(path: str | Path) -> AspectReviews:
    """Read a file that `write_reviews` wrote.

    Raises:
        LogError: If the file is missing or not an ``.npz`` file, or an array is missing, has the
            wrong shape or type, or holds a number out of range; the message names the array.
    """
    path = Path(path)
    arrays = _arrays(path)
    for name in _COLUMNS:
        if name not in arrays:
            raise LogError(f"{path} has no array {name!r}. It must hold {', '.join(_COLUMNS)}.")
    user, item, part, aspects = (arrays[name] for name in _COLUMNS)
    if aspects.ndim != 2 or not aspects.size or not _binary(aspects):
        raise LogError(
            f"{path}, array 'aspects': must be a table of True and False, reviews x aspects, not "
            f"{aspects.dtype} of shape {aspects.shape}."
        )
    for name in ("user", "item", "part"):
        one = arrays[name]
        if one.shape != (len(aspects),) or one.dtype.kind not in "iu":
            raise LogError(
                f"{path}, array {name!r}: must be {len(aspects)} whole numbers, one per row of "
                f"'aspects', not {one.dtype} of shape {one.shape}."
            )
    users, items = _names(path, arrays, "user", user), _names(path, arrays, "item", item)
    _check_range(path, "user", user, len(users))
    _check_range(path, "item", item, len(items))
    _check_range(path, "part", part, len(PARTS))
    names = arrays.get("aspect_names", np.arange(aspects.shape[1]))
    if names.shape != aspects.shape[1:]:
        raise LogError(
            f"{path}, array 'aspect_names': must be {aspects.shape[1]} names, one per column of "
            f"'aspects', not an array of shape {names.shape}."
        )
    return AspectReviews(
        user=user.astype(np.int64),
        item=item.astype(np.int64),
        part=part.astype(np.int8),
        aspects=aspects.astype(np.bool_),
        aspect_names=tuple(map(str, names.tolist())),
        item_names=items,
        user_names=users,
    )


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise LogError(f"{path} does not exist.")
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise LogError(f"{path} is not an .npz file of plain arrays: it is a single array.")
            known = [name for name in (*_COLUMNS, *_NAMES) if name in archive.files]
            return {name: np.atleast_1d(archive[name]) for name in known}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise LogError(f"{path} is not an .npz file of plain arrays: {error}") from error


def _binary(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "biuf" and bool(np.isin(values, (0, 1)).all())


def _names(
    path: Path, arrays: dict[str, NDArray[Any]], of: str, ids: NDArray[Any]
) -> tuple[str, ...]:
    names = arrays.get(f"{of}_names", np.arange(ids.max() + 1))
    if names.ndim != 1:
        raise LogError(f"{path}, array '{of}_names': must have one dimension, not {names.ndim}.")
    return tuple(map(str, names.tolist()))


def _check_range(path: Path, name: str, values: NDArray[Any], size: int) -> None:
    wrong = (values < 0) | (values >= size)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise LogError(
            f"{path}, array {name!r}, entry {row}: {values[row]} is not from 0 to {size - 1}."
        )
