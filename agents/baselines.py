"""The policies that every other one is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from agents.shared import slates
from agents.shared.deterministic import Deterministic
from agents.shared.targets import ItemMeans, check_target, outcomes
from recsim.contracts.slates import AgentConfig, Decision, Feedback, FitReport, Observation
from recsim.errors import UserError
from recsim.estimators import UniformSlates
from recsim.log import SlateLog
from recsim.problem import Problem


class RandomConfig(AgentConfig):
    """Settings of `RandomAgent`: none."""


class RandomAgent:
    """Shows distinct candidates drawn uniformly: every ordered slate is equally likely.

    Propensities are exact: 1/C for an item at a position, (C-K)!/C! for a whole slate.
    """

    Config: ClassVar[type[AgentConfig]] = RandomConfig
    privileged: ClassVar[bool] = False
    needs_log: ClassVar[bool] = False

    def __init__(self, config: RandomConfig, problem: Problem, seed: int) -> None:
        slates.check_sizes(problem)
        self._slate_size = problem.slate_size
        self._uniform = UniformSlates(problem.slate_size)
        self._rng = np.random.default_rng(seed)

    def fit(self, log: SlateLog) -> FitReport:
        """Learn nothing."""
        return FitReport(rows=0)

    def begin(self, batch_size: int) -> None:
        """Keep nothing per user."""

    def act(self, obs: Observation) -> Decision:
        """Draw a slate for every user."""
        batch, num_candidates = obs["candidates"].shape
        size = self._slate_size
        return Decision(
            slates.uniform_slates(self._rng, batch, num_candidates, size),
            np.full((batch, size), 1 / num_candidates),
            np.full(batch, slates.uniform_slate_propensity(num_candidates, size)),
            np.tile(slates.uniform_prefixes(num_candidates, size), (batch, 1)),
        )

    def propensities(self, obs: Observation, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return 1/C for each candidate, 0 for any other item, 1 at padding."""
        candidates = obs["candidates"]
        chance = slates.offered(candidates, items) / candidates.shape[1]
        return np.where(items < 0, 1.0, chance)

    def action_probabilities(self, obs: Observation) -> NDArray[np.float64]:
        """Return 1/C for every candidate at every position, ``(B, K, C)``; read-only."""
        batch, size = obs["candidates"].shape
        return np.broadcast_to(1 / size, (batch, self._slate_size, size))

    def prefix_propensities(
        self, obs: Observation, items: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return (C-k)!/C! for k distinct candidates, else 0, ``(B, K)``; padding is left out."""
        return self._uniform.prefix_propensities(obs, items)

    def additive_weights(
        self, obs: Observation, slates: NDArray[np.int64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the pseudo-inverse weights of slates that this agent logged, in closed form."""
        return self._uniform.additive_weights(obs, slates, target)

    def observe(self, feedback: Feedback) -> None:
        """Learn nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random generator."""
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on drawing where the saved agent stopped."""
        self._rng.bit_generator.state = state["rng"]


class PopularityConfig(AgentConfig):
    """Settings of `PopularityAgent`.

    Attributes:
        target: What counts: ``click``, a named reward, or ``reward`` for the scalar one.
        smoothing: Impressions at the overall mean that every item is given for a start, so that an
            item shown once and clicked once does not come first.
        rank_by: The ``mean`` per impression, or the ``total``, which favours what was shown often
            and knows no smoothing.
    """

    target: str = "click"
    smoothing: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    rank_by: Literal["mean", "total"] = "mean"

    @model_validator(mode="after")
    def _smoothing_of_means(self) -> Self:
        if self.rank_by == "total" and "smoothing" in self.model_fields_set:
            raise ValueError("'smoothing' has no effect on totals: remove it")
        return self


class PopularityAgent(Deterministic):
    """Shows everybody the items that earned most on the log, per impression or in all.

    A reward that is known per slate only is shared equally by the items shown. Ties go to the
    candidate listed first.
    """

    Config: ClassVar[type[AgentConfig]] = PopularityConfig
    privileged: ClassVar[bool] = False
    needs_log: ClassVar[bool] = True

    def __init__(self, config: PopularityConfig, problem: Problem, seed: int) -> None:
        slates.check_sizes(problem)
        check_target(config.target, problem)
        self._config = config
        self._slate_size = problem.slate_size
        self._means = ItemMeans(problem.num_items)
        self._scores: NDArray[np.float64] | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Count the log's impressions; several logs add up."""
        self._means.add(outcomes(log, self._config.target))
        self._scores = self._ranked()
        return FitReport(rows=len(log))

    def begin(self, batch_size: int) -> None:
        """Keep nothing per user."""

    def _slates(self, obs: Observation) -> NDArray[np.int64]:
        """Rank every user's candidates by popularity."""
        if self._scores is None:
            raise UserError(
                "agent 'popularity' must be fitted on a log before it can act: "
                "give it a training_log."
            )
        scores = self._scores[obs["candidates"]]  # (I,) -> (B, C)
        return slates.top_slates(scores, self._slate_size)

    def observe(self, feedback: Feedback) -> None:
        """Learn nothing: the ranking is that of the log."""

    def state_dict(self) -> dict[str, Any]:
        """Return impressions and sums per item."""
        return dict(self._means.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the counts of the saved agent."""
        self._means.load_state_dict(state)
        self._scores = None
        if self._means.impressions.any():
            self._scores = self._ranked()

    def _ranked(self) -> NDArray[np.float64]:
        """Return what the items are ranked by, ``(I,)``."""
        if self._config.rank_by == "total":
            return self._means.sums
        return self._means.estimate(None, self._config.smoothing)


class OracleConfig(AgentConfig):
    """Settings of `OracleAgent`.

    Attributes:
        objective: ``immediate`` maximises the expected reward of the slate at hand, ``long_term``
            looks ahead.
    """

    objective: Literal["immediate", "long_term"] = "immediate"


class OracleAgent(Deterministic):
    """Shows the slate that the simulated world itself says is best; no real system can.

    The upper line of every picture. Works in a simulation only, which must reveal its state.
    """

    Config: ClassVar[type[AgentConfig]] = OracleConfig
    privileged: ClassVar[bool] = True
    needs_log: ClassVar[bool] = False

    def __init__(self, config: OracleConfig, problem: Problem, seed: int) -> None:
        self._key = "oracle_slate" if config.objective == "immediate" else "long_term_slate"

    def fit(self, log: SlateLog) -> FitReport:
        """Learn nothing."""
        return FitReport(rows=0)

    def begin(self, batch_size: int) -> None:
        """Keep nothing per user."""

    def _slates(self, obs: Observation) -> NDArray[np.int64]:
        """Repeat the slate that the world names."""
        if self._key not in obs:
            raise UserError(
                f"agent 'oracle' needs {self._key!r}, which only a simulation that reveals its "
                "state gives: set reveal_state=True, and don't evaluate this agent on a log."
            )
        return np.asarray(obs[self._key], dtype=np.int64)

    def observe(self, feedback: Feedback) -> None:
        """Learn nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: the oracle has no state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore nothing."""
