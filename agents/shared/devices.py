"""Random numbers of torch, on the device where it computes."""

from __future__ import annotations

import hashlib
from typing import Any

import torch

from recsim.arrays import torch_device


def torch_generator(agent: str, device: str, seed: int) -> torch.Generator:
    """Return a seeded generator on a device.

    Args:
        agent: Name of the agent that asks.
        device: ``cpu``, ``cuda`` ...
        seed: Seed.

    Raises:
        UserError: There is no such device.
    """
    return torch.Generator(torch_device(device, f"agent {agent!r}: ")).manual_seed(seed)


def restore_generator(generator: torch.Generator, state: Any) -> None:
    """Continue the random numbers of a saved generator.

    Generators of different kinds of devices give different numbers: one that was saved on another
    kind is continued by a stream that its state is the seed of.

    Args:
        generator: Takes the state over.
        state: What ``get_state`` of the saved one gave.
    """
    saved = torch.as_tensor(state).cpu()
    if saved.shape == generator.get_state().shape:
        generator.set_state(saved)
    else:
        digest = hashlib.sha256(saved.numpy().tobytes()).digest()
        generator.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
