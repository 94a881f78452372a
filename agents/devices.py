"""Where torch computes."""

from __future__ import annotations

import torch

from recsim.errors import UserError


def torch_generator(agent: str, device: str, seed: int) -> torch.Generator:
    """Return a seeded generator on a device.

    Args:
        agent: Name of the agent that asks.
        device: ``cpu``, ``cuda`` ...
        seed: Seed.

    Raises:
        UserError: There is no such device.
    """
    try:
        return torch.Generator(device).manual_seed(seed)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"agent {agent!r}: no device {device!r} here: {reason}") from error
