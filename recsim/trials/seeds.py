"""How one seed of a scenario becomes the seeds of everything random in a trial.

Every purpose has its own stream, the same for all agents: with the same seed every agent meets the
same users (common random numbers), which makes paired comparisons sharp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class TrialSeeds:
    """What one seed of a scenario is split into.

    Attributes:
        users: Seed of the environment, in the first round.
        agent: Seed of the agent, in the first round.
        log_users: Seed of the environment in which a training log is collected.
        log_agent: Seed of the agent that collects it.
        bootstrap: Seed of resampling.
        practice: Seed of the users that an agent practises on.
    """

    users: int
    agent: int
    log_users: int
    log_agent: int
    bootstrap: int
    practice: int

    @classmethod
    def of(cls, seed: int) -> Self:
        """Split a seed; each part is independent of the others."""
        return cls(*_split(seed, 6))

    def users_of(self, rounds: int) -> list[int]:
        """Return the seed of the environment in each round."""
        return [self.users, *_split(self.users, rounds - 1)]

    def agents_of(self, rounds: int) -> list[int]:
        """Return the seed of the agent in each round, where a new one is built."""
        return [self.agent, *_split(self.agent, rounds - 1)]

    def of_the_collector(self) -> TrialSeeds:
        """Return the seeds of the log that the collector of the training log is fitted on."""
        return TrialSeeds.of(self.log_agent)

    def practice_of(self, cohorts: int) -> list[int]:
        """Return the seed of the environment for each batch of users of the practice."""
        return _split(self.practice, cohorts)


def _split(seed: int, parts: int) -> list[int]:
    """Split a seed into independent ones; fewer parts are the first of more."""
    return [int(s.generate_state(1)[0]) for s in np.random.SeedSequence(seed).spawn(parts)]
