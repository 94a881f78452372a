"""A neural network as a reward model, with the interface of scikit-learn's regressors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from recsim.arrays import Floats
from recsim.errors import EstimationError


class TorchRegressor:
    """Fits a torch module to rewards by weighted squared error.

    Args:
        hidden: Widths of the hidden layers of the default network.
        epochs: Passes over the rows.
        batch_size: Rows per step of Adam.
        learning_rate: Step size of Adam.
        weight_decay: L2 penalty (that of AdamW).
        module: From the number of features to a network with output ``(N, 1)``, in place of the
            default one.
        device: Device on which it is fitted, e.g. ``cuda``.
        random_state: Seed of the initial weights and of the order of rows. Does not change the
            global generator of torch.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (64,),
        epochs: int = 20,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        module: Callable[[int], nn.Module] | None = None,
        device: str = "cpu",
        random_state: int = 0,
    ) -> None:
        if epochs < 1 or batch_size < 1 or not learning_rate > 0 or not weight_decay >= 0:
            raise EstimationError(
                "reward model 'torch': epochs and batch_size must be at least 1, learning_rate "
                "above 0 and weight_decay at least 0."
            )
        self.hidden = tuple(hidden)
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.module = module
        self.device = device
        self.random_state = random_state
        self._network: nn.Module | None = None

    def fit(self, features: Floats, targets: Floats, sample_weight: Floats | None = None) -> Self:
        """Fit a new network.

        Args:
            features: ``(N, P)``.
            targets: Rewards, ``(N,)``.
            sample_weight: Weights, ``(N,)``; scaled to a mean of 1.
        """
        weights = np.ones(len(targets)) if sample_weight is None else sample_weight
        x, y, w = (
            torch.as_tensor(np.ascontiguousarray(a), dtype=torch.float32, device=self.device)
            for a in (features, targets, weights / weights.mean())
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            network = (self.module or self._default)(features.shape[1]).to(self.device)
        order = torch.Generator().manual_seed(self.random_state)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        network.train()
        for _ in range(self.epochs):
            shuffled = torch.randperm(len(y), generator=order).to(self.device)
            for rows in torch.split(shuffled, self.batch_size):
                error = network(x[rows]).squeeze(-1) - y[rows]
                loss = (w[rows] * error**2).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        self._network = network.eval()
        return self

    def predict(self, features: Floats) -> Floats:
        """Return the expected reward of each row of ``features``, ``(N,)``.

        Raises:
            EstimationError: If the network was not fitted.
        """
        if self._network is None:
            raise EstimationError("reward model 'torch' was not fitted.")
        x = torch.as_tensor(np.ascontiguousarray(features), dtype=torch.float32, device=self.device)
        with torch.no_grad():
            parts = [self._network(part).squeeze(-1).cpu() for part in torch.split(x, 2**16)]
        return torch.cat(parts).numpy().astype(np.float64)

    def _default(self, size: int) -> nn.Module:
        layers: list[Any] = []
        for width in self.hidden:
            layers += [nn.Linear(size, width), nn.ReLU()]
            size = width
        return nn.Sequential(*layers, nn.Linear(size, 1))
