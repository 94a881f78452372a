"""The items that an agent recommends to one user, by name."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from recsim.arrays import Bools, Floats32, Ints
from recsim.contracts.reads import history_of, reads_of
from recsim.contracts.slates import Agent
from recsim.errors import AgentError, UserError
from recsim.log import SlateLog
from recsim.problem import Names, Problem
from recsim.problem.names import Name

_GUARD = threading.Lock()
_LOCKS: weakref.WeakKeyDictionary[Agent, threading.RLock] = weakref.WeakKeyDictionary()


def recommend(
    agent: Agent,
    problem: Problem,
    history: Iterable[Name] = (),
    k: int | None = None,
    *,
    user: Name | None = None,
    user_features: Any = None,
    candidates: Iterable[Name] | None = None,
    exclude: Iterable[Name] = (),
    unknown: Literal["error", "ignore"] = "error",
) -> list[Name]:
    """Return the items that an agent recommends to one user, the first one in front.

    These are the agent's slate and, if more items are wanted, its slates from the candidates that
    are left. A stochastic agent draws them. The agent begins anew with this user (`Agent.begin`),
    so do not call this in the middle of a rollout. Calls from several threads wait for each other,
    agent by agent.

    Args:
        agent: The agent; fitted, if it needs to be.
        problem: The problem that it was built for.
        history: Items that the user clicked, the oldest first: each counts as a slate of its own,
            of the user's first day and session, with the reward ``click`` and no other.
        k: Number of items; by default those of a slate.
        user: The user's name, or their number if users have no names; None for a new user. Only
            agents that learn of single users use it, such as ``rel_mf``.
        user_features: ``(F,)``, for agents that read them.
        candidates: Items that may be shown; by default all.
        exclude: Items that may not be shown, such as those of the history.
        unknown: Whether an item or user without a known name is an ``error``, or to ``ignore`` it.

    Returns:
        k names, or numbers of items if items have no names.

    Raises:
        AgentError: If the agent needs the state of a simulated user, an item or user is unknown,
            features are missing, or there are too few candidates.
    """
    title = f"agent {getattr(agent, 'name', type(agent).__name__)!r}"
    if agent.privileged and "state" in (reads_of(agent) or ["state"]):
        raise AgentError(
            f"{title} reads the hidden state of simulated users, so it can recommend only to them."
        )
    items = problem.item_names
    if items is None:
        items = Names(np.arange(problem.num_items), "item")

    def numbers(argument: str, names: Iterable[Name], known: Names) -> Ints:
        if isinstance(names, str):
            raise AgentError(f"{title}: {argument} must be a list, such as [{names!r}].")
        try:
            found = known.numbers(list(names), unknown=unknown)
        except UserError as error:
            raise AgentError(f"{title}: {argument}: {error}") from error
        return found[found >= 0]

    offered = np.zeros(problem.num_items, dtype=np.bool_)
    offered[slice(None) if candidates is None else numbers("candidates", candidates, items)] = True
    offered[numbers("exclude", exclude, items)] = False
    obs = _observation(
        problem,
        numbers("history", history, items),
        _features(agent, problem, user_features, title),
        slates=history_of(agent),
    )
    if user is not None:
        if problem.user_names is not None:
            known = numbers("user", [user], problem.user_names)
        elif _is_number(user):
            known = np.array([user])
        else:
            raise AgentError(f"{title}: users have no names, so user must be a number: {user!r}.")
        obs |= {"user": known} if len(known) else {}
    with _lock_of(agent):
        k = problem.slate_size if k is None else k
        chosen = _slates(agent, obs, offered, k, problem, title)
    return [items[number] for number in chosen.tolist()]


def _lock_of(agent: Agent) -> threading.RLock:
    """Return the lock of an agent: it serves one user at a time, as it remembers them."""
    with _GUARD:
        return _LOCKS.setdefault(agent, threading.RLock())


def _slates(
    agent: Agent, obs: dict[str, Any], offered: Bools, k: int, problem: Problem, title: str
) -> Ints:
    """Return k items that the agent shows, slate by slate, ``(k,)``."""
    size, left = problem.slate_size, int(offered.sum())
    if not 1 <= k <= left // size * size:
        slates = "" if size == 1 else f" in whole slates of {size}"
        raise AgentError(
            f"{title}: k is {k}; of {left} candidates it can recommend 1 to {left // size * size}"
            f"{slates}."
        )
    offered, chosen = offered.copy(), np.zeros(0, dtype=np.int64)
    while len(chosen) < k:
        agent.begin(1)  # each slate answers the same question, and none is a step after another
        obs["candidates"] = np.flatnonzero(offered)[None]  # (1, C)
        shown = obs["candidates"][0, agent.act(obs).slates[0]]
        offered[shown] = False
        chosen = np.concatenate([chosen, shown])
    return chosen[:k]


def _observation(
    problem: Problem, clicked: Ints, features: Floats32, *, slates: int | None
) -> dict[str, Any]:
    """Return the observation of a user who clicked these items, the only one of a batch."""
    rows = len(clicked) + 1
    slate = np.full((rows, problem.slate_size), -1)
    slate[:-1, 0] = clicked
    click = (slate >= 0).astype(np.int8)
    zeros = np.zeros(rows, dtype=np.int64)
    feedback = {name: np.zeros(rows) for name in problem.rewards}
    if "click" in feedback:
        feedback["click"] = click.sum(axis=1).astype(np.float64)
    log = SlateLog(
        problem=problem,
        user=zeros,
        session=zeros,
        day=zeros,
        step=np.arange(rows),
        slate=slate,
        clicks=click,
        feedback=feedback,
        user_features=features,
    )
    width = max(rows - 1, slates or 0, 1)
    obs = log.observations(np.array([rows - 1]), history_slates=width)
    del obs["user"]  # a number of this log, not of the one that the agent knows
    return obs


def _features(agent: Agent, problem: Problem, given: Any, title: str) -> Floats32:
    """Return the user's features, ``(1, F)``; zeros for an agent that does not read them."""
    size = problem.user_feature_dim
    if given is None:
        reads = reads_of(agent)
        if size and (reads is None or "user_features" in reads):
            raise AgentError(f"{title}: give the user's features: user_features, {size} numbers.")
        return np.zeros((1, size), dtype=np.float32)
    try:
        features = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError):
        features = np.full(0, np.nan, dtype=np.float32)
    if features.shape != (size,) or not np.isfinite(features).all():
        raise AgentError(f"{title}: user_features must be {size} finite numbers, not {given!r}.")
    return features[None]


def _is_number(user: Name) -> bool:
    return isinstance(user, int | np.integer) and not isinstance(user, bool) and user >= 0
