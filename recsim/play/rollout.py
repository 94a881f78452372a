"""An agent recommends in a vector environment; results as arrays, curves, metrics or a log."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Floats32, Ints
from recsim.contracts.slates import Agent, Feedback, begin_users
from recsim.log import SlateLog
from recsim.metrics import coverage, distinct_groups, gini
from recsim.play.arrays import as_numpy, like
from recsim.play.checks import (
    check_autoreset,
    check_observations,
    check_rewards,
    checked_propensities,
)
from recsim.problem import Problem

if TYPE_CHECKING:
    import pandas as pd

_FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Recording:
    """What a log contains beyond the results of a rollout.

    Attributes:
        user_features: Features of each user at the first step, ``(B, F)``.
        candidates: ``(T, B, C)``, or None if the whole catalogue was offered.
        propensities: ``(T, B, K)``, or None if the agent does not report them.
        slate_propensities: ``(T, B)``, or None.
        prefix_propensities: ``(T, B, K)``, or None.
    """

    user_features: Floats32
    candidates: Ints | None
    propensities: Floats | None
    slate_propensities: Floats | None
    prefix_propensities: Floats | None = None


@dataclass(frozen=True, eq=False)
class Rollout:
    """T steps of a cohort of B users, each followed until the first end of their episode.

    Entries where ``active`` is False are padding.

    Attributes:
        problem: Public facts of the environment.
        active: True while the user is followed, ``(T, B)``; once False, it stays False.
        reward: Scalar reward, ``(T, B)``.
        rewards: Named rewards, each ``(T, B)``.
        day: Day of the step, ``(T, B)``.
        session: The user's session, ``(T, B)``.
        step: Step of the session, ``(T, B)``.
        session_end: True at the last step of a session, ``(T, B)``.
        gap_days: Days from the end of a session to the user's return, ``(T, B)``; 0 for never.
        churned: True where the user left for good, ``(T, B)``.
        terminated: True where the episode terminated, ``(T, B)``.
        truncated: True where the environment truncated the episode, ``(T, B)``.
        items: Ids of the items shown, -1 for an empty slot, ``(T, B, K)``.
        clicks: 1 where the item was clicked, ``(T, B, K)``.
        expected_reward: Exact expected reward of the slate shown, ``(T, B)``, or None if the
            environment does not reveal it.
        oracle_reward: Highest possible expected reward in the same state, ``(T, B)``, or None.
        recording: What `to_log` needs, or None if the rollout was not recorded.
        max_days: Number of days after which the environment truncates all episodes, or None.
        user_groups: Group of each user at the start, ``(B,)``, or None if the environment has none.
    """

    problem: Problem
    active: Bools
    reward: Floats
    rewards: dict[str, Floats]
    day: Ints
    session: Ints
    step: Ints
    session_end: Bools
    gap_days: Ints
    churned: Bools
    terminated: Bools
    truncated: Bools
    items: Ints
    clicks: NDArray[np.int8]
    expected_reward: Floats | None = None
    oracle_reward: Floats | None = None
    recording: Recording | None = None
    max_days: int | None = None
    user_groups: Ints | None = None

    def of_users(self, chosen: Bools) -> Rollout:
        """Return the rollout of some of the users, ``chosen`` of shape ``(B,)``; not recorded."""
        columns: dict[str, Any] = {
            item.name: getattr(self, item.name)[:, chosen]
            for item in fields(self)
            if item.name != "user_groups" and isinstance(getattr(self, item.name), np.ndarray)
        }
        rewards = {name: value[:, chosen] for name, value in self.rewards.items()}
        groups = None if self.user_groups is None else self.user_groups[chosen]
        return replace(self, **columns, rewards=rewards, user_groups=groups, recording=None)

    @property
    def immediate_regret(self) -> Floats | None:
        """Expected reward lost at each step to the best slate in the same state, ``(T, B)``.

        It counts the next reward alone: in a world where what is shown changes users, the agent
        that earns most may have the largest. None if the environment does not reveal it.
        """
        if self.expected_reward is None or self.oracle_reward is None:
            return None
        return self.oracle_reward - self.expected_reward

    def curves(
        self, axis: Literal["step", "day"] = "step", length: int | None = None
    ) -> pd.DataFrame:
        """Return rewards and retention over time, per initial user; users who have left count 0.

        Only rows that are known for every user are reported (at least one). A truncated user has
        not left, and what they would have done next is not known. On the day axis, a user's last
        known day is the last that is complete; days between two sessions are known too, up to the
        limit of days of the environment.

        Args:
            axis: ``step`` of the rollout, or ``day``.
            length: Number of rows; None for the known ones. Further rows are 0 (cumulative ones
                stay level) if all users have left, and NaN if some were truncated.

        Returns:
            A frame indexed by ``step`` or ``day`` with ``reward`` and each named reward, the same
            with the prefix ``cumulative_``, ``active`` (fraction of the cohort that has not left:
            the retention curve), ``immediate_regret`` and ``cumulative_immediate_regret`` (NaN if
            not revealed).
        """
        import pandas as pd

        position, leave, known = self._timeline(axis)
        if length is None:
            length = max(min(self._horizon(axis, position), int(known.min())) + 1, 1)
        rows = np.arange(length)
        values = {"reward": self.reward, **self.rewards}
        if self.immediate_regret is not None:
            values["immediate_regret"] = self.immediate_regret
        inside = self.active & (position < length)
        means = {
            name: np.bincount(position[inside], value[inside], length) / len(leave)
            for name, value in values.items()
        }
        means.setdefault("immediate_regret", np.full(length, math.nan))
        cumulative = {f"cumulative_{name}": np.cumsum(mean) for name, mean in means.items()}
        active = {"active": (rows[:, None] <= leave).mean(axis=1)}  # (rows, B) -> (rows,)
        frame = pd.DataFrame(means | cumulative | active, index=pd.Index(rows, name=axis))
        return frame.where(pd.Series(rows <= max(int(known.min()), 0)), axis=0)

    def _horizon(self, axis: Literal["step", "day"], position: Ints) -> int:
        """Return the last row to report if all rows are known."""
        last = int(position[self.active].max())
        all_left = (self.terminated & self.active).any(axis=0).all()
        if axis == "day" and self.max_days is not None and not all_left:
            # A user who would return after the limit has not left: sums stay level up to it.
            return max(last, self.max_days - 1)
        return last

    def _timeline(self, axis: Literal["step", "day"]) -> tuple[Ints, Ints, Ints]:
        """Return the row of each step, ``(T, B)``, and each user's last active and known row."""
        steps, users = self.active.shape
        end = self.active.sum(axis=0) - 1  # (B,): active is True from the start to the end
        last = end, np.arange(users)
        left = self.terminated[last]
        if axis == "step":
            position = np.broadcast_to(np.arange(steps)[:, None], self.active.shape)
            return position, np.where(left, end, _FOREVER), np.where(left, _FOREVER, end)
        # Days between sessions are complete; a day within a session is not.
        day = self.day[last]
        quiet = np.where(self.session_end[last], self.gap_days[last], 0)
        return (
            self.day,
            np.where(left, day, _FOREVER),
            np.where(left, _FOREVER, day + quiet - 1),
        )

    def summary(self) -> dict[str, float]:
        """Return the metrics of the rollout.

        ``<name>_per_user`` sums each named reward over the rollout. ``return_per_session`` (if
        there is such a reward), ``sessions_per_user``, ``churned_share`` and ``active_days`` (days
        with at least one step) measure retention; ``immediate_regret_*`` is there if the
        environment reveals it; ``coverage``, ``gini`` and ``distinct_groups_per_slate`` describe
        the slates.
        """
        active, (_, users) = self.active, self.active.shape
        steps = int(active.sum())
        ends = int((self.session_end & active).sum())
        totals = {name: float(value[active].sum()) for name, value in self.rewards.items()}
        reward = float(self.reward[active].sum())
        shown, problem = self.items[active], self.problem  # (T, B, K) -> (n, K)
        numbers = {
            "reward_per_step": reward / steps,
            "reward_per_user": reward / users,
            "click_per_step": float(self.clicks[active].sum()) / steps,
        }
        numbers |= {f"{name}_per_user": total / users for name, total in totals.items()}
        if "return" in totals:
            numbers["return_per_session"] = totals["return"] / ends if ends else math.nan
        numbers |= {
            "sessions_per_user": _distinct(self.session, active) / users,
            "churned_share": float((self.churned & active).sum()) / users,
            "active_days": _distinct(self.day, active) / users,
        }
        if self.immediate_regret is not None:
            regret = float(self.immediate_regret[active].sum())
            numbers["immediate_regret_per_step"] = regret / steps
            numbers["immediate_regret_per_user"] = regret / users
        return numbers | {
            "coverage": coverage(shown, problem.num_items),
            "gini": gini(shown, problem.num_items),
            "distinct_groups_per_slate": distinct_groups(shown, problem.item_groups),
        }

    def to_log(self) -> SlateLog:
        """Return the rollout as a log, user by user, with the agent's propensities if it has any.

        Raises:
            ValueError: If the rollout was not recorded.
        """
        if self.recording is None:
            raise ValueError("this rollout was not recorded: call rollout(..., record=True)")
        recording, active = self.recording, self.active.T

        def rows(values: NDArray[Any] | None) -> Any:
            # (T, B, ...) -> (B, T, ...) -> (M, ...)
            return None if values is None else values.swapaxes(0, 1)[active]

        slate, propensity = rows(self.items), rows(recording.propensities)
        followed = np.pad(self.active[1:], ((0, 1), (0, 0)))  # False at a user's last step
        terminated = self.terminated & ~followed
        truncated = ~terminated & ~followed  # by the environment, or as the rollout ended
        return SlateLog(
            problem=replace(self.problem, user_names=None),  # these users are simulated
            user=np.nonzero(active)[0],
            session=rows(self.session),
            day=rows(self.day),
            step=rows(self.step),
            slate=slate,
            clicks=rows(self.clicks),
            feedback={name: rows(value) for name, value in self.rewards.items()},
            user_features=recording.user_features,
            propensity=None if propensity is None else np.where(slate < 0, 1.0, propensity),
            slate_propensity=rows(recording.slate_propensities),
            prefix_propensity=rows(recording.prefix_propensities),
            candidates=rows(recording.candidates),
            terminated=rows(terminated),
            truncated=rows(truncated),
        )


