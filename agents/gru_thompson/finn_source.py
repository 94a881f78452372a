"""The FINN.no slates as a training source, read in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from agents.gru_thompson.choices import Choices
from recsim.arrays import Ints
from recsim.log.readers.finn import FinnSlates, FinnSplit


class FinnSource:
    """Users of the data set; only the order of an epoch is in memory, 8 bytes per user.

    Args:
        slates: The data set.
        split: Validation and test users, whose later steps are held out.
        part: Which of the two `held_out` yields.
    """

    def __init__(
        self, slates: FinnSlates, split: FinnSplit, part: Literal["valid", "test"] = "valid"
    ) -> None:
        self._slates, self._split = slates, split
        self._held_out = split.valid if part == "valid" else split.test

    @property
    def num_users(self) -> int:
        """N; the early steps of held-out users are used in training too."""
        return self._slates.num_users

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Choices]:
        """Yield all users once, in random order."""
        order = torch.randperm(self.num_users, generator=generator, device=generator.device)
        every = order.cpu().numpy()
        for start in range(0, len(every), size):
            users = np.sort(every[start : start + size])
            training = torch.from_numpy(self._split.training(users, self._slates.steps))
            choices = self._read(users)
            yield replace(
                choices, scored=choices.scored & training, context=choices.context & training
            )

    def held_out(self, size: int) -> Iterator[Choices]:
        """Yield the held-out users, scored on their later steps."""
        for start in range(0, len(self._held_out), size):
            yield self._read(self._held_out[start : start + size]).after(self._split.step)

    def _read(self, users: Ints) -> Choices:
        block = self._slates.read(users)
        return Choices(
            items=torch.from_numpy(block.items),
            length=torch.from_numpy(block.length),
            choice=torch.from_numpy(block.choice),
            click=torch.from_numpy(block.click),
            scored=torch.from_numpy(block.usable),
            context=torch.from_numpy(block.length > 0),
        )
