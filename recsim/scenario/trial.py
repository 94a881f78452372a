"""A trial: one agent, one seed, one question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trial:
    """One agent with one seed, the unit that is computed, written and resumed.

    Attributes:
        agent: Label of the agent.
        seed: Its seed.
        case: Which of the logs of a log scenario, e.g. ``men``; empty in other scenarios.
    """

    agent: str
    seed: int
    case: str = ""

    @property
    def path(self) -> Path:
        """Place of the trial inside ``trials``."""
        return Path(self.case) / self.agent / f"seed-{self.seed}"

    def __str__(self) -> str:
        """Return the trial in words."""
        case = f" on {self.case}" if self.case else ""
        return f"{self.agent}{case}, seed {self.seed}"


@dataclass(frozen=True, eq=False)
class TrialResult:
    """What a finished trial gives.

    Attributes:
        numbers: Plain data for ``result.json``, such as ``{"metrics": {...}}``.
        curves: Curves by step, day, round or turn, or None.
        users: Sums by user, as `recsim.play.episodes.user_sums` returns them, where every seed has
            the same users; else None.
        state: ``state_dict`` of the agent after the trial.
    """

    numbers: Mapping[str, Any]
    curves: pd.DataFrame | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    users: pd.DataFrame | None = None


class Results(Protocol):
    """The finished trials of a scenario, on disk or in memory."""

    def has(self, trial: Trial) -> bool:
        """Return whether a trial is finished."""

    def result(self, trial: Trial) -> dict[str, Any]:
        """Return `TrialResult.numbers` of a finished trial."""

    def curves(self, trial: Trial) -> pd.DataFrame:
        """Return `TrialResult.curves` of a finished trial."""

    def users(self, trial: Trial) -> pd.DataFrame | None:
        """Return `TrialResult.users` of a finished trial."""
