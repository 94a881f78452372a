"""The random numbers of a batch of users."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from recsim.draws.splitmix import Lanes, advanced, as_torch, counters, field, mixed

Array = Any  # a numpy array or a torch tensor

# The numbers of a small batch are computed for several steps at once, as a call of numpy costs more
# than the arithmetic on a few numbers: at first for as many steps as make up `_ROWS` rows, and for
# more, up to `_MOST_ROWS` or `_MOST_STEPS`, as long as no user is replaced, which makes them void.
_ROWS, _MOST_ROWS, _MOST_STEPS = 64, 1024, 64

# No normal number is larger: the smallest uniform number in Box and Muller's method is 2^-33.
MAX_NORMAL = math.sqrt(66 * math.log(2))


class Purpose:
    """What random numbers are drawn for; draws of different purposes are independent.

    Draw j of a purpose is output ``number * 2^32 + j + 1`` of the user's generator of the step. The
    number is the CRC-32 of the name, so that a part of a world may have purposes of its own.

    Args:
        name: The same name means the same numbers.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.start = (zlib.crc32(name.encode()) << 32) + 1

    def __repr__(self) -> str:
        return f"Purpose({self.name!r})"


class Draws:
    """Random numbers of B users, each a function of their key, their step and the purpose.

    The generator of a user at step t is SplitMix64, and its state is output t + 1 of the SplitMix64
    that has the user's key as its state; `Purpose` says which outputs are drawn. The bits, and with
    them uniform numbers, are identical on numpy and torch. Normal numbers are computed in float64
    by the method of Box and Muller (1958); libraries and processors may differ in the last bits of
    the logarithm and the cosine, which rounding to float32 nearly always hides.

    Arrays of draws must not be changed in place: later steps may use their memory.

    Args:
        keys: Keys of the users, ``(B,)``: uint64 of numpy, or int64 of torch; see
            `recsim.draws.chain`.
        double: Whether numbers are float64 rather than float32.
        step: The step at which all users are.
    """

    def __init__(self, keys: Lanes, double: bool = False, step: int = 0) -> None:
        self._double = double
        self._ahead = _steps_within(_ROWS, keys)
        self._begin(keys + counters(step + 1, 1, keys))

    @classmethod
    def at(cls, keys: Lanes, steps: Array, double: bool = False) -> Draws:
        """Return the draws of users who are at different steps.

        Args:
            keys: As in the class.
            steps: Step of each user, ``(B,)`` integers of the same library.
            double: As in the class.
        """
        draws = cls.__new__(cls)
        draws._double, draws._ahead = double, 1
        draws._begin(advanced(keys, steps))
        return draws

    def __len__(self) -> int:
        return len(self._state)

    def __getstate__(self) -> dict[str, Any]:
        # What is drawn already is a function of the rest.
        return vars(self) | {"_drawn": {}}

    def advance(self, rows: Array | None = None) -> None:
        """Let users pass to their next step.

        Args:
            rows: Which ones (indices); None for all.
        """
        if rows is not None:
            state = self._now()
            state[rows] += counters(1, 1, state)
            self._begin(state)
            return
        self._tick += 1
        if self._tick == self._ahead:
            state = self._state + counters(self._ahead, 1, self._state)
            self._ahead = min(2 * self._ahead, _steps_within(_MOST_ROWS, state))
            self._begin(state)

    def take(self, rows: Array) -> Draws:
        """Return the draws of the users in ``rows`` (indices) at their present steps."""
        taken = Draws.__new__(Draws)
        taken._double, taken._ahead = self._double, 1
        taken._begin(self._now()[rows])
        return taken

    def on_torch(self, device: Any) -> Draws:
        """Return the same draws at the users' present steps as torch tensors on a device."""
        moved = Draws.__new__(Draws)
        moved._double, moved._ahead = self._double, 1
        moved._begin(as_torch(self._now(), device))
        return moved

    def put(self, rows: Array, keys: Lanes) -> None:
        """Replace the users in ``rows`` (indices) by new ones, at step 0."""
        state = self._now()
        state[rows] = keys + counters(1, 1, keys)
        self._ahead = _steps_within(_ROWS, state)
        self._begin(state)

    def bits(self, purpose: Purpose, width: int) -> Lanes:
        """Return 64 random bits per draw, ``(B, width)``."""
        return self._once("bits", purpose, width, self._bits)

    def uniform(self, purpose: Purpose, width: int) -> Array:
        """Return uniform numbers in (0, 1), ``(B, width)``.

        They are odd multiples of 2^-24 (float32) or 2^-53 (float64), so never 0 or 1.
        """
        return self._once("uniform", purpose, width, self._uniform)

    def normal(self, purpose: Purpose, width: int) -> Array:
        """Return standard normal numbers, ``(B, width)``."""
        return self._once("normal", purpose, width, self._normal)

    def gumbel(self, purpose: Purpose, width: int) -> Array:
        """Return numbers with the standard Gumbel distribution, ``(B, width)``."""
        return self._once("gumbel", purpose, width, self._gumbel)

    def integers(self, purpose: Purpose, width: int, end: int) -> Array:
        """Return uniform whole numbers in 0 ... end - 1, int64 ``(B, width)``."""
        places = self.uniform(purpose, width) * end
        return places.astype(np.int64) if isinstance(places, np.ndarray) else places.long()

    def _begin(self, state: Lanes) -> None:
        """Start at counters ``(B,)`` of the users' own generators, with nothing drawn yet."""
        self._state, self._tick = state, 0
        steps = counters(0, self._ahead, state)[:, None]
        self._keys = mixed(state[None] + steps)  # (S, B)
        self._drawn: dict[tuple[str, Purpose, int], Array] = {}

    def _now(self) -> Lanes:
        """Return a copy of the users' present counters, ``(B,)``."""
        return self._state + counters(self._tick, 1, self._state)

    def _once(
        self, kind: str, purpose: Purpose, width: int, draw: Callable[[Purpose, int], Array]
    ) -> Array:
        drawn = self._drawn.get((kind, purpose, width))
        if drawn is None:
            drawn = self._drawn[kind, purpose, width] = draw(purpose, width)  # (S, B, width)
        return drawn[self._tick]

    def _bits(self, purpose: Purpose, width: int) -> Lanes:
        return mixed(self._keys[:, :, None] + counters(purpose.start, width, self._keys))

    def _uniform(self, purpose: Purpose, width: int) -> Array:
        if self._double:
            return (_double(field(self._bits(purpose, width), 12, 64)) + 0.5) * 2.0**-52
        halves = self._halves(purpose, width)
        if isinstance(halves, np.ndarray):
            numbers: Array = (halves >> np.uint32(9)).astype(np.float32)
        else:
            numbers = (halves >> 9).float()
        numbers += 0.5
        numbers *= 2.0**-23
        return numbers[:, :, :width]

    def _halves(self, purpose: Purpose, width: int) -> Lanes:
        """Return 32 random bits per draw: the lower and the upper half of each output in turn."""
        bits = self._bits(purpose, (width + 1) // 2)
        if isinstance(bits, np.ndarray):
            return bits.astype("<u8", copy=False).view("<u4")
        import torch

        halves = torch.stack([field(bits, 0, 32), field(bits, 32, 64)], dim=-1)
        return halves.reshape(*bits.shape[:2], -1)

    def _gumbel(self, purpose: Purpose, width: int) -> Array:
        chance = self._uniform(purpose, width)
        if isinstance(chance, np.ndarray):
            return -np.log(-np.log(chance))
        return -(-chance.log()).log()

    def _normal(self, purpose: Purpose, width: int) -> Array:
        halves = self._halves(purpose, width)
        if isinstance(halves, np.ndarray):
            library: Any = np
            chance: Array = halves.astype(np.float64)
        else:
            import torch

            library, chance = torch, halves.double()
        chance += 0.5
        chance *= 2.0**-32
        lower = chance[:, :, 0::2]
        radius = library.log(chance[:, :, 1::2])
        radius *= -2
        radius = library.sqrt(radius)
        cosine = library.cos((2 * math.pi) * lower)
        # Cheaper than a sine, and as exact as float32 needs it.
        sine = library.copysign(library.sqrt(1 - cosine * cosine), 0.5 - lower)
        kind = library.float64 if self._double else library.float32
        normal = library.empty_like(chance, dtype=kind)
        normal[:, :, 0::2] = radius * cosine
        normal[:, :, 1::2] = radius * sine
        return normal[:, :, :width]


def _steps_within(rows: int, keys: Lanes) -> int:
    """Return the number of steps for which a batch makes up so many rows, at least 1."""
    if not isinstance(keys, np.ndarray):
        return 1
    return max(1, min(_MOST_STEPS, rows // max(len(keys), 1)))


def _double(numbers: Lanes) -> Array:
    """Return whole numbers below 2^63 as float64."""
    if isinstance(numbers, np.ndarray):
        return numbers.view(np.int64).astype(np.float64)
    return numbers.double()
