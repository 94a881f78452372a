"""Agents learn from some users of a log; their slates for the others are compared with the log."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from recsim.errors import LogError, ScenarioError, located
from recsim.log import SlateLog, encode
from recsim.metrics import (
    clipped_unigram_precision,
    hit_rate_at,
    mean_predicted_return,
    ndcg_at,
    never_returning_share,
    precision_at,
    recall,
    return_improvement,
    similarity_return_score,
)
from recsim.metrics.metric import Metric
from recsim.metrics.model_error import PREFIX, model_metrics
from recsim.play.next_slates import next_slates
from recsim.report.summary import Note, Table
from recsim.scenario.keys import Keys
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.settings import validated
from recsim.trials.groups import OF_HITS, group_tables, item_group_hits
from recsim.trials.held_out import Cutoffs, HeldOut, check_cutoffs
from recsim.trials.log_source import Source, read_source
from recsim.trials.next_item import claims_split
from recsim.trials.seeds import TrialSeeds

if TYPE_CHECKING:
    from envs.learned.model import UserModel

_PREDICTED = ("predicted_return", "return_improvement", "never_returning_share")


class HoldoutSpec(Keys):
    """Which users of a log are held out, and how an agent's slates for them are scored.

    Attributes:
        split: ``users``; the other splits are those of `recsim.trials.next_item`.
        users: Share of the users that are held out; another draw for every seed.
        cutoffs: The k of the metrics that look at the first k items. If the largest is more than
            the items of a logged slate, agents show as many.
        target: The items that agents should show: all that were ``shown``, or only those that were
            ``clicked``.
        history: Past slates that agents see, H.
        user_model: Settings of a model of the held-out users that predicts whether they would come
            back after the slates of an agent (`envs.learned.config.UserModelConfig`); None for no
            model.
    """

    split: Literal["users"] = "users"
    users: Annotated[float, Field(gt=0, lt=1)] = 0.2
    cutoffs: Cutoffs = (5, 10)
    target: Literal["shown", "clicked"] = "shown"
    history: PositiveInt = 10
    user_model: dict[str, Any] | None = None


class Holdout(HeldOut):
    """Agents are fitted on most users of a log, and scored on the next slates of the others.

    Before each slate of a held-out user an agent sees the logged history of the user, not the
    slates that it would have shown; then its slate is compared with the logged one.

    Attributes:
        data: The log.
        holdout: Which users are held out, and how slates are scored.
        by: What tables are also split by: groups of items, or whether the user has a history.
    """

    name_of_kind: ClassVar[str] = "holdout"
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("hit_rate", "share of slates"),
        Metric("ndcg", "0 to 1"),
        Metric("precision", "share of items"),
        Metric("recall", "share of items"),
        Metric("return_score", "similarity-weighted return"),
        Metric("predicted_return", "return reward per session"),
        Metric("return_improvement", "relative to the logged return"),
        Metric("never_returning_share", "share of users", better="low"),
    )

    holdout: HoldoutSpec
    by: Literal["item_group", "history"] | None = None

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether the scenario has the key ``holdout``, and not a split of another kind."""
        return content.get("holdout") is not None and not claims_split(content)

    def usual_metrics(self, known: Sequence[str]) -> list[str]:
        """Return the metrics at the largest cut-off, and those without one."""
        k = self.holdout.cutoffs[-1]
        smaller = {f"{name}@{c}" for name in ("hit_rate", "ndcg", "precision") for c in range(k)}
        return [name for name in known if name not in smaller and not name.startswith(PREFIX)]

    def check(self) -> None:
        """Read the log and build every agent."""
        read_source.cache_clear()
        _user_model.cache_clear()  # files may have changed since an earlier run in this process
        with located("data"):
            log, _, return_days = _read(self._source, self.holdout)
            if log.anonymous:
                raise LogError("'holdout' needs a log with user ids; this one is anonymous.")
            if len(np.unique(log.user)) < 2:
                raise LogError("'holdout' needs at least two users with a row.")
        spec = self.holdout
        check_cutoffs(spec.cutoffs, log.problem)
        if spec.target == "clicked" and not log.clicks.any():
            raise ScenarioError("holdout.target: this log has no click: use 'shown'.")
        if self.by == "item_group" and not log.problem.item_groups.any():
            raise ScenarioError("by: the items of this log have no groups, or all the same.")
        for agent in self.agents:
            agent.build_for_log(log.problem, seed=0)
        first = log.select(slice(0, 1))
        known = list(next_slate_metrics(first.slate, first, spec, return_days))
        if spec.user_model is not None:
            from envs.learned.config import UserModelConfig

            with located("holdout.user_model"):
                validated(UserModelConfig, spec.user_model, "user_model")
                if "return" not in log.problem.rewards:
                    raise LogError("this log has no 'return' that a model could predict.")
            known += _PREDICTED if return_days is not None else _PREDICTED[:-1]
        self.check_metrics("metrics", self.metrics or (), known)

    def run(self, trial: Trial) -> TrialResult:
        """Fit an agent on the other users, and compare its slates for the held-out ones."""
        seeds = TrialSeeds.of(trial.seed)
        log, counts, return_days = _read(self._source, self.holdout)
        # The same users for all agents.
        held_out = held_out_rows(log.user, self.holdout.users, seeds.log_users)
        agent = self.agent(trial.agent).build(log.problem, seeds.agent)
        fitted = agent.fit(log.select(~held_out))
        others = log.select(held_out)
        slates = next_slates(agent, others, history=self.holdout.history, return_days=return_days)
        metrics = next_slate_metrics(slates, others, self.holdout, return_days)
        if self.holdout.user_model is not None:
            model = _user_model(self._source, self.holdout.model_dump_json(), seeds.log_users)
            metrics |= predicted_return_metrics(model, slates, others, return_days)
        groups: dict[str, Any] = {}
        if self.by == "history":
            groups = {"groups": metrics_by_history(slates, others, self.holdout, return_days)}
        elif self.by == "item_group":
            target = target_items(others, self.holdout)
            groups = {"groups": item_group_hits(slates, target, log.problem.item_groups)}
        return self.measured(
            trial,
            metrics,
            (slates, others),
            agent,
            fitted,
            log=counts,
            held_out={"users": len(np.unique(others.user)), "sessions": len(others)},
            **groups,
        )

    def further_tables(self, results: Results, names: Sequence[str]) -> list[Table]:
        """Return exposure and recall by group of items, or metrics by history, if asked for."""
        if self.by is None:
            return []
        shown = OF_HITS if self.by == "item_group" else names
        return group_tables(self, results, self.compared, shown, self.by)

    def notes(self, results: Results) -> list[Note]:
        """Return how many rows were read, dropped and held out."""
        contents = [results.result(trial) for trial in self.finished(results)]
        rows = ", ".join(f"{count:,} {name}" for name, count in contents[0]["log"].items())
        held_out = []
        for name in ("users", "sessions"):
            counts = sorted({content["held_out"][name] for content in contents})
            ends = (counts[0], counts[-1])[: len(counts)]
            held_out.append(f"{' to '.join(f'{count:,}' for count in ends)} {name}")
        log = f"Read from the log: {rows}. " if rows else ""
        return [Note(f"{log}Held out: {' with '.join(held_out)}.")]


