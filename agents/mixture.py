"""A mixture of agents, each of which serves some of the users, to collect logs of mixed quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

import agents
from agents.shared.base import BaseSlateAgent
from agents.shared.randomised import Randomised, UserDraws
from recsim.arrays import Ints
from recsim.contracts.slates import (
    Agent,
    AgentConfig,
    Decision,
    Feedback,
    FitReport,
    Observation,
    begin_users,
)
from recsim.draws import Purpose
from recsim.errors import AgentError
from recsim.log import SlateLog
from recsim.problem import Problem
from recsim.settings import validated

MEMBER = Purpose("member of a mixture")


class MemberConfig(AgentConfig):
    """One agent of a mixture.

    Attributes:
        name: Registered name.
        config: Its settings.
        weight: Share of the users, relative to the weights of the other members.
    """

    name: str
    config: dict[str, Any] = Field(default_factory=dict)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class MixtureConfig(AgentConfig):
    """Settings of `MixtureAgent`.

    Attributes:
        members: The agents: blocks of ``name``, ``config`` and ``weight``.
    """

    members: tuple[dict[str, Any], ...] = Field(
        default=({"name": "random"}, {"name": "oracle"}), min_length=1, strict=False
    )


class MixtureAgent(Randomised, BaseSlateAgent):
    """Assigns every user at random to one of several agents, for the whole episode.

    It collects logs in which some users were served well and others badly, so that an agent can
    learn the consequences of both. For simulations only, as members may need the state of the
    world. Its propensities are unknown: they depend on the member, which earlier slates reveal.
    """

    name: ClassVar[str] = "mixture"
    reads: frozenset[str] | None = frozenset()
    Config: ClassVar[type[AgentConfig]] = MixtureConfig
    privileged: ClassVar[bool] = True

    def __init__(self, config: MixtureConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        chosen = [
            validated(MemberConfig, member, f"agent 'mixture': members.{place}", error=AgentError)
            for place, member in enumerate(config.members)
        ]
        seeds = np.random.SeedSequence(seed).generate_state(len(chosen) + 1)
        self._members: list[Agent] = []
        for place, (member, own) in enumerate(zip(chosen, seeds[1:], strict=True)):
            if member.name == "mixture":
                raise AgentError(
                    f"agent 'mixture': members.{place} is a mixture itself: list its members here."
                )
            self._members.append(agents.make(member.name, problem, seed=int(own), **member.config))
        read = [getattr(member, "reads", None) for member in self._members]
        declared: list[frozenset[str]] = [one for one in read if one is not None]
        self.reads = frozenset[str]().union(*declared) if len(declared) == len(read) else None
        weights = np.array([member.weight for member in chosen])
        self._upto = np.cumsum(weights / weights.sum())
        self._draws = UserDraws(int(seeds[0]))
        self._of: Ints = np.zeros(0, dtype=np.int64)  # (B,) the member that serves the user

    @property
    def learns_online(self) -> bool:
        """Whether any member learns from feedback."""
        return any(getattr(member, "learns_online", True) for member in self._members)

    def fit(self, log: SlateLog) -> FitReport:
        """Let every member learn from the log."""
        reports = [member.fit(log) for member in self._members]
        return FitReport(rows=max(report.rows for report in reports))

    def begin(self, batch_size: int) -> None:
        """Assign each of the new users to a member."""
        super().begin(batch_size)
        self._assign(batch_size)
        for member in self._members:
            member.begin(batch_size)

    def begin_users(self, users: Ints) -> None:
        """Assign users who have these numbers, ``(B,)``, to members."""
        self._draws.assign(users)
        self._assign(len(users))
        for member in self._members:
            begin_users(member, users)

    def _assign(self, users: int) -> None:
        chance = self._draws.next(users).uniform(MEMBER, 1)[:, 0]
        place = np.searchsorted(self._upto, chance, side="right")
        self._of = np.minimum(place, len(self._members) - 1)  # the sum may round to less than 1

    def act(self, obs: Observation) -> Decision:
        """Show every user the slate of the member that serves them."""
        proposed = np.stack([member.act(obs).slates for member in self._members])  # (M, B, K)
        return Decision(proposed[self._of, np.arange(proposed.shape[1])])

    def propensities(self, obs: Observation, items: Ints) -> None:
        """Return None: propensities are unknown."""
        return None

    def observe(self, feedback: Feedback) -> None:
        """Pass to every member the feedback of its own users."""
        for number, member in enumerate(self._members):
            member.observe(replace(feedback, active=feedback.active & (self._of == number)))

    def _learned(self) -> dict[str, Any]:
        members = {str(n): member.state_dict() for n, member in enumerate(self._members)}
        return {"members": members}

    def _restore(self, state: Mapping[str, Any]) -> None:
        saved = state["members"]
        if len(saved) != len(self._members):
            raise AgentError(
                f"saved agent state: a mixture of {len(saved)} agents, not {len(self._members)}."
            )
        for number, member in enumerate(self._members):
            member.load_state_dict(saved[str(number)])
