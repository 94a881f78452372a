"""A linear recommender under all that criticises its latent space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from agents.bot_play.agent import BotPlayAgent, BotPlayConfig
from agents.critiquing.averaging import weights
from agents.critiquing.baseline import Baseline, BaselineConfig
from recsim.contracts.slates import FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


class Beneath(BotPlayConfig):
    """Settings of the recommender beneath: those of ``bot_play``, by default not fine-tuned.

    Attributes:
        fine_tuning: As there; ``none`` unless asked for.
    """

    fine_tuning: Literal["bot_play", "control", "none"] = "none"

    @model_validator(mode="after")
    def _only_others_rank(self) -> Self:
        for key in ("aspect_filter", "critique_weight"):
            if key in self.model_fields_set:
                raise ValueError(f"{key!r} has no effect beneath another ranking: leave it out")
        return self


class LinearConfig(BaselineConfig):
    """Settings of `LinearBaseline`.

    Attributes:
        base: The recommender beneath.
    """

    base: Beneath = Beneath()


class LinearBaseline(Baseline):
    """Ranks as a linear recommender does until something is criticised.

    Of a user u with preferences c the recommender makes ``z(u, c)``; that before any critique,
    ``z(u, c_0)``, is what critiques are brought to. Justifications are those of the recommender,
    which hears critiques as it was made to; so what is shown for why does not depend on the method.
    """

    Config: ClassVar[type[BaselineConfig]] = LinearConfig
    _config: LinearConfig

    def __init__(self, config: LinearConfig, problem: CritiquingProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._base = BotPlayAgent(config.base, problem, seed)
        self._learned = False

    def fit(self, data: AspectReviews) -> FitReport:
        """Train the recommender beneath."""
        report = self._base.fit(data)
        self._learned = True
        return report

    def begin(self, sessions: Ints) -> None:
        """Forget all sessions, and expect new ones of these numbers, ``(B,)``."""
        super().begin(sessions)
        self._base.begin(sessions)

    def scores(self, obs: Observation) -> Floats:
        """Return what is thought of all items, ``(B, I)``, after all critiques."""
        if not self._learned:
            raise self.unfitted()
        return self.criticised(obs)

    def criticised(self, obs: Observation) -> Floats:
        """Return the scores of all items, ``(B, I)``, of an agent that was fitted."""
        raise NotImplementedError

    def users(self, obs: Observation) -> Floats:
        """Return who the users are before any critique, ``(B, d)``."""
        found: Floats = self._base.latent(obs, listens=False).cpu().numpy()
        return found

    @property
    def items(self) -> Floats:
        """Vectors of the items, ``(I, d)``."""
        found: Floats = self._base.model.items.detach().cpu().numpy()
        return found

    def weights(self, obs: Observation, least: float) -> Floats:
        """Return what each critique weighs, ``(B, K)``; see `agents.critiquing.averaging`."""
        user = np.asarray(obs["user"])[:, 0]
        counts = self._base.model.counts.cpu().numpy()[user] * (user >= 0)[:, None]
        return weights(np.asarray(obs["critiqued"]), counts, least)

    def justification(self, obs: Observation, items: Ints) -> tuple[Bools, Floats]:
        """Return the aspects that the recommender beneath names, and how strongly, ``(B, K)``."""
        return self._base.justification(obs, items)

    def state_dict(self) -> dict[str, Any]:
        """Return what the recommender beneath learned."""
        return super().state_dict() | {"base": self._base.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what the saved agent knew."""
        self._base.load_state_dict(state["base"])
        self._learned = state["base"]["weights"] is not None
        super().load_state_dict(state)
