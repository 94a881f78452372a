"""Types of arrays, and the device on which torch computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError

if TYPE_CHECKING:
    import torch

Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]
AnyFloats: TypeAlias = NDArray[np.floating[Any]]


def torch_device(device: str, prefix: str = "") -> torch.device:
    """Return a device on which torch can compute.

    Args:
        device: ``cpu``, ``cuda`` ...
        prefix: Prefix of the error message, such as ``agent 'sasrec': ``.

    Raises:
        UserError: If this machine does not have the device.
    """
    import torch

    try:
        result = torch.empty(0, device=device).device
        torch.Generator(result)  # refuses "meta", which computes nothing
        return result
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch built without CUDA
        reason = str(error).partition("\n")[0]
        raise UserError(f"{prefix}no device {device!r} here: {reason}") from None
