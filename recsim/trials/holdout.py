"""One trial of a holdout scenario: fit on some users of a log, recommend to the others."""

from __future__ import annotations

import functools
import json
import math
from typing import Any

import numpy as np

import recsim.log
from envs.learned.config import UserModelConfig
from envs.learned.fitting import fit_user_model
from envs.learned.model import UserModel
from recsim.contracts.slates import Agent, FitReport
from recsim.errors import UserError, did_you_mean
from recsim.log import SlateLog
from recsim.play.next_slates import next_slates
from recsim.runs.folder import Trial
from recsim.scenario.building import blame, make_agent
from recsim.scenario.schema import Scenario
from recsim.settings import validated
from recsim.trials.holdout_spec import HoldoutSpec, held_out_rows, next_slate_metrics
from recsim.trials.predicted_return import NAMES, predicted_return_metrics

__all__ = ["check_holdout", "holdout_trial"]


def holdout_trial(
    scenario: Scenario, trial: Trial, *, split_seed: int, agent_seed: int
) -> tuple[dict[str, Any], Agent, FitReport]:
    """Fit an agent on the users that are not held out, and compare its slates for those that are.

    Args:
        scenario: A scenario with ``data`` and ``holdout``.
        trial: Which agent.
        split_seed: Seed of the draw of users, the same for all agents.
        agent_seed: Seed of the agent.

    Returns:
        ``metrics`` (see `recsim.trials.holdout_spec.next_slate_metrics` and
        `recsim.trials.predicted_return.predicted_return_metrics`), ``log``, what became of the rows
        of its files where the reader tells it, and ``held_out``, the users and sessions held out;
        the agent; and what its training did.
    """
    assert scenario.holdout is not None
    spec = next(agent for agent in scenario.agents if agent.label == trial.agent)
    log, counts, return_days = _read(_reader(scenario))
    held_out = held_out_rows(log.user, scenario.holdout.users, split_seed)
    agent = make_agent(spec, log.problem, agent_seed)
    fitted = agent.fit(log.select(~held_out))
    others = log.select(held_out)
    slates = next_slates(agent, others, history=scenario.holdout.history, return_days=return_days)
    metrics = next_slate_metrics(slates, others, scenario.holdout, return_days)
    if scenario.holdout.user_model is not None:
        model = _user_model(_reader(scenario), scenario.holdout.model_dump_json(), split_seed)
        metrics |= predicted_return_metrics(model, slates, others, return_days)
    result = {
        "metrics": metrics,
        "log": counts,
        "held_out": {"users": len(np.unique(others.user)), "sessions": len(others)},
    }
    return result, agent, fitted


def check_holdout(scenario: Scenario) -> None:
    """Refuse a holdout scenario that could not run.

    Raises:
        UserError: Says which key is wrong, and what would be right.
    """
    assert scenario.holdout is not None
    _read.cache_clear()
    _user_model.cache_clear()  # files may have changed since an earlier run in this process
    with blame("data"):
        log, _, return_days = _read(_reader(scenario))
        if log.anonymous:
            raise UserError("'holdout' needs a log that knows its users; this one does not.")
        if len(np.unique(log.user)) < 2:
            raise UserError("'holdout' needs at least two users with a row.")
    if scenario.holdout.cutoffs[-1] > log.problem.slate_size:
        raise UserError(
            f"holdout.cutoffs: {scenario.holdout.cutoffs[-1]} is more than the "
            f"{log.problem.slate_size} items of a slate."
        )
    if scenario.holdout.target == "clicked" and not log.clicks.any():
        raise UserError("holdout.target: nobody clicked anything in this log: use 'shown'.")
    for spec in scenario.agents:
        if make_agent(spec, log.problem, seed=0).privileged:
            raise UserError(
                f"agents: {spec.label}: {spec.name!r} needs simulated users: "
                "no log knows the best slate."
            )
    first = log.select(slice(0, 1))
    known = next_slate_metrics(first.slate, first, scenario.holdout, return_days)
    if scenario.holdout.user_model is not None:
        with blame("holdout.user_model"):
            validated(UserModelConfig, scenario.holdout.user_model, "user_model")
            if "return" not in log.problem.rewards:
                raise UserError("this log has no 'return' that a model could predict.")
        days = return_days is not None
        known |= dict.fromkeys(NAMES if days else NAMES[:-1], math.nan)
    for name in scenario.metrics or ():
        if name not in known:
            raise UserError(f"metrics: unknown metric {name!r}.{did_you_mean(name, known)}")


# Every agent with the same seed is judged by the same model.
@functools.lru_cache(maxsize=8)
def _user_model(reader: str, holdout: str, split_seed: int) -> UserModel:
    """Fit a model to the held-out users, whom no agent has learned from."""
    spec = HoldoutSpec.model_validate_json(holdout)
    log, _, _ = _read(reader)
    others = log.select(held_out_rows(log.user, spec.users, split_seed))
    with blame("holdout.user_model"):
        return fit_user_model(others, UserModelConfig(**(spec.user_model or {})))


def _reader(scenario: Scenario) -> str:
    """Return name and options of the reader as text, which can be remembered."""
    assert scenario.data is not None
    options = {"path": scenario.data.path, **scenario.data.options}
    return json.dumps([scenario.data.reader, options])


# All agents and seeds read the same log.
@functools.lru_cache(maxsize=1)
def _read(reader: str) -> tuple[SlateLog, dict[str, int], int | None]:
    """Return the log, what became of its rows, and over how many days its returns count."""
    name, options = json.loads(reader)
    made = recsim.log.make_reader(name, **options)
    log, counts = made.read_counted()
    return_days = getattr(made, "return_days", None) if "return" in log.problem.rewards else None
    return log, counts, return_days
