"""Random numbers of torch, on any device."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


@contextlib.contextmanager
def seeded(seed: int, device: str | torch.device) -> Iterator[None]:
    """Seed torch's global random numbers for a block of code, and restore them after it.

    Initial parameters and dropout draw from them.
    """
    kind = torch.device(device)
    with torch.random.fork_rng([kind] if kind.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


class Stream:
    """Random numbers of torch apart from the global ones, which a block of code leaves as they are.

    Args:
        seed: Seed of the numbers.
        device: Device on which the code computes.
    """

    def __init__(self, seed: int, device: str | torch.device) -> None:
        self._seed, self._device = seed, torch.device(device)
        self._states: tuple[Tensor, Tensor | None] | None = None

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Draw torch's global random numbers from this stream, which goes on where it ended."""
        on_cuda = self._device.type == "cuda"
        with torch.random.fork_rng([self._device] if on_cuda else []):
            if self._states is None:
                torch.manual_seed(self._seed)
            else:
                torch.set_rng_state(self._states[0])
                if self._states[1] is not None:
                    torch.cuda.set_rng_state(self._states[1], self._device)
            yield
            own = torch.cuda.get_rng_state(self._device) if on_cuda else None
            self._states = torch.get_rng_state(), own


def restore_generator(generator: torch.Generator, state: Any) -> None:
    """Let a generator continue from a saved state.

    Generators on different kinds of devices draw different numbers. If the state was saved on
    another kind of device, the generator is seeded with a digest of the state.

    Args:
        generator: The generator.
        state: What ``get_state`` of the saved one returned.
    """
    saved = torch.as_tensor(state).cpu()
    if saved.shape == generator.get_state().shape:
        generator.set_state(saved)
    else:
        digest = hashlib.sha256(saved.numpy().tobytes()).digest()
        generator.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
