"""Reference policies: random, popularity, and the simulation's own best slates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from agents.shared.deterministic import Deterministic
from agents.shared.event_lists import Events, below_others, seen_candidates
from agents.shared.randomised import Randomised
from agents.shared.returns import returns_to_go, slate_rewards
from agents.shared.targets import ItemMeans, Outcomes, check_target, outcomes
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
    reads = frozenset()
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
        target: What counts: ``click``, a named reward, ``reward`` for the scalar one, or ``to_go``
            for the return-to-go of ``long``, less its mean over the slates of the day.
        long: With ``to_go``: the reward that is summed from a slate to the user's last: ``click``,
            a named reward, or ``reward``.
        credit: Whether the items ``shown`` share what a slate earned, or each item ``clicked``
            earned it; an item is then known by its clicks, not by its impressions.
        smoothing: Impressions, or clicks, that are added to those of every item, so that an item
            shown once and clicked once does not come first. They are at the overall mean, or with
            ``to_go`` at 0, the mean of the day.
        rank_by: The ``mean`` per impression or click, or the ``total``, which favours items shown
            often and is not smoothed.
        exclude_seen: Whether items of the observed history are ranked below all others.
        events: With ``exclude_seen``: which of them, those ``clicked`` or all that were ``shown``.
    """

    only_with: ClassVar[OnlyWith] = {
        "smoothing": ("rank_by", ("mean",)),
        "long": ("target", ("to_go",)),
        "events": ("exclude_seen", (True,)),
    }

    target: str = "click"
    long: str = "return"
    credit: Literal["shown", "clicked"] = "shown"
    smoothing: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    rank_by: Literal["mean", "total"] = "mean"
    exclude_seen: bool = False
    events: Events = "clicked"

    @model_validator(mode="after")
    def _a_click_is_not_credited_with_itself(self) -> Self:
        if self.target == "click" and self.credit == "clicked":
            raise ValueError("'credit: clicked' needs a target other than the click itself")
        return self


class PopularityAgent(Deterministic):
    """Shows all users the items that earned most on the log, per impression or in total.

    A reward known for the slate only is shared equally among the items shown, or credited to the
    items clicked. Ties go to the candidate listed first. ``target: to_go`` with ``credit: clicked``
    is the control for agents of long-term reward: the mean return after a click on the item.
    """

    name: ClassVar[str] = "popularity"
    reads = frozenset({"item_ids"})
    Config: ClassVar[type[AgentConfig]] = PopularityConfig
    needs_log: ClassVar[bool] = True
    _config: PopularityConfig

    def __init__(self, config: PopularityConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        check_target(config.long if config.target == "to_go" else config.target, problem)
        if config.exclude_seen:
            self.reads = (self.reads or frozenset()) | {"history"}
        self._means = ItemMeans(problem.num_items)
        self._scores: Floats | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Count the log's impressions or clicks; several logs add up.

        Raises:
            AgentError: If the log lacks the target, or the users that returns-to-go need.
        """
        earned = self._earned(log)
        if self._config.credit == "clicked":
            clicked = np.where((log.clicks > 0) & (log.slate >= 0), log.slate, -1)
            earned = Outcomes(clicked, np.broadcast_to(earned.values[:, None], clicked.shape))
        self._means.add(earned)
        self._scores = self._ranked()
        return FitReport(rows=len(log))

    def scores(self, obs: Observation) -> Floats:
        """Return the popularity of every candidate, ``(B, C)``.

        Raises:
            AgentError: If the agent was not fitted.
        """
        return self.fitted(self._scores)[obs["candidates"]]  # (I,) -> (B, C)

    def _slates(self, obs: Observation) -> Ints:
        """Rank every user's candidates by popularity."""
        scores = self.scores(obs)
        if self._config.exclude_seen:
            seen = seen_candidates(obs, self._config.events, self._problem.num_items)
            scores = below_others(scores, seen)
        return slates.top_slates(scores, self._slate_size)

    def _earned(self, log: SlateLog) -> Outcomes:
        """Return what the slates of a log earned."""
        config = self._config
        if config.target != "to_go":
            return outcomes(log, config.target)
        if log.anonymous:
            raise self.error(
                "sums the rewards of a user's later slates, but the log does not identify its "
                "users: use a log with user ids, or another 'target'."
            )
        to_go = returns_to_go(log, slate_rewards(log, config.long))
        _, day = np.unique(log.day, return_inverse=True)
        expected = np.bincount(day, weights=to_go) / np.bincount(day)
        return Outcomes(log.slate, to_go - expected[day])

    def _ranked(self) -> Floats:
        """Return what the items are ranked by, ``(I,)``."""
        if self._config.rank_by == "total":
            return self._means.sums
        prior = 0.0 if self._config.target == "to_go" else None
        return self._means.estimate(prior, self._config.smoothing)

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
    reads = frozenset({"state"})
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
