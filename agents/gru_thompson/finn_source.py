"""The FINN.no slates as a source of training: read in batches, never as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from agents.gru_thompson.choices import Choices
from recsim.log.readers.finn import FinnSlates, FinnSplit


class FinnSource:
    """Users of the data set; all that is kept of them is the order of an epoch, 8 bytes each.

    Args:
        slates: The data set.
        split: Whose later steps are held out, of validation and of test.
        judge: Which of the two are judged.
    """

    def __init__(
        self, slates: FinnSlates, split: FinnSplit, judge: Literal["valid", "test"] = "valid"
    ) -> None:
        self._slates, self._split = slates, split
        self._judged = split.valid if judge == "valid" else split.test

    @property
    def num_users(self) -> int:
        """N; users held out are trained on too, by their early steps."""
        return self._slates.num_users

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Choices]:
        """Yield all users once, in random order."""
        order = torch.randperm(self.num_users, generator=generator, device=generator.device)
        every = order.cpu().numpy()
        for start in range(0, len(every), size):
            users = np.sort(every[start : start + size])
            training = self._split.training(users, self._slates.steps)
            choices = self._read(users)
            seen = torch.from_numpy(training)
            yield Choices(
                choices.items,
                choices.length,
                choices.choice,
                choices.click,
                choices.scored & seen,
                choices.basis & seen,
            )

    def judged(self, size: int) -> Iterator[Choices]:
        """Yield the users held out, scored on their later steps."""
        for start in range(0, len(self._judged), size):
            yield self._read(self._judged[start : start + size]).after(self._split.step)

    def _read(self, users: NDArray[np.int64]) -> Choices:
        block = self._slates.read(users)
        return Choices(
            items=torch.from_numpy(block.items),
            length=torch.from_numpy(block.length),
            choice=torch.from_numpy(block.choice),
            click=torch.from_numpy(block.click),
            scored=torch.from_numpy(block.usable),
            basis=torch.from_numpy(block.length > 0),
        )
