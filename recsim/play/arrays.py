"""Arrays of environments on any library and device, and numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import array_api_compat
import numpy as np

from recsim.arrays import Ints


def as_numpy(value: Any) -> Any:
    """Convert arrays of any library and device, or mappings of them, to numpy."""
    if isinstance(value, Mapping):
        return {name: as_numpy(entry) for name, entry in value.items()}
    return np.asarray(value.cpu() if hasattr(value, "cpu") else value)


def like(slates: Ints, obs: Mapping[str, Any]) -> Any:
    """Convert slates to the library and device of the observations."""
    example = obs["candidates"]
    if isinstance(example, np.ndarray):
        return slates
    namespace = array_api_compat.array_namespace(example)
    return namespace.asarray(slates, device=array_api_compat.device(example))
