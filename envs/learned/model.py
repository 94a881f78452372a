"""A model of the users of a log: what they click, what it earns, and whether they return.

Two networks are fitted to some of the users and end when others are predicted no better; those
others then calibrate them, and a third part of the users tells how wrong they are. The model is
frozen after that: it never learns from what it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.learned.config import UserModelConfig
from envs.learned.error import ModelError
from envs.learned.networks import ResponseNetwork, ReturnNetwork
from envs.learned.outcomes import FeedbackValues, ReturnClasses
from envs.learned.rows import CLOCK, clock_numbers
from envs.world.choice import ChoiceModel, MultinomialLogit, PositionBased
from recsim.problem import Problem

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Utilities beyond this leave no room for a sum of exponentials in float32.
_LARGEST = 50.0


@dataclass(frozen=True, eq=False)
class UserModel:
    """A fitted model; `envs.learned.fitting.fit_user_model` makes one.

    Attributes:
        config: How it was fitted.
        problem: The catalogue and the rewards of the log.
        population: Features of the users of the log, ``(U, F)``.
        response: Utility of items.
        scaling: Factor and constant that calibrate utilities.
        at_most_one: Whether a slate gets at most one click.
        end_hazard: Probability that a session ends with its first, second, ... slate, ``(S,)``.
        feedback: What items earn besides the click.
        error: How wrong the model is about users that it has never seen.
        returning: Logits of the classes of return, or None where the log has no return.
        return_scaling: Factor and one constant per class that calibrate them, ``(1 + C,)``.
        returns: The classes, or None.
    """

    config: UserModelConfig
    problem: Problem
    population: NDArray[np.float32]
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
    def choice(self) -> ChoiceModel:
        """How users choose between items of known utility."""
        if self.at_most_one:
            return MultinomialLogit(no_click=0.0)
        return PositionBased(threshold=0.0, bias=float(self.response.position_bias.detach()))

    def utilities(
        self, features: Any, items: Any, clicks: Any, slates: Ints | None
    ) -> NDArray[np.float32]:
        """Return calibrated utilities of items, ``(B, K)``, or of all, ``(B, I)``.

        Args:
            features: Of the users, ``(B, F)``.
            items: Slates that they remember, oldest first, padded with -1, ``(B, H, K)``.
            clicks: What they clicked of them, ``(B, H, K)``.
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
        utilities: NDArray[np.float32] = scaled.cpu().numpy()
        return utilities

    def click_probabilities(
        self, features: Any, items: Any, clicks: Any, slates: Ints
    ) -> NDArray[np.float32]:
        """Return the probability that each item of a slate is clicked, ``(B, K)``; 0 at padding.

        Arguments as in `utilities`; an item is taken to stand once in a slate.
        """
        shown = slates >= 0
        utilities = self.utilities(features, items, clicks, slates)
        probabilities: NDArray[np.float32] = self.choice.probabilities(np, utilities, shown)
        return probabilities

    def return_probabilities(
        self, features: Any, items: Any, clicks: Any, before: Ints, step: Ints
    ) -> Floats:
        """Return the probability of each class of return after a session, ``(B, C)``.

        Args:
            features: Of the users, ``(B, F)``.
            items: Slates that they remember, the last of the session included, ``(B, H, K)``.
            clicks: What they clicked of them, or the probabilities of it, ``(B, H, K)``.
            before: Days since the session before, 0 in the first, ``(B,)``.
            step: Slates of the session before the last, ``(B,)``.

        Raises:
            ValueError: The model knows no return.
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
    """Return calibrated logits, ``(N, C)``: a common factor, and a constant for each class."""
    return scaling[0] * logits + scaling[1:]


def build_networks(
    config: UserModelConfig,
    problem: Problem,
    population: NDArray[np.float32],
    classes: int,
) -> tuple[ResponseNetwork, ReturnNetwork | None]:
    """Build the two networks with random weights, a function of the seed of the settings.

    Args:
        config: Sizes, seed and device.
        problem: The catalogue.
        population: Features of the users to standardise by, ``(U, F)``.
        classes: Classes of return; 0 where the log has no return.
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
