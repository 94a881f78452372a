"""A model of the users of a log: clicks, other feedback, and returns.

Two networks are fitted to some of the users, with early stopping and calibration on others; a third
part of the users is for measuring the errors. After that the model is frozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from envs.learned.config import UserModelConfig
from envs.learned.error import ModelError
from envs.learned.networks import ResponseNetwork, ReturnNetwork
from envs.learned.outcomes import FeedbackValues, ReturnClasses
from envs.learned.rows import CLOCK, clock_numbers
from envs.world.choice import MultinomialLogit, PositionBased
from envs.world.contracts import ChoicePart
from recsim.arrays import Floats, Floats32, Ints
from recsim.problem import Problem

# Exponentials of larger utilities cannot be summed in float32.
_LARGEST = 50.0


@dataclass(frozen=True, eq=False)
class UserModel:
    """A fitted model; `envs.learned.fitting.fit_user_model` makes one.

    Attributes:
        config: Settings of the fit.
        problem: The catalogue and the rewards of the log.
        population: Features of the users of the log, ``(U, F)``.
        response: Network for the utility of items.
        scaling: Factor and constant that calibrate utilities.
        at_most_one: Whether a slate gets at most one click.
        end_hazard: Probability that a session ends with its first, second, ... slate, ``(S,)``.
        feedback: Expected feedback other than clicks.
        error: Errors of the model on users that took no part in the fit.
        returning: Network for the logits of the return classes; None if the log has no return.
        return_scaling: Factor and one constant per class that calibrate them, ``(1 + C,)``.
        returns: The classes, or None.
    """

    config: UserModelConfig
    problem: Problem
    population: Floats32
    response: ResponseNetwork
    scaling: list[float]
    at_most_one: bool
    end_hazard: Floats
    feedback: FeedbackValues
    error: ModelError
    returning: ReturnNetwork | None = None
    return_scaling: list[float] | None = None
    returns: ReturnClasses | None = None

    @cached_property
    def choice(self) -> ChoicePart:
        """Choice model for items of given utility."""
        if self.at_most_one:
            return MultinomialLogit(no_click=0.0)
        return PositionBased(threshold=0.0, bias=float(self.response.position_bias.detach()))

    def utilities(self, features: Any, items: Any, clicks: Any, slates: Ints | None) -> Floats32:
        """Return calibrated utilities of items, ``(B, K)``, or of all, ``(B, I)``.

        Args:
            features: User features, ``(B, F)``.
            items: Last slates of the users, oldest first, padded with -1, ``(B, H, K)``.
            clicks: Clicks on them, ``(B, H, K)``.
            slates: Item ids, ``(B, K)``; None for the whole catalogue, in the order of the ids.
        """
        with torch.no_grad():
            users = self.response.users(
                self._tensor(features), self._tensor(items), self._tensor(clicks).float()
            )
            if slates is None:
                raw = self.response.all_utilities(users)
            else:
                raw = self.response.utilities(users, self._tensor(slates))
            factor, constant = self.scaling
            scaled = (factor * raw + constant).clamp(-_LARGEST, _LARGEST)
        utilities: Floats32 = scaled.cpu().numpy()
        return utilities

    def click_probabilities(self, features: Any, items: Any, clicks: Any, slates: Ints) -> Floats32:
        """Return the probability that each item of a slate is clicked, ``(B, K)``; 0 at padding.

        Arguments are those of `utilities`; slates are assumed to hold an item once.
        """
        shown = slates >= 0
        utilities = self.utilities(features, items, clicks, slates)
        probabilities: Floats32 = self.choice.probabilities(np, utilities, shown)
        return probabilities

    def return_probabilities(
        self, features: Any, items: Any, clicks: Any, before: Ints, step: Ints
    ) -> Floats:
        """Return the probability of each return class after a session, ``(B, C)``.

        Args:
            features: User features, ``(B, F)``.
            items: Last slates of the users, including the last of the session, ``(B, H, K)``.
            clicks: Clicks on them, or click probabilities, ``(B, H, K)``.
            before: Days since the previous session, 0 in the first, ``(B,)``.
            step: Slates of the session before the last, ``(B,)``.

        Raises:
            ValueError: If the model was fitted to a log without a return.
        """
        if self.returning is None or self.return_scaling is None:
            raise ValueError("this user model was fitted to a log without a return")
        with torch.no_grad():
            logits = self.returning(
                self._tensor(features),
                self._tensor(items),
                self._tensor(clicks).float(),
                self._tensor(clock_numbers(before, step)),
            )
            scaled = scale_logits(logits.double().cpu(), torch.tensor(self.return_scaling).double())
            probabilities: Floats = scaled.softmax(dim=1).numpy()
        return probabilities

    def expected_returns(
        self, features: Any, items: Any, clicks: Any, before: Ints, step: Ints
    ) -> Floats:
        """Return the expected return after a session, ``(B,)``; see `return_probabilities`."""
        probabilities = self.return_probabilities(features, items, clicks, before, step)
        assert self.returns is not None
        expected: Floats = probabilities @ self.returns.values
        return expected

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(array, device=self.config.device)


def scale_logits(logits: Tensor, scaling: Tensor) -> Tensor:
    """Return calibrated logits, ``(N, C)``, by a common factor and a constant for each class."""
    return scaling[0] * logits + scaling[1:]


def build_networks(
    config: UserModelConfig,
    problem: Problem,
    population: Floats32,
    classes: int,
) -> tuple[ResponseNetwork, ReturnNetwork | None]:
    """Build the two networks with random weights from the seed of the settings.

    Args:
        config: Sizes, seed and device.
        problem: The catalogue.
        population: User features, for standardisation, ``(U, F)``.
        classes: Number of return classes; 0 if the log has no return.
    """
    users = torch.as_tensor(np.nan_to_num(population))
    items = torch.as_tensor(np.nan_to_num(problem.item_features))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        response = ResponseNetwork(users, items, config.dim, config.hidden)
        returning = None
        if classes:
            returning = ReturnNetwork(users, items, config.dim, config.hidden, CLOCK, classes)
    return (
        response.to(config.device),
        None if returning is None else returning.to(config.device),
    )
