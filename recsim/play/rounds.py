"""Rounds: an agent recommends to one cohort of users after another, and may be refitted in between.

In each round an agent recommends to new users of the same world. Before the next round it may be
fitted again on everything logged so far, like a system in production; its immediate regret then
shows the cost and the benefit of exploration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsim.contracts.slates import Agent, FitReport
from recsim.log import SlateLog
from recsim.play.rollout import Rollout, rollout

if TYPE_CHECKING:
    import pandas as pd

# Columns that only some logs of the same world may have.
_DROPPED = (
    *("propensity", "slate_propensity", "prefix_propensity"),
    *("terminated", "truncated"),
)


@dataclass(eq=False)
class RoundsResult:
    """All rounds of one agent.

    Attributes:
        agent: The agent after the last round.
        fitted: Report of the fit on the training log, or None without one.
        refits: Report of each refit between two rounds.
        rounds: Rollout of each round.
        model_error: Errors of the user model by name; empty if the users are not a model learned
            from a log.
        changes_users: Whether what is shown changes users, as far as the environment says.
    """

    agent: Agent
    fitted: FitReport | None = None
    refits: list[FitReport] = field(default_factory=list)
    rounds: list[Rollout] = field(default_factory=list)
    model_error: dict[str, float] = field(default_factory=dict)
    changes_users: bool = True


def play_rounds(
    env: Any,
    build: Callable[[int], Agent],
    *,
    users: Sequence[int],
    agents: Sequence[int],
    max_steps: int,
    practice: Sequence[int] = (),
    log: SlateLog | None = None,
    learn: bool = True,
    refit: bool = False,
) -> RoundsResult:
    """Let an agent recommend to one cohort after another.

    Args:
        env: A vector environment, as for `recsim.play.rollout.rollout`.
        build: Makes the agent from a seed.
        users: Seed of the environment in each round.
        agents: Seed of the agent in each round, used if a new one is built.
        max_steps: Maximum number of slates per user.
        practice: Seeds of cohorts on which the agent learns before the first round; they are not
            part of the result.
        log: Training log on which the agent is fitted first.
        learn: Whether the agent learns online in the rounds.
        refit: Whether to fit the agent between rounds on everything logged so far: ``log``,
            practice and rounds.
    """
    world = env.unwrapped
    result = RoundsResult(
        build(agents[0]),
        model_error=getattr(world, "model_error", {}),
        changes_users=getattr(world, "changes_users", True),
    )
    logs = []
    if log is not None:
        result.fitted = result.agent.fit(log)
        logs.append(log)

    def play(seed: int, *, learning: bool) -> Rollout:
        played = rollout(
            env, result.agent, seed=seed, max_steps=max_steps, learn=learning, record=refit
        )
        if refit:
            logs.append(played.to_log())
        return replace(played, recording=None)

    for seed in practice:
        play(seed, learning=True)
    for number, seed in enumerate(users):
        if refit and number:
            result.agent, report = refitted(result.agent, join(logs), build, agents[number])
            result.refits.append(report)
        result.rounds.append(play(seed, learning=learn))
    return result


def refitted(
    agent: Agent, log: SlateLog, build: Callable[[int], Agent], seed: int
) -> tuple[Agent, FitReport]:
    """Return an agent that has learned from the whole log, and the report of the fit.

    An agent with a method ``refit`` continues from its present state. Any other agent is replaced
    by a new one, as rows from which it has already learned are also in the log and would count
    twice. An agent whose fit uses no rows of the log is kept with what it has learned online.

    Args:
        agent: The present agent.
        log: Everything that it has seen.
        build: Makes a new agent from a seed.
        seed: Seed of the new agent; it should differ between rounds, or every round would explore
            the same items.
    """
    refit = getattr(agent, "refit", None)
    if refit is not None:
        return agent, refit(log)
    fresh = build(seed)
    report = fresh.fit(log)
    return (fresh if report.rows else agent), report


def join(logs: Sequence[SlateLog]) -> SlateLog:
    """Concatenate logs of different users.

    Propensities and ends of episodes that some of the logs lack are dropped.
    """
    unknown = {name: None for name in _DROPPED if any(getattr(log, name) is None for log in logs)}
    return SlateLog.concat([replace(log, **unknown) for log in logs])  # type: ignore[arg-type]


def pool(rounds: Sequence[Rollout]) -> Rollout:
    """Merge several rounds into one rollout, as if all their users were one cohort.

    Shorter rounds are padded to the length of the longest. Recordings are dropped.
    """
    first = rounds[0]
    steps = max(len(played.active) for played in rounds)

    def merged(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        padded = [
            np.pad(part, [(0, steps - len(part)), *[(0, 0)] * (part.ndim - 1)]) for part in parts
        ]
        return np.concatenate(padded, axis=1)  # (T, B, ...) -> (T, sum of B, ...)

    columns: dict[str, Any] = {
        item.name: merged([getattr(played, item.name) for played in rounds])
        for item in fields(Rollout)
        if item.name != "user_groups" and isinstance(getattr(first, item.name), np.ndarray)
    }
    if first.user_groups is not None:
        columns["user_groups"] = np.concatenate([played.user_groups for played in rounds])
    rewards = {name: merged([p.rewards[name] for p in rounds]) for name in first.rewards}
    return replace(first, **columns, rewards=rewards, recording=None)


def round_curves(rounds: Sequence[Rollout]) -> pd.DataFrame:
    """Return the progress over the rounds.

    Returns:
        A frame indexed by ``round`` with ``reward``, each named reward and ``immediate_regret``
        (NaN if not revealed), all per slate of the round; the same with the prefix
        ``cumulative_``, per user of a round and summed over the rounds so far; and ``active``, the
        fraction of the users of the round who have not left for good at its end.
    """
    import pandas as pd

    summaries = [played.summary() for played in rounds]
    slates = np.array([played.active.sum() / played.active.shape[1] for played in rounds])
    names = ("reward", *rounds[0].rewards, "immediate_regret")
    per_user = {
        name: np.array([s.get(f"{name}_per_user", math.nan) for s in summaries]) for name in names
    }
    columns = {name: value / slates for name, value in per_user.items()}
    columns |= {f"cumulative_{name}": value.cumsum() for name, value in per_user.items()}
    left = [(played.terminated & played.active).any(axis=0).mean() for played in rounds]
    index = pd.RangeIndex(len(rounds), name="round")
    return pd.DataFrame(columns | {"active": 1 - np.array(left)}, index=index)
