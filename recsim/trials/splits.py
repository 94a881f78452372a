"""Splits of a log of single events by time: leave-one-out, and at two points in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import LogError
from recsim.log import SlateLog, encode

Ties = Literal["shuffle", "file"]
SplitName = Literal["leave_one_out", "temporal"]

# Shares of all events before the validation period, and before the test period.
PERIODS = (0.8, 0.9)
# Ties are shuffled alike in every run, so that all seeds predict the same events.
_TIES_SEED = 0


@dataclass(frozen=True, eq=False)
class Split:
    """Events to learn from, to stop training on, and to predict.

    Attributes:
        log: All events, M rows with one item each.
        train: Which rows agents are fitted on, ``(M,)``.
        validation: Rows on which training may be stopped: later ones of the same users, ``(V,)``.
        test: Rows to predict from all earlier ones of their users, ``(R,)``.
        without: Users of whom no event is predicted.
    """

    log: SlateLog
    train: Bools
    validation: Ints
    test: Ints
    without: int

    @property
    def target(self) -> Ints:
        """Item of each test row, ``(R,)``."""
        target: Ints = self.log.slate[self.test, 0]
        return target

    def counts(self) -> dict[str, float]:
        """Return what the split is like: numbers of events, and shares of what is special."""
        log, target = self.log, self.target
        return {
            "train": int(self.train.sum()),
            "validation": len(self.validation),
            "test": len(self.test),
            "users": len(np.unique(log.user[self.test])),
            "users_without": self.without,
            "unseen_targets": float((~trained_items(self)[target]).mean()),
            "repeated_targets": float(repeats(log)[self.test].mean()),
            **tie_shares(log),
        }


def single_events(log: SlateLog, target: Literal["shown", "clicked"]) -> SlateLog:
    """Return the rows of a log that hold an event, with the event in the first slot.

    Args:
        log: The log.
        target: Whether items ``shown`` are events, or items ``clicked``.

    Raises:
        LogError: If a row holds more than one event, or there is none.
    """
    events = log.slate >= 0
    if target == "clicked":
        events &= log.clicks > 0
    number = events.sum(axis=1)
    if (number > 1).any():
        raise LogError(
            f"row {int(np.argmax(number > 1))} has a slate of {int(number.max())} events: this "
            "split needs single events in the order of time. Use 'split: users', or a reader with "
            "one event per row, such as 'events'."
        )
    rows = np.flatnonzero(number == 1)
    if not len(rows):
        raise LogError("the log has no event.")
    chosen = log.select(rows)
    if log.problem.slate_size == 1:
        return chosen
    slot = events[rows].argmax(axis=1)[:, None]
    one: dict[str, Any] = {
        name: np.take_along_axis(getattr(chosen, name), slot, 1) for name in ("slate", "clicks")
    }
    unused = dict.fromkeys(("propensity", "slate_propensity", "prefix_propensity", "position"))
    return replace(chosen, problem=replace(log.problem, slate_size=1), **one | unused)


def ordered(log: SlateLog, ties: Ties) -> SlateLog:
    """Return a log whose events with equal times are in an order that no file decides.

    Args:
        log: Single events in the order of time.
        ties: ``shuffle``: in random order, the same for every order of the rows; ``file``: as they
            are.
    """
    if ties == "file" or log.time is None:
        return log
    canonical = np.lexsort((log.slate[:, 0], log.user, log.time))
    keys = np.empty(len(log))
    keys[canonical] = np.random.default_rng(_TIES_SEED).random(len(log))
    shuffled = log.select(np.lexsort((keys, log.time)))
    session = shuffled.user * (int(shuffled.session.max(initial=0)) + 1) + shuffled.session
    return replace(shuffled, step=encode.rank_within(session))


def tie_shares(log: SlateLog) -> dict[str, float]:
    """Return how often neighbouring events of a user have the same time; nothing without times.

    Returns:
        ``tied_neighbours``, of all pairs of neighbouring events, and ``tied_last_two``, the share
        of users whose last two events are tied.
    """
    if log.time is None:
        return {}
    user, time = log.user[log.by_user], log.time[log.by_user]
    pair = user[1:] == user[:-1]
    tied = pair & (time[1:] == time[:-1])
    last = np.append(user[1:] != user[:-1], True)[1:] & pair
    return {
        "tied_neighbours": float(tied.sum() / max(pair.sum(), 1)),
        "tied_last_two": float(tied[last].sum() / max(last.sum(), 1)),
    }


def repeats(log: SlateLog) -> Bools:
    """Return which rows hold an item that the user has in an earlier row, ``(M,)``."""
    pair = log.user * log.problem.num_items + log.slate[:, 0]
    return encode.rank_within(pair) > 0


def leave_one_out(log: SlateLog) -> Split:
    """Test on the last event of every user, validate on the one before, train on the others.

    Users with fewer than three events are trained on only.
    """
    from_end = encode.rank_within(log.user[::-1])[::-1]
    number = np.bincount(log.user)[log.user]
    split = number >= 3
    return Split(
        log,
        train=(from_end >= 2) | ~split,
        validation=np.flatnonzero((from_end == 1) & split),
        test=np.flatnonzero((from_end == 0) & split),
        without=len(np.unique(log.user[~split])),
    )


def temporal(log: SlateLog, *, every: bool = False) -> Split:
    """Train on the first 80 % of the time line, validate on the next 10 %, test on the rest.

    With t1 and t2 the .8 and .9 quantiles of all times, events before t1 are for training. For
    every user with an earlier event, the first event in [t1, t2) is for validation and the first
    one from t2 on is predicted.

    Args:
        log: Single events in the order of time.
        every: Whether all events from t2 on are predicted, each from all earlier ones.

    Raises:
        LogError: If the log has no times, or no event would be left to train on or to predict.
    """
    if log.time is None:
        raise LogError(
            "'split: temporal' needs times: read them with 'events' and its option 'timestamp', "
            "or use 'split: leave_one_out'."
        )
    first, second = np.quantile(log.time, PERIODS, method="inverted_cdf")
    train = log.time < first
    has_past = encode.rank_within(log.user) > 0
    between = np.flatnonzero((log.time >= first) & (log.time < second) & has_past)
    after = np.flatnonzero((log.time >= second) & has_past)
    validation = between[encode.rank_within(log.user[between]) == 0]
    test = after if every else after[encode.rank_within(log.user[after]) == 0]
    if not train.any() or not len(test):
        what = "predict: no user has events both before and after" if train.any() else "train on:"
        where = f"the .9 quantile of times, {second}" if train.any() else "all times are alike"
        raise LogError(f"'split: temporal' leaves no event to {what} {where}.")
    without = len(np.unique(log.user)) - len(np.unique(log.user[test]))
    return Split(log, train=train, validation=validation, test=test, without=without)


def log_popularity(split: Split) -> Floats:
    """Return the logarithm of 1 plus the number of train events of each item, ``(I,)``."""
    return np.log1p(_train_events(split))


def trained_items(split: Split) -> Bools:
    """Return which items have a train event, ``(I,)``."""
    return _train_events(split) > 0


def _train_events(split: Split) -> Ints:
    items = split.log.slate[split.train, 0]
    return np.bincount(items, minlength=split.log.problem.num_items)
