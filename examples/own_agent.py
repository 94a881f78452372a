"""An agent of your own, written in one file and compared with two built-in ones.

    python examples/own_agent.py

The agent is Thompson sampling: for every user it draws a click rate for each item from a beta
distribution, and it shows the items with the highest draws. It learns from logs and from feedback.
To use it by name, in scenario files too, put it in a package and declare an entry point:
docs/agents.md.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import PositiveFloat

import recsim
from recsim import AgentConfig, Decision, FitReport


class ThompsonConfig(AgentConfig):
    """Settings; unknown keys and wrong types are refused."""

    prior_clicks: PositiveFloat = 1.0
    prior_skips: PositiveFloat = 9.0


class ThompsonAgent:
    """Shows the items with the highest draws from beta posteriors of their click rates."""

    Config: ClassVar = ThompsonConfig
    privileged: ClassVar = False  # it is not given the best slates of the simulated world
    needs_log: ClassVar = False  # it can act before `fit`

    def __init__(self, config, problem, seed):
        self._slate_size = problem.slate_size
        self._clicks = np.full(problem.num_items, config.prior_clicks)
        self._skips = np.full(problem.num_items, config.prior_skips)
        self._rng = np.random.default_rng(seed)

    def fit(self, log):
        """Learn from a log."""
        self._count(log.slate, log.clicks)
        return FitReport(rows=len(log))

    def begin(self, batch_size):
        """Forget what belongs to single users: here, nothing."""

    def act(self, obs):
        """Return slates, ``(B, K)`` indices into the candidates."""
        items = obs["candidates"]  # (B, C) ids
        rates = self._rng.beta(self._clicks[items], self._skips[items])
        slates = np.argsort(-rates, axis=1)[:, : self._slate_size]
        return Decision(slates, None, None)  # propensities of draws are not known

    def propensities(self, obs, items):
        """Return None: the probability of being among the highest draws has no closed form."""

    def observe(self, feedback):
        """Learn from what users clicked in the slates just shown."""
        self._count(feedback.items[feedback.active], feedback.clicks[feedback.active])

    def state_dict(self) -> dict[str, Any]:
        """Return everything learned, and the state of the random generator."""
        return {"clicks": self._clicks, "skips": self._skips, "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state):
        """Restore what `state_dict` returned."""
        self._clicks, self._skips = state["clicks"].copy(), state["skips"].copy()
        self._rng.bit_generator.state = state["rng"]

    def _count(self, items, clicks):
        real = items >= 0  # an id of -1 is padding
        np.add.at(self._clicks, items[real], clicks[real])
        np.add.at(self._skips, items[real], 1 - clicks[real])


def main() -> None:
    """Print the clicks per slate of three agents; with the same seed they meet the same users."""
    result = recsim.compare(
        {"id": "SlateRec-v0", "preset": "interest_exploration"},
        {"random": "random", "epsilon_greedy": "epsilon_greedy", "own": ThompsonAgent},
        seeds=3,
        users=200,
        steps=50,
    )
    clicks = result.table.query("metric == 'click_per_step'")
    print(clicks[["agent", "mean", "low", "high"]].round(3).to_string(index=False))


if __name__ == "__main__":
    main()
