"""What a policy would have earned over time, on a log of another policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError, did_you_mean
from recsim.estimators.impressions import policies
from recsim.estimators.impressions.policies import Policy, name_of
from recsim.estimators.impressions.rows import Log
from recsim.estimators.impressions.sample import Floats
from recsim.estimators.intervals import IntervalKind
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.slates.cascade import item_table
from recsim.estimators.slates.overlap import SlateOverlap
from recsim.estimators.slates.policies import HasSlateDistribution
from recsim.estimators.slates.rows import Asked, Logging, Rows, row_blocks
from recsim.estimators.tally import PolicyValue, Tally
from recsim.estimators.trajectories.backward import fit_backwards
from recsim.estimators.trajectories.estimators import make_trajectory_estimator
from recsim.estimators.trajectories.sample import TrajectorySample

Episode = Literal["user", "session"]
States = Callable[[Mapping[str, Any]], NDArray[np.int64]]
Ints = NDArray[np.int64]


def evaluate_trajectories(
    log: Log,
    policy: Policy,
    estimators: Sequence[str] = ("tis", "wis", "pdis", "snpdis"),
    *,
    logging: Logging | None = None,
    episode: Episode = "user",
    unit: Episode = "user",
    discount: float = 1.0,
    horizon: int | None = None,
    states: States | None = None,
    model: str | Mapping[str, Any] | RewardModel = "ridge",
    clip: float = 10.0,
    interval: IntervalKind = "bootstrap",
    bound: float | None = None,
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
    reward: str | None = None,
    history_slates: int = 5,
    overlap: bool | None = None,
) -> list[PolicyValue]:
    """Estimate what a policy would have earned per trajectory, from a log of another policy.

    Unlike the value of single slates this is what the policy makes of its users in the long run, as
    far as the log goes. A trajectory is all that was shown to a user, or one of his sessions; its
    end is taken to be the end, so logs that were cut off need a ``horizon`` that all reach.

    A few numbers per row are kept until the end, and with ``dm``, ``dr`` and ``wdr`` the policy's
    probability of every candidate.

    Args:
        log: The log, its pieces in order, or the folder of a saved one, which is read in pieces.
        policy: The evaluated policy. It must know the probability of whole slates; see
            `recsim.estimators.slates.policies`.
        estimators: Names from `TRAJECTORY_ESTIMATORS`.
        logging: What made the log, where the log itself does not tell; see `evaluate_slates`.
        episode: What is a trajectory: a ``user`` or a ``session``.
        unit: What is independent of the rest: the ``user``, or the ``session`` if it is a
            trajectory.
        discount: gamma: a reward t steps ahead counts gamma^t.
        horizon: Steps that count; by default as many as the longest trajectory has.
        states: From observations to the number of each user's state, ``(B,)``, for ``mis``.
        model: The regression behind ``dm``, ``dr`` and ``wdr``, fitted on this log with
            cross-fitting; see `recsim.estimators.trajectories.backward`. It knows slates of one
            item, and longer ones if the policy can list its slates.
        clip: Largest weight that the clipped estimators keep.
        interval: Kind of the intervals; see `recsim.estimators.intervals`.
        bound: Width of the range of a term, for ``bernstein`` and ``hoeffding``.
        level: Nominal coverage of the intervals.
        samples: Bootstrap samples.
        seed: Seed of the bootstrap and of the model.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        history_slates: Slates of history that the policy is shown.
        overlap: Whether to count what the log never shows; see `evaluate_slates`.

    Returns:
        One value per estimator, in their order: discounted reward per trajectory.

    Raises:
        UserError: If the log does not know its users, a probability is missing or none (names the
            row), a policy does not know what an estimator needs, or a name or setting is wrong.
    """
    made = [make_trajectory_estimator(name, clip=clip) for name in estimators]
    for name, given in (("episode", episode), ("unit", unit)):
        if given not in ("user", "session"):
            near = did_you_mean(given, ("user", "session"))
            raise UserError(f"Unknown {name} {given!r}.{near}")
    if unit == "session" and episode == "user":
        raise UserError(
            "A trajectory is all of a user, so sessions cannot be resampled: with unit='session' "
            "give episode='session' too."
        )
    modelled = any(estimator.name.split("_")[-1] in ("dm", "dr", "wdr") for estimator in made)
    asked = Asked(policy, logging, reward, "user", history_slates, frozenset({"slate_weights"}))
    steps, seen = [], SlateOverlap(overlap)
    for rows in row_blocks(log, asked):
        steps.append(_steps(rows, states, modelled))
        seen.add(rows)
    if not steps:
        raise UserError("The log has no rows.")
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
    )
    if modelled:
        stages = _Stages(sample, np.flatnonzero(new), columns, steps[0]["items"])
        q, v = fit_backwards(stages, sample.units, model, discount=discount, seed=seed)
        sample = replace(sample, action_values=q, expected_values=v)
    made = [replace(estimator, horizon=sample.steps) for estimator in made]
    tally = Tally(made, samples=samples, seed=seed, interval=interval, bound=bound)
    tally.add(sample)
    return seen.told(tally.values(level))


def _steps(rows: Rows, states: States | None, modelled: bool) -> dict[str, NDArray[Any]]:
    """Return what is kept of some rows, each column ``(B, ...)``; and the items' features."""
    if rows.log.anonymous:
        raise UserError("The log is anonymous: without users there are no trajectories.")
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
        columns["slate"] = rows.log.slate
        columns["options"] = candidates[:, slates]  # (B, A, K)
        columns["items"] = item_table(rows.log.problem)
    return columns


def _choices(rows: Rows) -> tuple[Ints, Floats]:
    """Return the slates that the policy may show, ``(A, K)``, and their chances, ``(B, A)``."""
    policy, slots = rows.asked.policy, rows.log.problem.slate_size
    if slots == 1:
        chances = policies.action_probabilities(policy, rows.obs, 1, first_row=rows.first)[:, 0]
        return np.arange(chances.shape[1])[:, None], chances
    listed = None
    if isinstance(policy, HasSlateDistribution):
        listed = policy.slate_distribution(rows.obs)
    if listed is None:
        raise UserError(
            f"{name_of(policy)} cannot list its slates of {slots} items, so no model of the value "
            "to go can be fitted for it: it needs a method slate_distribution(obs). 'pdis' and "
            "'tis' need no model."
        )
    return listed.slates, listed.probabilities


def _context(obs: Mapping[str, Any]) -> Floats:
    """Return what the model sees of the past: the user, the last rewards, clicks and the time."""
    clicks = obs["history_clicks"].sum(axis=1, keepdims=True)
    columns = (obs["user_features"], obs["feedback"], obs["history_length"], clicks, obs["time"])
    return np.concatenate([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


@dataclass(frozen=True, eq=False)
class _Stages:
    """Steps of n trajectories as stages; see `recsim.estimators.trajectories.backward.Stages`.

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
    def there(self) -> NDArray[np.bool_]:
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