def _distinct(values: Ints, active: Bools) -> int:
    """Count the distinct values over each user's active steps; values must not decrease."""
    new = values[1:] != values[:-1]
    return int(active[0].sum() + (new & active[1:]).sum())


# Keys of infos; all but the first line only if the environment reveals its state.
_OUTCOMES = ("items", "clicks", "session_end", "gap_days", "churned")
_REVEALED = ("expected_reward", "oracle_reward")
_PRIVILEGED = ("oracle_slate", "long_term_slate")
_RECORDED = ("candidates", "propensities", "slate_propensities", "prefix_propensities")


def rollout(
    env: Any,
    agent: Agent,
    *,
    seed: int,
    max_steps: int,
    learn: bool = True,
    record: bool = False,
    first_user: int | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Rollout:
    """Let an agent recommend to a cohort: the users with whom the environment starts.

    Each user is followed until their episode first ends; users who replace them by autoreset are
    ignored. The rollout ends after ``max_steps``, or earlier if all episodes have ended.

    Args:
        env: A vector environment with the observations and infos of ``SlateRec-v0``, on numpy or
            torch; a privileged agent needs one made with ``reveal_state=True``.
        agent: The agent; it receives numpy arrays whatever the environment uses.
        seed: Seed of the environment.
        max_steps: Maximum number of steps, at least 1.
        learn: Whether to call `Agent.observe` after each step.
        record: Whether to keep what `Rollout.to_log` needs.
        first_user: Number of the first user under the seed: users n, n + 1 ... of a larger cohort,
            with the same results if the agent draws for each user by itself and learns nothing
            meanwhile. None for a cohort from number 0 on, whose users are new to the agent.
        on_step: Called after each step with the number of steps done.

    Raises:
        ValueError: If ``max_steps`` is below 1.
        AgentError: If a propensity to be recorded is outside (0, 1]; names the agent and the row.
        EnvError: If a reward is not finite, or the environment has another ``autoreset_mode`` than
            ``SAME_STEP``, or vectors as observations.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps must be positive, not {max_steps}")
    check_autoreset(env)
    check_observations(env)
    problem: Problem = env.unwrapped.problem
    columns: dict[str, list[NDArray[Any]]] = {}

    def keep(name: str, value: Any) -> None:
        # A copy, as the environment may reuse its buffers.
        columns.setdefault(name, []).append(np.array(value))

    options = {} if first_user is None else {"options": {"first_user": first_user}}
    raw, infos = env.reset(seed=seed, **options)
    obs = as_numpy(raw)
    first_features = np.array(obs["user_features"])
    groups = getattr(env.unwrapped, "user_groups", None)
    user_groups = None if groups is None else np.array(as_numpy(groups))
    whole_catalogue = problem.num_candidates == problem.num_items
    active = np.ones(len(first_features), dtype=np.bool_)
    if first_user is None:
        agent.begin(len(active))
    else:
        begin_users(agent, np.arange(first_user, first_user + len(active)))
    for done_steps in range(1, max_steps + 1):
        if agent.privileged:
            obs |= as_numpy({name: infos[name] for name in _PRIVILEGED if name in infos})
        decision = agent.act(obs)
        keep("active", active)
        for column, name in enumerate(("day", "session", "step")):
            keep(name, obs["time"][:, column])
        if record and not whole_catalogue:
            keep("candidates", obs["candidates"])

        raw, reward, terminated, truncated, infos = env.step(like(decision.slates, raw))
        obs, reward = as_numpy(raw), as_numpy(reward)
        ends = {"terminated": as_numpy(terminated), "truncated": as_numpy(truncated)}
        outcomes = {name: infos[name] for name in (*_OUTCOMES, *_REVEALED) if name in infos}
        outcomes = as_numpy(outcomes)
        rewards = as_numpy(infos["rewards"])
        check_rewards({"reward": reward, **rewards}, active, done_steps)
        items = outcomes["items"]
        done = ends["terminated"] | ends["truncated"]
        for name, value in {"reward": reward, **ends, **outcomes}.items():
            keep(name, value)
        for name, value in rewards.items():
            keep(f"rewards.{name}", value)
        for name in _RECORDED[1:]:
            value = getattr(decision, name)
            if record and value is not None:
                there = active if np.ndim(value) == 1 else active[:, None] & (items >= 0)
                keep(name, checked_propensities(agent, name, value, there, done_steps))
        if learn:
            clicks = outcomes["clicks"]
            agent.observe(Feedback(items, clicks, rewards, reward, done, active.copy()))
        active = active & ~done
        if on_step is not None:
            on_step(done_steps)
        if not active.any():
            break

    stacked = {name: np.stack(values) for name, values in columns.items()}  # (T, B, ...)
    recording = None
    if record:
        recording = Recording(
            first_features,
            *(stacked.pop(name, None) for name in _RECORDED),
        )
    named = {name: stacked.pop(f"rewards.{name}") for name in rewards}
    return Rollout(
        problem=problem,
        rewards=named,
        recording=recording,
        max_days=getattr(env.unwrapped, "max_days", None),
        user_groups=user_groups,
        **stacked,
    )
