"""The value of a policy over time, from a log of another policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Unpack, get_args

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Ints
from recsim.errors import EstimationError, did_you_mean
from recsim.estimators.backward import fit_backwards
from recsim.estimators.balanced import refuse_balanced
from recsim.estimators.policies import Policy, action_probabilities, doubts, name_of
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.rows import Log
from recsim.estimators.settings import Intervals, SlateKeywords, SlateSettings
from recsim.estimators.slates.cascade import item_table
from recsim.estimators.slates.overlap import SlateOverlap
from recsim.estimators.slates.policies import HasSlateDistribution
from recsim.estimators.slates.rows import Evaluation, Logging, SlateRows
from recsim.estimators.tally import PolicyValue, Tally, with_warnings
from recsim.estimators.targets import policy_of
from recsim.estimators.trajectories.estimators import make_trajectory_estimator
from recsim.estimators.trajectories.sample import TrajectoryEstimator, TrajectorySample
from recsim.settings import one_or_more

Episode = Literal["user", "session"]
States = Callable[[Mapping[str, Any]], Ints]


def evaluate_trajectories(
    log: Log,
    policy: Policy | str,
    estimators: str | Sequence[str] = ("tis", "wis", "pdis", "snpdis"),
    *,
    settings: Intervals | None = None,
    logging: Logging | None = None,
    episode: Episode = "user",
    unit: Episode = "user",
    discount: float = 1.0,
    horizon: int | None = None,
    states: States | None = None,
    model: str | Mapping[str, Any] | RewardModel = "ridge",
    reward: str | None = None,
    history_slates: int = 5,
    overlap: bool | None = None,
    **changes: Unpack[SlateKeywords],
) -> list[PolicyValue]:
    """Estimate the reward of a policy per trajectory, from a log of another policy.

    Unlike the value of single slates this includes the effect of the policy on its users, as far as
    the log goes. A trajectory consists of all slates of a user, or of a session. It is assumed to
    be complete, so logs that were cut off need a ``horizon`` that all trajectories reach.

    A few numbers per row are kept in memory, and with ``dm``, ``dr`` and ``wdr`` the policy's
    probability of every candidate.

    Args:
        log: The log, its pieces in order, or the folder of a saved one, which is read in pieces.
        policy: The evaluated policy. It must know the probability of whole slates; see
            `recsim.estimators.slates.policies`.
        estimators: Names from `TRAJECTORY_ESTIMATORS`, or one.
        settings: `Intervals` or `SlateSettings`.
        logging: What made the log, where the logged probabilities are not enough; see
            `evaluate_slates`.
        episode: What a trajectory is: a ``user`` or a ``session``.
        unit: What is independent of the rest: the ``user``, or the ``session`` if it is a
            trajectory.
        discount: gamma: a reward t steps ahead counts gamma^t.
        horizon: Number of steps that count; by default as many as the longest trajectory has.
        states: From observations to the number of each user's state, ``(B,)``, for ``mis``.
        model: The regression for ``dm``, ``dr`` and ``wdr``, fitted on this log with cross-fitting;
            see `recsim.estimators.backward`. It works for slates of one item, and for longer ones
            if the policy can list its slates.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        history_slates: Slates of history in the policy's observations.
        overlap: Whether to count unsupported actions; see `evaluate_slates`.
        **changes: Fields of `SlateSettings` by name, in place of those of ``settings``: ``clip``,
            ``interval``, ``bound``, ``level``, ``samples``, ``seed``.

    Returns:
        One value per estimator, in their order: discounted reward per trajectory.

    Raises:
        UserError: If the log is anonymous, a probability is missing or outside (0, 1] (names the
            row), a policy does not know what an estimator needs, or a name or setting is wrong.
    """
    chosen, names = SlateSettings.of(settings, changes), one_or_more(estimators)

    def build(horizon: int | None = None) -> list[TrajectoryEstimator]:
        return [
            make_trajectory_estimator(name, clip=chosen.clip, horizon=horizon) for name in names
        ]

    for name, choice in (("episode", episode), ("unit", unit)):
        if choice not in get_args(Episode):
            near = did_you_mean(choice, get_args(Episode))
            raise EstimationError(f"Unknown {name} {choice!r}.{near}")
    if unit == "session" and episode == "user":
        raise EstimationError(
            "A trajectory consists of all sessions of a user, so sessions cannot be resampled: "
            "with unit='session' give episode='session' too."
        )
    modelled = any("expected_values" in estimator.needs for estimator in build())
    needs = frozenset({"slate_weights"})
    evaluation = Evaluation(policy_of(policy), logging, reward, "user", history_slates, needs)
    steps, counts, adaptive = [], SlateOverlap(overlap), False
    for rows in evaluation.read(log):
        adaptive = adaptive or rows.log.adaptive
        refuse_balanced(rows.log, rows.first)
        steps.append(_steps(rows, states, modelled))
        counts.add(rows)
    if not steps:
        raise EstimationError("The log has no rows.")
    columns = {
        name: np.concatenate([part[name] for part in steps]) for name in steps[0] if name != "items"
    }
    keys = [columns["user"]] if episode == "user" else [columns["session"], columns["user"]]
    order = np.lexsort(keys)  # stable: the steps of a trajectory stay in order
    columns = {name: column[order] for name, column in columns.items()}
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = np.any([column[order][1:] != column[order][:-1] for column in keys], axis=0)
    sample = TrajectorySample.of_ratios(
        np.cumsum(new) - 1,
        columns["reward"],
        columns["ratio"],
        horizon=horizon,
        units=columns["user"][new] if unit == "user" else np.arange(int(new.sum())),
        discount=discount,
        states=columns.get("state"),
        whole=True,
        adaptive=adaptive,
    )
    if modelled:
        stages = _Stages(sample, np.flatnonzero(new), columns, steps[0]["items"])
        q, v = fit_backwards(stages, sample.units, model, discount=discount, seed=chosen.seed)
        sample = replace(sample, action_values=q, expected_values=v)
    tally = Tally(build(sample.steps), chosen)
    tally.add(sample)
    return counts.attach(with_warnings(tally.values(), doubts(logging)))


def _steps(rows: SlateRows, states: States | None, modelled: bool) -> dict[str, NDArray[Any]]:
    """Return the columns to keep of some rows, ``(B, ...)``, and the features of all items."""
    if rows.log.anonymous:
        raise EstimationError("The log is anonymous: without users there are no trajectories.")
    columns: dict[str, NDArray[Any]] = {
        "user": rows.log.user,
        "session": rows.log.session,
        "reward": rows.rewards[0],
        "ratio": rows.slate_weights,
    }
    if states is not None:
        columns["state"] = np.asarray(states(rows.obs), dtype=np.int64).reshape(-1)
    if modelled:
        slates, columns["chances"] = _choices(rows)
        candidates = rows.obs["candidates"]
        columns["context"] = _context(rows.obs)
        columns["slate"] = rows.items
        columns["options"] = candidates[:, slates]  # (B, A, K)
        columns["items"] = item_table(rows.problem)
    return columns


def _choices(rows: SlateRows) -> tuple[Ints, Floats]:
    """Return the slates that the policy may show, ``(A, K)``, and their probability, ``(B, A)``."""
    policy, slots = rows.evaluation.policy, rows.problem.slate_size
    if slots == 1:
        chances = action_probabilities(policy, rows.obs, 1, first_row=rows.first)[:, 0]
        return np.arange(chances.shape[1])[:, None], chances
    listed = None
    if isinstance(policy, HasSlateDistribution):
        listed = policy.slate_distribution(rows.obs)
    if listed is None:
        raise EstimationError(
            f"{name_of(policy)} cannot list its slates of {slots} items, so no model of the value "
            "to go can be fitted for it: it needs a method slate_distribution(obs). 'pdis' and "
            "'tis' need no model."
        )
    return listed.slates, listed.probabilities


def _context(obs: Mapping[str, Any]) -> Floats:
    """Return the features of the past: the user, the last rewards, clicks and the time."""
    clicks = obs["history_clicks"].sum(axis=1, keepdims=True)
    columns = (obs["user_features"], obs["feedback"], obs["history_length"], clicks, obs["time"])
    return np.concatenate([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


@dataclass(frozen=True, eq=False)
class _Stages:
    """Steps of n trajectories as stages; see `recsim.estimators.backward.Stages`.

    Attributes:
        sample: The trajectories.
        starts: Row of each trajectory's first step, ``(n,)``.
        columns: Columns of all steps, trajectory by trajectory, ``(M, ...)``.
        items: Features of every item, ``(I, D)``.
    """

    sample: TrajectorySample
    starts: Ints
    columns: Mapping[str, NDArray[Any]]
    items: Floats

    @property
    def rewards(self) -> Floats:
        return self.sample.rewards

    @property
    def there(self) -> Bools:
        return self.sample.within

    @property
    def width(self) -> int:
        return int(self.columns["context"].shape[1] + self.items.shape[1])

    def shown(self, stage: int, rows: Ints) -> Floats:
        at = self.starts[rows] + stage
        table: Floats = self._table(at, self.columns["slate"][at][:, None])[:, 0]
        return table

    def chances(self, stage: int, rows: Ints) -> Floats:
        chances: Floats = self.columns["chances"][self.starts[rows] + stage]
        return chances

    def options(self, stage: int, rows: Ints) -> Floats:
        at = self.starts[rows] + stage
        return self._table(at, self.columns["options"][at])

    def _table(self, at: Ints, slates: Ints) -> Floats:
        """Return the features of slates (n, A, K) at steps (n,): the context and the items' sum."""
        own = np.where((slates >= 0)[:, :, :, None], self.items[slates], 0.0).sum(axis=2)
        context = self.columns["context"][at][:, None]
        context = np.broadcast_to(context, (*slates.shape[:2], context.shape[2]))
        return np.concatenate([context, own], axis=2)
