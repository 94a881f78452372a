"""Reference policies: random, popularity, and the simulation's own best slates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from agents.shared.deterministic import Deterministic
from agents.shared.randomised import Randomised
from agents.shared.targets import ItemMeans, check_target, outcomes
from recsim.arrays import Bools, Floats, Ints
from recsim.contracts.slates import AgentConfig, Decision, FitReport, Observation, OnlyWith
from recsim.estimators import UniformSlates
from recsim.log import SlateLog
from recsim.problem import Problem


class RandomConfig(AgentConfig):
    """Settings of `RandomAgent`: none."""


class RandomAgent(Randomised, BaseSlateAgent):
    """Shows distinct candidates drawn uniformly: every ordered slate is equally likely.

    Propensities are exact: 1/C for an item at a position, (C-K)!/C! for a whole slate.
    """

    name: ClassVar[str] = "random"
    Config: ClassVar[type[AgentConfig]] = RandomConfig

    def __init__(self, config: RandomConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._uniform = UniformSlates(problem.slate_size)

    def act(self, obs: Observation) -> Decision:
        """Draw a slate for every user."""
        batch, num_candidates = obs["candidates"].shape
        size = self._slate_size
        return Decision(
            slates.uniform_slates(self._draws.next(batch), num_candidates, size),
            np.full((batch, size), 1 / num_candidates),
            np.full(batch, slates.uniform_slate_propensity(num_candidates, size)),
            np.tile(slates.uniform_prefixes(num_candidates, size), (batch, 1)),
        )

    def propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return 1/C for each candidate, 0 for any other item, 1 at padding."""
        candidates = obs["candidates"]
        chance = slates.offered(candidates, items) / candidates.shape[1]
        return np.where(items < 0, 1.0, chance)

    def action_probabilities(self, obs: Observation) -> Floats:
        """Return 1/C for every candidate at every position, ``(B, K, C)``; read-only."""
        batch, size = obs["candidates"].shape
        return np.broadcast_to(1 / size, (batch, self._slate_size, size))

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return (C-k)!/C! for k distinct candidates, else 0, ``(B, K)``; ignores padding."""
        return self._uniform.prefix_propensities(obs, items)

    def additive_weights(
        self, obs: Observation, slates: Ints, target: Floats
    ) -> tuple[Floats, Bools]:
        """Return the pseudo-inverse weights of slates that this agent logged, in closed form."""
        return self._uniform.additive_weights(obs, slates, target)


class PopularityConfig(AgentConfig):
    """Settings of `PopularityAgent`.

    Attributes:
        target: What counts: ``click``, a named reward, or ``reward`` for the scalar one.
        smoothing: Impressions at the overall mean that are added to those of every item, so that
            an item shown once and clicked once does not come first.
        rank_by: The ``mean`` per impression, or the ``total``, which favours items shown often and
            is not smoothed.
    """

    only_with: ClassVar[OnlyWith] = {"smoothing": ("rank_by", ("mean",))}

    target: str = "click"
    smoothing: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    rank_by: Literal["mean", "total"] = "mean"


class PopularityAgent(Deterministic):
    """Shows all users the items that earned most on the log, per impression or in total.

    A reward known for the slate only is shared equally among the items shown. Ties go to the
    candidate listed first.
    """

    name: ClassVar[str] = "popularity"
    Config: ClassVar[type[AgentConfig]] = PopularityConfig
    needs_log: ClassVar[bool] = True
    _config: PopularityConfig

    def __init__(self, config: PopularityConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        check_target(config.target, problem)
        self._means = ItemMeans(problem.num_items)
        self._scores: Floats | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Count the log's impressions; several logs add up."""
        self._means.add(outcomes(log, self._config.target))
        self._scores = self._ranked()
        return FitReport(rows=len(log))

    def _slates(self, obs: Observation) -> Ints:
        """Rank every user's candidates by popularity."""
        scores = self.fitted(self._scores)[obs["candidates"]]  # (I,) -> (B, C)
        return slates.top_slates(scores, self._slate_size)

    def _ranked(self) -> Floats:
        """Return what the items are ranked by, ``(I,)``."""
        if self._config.rank_by == "total":
            return self._means.sums
        return self._means.estimate(None, self._config.smoothing)

    def _learned(self) -> dict[str, Any]:
        return dict(self._means.state_dict())

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._means.load_state_dict(state)
        self._scores = self._ranked() if self._means.impressions.any() else None


class OracleConfig(AgentConfig):
    """Settings of `OracleAgent`.

    Attributes:
        objective: ``immediate`` maximises the expected reward of the next slate, ``long_term``
            looks further ahead.
    """

    objective: Literal["immediate", "long_term"] = "immediate"


class OracleAgent(Deterministic):
    """Shows the best slate according to the simulated world itself; no real system can.

    An upper bound for other agents. Works only in a simulation that reveals its state.
    """

    name: ClassVar[str] = "oracle"
    Config: ClassVar[type[AgentConfig]] = OracleConfig
    privileged: ClassVar[bool] = True

    def __init__(self, config: OracleConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._key = "oracle_slate" if config.objective == "immediate" else "long_term_slate"

    def _slates(self, obs: Observation) -> Ints:
        """Return the world's own best slate."""
        if self._key not in obs:
            raise self.error(
                f"needs {self._key!r}, which only a simulation that reveals its state gives: set "
                "reveal_state=True, and don't evaluate this agent on a log."
            )
        return np.asarray(obs[self._key], dtype=np.int64)
