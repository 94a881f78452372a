"""Random numbers of torch, on any device."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import torch


@contextlib.contextmanager
def seeded(seed: int, device: str | torch.device) -> Iterator[None]:
    """Seed torch's global random numbers for a block of code, and restore them after it.

    Initial parameters and dropout draw from them.
    """
    kind = torch.device(device)
    with torch.random.fork_rng([kind] if kind.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


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
