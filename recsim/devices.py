"""Where torch computes."""

from __future__ import annotations

import torch

from recsim.errors import UserError


def torch_device(device: str, who: str = "") -> torch.device:
    """Return a device that torch can compute on here.

    Args:
        device: ``cpu``, ``cuda`` ...
        who: Whose setting it is, in front of the message, such as ``agent 'sasrec': ``.

    Raises:
        UserError: There is no such device.
    """
    try:
        found = torch.empty(0, device=device).device
        torch.Generator(found)  # the device "meta" holds nothing and draws nothing
        return found
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).partition("\n")[0]
        raise UserError(f"{who}no device {device!r} here: {reason}") from None
