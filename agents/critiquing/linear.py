"""Critiquing in the latent space of a linear recommender, in closed form."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from agents.critiquing.averaging import balanced_average, uniform_average
from agents.critiquing.base import LinearBaseline, LinearConfig
from agents.critiquing.baseline import BaselineConfig
from agents.critiquing.llc import criticised_scores, split
from recsim.contracts.slates import Observation

Floats = NDArray[np.floating[Any]]


class LinearCritiquingConfig(LinearConfig):
    """Settings of `LinearCritiquingAgent`.

    Attributes:
        method: ``uac``, ``bac``: the vectors of critiques are averaged with the user's, each alike
            or all together as much as the user; see `agents.critiquing.averaging`. ``llc``,
            ``llc_sum_to_one``: their weights solve a linear program, each bounded or all summing to
            one; see `agents.critiquing.llc`.
        least_weight: What a critique of an aspect weighs that the user never wrote of. Published
            for ``llc`` is 0, by which such critiques are lost; 1 is what it is in bot play.
        top: Items that the linear program looks at.
        bound: Largest size of a weight of ``llc``; the base's is 1.
    """

    method: Literal["uac", "bac", "llc", "llc_sum_to_one"] = "llc"
    least_weight: float = Field(1.0, ge=0, allow_inf_nan=False)
    top: int = Field(100, ge=1)
    bound: float = Field(100.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _linear_indeed(self) -> Self:
        if self.base.base == "bpr" and self.base.bpr.enc_layers:
            raise ValueError("base.bpr.enc_layers must be 0: an aspect needs a vector of its own")
        for key, heeding in (("top", ("llc", "llc_sum_to_one")), ("bound", ("llc",))):
            if key in self.model_fields_set and self.method not in heeding:
                raise ValueError(f"{key!r} has no effect with method {self.method!r}: leave it out")
        return self


class LinearCritiquingAgent(LinearBaseline):
    """Moves the user's vector, or all scores, by the vectors of criticised aspects.

    Published methods start from ``U[u]``; here it is the base's ``z(u, c_0)``, which holds what the
    user wrote of already, so that before any critique the ranking is the base's.
    """

    name: ClassVar[str] = "linear_critiquing"
    Config: ClassVar[type[BaselineConfig]] = LinearCritiquingConfig
    _config: LinearCritiquingConfig

    def criticised(self, obs: Observation) -> Floats:
        """Return the scores of all items after all critiques, ``(B, I)``."""
        config, users, items = self._config, self.users(obs), self.items
        critiques = self.weights(obs, config.least_weight)
        encoder, intercept = self.encoder()
        if config.method in ("uac", "bac"):
            average = uniform_average if config.method == "uac" else balanced_average
            found: Floats = average(users, encoder, critiques) @ items.T
            return found
        scores = users @ items.T
        allowed = np.asarray(obs["action_mask"]) > 0
        having = self._problem.item_aspects
        parts = split(scores, allowed, np.asarray(obs["critiqued"]), having, config.top)
        return criticised_scores(
            "bounded" if config.method == "llc" else "sum_to_one",
            scores,
            np.minimum(critiques, 0),
            items @ encoder.T,  # (I, K)
            items @ intercept,  # (I,)
            *parts,
            bound=config.bound,
        )

    def encoder(self) -> tuple[Floats, Floats]:
        """Vectors of the aspects, ``(K, d)``, and the intercept, ``(d,)``."""
        weight, bias = self._base.model.encoder[0].parameters()
        return weight.detach().cpu().numpy().T, bias.detach().cpu().numpy()
