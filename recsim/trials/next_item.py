"""Agents learn from the earlier events of users, and rank all items for a later one."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import PositiveInt, field_validator, model_validator

from recsim.arrays import Floats
from recsim.contracts.slates import Agent, FitReport
from recsim.errors import LogError, located, nearest
from recsim.metrics.metric import Metric
from recsim.metrics.ranking import hits_of_rank, ndcg_of_rank, reciprocal_rank
from recsim.play.episodes import user_sums, with_names
from recsim.play.full_ranking import rank_next
from recsim.report.summary import Note
from recsim.scenario.keys import Keys
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.trials.held_out import Cutoffs, HeldOut, check_cutoffs
from recsim.trials.log_source import Source, read_source
from recsim.trials.seeds import TrialSeeds
from recsim.trials.splits import (
    Split,
    SplitName,
    Ties,
    leave_one_out,
    log_popularity,
    ordered,
    single_events,
    temporal,
    trained_items,
)

if TYPE_CHECKING:
    import pandas as pd

_PRIMARY = 10
_SPLITS = ("users", "leave_one_out", "temporal")


class NextItemSpec(Keys):
    """Which events are held out, and how the rankings of an agent are scored.

    Attributes:
        split: ``leave_one_out``: the last event of every user is predicted; ``temporal``: events of
            the last tenth of all events.
        targets: For ``temporal``: whether the ``first`` event of each user in the test period is
            predicted, or ``all``, each from all earlier ones; the mean is then taken by user first.
        ties: Order of a user's events with equal times: ``shuffle``, the same in every run, or that
            of the ``file``, which may be one of ids.
        cutoffs: The k of the metrics that look at the first k items.
        target: Whether the items ``shown`` are events, or those ``clicked``.
        history: Past events that agents see; None for all.
        exclude_seen: Whether items that the user has already are not ranked, unless they come next.
    """

    split: SplitName
    targets: Literal["first", "all"] = "first"
    ties: Ties = "shuffle"
    cutoffs: Cutoffs = (5, 10, 20)
    target: Literal["shown", "clicked"] = "shown"
    history: PositiveInt | None = None
    exclude_seen: bool = True

    @field_validator("split", mode="before")
    @classmethod
    def _known_split(cls, split: Any) -> Any:
        if split not in _SPLITS[1:]:
            known = "must be 'users', 'leave_one_out' or 'temporal'"
            raise ValueError(f"{known}, not {split!r}.{nearest(str(split), _SPLITS)}")
        return split

    @model_validator(mode="after")
    def _targets_of_periods(self) -> Self:
        if self.targets == "all" and self.split != "temporal":
            raise ValueError("'targets: all' has no effect without 'split: temporal': remove it")
        return self

    @property
    def primary(self) -> int:
        """The k of the metrics that are printed: 10 if it is a cut-off, else the largest."""
        return _PRIMARY if _PRIMARY in self.cutoffs else self.cutoffs[-1]


def claims_split(content: Mapping[str, Any]) -> bool:
    """Return whether the key ``holdout`` of a scenario has another split than one of users.

    A misspelt one counts, as only here are all splits listed.
    """
    spec = content.get("holdout")
    return isinstance(spec, Mapping) and spec.get("split", "users") != "users"


class NextItem(HeldOut):
    """Agents are fitted on the earlier events of all users, and rank all items for a later one.

    The log has one event per row; agents show as many items as the largest cut-off. An agent whose
    ``fit`` has an argument ``validation`` gets the validation events, to stop training on; no agent
    is fitted again on them, but they are in the histories at the test events.

    Attributes:
        data: The log.
        holdout: Which events are held out, and how rankings are scored.
    """

    name_of_kind: ClassVar[str] = "next_item"
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("hit_rate", "share of users"),
        Metric("ndcg", "0 to 1"),
        Metric("mrr", "mean 1 / rank"),
        Metric("coverage", "share of all items shown to anyone"),
        Metric("log_popularity", "mean log(1 + train events) of items shown", better=""),
    )

    holdout: NextItemSpec

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether the key ``holdout`` has the split of this kind."""
        return claims_split(content)

    def usual_metrics(self, known: Sequence[str]) -> list[str]:
        """Return the metrics at the primary cut-off, and those without one."""
        k = self.holdout.primary
        return [f"hit_rate@{k}", f"ndcg@{k}", "mrr", f"coverage@{k}", f"log_popularity@{k}"]

    def check(self) -> None:
        """Read the log, split it and build every agent."""
        read_source.cache_clear()  # files may have changed since an earlier run in this process
        _split.cache_clear()
        with located("data"):
            split = self._split()
        spec = self.holdout
        check_cutoffs(spec.cutoffs, split.log.problem)
        for agent in self.agents:
            agent.build_for_log(split.log.problem, seed=0)
        none = np.ones(0)
        known = [*self._by_event(none), f"coverage@{spec.primary}"]
        known += [f"log_popularity@{spec.primary}"]
        self.check_metrics("metrics", self.metrics or (), known)

    def run(self, trial: Trial) -> TrialResult:
        """Fit an agent on the train events, and rank all items at the test events."""
        seeds = TrialSeeds.of(trial.seed)
        split, spec = self._split(), self.holdout
        agent = self.agent(trial.agent).build(split.log.problem, seeds.agent)
        fitted = fit_on(agent, split)
        ranking = rank_next(
            agent,
            split.log,
            split.test,
            history=spec.history,
            exclude_seen=spec.exclude_seen,
            trained=trained_items(split) if spec.split == "temporal" else None,
            top=spec.primary,
            seed=seeds.agent,
        )
        values = self._by_event(ranking.rank, scored=ranking.scored)
        shown = ranking.shown
        popularity = np.where(shown >= 0, log_popularity(split)[shown], np.nan)
        seen_any = (shown >= 0).any(axis=1)
        mean = np.full(len(shown), math.nan)
        mean[seen_any] = np.nanmean(popularity[seen_any], axis=1)
        values[f"log_popularity@{spec.primary}"] = mean
        users = _means_by_user(split.log.user[split.test], values)
        coverage = len(np.unique(shown[shown >= 0])) / split.log.problem.num_items
        own = {name: float(users[name].sum() / _count(users, name)) for name in values}
        _, counts, _ = read_source(self._source)
        return self.measured(
            trial,
            own | {f"coverage@{spec.primary}": coverage},
            (ranking, split),
            agent,
            fitted,
            users=with_names(users, split.log.user_names),
            log=counts,
            split=split.counts(),
            trivial_hits=float((ranking.ranked <= spec.primary).mean()),
            scored=ranking.scored,
        )

    def explained(self, names: Sequence[str], seeds: pd.DataFrame, results: Results) -> list[str]:
        """Return what the split and the rankings are."""
        spec, trials = self.holdout, self.finished(results)
        counts = results.result(trials[0])["split"]
        seen = "Items that a user has already are not ranked, unless they come next."
        ranked = "All items are ranked; ties in score get the middle of their ranks. " + (
            seen if spec.exclude_seen else "Items that a user has already are ranked too."
        )
        labels = dict.fromkeys(t.agent for t in trials if not results.result(t)["scored"])
        slates = (
            f"Without scores, ranked by their slates of {spec.cutoffs[-1]}, so that MRR is not "
            f"available: {', '.join(labels)}."
            if labels
            else ""
        )
        return [_split_text(spec, counts), _ties_text(spec, counts), ranked, slates]

    def notes(self, results: Results) -> list[Note]:
        """Return how many rows were read, dropped and held out."""
        content = results.result(self.finished(results)[0])
        rows = ", ".join(f"{count:,} {name}" for name, count in content["log"].items())
        counts = content["split"]
        parts = [f"Read from the log: {rows}."] if rows else []
        parts.append(
            f"Train: {counts['train']:,} events; validation: {counts['validation']:,}; test: "
            f"{counts['test']:,} of {counts['users']:,} users."
        )
        if counts["users_without"]:
            parts.append(f"Users without a test event: {counts['users_without']:,}.")
        parts.append(
            f"Of the test items {counts['unseen_targets']:.1%} are in no train event and "
            f"{counts['repeated_targets']:.1%} in the user's own history."
        )
        notes = [Note(" ".join(parts))]
        if content["trivial_hits"]:
            k = self.holdout.primary
            share = f"{content['trivial_hits']:.1%} of the test events"
            text = (
                f"At {share} at most {k} items are ranked: hit_rate@{k} is 1 there whatever the "
                "scores. Use smaller cut-offs, or 'exclude_seen: false'."
            )
            notes.append(Note(text, "note"))
        return notes

    def _split(self) -> Split:
        return _split(self._source, self.holdout.model_dump_json())

    def _by_event(self, rank: Floats, *, scored: bool = True) -> dict[str, Floats]:
        """Return the metrics of ranks by name, each ``(R,)``."""
        values = {f"hit_rate@{k}": hits_of_rank(rank, k) for k in self.holdout.cutoffs}
        values |= {f"ndcg@{k}": ndcg_of_rank(rank, k) for k in self.holdout.cutoffs}
        reciprocal = reciprocal_rank(rank) if scored else np.full(len(rank), math.nan)
        return values | {"mrr": reciprocal}


