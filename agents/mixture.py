"""Several agents behind one front, each with users of its own: a log of mixed quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import agents
from recsim.contracts.slates import Agent, AgentConfig, Decision, Feedback, FitReport, Observation
from recsim.errors import UserError
from recsim.log import SlateLog
from recsim.problem import Problem
from recsim.settings import validated

Ints = NDArray[np.int64]


class MemberConfig(AgentConfig):
    """One agent of a mixture.

    Attributes:
        name: Registered name.
        config: Its settings.
        weight: Share of the users, relative to the others'.
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


class MixtureAgent:
    """Gives every user to one of several agents, by chance, for as long as the user is followed.

    Collects logs in which some users were served well and others badly, from which an agent can
    learn what either comes of. Simulations only, as members may need the state of the world. Its
    propensities are unknown: what a user was shown earlier tells who serves them.
    """

    Config: ClassVar[type[AgentConfig]] = MixtureConfig
    privileged: ClassVar[bool] = True
    needs_log: ClassVar[bool] = False

    def __init__(self, config: MixtureConfig, problem: Problem, seed: int) -> None:
        chosen = [
            validated(MemberConfig, member, f"agent 'mixture': members.{place}")
            for place, member in enumerate(config.members)
        ]
        seeds = np.random.SeedSequence(seed).generate_state(len(chosen) + 1)
        self._members: list[Agent] = []
        for place, (member, own) in enumerate(zip(chosen, seeds[1:], strict=True)):
            if member.name == "mixture":
                raise UserError(
                    f"agent 'mixture': members.{place} is a mixture itself: list its members here."
                )
            self._members.append(agents.make(member.name, problem, seed=int(own), **member.config))
        weights = np.array([member.weight for member in chosen])
        self._shares = weights / weights.sum()
        self._rng = np.random.default_rng(seeds[0])
        self._of: Ints = np.zeros(0, dtype=np.int64)  # (B,) the member who serves the user

    def fit(self, log: SlateLog) -> FitReport:
        """Let every member learn from the log."""
        reports = [member.fit(log) for member in self._members]
        return FitReport(rows=max(report.rows for report in reports))

    def begin(self, batch_size: int) -> None:
        """Give each of the new users to a member."""
        self._of = self._rng.choice(len(self._members), size=batch_size, p=self._shares)
        for member in self._members:
            member.begin(batch_size)

    def act(self, obs: Observation) -> Decision:
        """Show every user the slate of the member who serves them."""
        proposed = np.stack([member.act(obs).slates for member in self._members])  # (M, B, K)
        return Decision(proposed[self._of, np.arange(proposed.shape[1])])

    def propensities(self, obs: Observation, items: Ints) -> None:
        """Return None: they are unknown."""
        return None

    def observe(self, feedback: Feedback) -> None:
        """Let every member hear of its own users."""
        for number, member in enumerate(self._members):
            member.observe(replace(feedback, active=feedback.active & (self._of == number)))

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the members and of the generator."""
        return {
            "rng": self._rng.bit_generator.state,
            "members": {str(n): member.state_dict() for n, member in enumerate(self._members)},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the states of the members of the saved agent.

        Raises:
            UserError: It had another number of members.
        """
        saved = state["members"]
        if len(saved) != len(self._members):
            raise UserError(
                f"saved agent state: a mixture of {len(saved)} agents, not {len(self._members)}."
            )
        self._rng.bit_generator.state = state["rng"]
        for number, member in enumerate(self._members):
            member.load_state_dict(saved[str(number)])
