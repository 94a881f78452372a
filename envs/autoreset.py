"""How an episode that ended is followed by a new one, and which rows a caller resets."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from envs.world.backend import to_numpy
from recsim.arrays import Ints
from recsim.errors import EnvError, nearest

RESET_MASK = "reset_mask"


def autoreset_of(mode: AutoresetMode | str) -> AutoresetMode:
    """Return the mode of this name: ``SAME_STEP``, ``NEXT_STEP`` or ``DISABLED``.

    Gymnasium's own values, such as ``"SameStep"``, and lower case are accepted too.

    Raises:
        EnvError: If there is none.
    """
    if isinstance(mode, AutoresetMode):
        return mode
    for known in AutoresetMode:
        if str(mode).replace("_", "").lower() == known.value.lower():
            return known
    names = [known.name for known in AutoresetMode]
    near = nearest(str(mode).upper(), names)
    raise EnvError(f"autoreset_mode is {mode!r}; it must be one of {', '.join(names)}.{near}")


def reset_rows(mask: Any, size: int) -> Ints | None:
    """Return the rows of a ``reset_mask``, ``(N,)``; None, which means all rows, without one.

    Args:
        mask: Booleans, ``(B,)``, of numpy or torch; or None.
        size: B.

    Raises:
        EnvError: If the mask has another shape or type, or no row is True.
    """
    if mask is None:
        return None
    given = to_numpy(mask) if hasattr(mask, "cpu") else np.asarray(mask)
    if given.dtype != np.bool_ or given.shape != (size,):
        raise EnvError(
            f"options[{RESET_MASK!r}] must be booleans of shape ({size},), one per row, not "
            f"{given.dtype} of shape {given.shape}."
        )
    if not given.any():
        raise EnvError(
            f"options[{RESET_MASK!r}] is False everywhere: it must name at least one row to reset."
        )
    return np.flatnonzero(given)
