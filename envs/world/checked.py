"""What parts of other packages return, checked before a world computes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from envs.world.backend import Array, Backend, to_numpy
from envs.world.items import Items
from recsim.arrays import Floats
from recsim.errors import EnvError

# Allows for vectors of length 1 in float32.
_LONGEST = 1 + 1e-3


def called(part: Any) -> str:
    """Return what a part is called in messages."""
    return str(getattr(part, "kind", type(part).__name__))


def shaped(array: Any, shapes: Sequence[tuple[int, ...]], what: str) -> Array:
    """Return an array that has one of some shapes; -1 stands for any length.

    Raises:
        EnvError: If it has another shape, or is not an array.
    """
    found = tuple(getattr(array, "shape", ()))
    for shape in shapes:
        if len(shape) == len(found) and all(
            want in (-1, got) for want, got in zip(shape, found, strict=True)
        ):
            return array
    wanted = " or ".join(str(shape).replace("-1", "n") for shape in shapes)
    given = f"shape {found}" if hasattr(array, "shape") else type(array).__name__
    raise EnvError(f"{what} must be an array of shape {wanted}, not {given}.")


def refuse_other_items(items: Any, part: Any) -> None:
    """Refuse items that a world cannot compute with.

    Raises:
        EnvError: Names the catalogue and the field.
    """
    what = f"catalogue {called(part)!r}"
    if not isinstance(items, Items):
        raise EnvError(f"{what}: draw must return envs.world.items.Items, not {items!r}.")
    num, dim = shaped(items.embedding, [(-1, -1)], f"{what}: embedding").shape
    centres = shaped(items.centres, [(-1, dim)], f"{what}: centres")
    for name in ("quality", "bait", "minutes"):
        shaped(getattr(items, name), [(num,)], f"{what}: {name}")
    shaped(items.features, [(num, -1)], f"{what}: features")
    shaped(items.group, [(num,)], f"{what}: group")
    columns = {f"columns[{name!r}]": column for name, column in items.columns.items()}
    for name, column in columns.items():
        shaped(column, [(num,)], f"{what}: {name}")
    fields = ("embedding", "centres", "quality", "bait", "minutes", "features")
    for name, values in ({name: getattr(items, name) for name in fields} | columns).items():
        if not np.isfinite(values).all():
            raise EnvError(f"{what}: {name} holds a number that is not finite.")
    for name in ("embedding", "centres"):
        if np.linalg.norm(getattr(items, name), axis=1).max(initial=0) > _LONGEST:
            raise EnvError(f"{what}: vectors of {name} must not be longer than 1.")
    for name in ("quality", "bait"):
        values = getattr(items, name)
        if values.min() < 0 or values.max() > 1:
            raise EnvError(f"{what}: {name} must be between 0 and 1.")
    if items.minutes.min() < 0:
        raise EnvError(f"{what}: minutes must not be negative.")
    if items.group.dtype.kind not in "iu" or not 0 <= items.group.min() <= items.group.max() < len(
        centres
    ):
        raise EnvError(f"{what}: group must be whole numbers from 0 to {len(centres) - 1}.")


def feature_bounds(source: Any, dim: int, part: Any) -> Floats:
    """Return the bounds of a population's features, ``(2, F)``.

    Raises:
        EnvError: If they are none; names the population.
    """
    what = f"population {called(part)!r}: feature_bounds"
    found = np.asarray(shaped(source.feature_bounds(dim), [(2, -1)], what), dtype=np.float64)
    if not (found[0] <= found[1]).all():
        raise EnvError(f"{what} must be the lowest values, and then the highest.")
    return found


def longest_gap(part: Any) -> int:
    """Return the days that no gap of a retention part exceeds.

    Raises:
        EnvError: If it is not a whole number of days.
    """
    days = part.longest_gap()
    if isinstance(days, bool) or not isinstance(days, int | np.integer) or days < 1:
        raise EnvError(
            f"retention {called(part)!r}: longest_gap must be a whole number of at least 1, not "
            f"{days!r}."
        )
    return int(days)


def refuse_other_users(
    xp: Any, interest: Array, features: Array, shape: tuple[int, int], bounds: Floats, part: Any
) -> None:
    """Refuse drawn users that a world cannot compute with.

    Args:
        xp: Array namespace.
        interest: Interests, ``(B, d)``.
        features: Features, ``(B, F)``.
        shape: B and d.
        bounds: Lowest and highest features, ``(2, F)``.
        part: The population.

    Raises:
        EnvError: Names the population.
    """
    what = f"population {called(part)!r}"
    shaped(interest, [shape], f"{what}: interests")
    shaped(features, [(shape[0], bounds.shape[1])], f"{what}: features")
    # Not "longer than": NaN compares with nothing.
    if not bool((xp.vecdot(interest, interest) <= _LONGEST).all()):
        raise EnvError(f"{what}: interests must be vectors of length 1.")
    if not bool(xp.isfinite(features).all()):
        raise EnvError(f"{what}: features must be finite.")
    lowest, highest = to_numpy(xp.min(features, axis=0)), to_numpy(xp.max(features, axis=0))
    slack = 1e-5 * (1 + np.abs(np.where(np.isfinite(bounds), bounds, 0)).max())
    if (lowest < bounds[0] - slack).any() or (highest > bounds[1] + slack).any():
        raise EnvError(
            f"{what}: features are outside feature_bounds: from {lowest.min():g} to "
            f"{highest.max():g}."
        )


def refuse_other_clicks(
    backend: Backend, clicks: Array, slate: Array, shown: Array | None, part: Any
) -> None:
    """Refuse clicks ``(B, K)`` that a choice model must not draw.

    Raises:
        EnvError: Names the choice model.
    """
    what = f"choice {called(part)!r}: clicks"
    shaped(clicks, [tuple(slate.shape)], what)
    if clicks.dtype != backend.xp.bool:
        raise EnvError(f"{what} must be boolean, not {clicks.dtype}.")
    if shown is not None and backend.any(clicks & ~shown):
        raise EnvError(f"{what} must not be on slots that show nothing: see 'shown'.")
    if part.at_most_one and bool((clicks.sum(1) > 1).any()):
        raise EnvError(f"{what}: there are several in a slate, and at_most_one is True.")


def refuse_other_chances(xp: Any, chances: Array, utility: Array, part: Any) -> None:
    """Refuse click probabilities ``(B, K)`` that are none.

    Raises:
        EnvError: Names the choice model.
    """
    what = f"choice {called(part)!r}: probabilities"
    shaped(chances, [tuple(utility.shape)], what)
    total = chances.sum(1) if part.at_most_one else xp.max(chances)
    if not bool((chances >= 0).all()) or not bool((total <= _LONGEST).all()):
        sums = ", and sum to at most 1 in a slate with at most one click" * part.at_most_one
        raise EnvError(f"{what} must be between 0 and 1{sums}.")


def refuse_other_gaps(xp: Any, gap: Array, churned: Array, num: int, part: Any) -> None:
    """Refuse gaps ``(B,)`` that a retention part must not draw.

    Raises:
        EnvError: Names the retention part.
    """
    what = f"retention {called(part)!r}"
    shaped(gap, [(num,)], f"{what}: gaps")
    shaped(churned, [(num,)], f"{what}: churned")
    if churned.dtype != xp.bool:
        raise EnvError(f"{what}: churned must be boolean, not {churned.dtype}.")
    whole = (gap == xp.floor(gap)) & (gap <= part.longest_gap())
    right = whole & xp.where(churned, gap == 0, gap >= 1)
    if not bool(right.all()):
        raise EnvError(
            f"{what}: gaps must be whole days from 1 to longest_gap(), {part.longest_gap()}, and 0 "
            "where a user leaves for good."
        )


def refuse_other_candidates(
    backend: Backend, found: Array, shape: tuple[int, int], items: int, part: Any
) -> None:
    """Refuse candidates ``(B, C)`` that are no distinct items.

    Raises:
        EnvError: Names the generator of candidates.
    """
    what = f"candidates {called(part)!r}"
    shaped(found, [shape], what)
    if found.dtype != backend.xp.int64:
        raise EnvError(f"{what} must be int64, not {found.dtype}.")
    if backend.any_outside(found, items):
        raise EnvError(f"{what} must be items from 0 to {items - 1}.")
    ordered = backend.sort_rows(found)
    if backend.any(ordered[:, 1:] == ordered[:, :-1]):
        raise EnvError(f"{what} must be distinct in every row.")
