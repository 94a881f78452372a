r"""Weights of each user's short and long return.

The weights w are the softmax output of a small network over the user's features. It is trained on
the returns R of each user over the whole log to minimise

.. math:: -\sum_i w_i R_i + \lambda\, |w_1 R_1 - w_2 R_2|.

For one user and two returns, the optimum (derived here and checked by a test) makes the weighted
returns equal, :math:`w_1 = R_2 / (R_1 + R_2)`, as long as neither return exceeds the other by a
factor of :math:`(1 + \lambda) / (1 - \lambda)`; beyond that, all weight is on the larger return.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.dt4ier.features import Standardiser
from agents.shared.early_stopping import gradient_step


class RTGBalancer(nn.Module):
    """A small network that maps a user's features to two weights that sum to 1.

    Args:
        num_features: F.
        hidden: Sizes of the hidden layers.
    """

    def __init__(self, num_features: int, hidden: tuple[int, int] = (64, 32)) -> None:
        super().__init__()
        first, second = hidden
        self.standard = Standardiser(num_features)
        self.net = nn.Sequential(
            nn.Linear(num_features, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, 2),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the weights, ``(B, 2)``, of users with features ``(B, F)``."""
        weights: Tensor = self.net(self.standard(features)).softmax(dim=1)
        return weights


def balancer_loss(weights: Tensor, returns: Tensor, penalty: float) -> Tensor:
    """Return the mean over users of the loss in the module's docstring.

    Args:
        weights: ``(B, 2)``.
        returns: ``(B, 2)``.
        penalty: lambda.
    """
    weighted = weights * returns
    gap = (weighted[:, 0] - weighted[:, 1]).abs()
    return (penalty * gap - weighted.sum(dim=1)).mean()


def train_balancer(
    balancer: RTGBalancer,
    features: Tensor,
    returns: Tensor,
    *,
    penalty: float = 0.5,
    steps: int = 500,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    generator: torch.Generator | None = None,
) -> None:
    """Fit the balancer in place with Adam.

    Args:
        balancer: The network; the mean and deviation of its features are set here.
        features: ``(U, F)``.
        returns: Each user's sum of rewards, ``(U, 2)``. They are scaled to mean 1 first, so that
            the unit of a reward does not determine its weight.
        penalty: lambda.
        steps: Gradient steps.
        batch_size: Users per step.
        learning_rate: Learning rate.
        generator: Random generator of the batches.
    """
    balancer.standard.learn(features)
    mean = returns.mean(dim=0)
    returns = returns / torch.where(mean > 0, mean, 1.0)
    optimizer = torch.optim.Adam(balancer.parameters(), lr=learning_rate)
    size = min(batch_size, len(features))
    for _ in range(steps):
        if size < len(features):
            chosen = torch.randint(
                len(features), (size,), generator=generator, device=features.device
            )
        else:
            chosen = torch.arange(size, device=features.device)
        loss = balancer_loss(balancer(features[chosen]), returns[chosen], penalty)
        gradient_step(optimizer, loss)
