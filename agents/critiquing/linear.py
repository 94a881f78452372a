"""Critiquing in the latent space of a linear recommender, in closed form."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from agents.critiquing.averaging import balanced_average, uniform_average
from agents.critiquing.linear_base import LinearBaseAgent, LinearConfig
from agents.critiquing.llc import critiqued_scores, split
from recsim.arrays import AnyFloats, Floats
from recsim.contracts.slates import AgentConfig, Observation, OnlyWith


class LinearCritiquingConfig(LinearConfig):
    """Settings of `LinearCritiquingAgent`.

    Attributes:
        method: ``uac``, ``bac``: the user's vector is averaged with each critique's vector, or with
            the mean of all; see `agents.critiquing.averaging`. ``llc``, ``llc_sum_to_one``: the
            weights of critiques solve a linear program, in which each is bounded or all sum to one;
            see `agents.critiquing.llc`.
        least_weight: Weight of an aspect that the user never mentioned. The published value for
            ``llc`` is 0, so that such critiques have no effect; in bot play it is 1.
        top: Number of items in the linear program.
        bound: Largest absolute value of a weight for ``llc``; the weight of the base is 1.
    """

    only_with: ClassVar[OnlyWith] = {
        "top": ("method", ("llc", "llc_sum_to_one")),
        "bound": ("method", ("llc",)),
    }

    method: Literal["uac", "bac", "llc", "llc_sum_to_one"] = "llc"
    least_weight: float = Field(1.0, ge=0, allow_inf_nan=False)
    top: int = Field(100, ge=1)
    bound: float = Field(100.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _encoder_is_linear(self) -> Self:
        if self.base.base == "bpr" and self.base.bpr.enc_layers:
            raise ValueError("base.bpr.enc_layers must be 0: each aspect needs a vector")
        return self


class LinearCritiquingAgent(LinearBaseAgent):
    """Shifts the user's vector, or all scores, by the vectors of critiqued aspects.

    The published methods start from ``U[u]``. Here they start from the base's ``z(u, c_0)``, which
    includes the aspects that the user mentioned, so that the ranking before any critique is the
    base's.
    """

    name: ClassVar[str] = "linear_critiquing"
    reads = frozenset({"user_ids", "item_features", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = LinearCritiquingConfig
    _config: LinearCritiquingConfig

    def critiqued_scores(self, obs: Observation) -> AnyFloats:
        """Return the scores of all items after all critiques, ``(B, I)``."""
        config, users, items = self._config, self.users(obs), self.items
        critiques = self.weights(obs, config.least_weight)
        encoder, intercept = self.encoder()
        if config.method in ("uac", "bac"):
            average = uniform_average if config.method == "uac" else balanced_average
            averaged: AnyFloats = average(users, encoder, critiques) @ items.T
            return averaged
        scores = users @ items.T
        allowed = np.asarray(obs["action_mask"]) > 0
        having = self._problem.item_aspects
        parts = split(scores, allowed, np.asarray(obs["critiqued"]), having, config.top)
        return critiqued_scores(
            "bounded" if config.method == "llc" else "sum_to_one",
            scores,
            np.minimum(critiques, 0),
            items @ encoder.T,  # (I, K)
            items @ intercept,  # (I,)
            *parts,
            bound=config.bound,
        )

    def encoder(self) -> tuple[Floats, Floats]:
        """Return the vectors of the aspects, ``(K, d)``, and the intercept, ``(d,)``."""
        weight, bias = self._base.model.encoder[0].parameters()
        return weight.detach().cpu().numpy().T, bias.detach().cpu().numpy()
