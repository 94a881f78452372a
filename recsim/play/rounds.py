"""Rounds: one cohort of users after the other, and what the agent learns in between.

In each round an agent recommends to new users of the same world. Before the next round it may be
fitted again on everything logged so far, as a system in production is; regret then tells what
exploring costs and what it brings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.contracts.slates import Agent, FitReport
from recsim.log import SlateLog
from recsim.play.rollout import Rollout, rollout

__all__ = ["Course", "join", "play_rounds", "pool", "refitted", "round_curves"]

# What a log may know of how it was collected, and another of the same users may not.
_PROPENSITIES = ("propensity", "slate_propensity", "prefix_propensity")


@dataclass(eq=False)
class Course:
    """All rounds of one agent.

    Attributes:
        agent: As it is after the last round.
        fitted: What fitting on the training log did, or None without one.
        refits: What each refit did, one between any two rounds.
        rounds: What happened in each round.
        model_error: Errors of the model behind the users, by name; nothing where they are no
            model of a log.
    """

    agent: Agent
    fitted: FitReport | None = None
    refits: list[FitReport] = field(default_factory=list)
    rounds: list[Rollout] = field(default_factory=list)
    model_error: dict[str, float] = field(default_factory=dict)


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
) -> Course:
    """Let an agent recommend to one cohort after the other.

    Args:
        env: A vector environment, as for `recsim.play.rollout.rollout`.
        build: Makes the agent from a seed.
        users: Seed of the environment in each round.
        agents: Seed of the agent of each round, where it is built anew.
        max_steps: Slates per user, at most.
        practice: Seeds of cohorts that the agent meets first, learning, and that are not counted.
        log: What the agent is fitted on before anything else.
        learn: Whether it hears the feedback in the rounds.
        refit: Whether it is fitted between rounds on everything logged so far: ``log``, the
            practice and the rounds.
    """
    course = Course(build(agents[0]), model_error=getattr(env.unwrapped, "model_error", {}))
    logs = []
    if log is not None:
        course.fitted = course.agent.fit(log)
        logs.append(log)

    def meet(seed: int, *, learning: bool) -> Rollout:
        played = rollout(
            env, course.agent, seed=seed, max_steps=max_steps, learn=learning, record=refit
        )
        if refit:
            logs.append(played.to_log())
        return replace(played, recording=None)

    for seed in practice:
        meet(seed, learning=True)
    for number, seed in enumerate(users):
        if refit and number:
            course.agent, report = refitted(course.agent, join(logs), build, agents[number])
            course.refits.append(report)
        course.rounds.append(meet(seed, learning=learn))
    return course


def refitted(
    agent: Agent, log: SlateLog, build: Callable[[int], Agent], seed: int
) -> tuple[Agent, FitReport]:
    """Return the agent that has learned from the whole log, and what the fit did.

    An agent with a member ``refit`` does it itself, from what it knows. Any other is built anew:
    what it learned before is in the log, and would count twice in an agent that adds up. One that
    uses no row of a log goes on as it is, with what it learned online.

    Args:
        agent: As it is.
        log: Everything it has seen.
        build: Makes a fresh one from a seed.
        seed: Its seed. Another one in each round, or every round would explore the same items.
    """
    refit = getattr(agent, "refit", None)
    if refit is not None:
        return agent, refit(log)
    fresh = build(seed)
    report = fresh.fit(log)
    return (fresh if report.rows else agent), report


def join(logs: Sequence[SlateLog]) -> SlateLog:
    """Return logs of different users one after the other.

    Propensities are left out unless all the logs know them.
    """
    unknown = {
        name: None for name in _PROPENSITIES if any(getattr(log, name) is None for log in logs)
    }
    return SlateLog.concat([replace(log, **unknown) for log in logs])  # type: ignore[arg-type]


def pool(rounds: Sequence[Rollout]) -> Rollout:
    """Return several rounds as one, as if all their users had come at once.

    Steps that the longest round has and another has not belong to nobody. Recordings are left out.
    """
    first = rounds[0]
    steps = max(len(played.active) for played in rounds)

    def together(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        padded = [
            np.pad(part, [(0, steps - len(part)), *[(0, 0)] * (part.ndim - 1)]) for part in parts
        ]
        return np.concatenate(padded, axis=1)  # (T, B, ...) -> (T, sum of B, ...)

    columns: dict[str, Any] = {
        item.name: together([getattr(played, item.name) for played in rounds])
        for item in fields(Rollout)
        if isinstance(getattr(first, item.name), np.ndarray)
    }
    rewards = {name: together([p.rewards[name] for p in rounds]) for name in first.rewards}
    return replace(first, **columns, rewards=rewards, recording=None)


def round_curves(rounds: Sequence[Rollout]) -> pd.DataFrame:
    """Return the course over the rounds.

    Returns:
        A frame indexed by ``round`` with ``reward``, each named reward and ``regret`` (NaN if not
        revealed), all per slate of the round; the same with the prefix ``cumulative_``, per user
        of a round and summed over the rounds so far; and ``active``, the share of the users of
        the round who have not left for good at its end.
    """
    summaries = [played.summary() for played in rounds]
    slates = np.array([played.active.sum() / played.active.shape[1] for played in rounds])
    names = ("reward", *rounds[0].rewards, "regret")
    per_user = {name: np.array([s[f"{name}_per_user"] for s in summaries]) for name in names}
    columns = {name: value / slates for name, value in per_user.items()}
    columns |= {f"cumulative_{name}": value.cumsum() for name, value in per_user.items()}
    gone = [(played.terminated & played.active).any(axis=0).mean() for played in rounds]
    index = pd.RangeIndex(len(rounds), name="round")
    return pd.DataFrame(columns | {"active": 1 - np.array(gone)}, index=index)
