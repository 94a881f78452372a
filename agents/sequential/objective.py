"""What is minimised: the loss of the settings, of the states of a batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from agents.sequential import losses
from agents.sequential.config import SequentialConfig
from agents.sequential.models import SequenceModel

# Scores of a batch up to which the whole catalogue is scored (40 MB).
_MOST_SCORES = 10_000_000


class Objective:
    """The loss of the settings.

    Args:
        config: Settings.
        counts: How often each item is an event in training, ``(I,)``.
        events: Events that are predicted in a batch, on average.
    """

    def __init__(self, config: SequentialConfig, counts: Tensor, events: float) -> None:
        num_items, self._negatives = len(counts), config.negatives
        self.loss: str = config.loss
        if self.loss == "auto":
            small = events * num_items <= _MOST_SCORES
            self.loss = "cross_entropy" if small else "sampled"
        self._pairwise: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "bce": losses.bce,
            "gbce": partial(losses.gbce, calibration=config.calibration, num_items=num_items),
            "bpr": losses.bpr,
            "top1_max": losses.top1_max,
        }
        share = (counts + 1).double() / (counts + 1).sum()
        self._cumulated = share.cumsum(0)
        self._log_expected = torch.log(self._negatives * share).float()

    def __call__(self, model: SequenceModel, states: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example, ``(n, D), (n,) -> (n,)``."""
        if self.loss == "cross_entropy":
            return losses.cross_entropy(model.score_all(states), target)
        if self.loss == "sampled":
            positive = model.score(states, target[:, None])[:, 0]
            drawn = self._draw()
            return losses.sampled_softmax(
                positive,
                model.score_shared(states, drawn),
                self._log_expected[drawn],
                target[:, None] == drawn,
            )
        others = losses.draw_negatives(target, model.num_items, self._negatives)
        scores = model.score(states, torch.cat([target[:, None], others], dim=1))  # (n, 1 + N)
        return self._pairwise[self.loss](scores[:, 0], scores[:, 1:])

    @property
    def device(self) -> torch.device:
        """Where the losses are computed."""
        return self._cumulated.device

    def _draw(self) -> Tensor:
        """Draw items with probability proportional to their count plus one, ``(S,)``."""
        chance = torch.rand(self._negatives, dtype=torch.float64, device=self._cumulated.device)
        drawn = torch.searchsorted(self._cumulated, chance, right=True)
        return drawn.clamp_max(len(self._cumulated) - 1)
