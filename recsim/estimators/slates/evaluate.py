"""What a policy would have earned per slate, on a log of another policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recsim.errors import UserError
from recsim.estimators.impressions.policies import Policy
from recsim.estimators.impressions.rows import Log, check_read_twice
from recsim.estimators.impressions.sample import Floats
from recsim.estimators.intervals import IntervalKind
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.slates import policies as slate_policies
from recsim.estimators.slates.cascade import CascadeStages, item_table
from recsim.estimators.slates.estimators import make_slate_estimator
from recsim.estimators.slates.overlap import SlateOverlap
from recsim.estimators.slates.rows import Asked, Logging, Rows, row_blocks
from recsim.estimators.slates.sample import SlateSample
from recsim.estimators.tally import PolicyValue, Tally
from recsim.estimators.trajectories.backward import fit_backwards
from recsim.estimators.units import Unit


def evaluate_slates(
    log: Log,
    policy: Policy,
    estimators: Sequence[str] = ("sips", "snsips", "iips", "sniips"),
    *,
    logging: Logging | None = None,
    clip: float = 10.0,
    interval: IntervalKind = "bootstrap",
    bound: float | None = None,
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
    reward: str | None = None,
    position_weights: Sequence[float] | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
    model: str | Mapping[str, Any] | RewardModel = "ridge",
    overlap: bool | None = None,
) -> list[PolicyValue]:
    """Estimate what a policy would have earned per slate, from a log of another policy.

    The value is for users in the state in which the logging policy left them; see
    `evaluate_trajectories` for what a policy makes of them.

    What an estimator needs of the policy and of the log: ``sips`` the probability of whole slates,
    ``rips`` and ``cascade_dr`` of prefixes, ``iips`` of items at their positions, ``pi`` of every
    candidate at every position, and of the log the policy that made it.

    Args:
        log: The log, its pieces in order, or the folder of a saved one, which is read in pieces.
        policy: The evaluated policy: an agent, or a function of observations and items. See
            `recsim.estimators.slates.policies` for the methods that it may have.
        estimators: Names from `SLATE_ESTIMATORS`.
        logging: What made the log, where the log itself does not tell enough: a policy, or
            ``independent`` if every position was filled for itself, so that the probabilities of
            the items multiply.
        clip: Largest weight that the clipped estimators keep.
        interval: Kind of the intervals; see `recsim.estimators.intervals`.
        bound: Width of the range of a term, for ``bernstein`` and ``hoeffding``.
        level: Nominal coverage of the intervals.
        samples: Bootstrap samples.
        seed: Seed of the bootstrap and of the model.
        reward: Name of the reward; by default the weighted sum of the log's problem. Estimators
            with weights for each position need clicks, or slates of one item.
        position_weights: How much the reward at each position counts, ``(K,)``.
        unit: What is independent of the rest: the ``user`` with all their slates, a ``session`` of
            theirs, or the ``row``, which is one slate.
        history_slates: Slates of history that the policy is shown.
        model: The regression behind ``cascade_dr``, fitted on this log with cross-fitting: a name
            from `recsim.estimators.reward_models`, or its settings.
        overlap: Whether to count items that the policy would show at a position where the log never
            does; by default wherever it costs little, see `recsim.estimators.slates.overlap`.

    Returns:
        One value per estimator, in their order.

    Raises:
        UserError: If a probability is missing or none (names the row), a policy does not know what
            an estimator needs, or a name or setting is wrong.
    """
    made = [make_slate_estimator(name, clip=clip) for name in estimators]
    needs = {estimator.weights for estimator in made}
    if any(estimator.name.endswith("cascade_dr") for estimator in made):
        check_read_twice(log, "cascade_dr fits its model on the log first")
        needs.add("model")
    alpha = None if position_weights is None else np.asarray(position_weights, dtype=np.float64)
    asked = Asked(policy, logging, reward, unit, history_slates, frozenset(needs), alpha)
    values = _cascade_values(log, asked, model, seed) if "model" in needs else None
    tally: Tally | None = None
    unknown, total, seen = 0, 0, SlateOverlap(overlap)
    for rows in row_blocks(log, asked):
        sample = _sample(rows, values)
        if tally is None:
            made = [replace(e, slots=rows.log.problem.slate_size) for e in made]
            tally = Tally(made, samples=samples, seed=seed, interval=interval, bound=bound)
        tally.add(sample)
        seen.add(rows)
        total += len(sample)
        if "additive_weights" in needs:
            unknown += int(np.count_nonzero(~rows.additive_weights[1]))
    if tally is None:
        raise UserError("The log has no rows.")
    found = seen.told(tally.values(level))
    if not unknown:
        return found
    said = (
        f"in {unknown} of {total} slates the logging policy never shows the combinations that "
        "would tell the value of this policy, even if rewards add up",
    )
    return [
        replace(value, warnings=value.warnings + said)
        if estimator.weights == "additive_weights"
        else value
        for value, estimator in zip(found, made, strict=True)
    ]


def _sample(rows: Rows, values: tuple[Floats, Floats] | None) -> SlateSample:
    """Return what the estimators need, and nothing that they don't."""
    needs, part = rows.asked.needs, slice(rows.first, rows.first + len(rows.log))
    rewards, by_slot = rows.rewards
    return SlateSample(
        rewards,
        rows.units,
        by_slot,
        rows.slot_weights if "slot_weights" in needs else None,
        rows.prefix_weights if "prefix_weights" in needs else None,
        rows.slate_weights if "slate_weights" in needs else None,
        rows.additive_weights[0] if "additive_weights" in needs else None,
        None if values is None else values[0][part],
        None if values is None else values[1][part],
        rows.log.slate >= 0,
        rows.asked.unit == "row" or rows.log.anonymous,
    )


def _cascade_values(
    log: Log, asked: Asked, model: str | Mapping[str, Any] | RewardModel, seed: int
) -> tuple[Floats, Floats]:
    """Return Q and E Q of every position of the log, ``(M, K)`` each."""
    found, units, problem = [], [], None
    for rows in row_blocks(log, asked):
        problem, slate = rows.log.problem, rows.log.slate
        following = slate_policies.next_probabilities(asked.policy, rows.obs, slate)
        users, candidates = rows.obs["user_features"], rows.obs["candidates"]
        found.append((users.astype(np.float64), slate, candidates, following, rows.rewards[1]))
        units.append(rows.units)
    if problem is None:
        raise UserError("The log has no rows.")
    users, slates, candidates, following, rewards = (
        np.concatenate(column) for column in zip(*found, strict=True)
    )
    stages = CascadeStages(users, slates, candidates, following, rewards, item_table(problem))
    return fit_backwards(stages, np.concatenate(units), model, seed=seed)
