"""Array library and device of a world: numpy on the CPU, or torch on any device.

The kernel is written once. It calls the array API standard through ``backend.xp`` and gets random
numbers from `recsim.draws.Draws`; only these two, and a few fast functions of `Backend`, differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.draws import Draws
from recsim.draws.splitmix import Lanes, as_torch
from recsim.errors import EnvError, did_you_mean

Array = Any  # a numpy array or a torch tensor


@dataclass(frozen=True)
class Backend:
    """An array library and a device.

    The functions do the same as those of the array API standard but skip its numpy wrappers, which
    cost more than the work itself for a single user.

    Attributes:
        name: ``"numpy"`` or ``"torch"``.
        xp: The library's array API namespace.
        device: Torch device of every array, e.g. ``"cpu"`` or ``"cuda"``.
        copy: Copies an array.
        any: Returns whether any entry of a boolean array is true.
        any_outside: Returns whether any entry of an int64 array is outside 0 ... n-1.
        take_rows: Returns rows of a table ``(I, D)`` by index ``(N,)``, ``(N, D)``.
        sort_rows: Sorts every row in ascending order.
        as_float64: Converts an array to float64.
    """

    name: str
    xp: Any
    device: str
    copy: Callable[[Array], Array]
    any: Callable[[Array], Any]
    any_outside: Callable[[Array, int], Any]
    take_rows: Callable[[Array, Array], Array]
    sort_rows: Callable[[Array], Array]
    as_float64: Callable[[Array], Array]

    @classmethod
    def make(cls, name: str = "numpy", device: str | None = None) -> Backend:
        """Build the backend called ``name``.

        Raises:
            UserError: If the name is unknown, there is no such device, or numpy is combined with a
                device other than the CPU.
        """
        if name == "numpy":
            import array_api_compat.numpy as numpy_api  # imports all of numpy

            if device not in (None, "cpu"):
                raise EnvError(
                    f"backend 'numpy' runs on the CPU, not on {device!r}; use backend='torch'."
                )
            return cls(
                name="numpy",
                xp=numpy_api,
                device="cpu",
                copy=np.ndarray.copy,
                any=np.count_nonzero,
                # As unsigned numbers, negative ones are large: one comparison covers both bounds.
                any_outside=lambda array, n: np.count_nonzero(array.view(np.uint64) >= n),
                take_rows=lambda table, rows: table.take(rows, axis=0),
                sort_rows=lambda rows: np.sort(rows, axis=1),
                as_float64=lambda array: array.astype(np.float64),
            )
        if name == "torch":
            import array_api_compat.torch as torch_api
            import torch

            from recsim.arrays import torch_device

            torch_device(device or "cpu")
            return cls(
                name="torch",
                xp=torch_api,
                device=device or "cpu",
                copy=torch.clone,
                any=torch.any,
                any_outside=lambda array, n: torch.any((array < 0) | (array >= n)),
                take_rows=lambda table, rows: table.index_select(0, rows),
                sort_rows=lambda rows: rows.sort(dim=1).values,
                as_float64=torch.Tensor.double,
            )
        raise EnvError(f"Unknown backend {name!r}.{did_you_mean(name, ['numpy', 'torch'])}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Modules and functions cannot be pickled or copied; name and device determine them.
        return Backend.make, (self.name, self.device)

    def asarray(self, values: NDArray[Any]) -> Array:
        """Return a copy of ``values`` on the device, with the same dtype."""
        if self.name == "numpy":
            return np.array(values)
        return self.xp.asarray(np.array(values), device=self.device)

    def draws(self, keys: NDArray[np.uint64]) -> Draws:
        """Return the random numbers of users with these keys, ``(B,)``."""
        return Draws(self.lanes(keys))

    def lanes(self, keys: NDArray[np.uint64]) -> Lanes:
        """Return keys of users on the device."""
        return keys if self.name == "numpy" else as_torch(keys, self.device)


def to_numpy(array: Array) -> NDArray[Any]:
    """Return an array of either library on the CPU, as numpy."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()
