"""The agent: it ranks each user's candidates by the product of two vectors."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from agents.rel_mf.audience import Audience
from agents.rel_mf.expomf import ExpoMF, fit_expomf
from agents.rel_mf.factors import Factors, Training, train
from agents.rel_mf.losses import Coefficients, inverse_propensities, naive, weighted, wmf
from agents.rel_mf.pairs import ClickedPairs, batches
from agents.shared import slates
from agents.shared.deterministic import Deterministic
from agents.shared.torch_agent import DeviceAgent
from recsim.arrays import Floats32, Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation, OnlyWith
from recsim.estimators.popularity import popularity_propensities
from recsim.log import SlateLog
from recsim.problem import Problem

_STEPS = ("method", ("rel_mf", "mf", "wmf"))


class RelMFConfig(AgentConfig):
    """Settings of `RelMFAgent`; a setting that the method does not use is refused.

    Attributes:
        method: ``rel_mf``, or a baseline: ``mf`` (plain), ``wmf`` (weighted) or ``expomf``
            (exposure as a hidden variable).
        dim: Length of the vectors.
        l2: Penalty on the squared vectors.
        power: rel_mf: eta of the propensity ``(n_i / max n)^eta``.
        clip: rel_mf: M, the lower bound of propensities; 0 is unbiased, 1 is ``mf``.
        non_negative: rel_mf: whether the loss of a pair is clipped at 0 from below.
        weight: wmf: c.
        weight_on: wmf: whether c multiplies pairs with a click (``clicks``) or without
            (``unclicked``).
        steps: Number of gradient steps.
        batch_size: Pairs per step.
        learning_rate: Learning rate of Adam.
        iterations: expomf: rounds of expectation maximisation.
        precision: expomf: precision of a click around its score.
        exposure: expomf: initial probability that an item is seen.
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    only_with: ClassVar[OnlyWith] = {
        "power": ("method", ("rel_mf",)),
        "clip": ("method", ("rel_mf",)),
        "non_negative": ("method", ("rel_mf",)),
        "weight": ("method", ("wmf",)),
        "weight_on": ("method", ("wmf",)),
        "steps": _STEPS,
        "batch_size": _STEPS,
        "learning_rate": _STEPS,
        "iterations": ("method", ("expomf",)),
        "precision": ("method", ("expomf",)),
        "exposure": ("method", ("expomf",)),
    }

    method: Literal["rel_mf", "mf", "wmf", "expomf"] = "rel_mf"
    dim: PositiveInt = 32
    l2: float = Field(default=1e-5, ge=0, allow_inf_nan=False)
    power: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    clip: float = Field(default=0.1, ge=0, le=1)
    non_negative: bool = False
    weight: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    weight_on: Literal["clicks", "unclicked"] = "clicks"
    steps: PositiveInt = 1000
    batch_size: PositiveInt = 4096
    learning_rate: float = Field(default=0.005, gt=0, allow_inf_nan=False)
    iterations: PositiveInt = 10
    precision: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    exposure: float = Field(default=0.01, gt=0, lt=1)
    device: str = "cpu"

    @model_validator(mode="after")
    def _expomf_needs_a_penalty(self) -> Self:
        if self.method == "expomf" and not self.l2:
            raise ValueError("'l2' must be above 0 for 'expomf'")
        return self


