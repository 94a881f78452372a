"""SplitMix64 on lanes of 64 bits: uint64 arrays of numpy, or int64 tensors of torch.

SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014)
passes a counter that grows by an odd constant through a bijection, `mixed`. Output n of the
generator with state k is ``mixed(k + n * GAMMA)``, n = 1, 2, ...: any output can be computed
without those before it, which makes it a counter-based generator. It needs eight operations on an
array for 64 random bits, where Philox4x32-10 needs about fifty.

Integer arithmetic wraps around on both libraries, so that the bits are identical. Torch has no
arithmetic on unsigned integers; its tensors are int64 with the same bits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

GAMMA = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_RANGE = 1 << 64

Lanes = Any  # uint64 array of numpy, or int64 tensor of torch


def signed(value: int) -> int:
    """Return the number that has the same 64 bits as ``value`` modulo 2^64 in int64."""
    value %= _RANGE
    return value - _RANGE if value >> 63 else value


def mixed(lanes: Lanes) -> Lanes:
    """Return the finaliser of SplitMix64 (variant 13 of Stafford's mixers), elementwise.

    Args:
        lanes: An array of at least one dimension; it is not changed.
    """
    if isinstance(lanes, np.ndarray):
        return _mixed_numpy(lanes)
    # Masks turn the arithmetic shifts of signed integers into logical ones.
    lanes = (lanes ^ ((lanes >> 30) & (_RANGE >> 30) - 1)) * signed(_FIRST)
    lanes = (lanes ^ ((lanes >> 27) & (_RANGE >> 27) - 1)) * signed(_SECOND)
    return lanes ^ ((lanes >> 31) & (_RANGE >> 31) - 1)


_BY_30, _BY_27, _BY_31 = np.uint64(30), np.uint64(27), np.uint64(31)
_TIMES_FIRST, _TIMES_SECOND = np.uint64(_FIRST), np.uint64(_SECOND)


def _mixed_numpy(lanes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    high = lanes >> _BY_30
    lanes = lanes ^ high  # a new array, changed in place below
    lanes *= _TIMES_FIRST
    np.right_shift(lanes, _BY_27, out=high)
    lanes ^= high
    lanes *= _TIMES_SECOND
    np.right_shift(lanes, _BY_31, out=high)
    lanes ^= high
    return lanes


def field(lanes: Lanes, first: int, end: int) -> Lanes:
    """Return the bits ``first`` ... ``end - 1``, counted from the lowest, as whole numbers."""
    mask = (1 << (end - first)) - 1
    if not isinstance(lanes, np.ndarray):
        return (lanes >> first) & mask
    shifted = lanes >> np.uint64(first) if first else lanes
    return shifted if end == 64 else shifted & np.uint64(mask)


@lru_cache(maxsize=4096)
def _counters(first: int, count: int) -> NDArray[np.uint64]:
    numbers = np.arange(count, dtype=np.uint64) + np.uint64(first % _RANGE)
    numbers *= np.uint64(GAMMA)
    numbers.setflags(write=False)  # shared by all callers
    return numbers


def counters(first: int, count: int, like: Lanes) -> Lanes:
    """Return ``count`` multiples of GAMMA from the ``first`` one on, of the library of ``like``."""
    numbers = _counters(first, count)
    if isinstance(like, np.ndarray):
        return numbers
    return as_torch(numbers, like.device)


def as_torch(lanes: NDArray[np.uint64], device: Any) -> Lanes:
    """Return the same bits as a torch tensor on ``device``."""
    import torch

    return torch.from_numpy(lanes.view(np.int64).copy()).to(device)


def advanced(keys: Lanes, numbers: Any) -> Lanes:
    """Return the counters of output ``number + 1`` of generators with these keys.

    Args:
        keys: Keys, an array that broadcasts against ``numbers``.
        numbers: Whole numbers of at least 0, of the same library; in numpy of any integer type.
    """
    if isinstance(keys, np.ndarray):
        return keys + (np.atleast_1d(numbers).astype(np.uint64) + np.uint64(1)) * np.uint64(GAMMA)
    return keys + (numbers + 1) * signed(GAMMA)


def chain(keys: Lanes, numbers: Any) -> Lanes:
    """Return a key for each pair of a key and a number; arguments as in `advanced`.

    It is output ``number + 1`` of the generator with the key as state.
    """
    return mixed(advanced(keys, numbers))


def key_of(seed: int, domain: str) -> NDArray[np.uint64]:
    """Return the first key of a chain, ``(1,)``.

    Args:
        seed: At least 0, of any size.
        domain: What the random numbers are for: those of different domains are independent.
    """
    words = np.frombuffer(domain.encode(), dtype=np.uint8).tolist()
    return np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64).astype(np.uint64)
