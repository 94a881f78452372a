"""Settings of CE-VAE."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agents.critiquing.scoring import ScoringConfig


class CEVAEConfig(ScoringConfig):
    """Settings of `CEVAEAgent`.

    Attributes:
        critique: New prediction of a critiqued aspect. ``minimum``: the smallest prediction of the
            user. ``redistribute``: the same, and the difference is shared equally among the aspects
            without a critique.
        explained: Number of aspects in a justification.
        dim: Dimension of the latent space.
        beta: Weight of the divergence from the prior.
        corruption: Fraction of a user's items that is dropped at random in training.
        epochs: Largest number of passes over the users.
        batch_size: Users per step.
        learning_rate: Learning rate of Adam.
        l2: Weight decay of Adam.
        evaluate_every: Epochs between two evaluations on the validation items.
        patience: Number of evaluations without a better rank after which training stops.
        device: Device of the training; acting is on the CPU.
    """

    critique: Literal["minimum", "redistribute"] = "minimum"
    explained: int = Field(10, ge=1)
    dim: int = Field(100, ge=1)
    beta: float = Field(0.01, ge=0)
    corruption: float = Field(0.4, ge=0, lt=1)
    epochs: int = Field(300, ge=1)
    batch_size: int = Field(128, ge=1)
    learning_rate: float = Field(5e-3, gt=0)
    l2: float = Field(1e-3, ge=0)
    evaluate_every: int = Field(5, ge=1)
    patience: int = Field(10, ge=1)
    device: str = "cpu"