class RelMFAgent(DeviceAgent, Deterministic):
    """Ranks by matrix factorisation from clicks that are missing not at random.

    Fitted on the clicks of a log; every pair of user and item without a click is unlabelled. A
    second fit forgets the first. Known users are identified by ``obs["user"]``, others are
    represented by their clicks. Ties go to the candidate listed first; deterministic, so
    propensities are 0 or 1.
    """

    name: ClassVar[str] = "rel_mf"
    reads = frozenset({"user_ids", "user_features", "history", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = RelMFConfig
    needs_log: ClassVar[bool] = True
    _config: RelMFConfig

    def __init__(self, config: RelMFConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._generator = self._new_generator()
        self._audience: Audience | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Learn vectors of the users and items of a log, forgetting any other log.

        Raises:
            AgentError: If the log is anonymous or has no click.
        """
        self.require_users(log, "learns a vector for each user")
        known, row_user = np.unique(log.user, return_inverse=True)
        row, slot = np.nonzero((log.clicks == 1) & (log.slate >= 0))
        self.require(len(row), "clicks")
        clicks = ClickedPairs(
            self._tensor(row_user[row]),
            self._tensor(log.slate[row, slot]),
            len(known),
            self._problem.num_items,
        )
        losses: list[dict[str, float]] = []
        if self._config.method == "expomf":
            users, items = self._fit_expomf(clicks)
        else:
            users, items = self._fit_factors(clicks, losses)
        self._audience = Audience.of(
            known,
            _features(log, known),
            users.cpu().numpy(),
            items.cpu().numpy(),
            clicks.users.cpu().numpy(),
            clicks.items.cpu().numpy(),
        )
        return FitReport(rows=len(log), losses=losses)

    def scores(self, obs: Observation) -> Floats32:
        """Return the score of every candidate, ``(B, C)``.

        Raises:
            AgentError: If the agent was not fitted.
        """
        return self.fitted(self._audience).scores(obs)

    def _slates(self, obs: Observation) -> Ints:
        return slates.top_slates(self.scores(obs), self._slate_size)

    def _learned(self) -> dict[str, Any]:
        return {} if self._audience is None else {"audience": self._audience.state_dict()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        saved = state.get("audience")
        if saved is not None and len(saved["items"]) != self._problem.num_items:
            raise self.misfit(
                f"it has {len(saved['items'])} items; there are {self._problem.num_items}."
            )
        self._audience = None if saved is None else Audience.from_state(saved)

    def _fit_expomf(self, clicks: ClickedPairs) -> tuple[Tensor, Tensor]:
        config = self._config
        settings = ExpoMF(
            dim=config.dim,
            iterations=config.iterations,
            l2=config.l2,
            precision=config.precision,
            exposure=config.exposure,
        )
        fitted = fit_expomf(clicks, settings, self._generator)
        return fitted.users, fitted.items

    def _fit_factors(
        self, clicks: ClickedPairs, losses: list[dict[str, float]]
    ) -> tuple[Tensor, Tensor]:
        config = self._config
        factors = Factors(clicks.num_users, clicks.num_items, config.dim, self._generator)
        every = max(1, config.steps // 100)

        def note(step: int, loss: Tensor) -> bool:
            if step % every == 0 or step == config.steps:
                losses.append({"step": step, "loss": float(loss)})
            return False

        training = Training(config.learning_rate, config.l2, non_negative=config.non_negative)
        drawn = batches(clicks.uniform, config.batch_size, self._generator)
        coefficients = self._coefficients(clicks)
        train(factors, itertools.islice(drawn, config.steps), coefficients, training, on_step=note)
        return factors.users.detach(), factors.items.detach()

    def _coefficients(self, clicks: ClickedPairs) -> _Coefficients:
        """Return the function that computes a and b of pairs of users and items."""
        config = self._config
        inverse = None
        if config.method == "rel_mf":
            counts = clicks.counts().cpu().numpy()
            # An item without a click never has Y = 1, so its propensity does not matter; it only
            # has to be above 0: it gets the propensity of an item with one click.
            least = float(counts.max()) ** -config.power
            theta = popularity_propensities(counts, power=config.power, floor=least)
            inverse = inverse_propensities(torch.as_tensor(theta), config.clip)
            inverse = inverse.float().to(self._device)
        return _Coefficients(clicks, config, inverse)


class _Coefficients:
    """Computes a and b of the pairs of a batch."""

    def __init__(self, clicks: ClickedPairs, config: RelMFConfig, inverse: Tensor | None) -> None:
        self._clicks = clicks
        self._config = config
        self._inverse = inverse  # (I,)

    def __call__(self, users: Tensor, items: Tensor) -> Coefficients:
        y = self._clicks.contains(users, items)
        if self._inverse is not None:
            return weighted(y, self._inverse[items])
        if self._config.method == "wmf":
            return wmf(y, self._config.weight, self._config.weight_on)
        return naive(y)


def _features(log: SlateLog, users: Ints) -> Floats32:
    """Return the features of some users of a log, ``(N, F)``; F may be 0."""
    if not log.user_features.shape[1]:
        return np.zeros((len(users), 0), dtype=np.float32)
    return log.user_features[users]