def held_out_rows(user: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which rows are of held-out users, ``(M,)``.

    Args:
        user: User of each row, ``(M,)``, at least two.
        share: Share of the users that are held out, rounded; at least one, and not all.
        seed: Of the draw.
    """
    users = np.unique(user)
    count = min(max(round(share * len(users)), 1), len(users) - 1)
    chosen = np.random.default_rng(seed).choice(users, size=count, replace=False)
    return np.isin(user, chosen)


def target_items(log: SlateLog, spec: HoldoutSpec) -> NDArray[np.int64]:
    """Return the items that agents should show in each row, ``(M, K)``; -1 is padding."""
    return log.slate if spec.target == "shown" else np.where(log.clicks > 0, log.slate, -1)


def next_slate_metrics(
    slates: NDArray[np.int64], log: SlateLog, spec: HoldoutSpec, return_days: int | None
) -> dict[str, float]:
    """Compare generated slates with the logged ones, over the rows that have a target item.

    Args:
        slates: Item ids generated for each row, ``(M, K)``.
        log: The held-out rows, M of them.
        spec: What is compared.
        return_days: Days over which the reward ``return`` of the log counts; None if it has none.

    Returns:
        Means over rows, by name: ``hit_rate@k``, ``ndcg@k`` and ``precision@k`` for every cutoff,
        ``recall@K``, and ``return_score``, the mean similarity-based user return score, where there
        are returns. NaN where no row has a target item.
    """
    target = target_items(log, spec)
    values: dict[str, NDArray[np.float64]] = {}
    for k in spec.cutoffs:
        values[f"hit_rate@{k}"] = hit_rate_at(slates, target, k)
        values[f"ndcg@{k}"] = ndcg_at(slates, target, k)
        values[f"precision@{k}"] = precision_at(slates, target, k)
    values[f"recall@{slates.shape[1]}"] = recall(slates, target)
    metrics = {name: _mean(of_rows) for name, of_rows in values.items()}
    if return_days is not None:
        similarity = clipped_unigram_precision(slates, log.slate)
        score = similarity_return_score(similarity, log.feedback["return"], return_days)
        metrics["return_score"] = score.mean
    return metrics


def metrics_by_history(
    slates: NDArray[np.int64], log: SlateLog, spec: HoldoutSpec, return_days: int | None
) -> dict[str, dict[str, float]]:
    """Return `next_slate_metrics` of users' ``first`` rows, without history, and of ``later`` ones.

    An agent that is level with popularity on later rows has learned nothing from histories.
    """
    later = encode.rank_within(log.user) > 0
    return {
        name: next_slate_metrics(slates[rows], log.select(rows), spec, return_days)
        for name, rows in (("first", ~later), ("later", later))
    }


def predicted_return_metrics(
    model: UserModel, slates: NDArray[np.int64], log: SlateLog, return_days: int | None
) -> dict[str, float]:
    """Return the returns that a frozen model predicts for slates in place of the logged ones.

    Args:
        model: Fitted to users that no agent was fitted on.
        slates: Item ids generated for each row, ``(M, K)``; slots that were empty in the log are
            left empty.
        log: The rows, M of them.
        return_days: Days over which the reward ``return`` of the log counts, or None.

    Returns:
        Over the rows that end a session: ``predicted_return`` (MB-URS), ``return_improvement``
        (IUR, over the mean logged return) and, with ``return_days``, ``never_returning_share``
        (NRC); and the errors of the model, ``model_*``.
    """
    from envs.learned.scoring import predicted_returns
    from envs.learned.sessions import Sessions

    rows = np.flatnonzero(Sessions.of(log, model.config.window).end)
    # As many items as were shown: the model was not fitted to longer slates.
    cut = np.where(log.slate[rows] >= 0, slates[rows], -1)
    predicted = predicted_returns(model, log, rows, cut)
    metrics = {
        "predicted_return": mean_predicted_return(predicted),
        "return_improvement": return_improvement(predicted, log.feedback["return"][rows]),
    }
    if return_days is not None:
        share = never_returning_share(log.user[rows], predicted, return_days)
        metrics["never_returning_share"] = share
    return metrics | model_metrics(model.error.numbers())


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are not NaN; NaN if there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


# The same model for every agent with the same seed.
@functools.lru_cache(maxsize=8)
def _user_model(source: Source, holdout: str, split_seed: int) -> UserModel:
    """Fit a model to the held-out users, which no agent has learned from."""
    from envs.learned.config import UserModelConfig
    from envs.learned.fitting import fit_user_model

    spec = HoldoutSpec.model_validate_json(holdout)
    log, _, _ = _read(source, spec)
    others = log.select(held_out_rows(log.user, spec.users, split_seed))
    with located("holdout.user_model"):
        return fit_user_model(others, UserModelConfig(**(spec.user_model or {})))


def _read(source: Source, spec: HoldoutSpec) -> tuple[SlateLog, dict[str, int], int | None]:
    """Return what `read_source` does; slates have at least as many positions as cut-offs ask."""
    log, counts, return_days = read_source(source)
    return log.widened(spec.cutoffs[-1]), counts, return_days