def fit_on(agent: Agent, split: Split) -> FitReport:
    """Fit an agent on the train events of a split; give it the validation events if it asks."""
    train = split.log.select(split.train)
    if "validation" in inspect.signature(agent.fit).parameters and len(split.validation):
        later = split.log.select(split.validation)
        report: FitReport = agent.fit(train, validation=later)  # type: ignore[call-arg]
        return report
    return agent.fit(train)


def _means_by_user(user: Any, values: Mapping[str, Floats]) -> pd.DataFrame:
    """Return the mean of each metric by user, as sums over one episode each."""
    sums = user_sums(user, values)
    for name in values:
        number = sums[f"{name}.count"] if f"{name}.count" in sums else sums["episodes"]
        sums[name] = np.where(number > 0, sums[name] / np.maximum(number, 1), 0.0)
        if f"{name}.count" in sums:
            sums[f"{name}.count"] = (number > 0).astype(np.int64)
    return sums.assign(episodes=1)


def _count(users: pd.DataFrame, name: str) -> float:
    """Return the number of users whose mean of a metric counts; NaN for none."""
    own = f"{name}.count"
    number = int((users[own] if own in users else users["episodes"]).sum())
    return number or math.nan


def _split_text(spec: NextItemSpec, counts: Mapping[str, Any]) -> str:
    if spec.split == "leave_one_out":
        return (
            "Leave-one-out: the last event of every user is predicted from all earlier ones, the "
            "validation event included; agents learn from the events before both. Later events of "
            "other users are among those, which leaks time: for a claim about the future use "
            "'split: temporal'."
        )
    which = "every event" if spec.targets == "all" else "the first event of each user"
    return (
        f"Temporal: agents learn from the first 80 % of all events; {which} in the last 10 % is "
        "predicted from all earlier ones of the user. Items without a train event are ranked last, "
        "except by agents that read features of items."
    )


def _ties_text(spec: NextItemSpec, counts: Mapping[str, Any]) -> str:
    if "tied_neighbours" not in counts:
        return "The log has no times: events are in the order of the file."
    order = "in the order of the file" if spec.ties == "file" else "shuffled, alike for all seeds"
    return (
        f"Ties in time: {counts['tied_neighbours']:.1%} of neighbouring events and the last two of "
        f"{counts['tied_last_two']:.1%} of users; {order}."
    )


@functools.lru_cache(maxsize=1)
def _split(source: Source, holdout: str) -> Split:
    """Return the split of a log whose slates are as wide as the largest cut-off."""
    spec = NextItemSpec.model_validate_json(holdout)
    log, _, _ = read_source(source)
    if log.anonymous:
        raise LogError("'holdout' needs a log with user ids; this one is anonymous.")
    events = ordered(single_events(log, spec.target), spec.ties)
    if spec.split == "leave_one_out":
        split = leave_one_out(events)
        if not len(split.test):
            raise LogError("'split: leave_one_out' needs a user with three events or more.")
    else:
        split = temporal(events, every=spec.targets == "all")
    return Split(
        split.log.widened(spec.cutoffs[-1]),
        split.train,
        split.validation,
        split.test,
        split.without,
    )
