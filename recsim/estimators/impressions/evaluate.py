"""What a policy would have earned on a log."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from recsim.errors import UserError
from recsim.estimators.impressions.bandit import make_estimator
from recsim.estimators.impressions.clipping import PARAMETER_OF, ClipRule, check_rule, choose
from recsim.estimators.impressions.crossfitting import CrossFit, cross_fit
from recsim.estimators.impressions.fingerprint import Fingerprint
from recsim.estimators.impressions.overlap import OverlapSums
from recsim.estimators.impressions.policies import (
    Policy,
    SampledPolicy,
    action_probabilities,
    is_estimated,
    knows_actions,
    propensities,
)
from recsim.estimators.impressions.rows import (
    Block,
    Log,
    blocks,
    check_agreement,
    check_read_twice,
    chunks,
    logged_propensities,
    rewards_of,
)
from recsim.estimators.impressions.sample import Actions, Estimator, Floats, Prediction, Sample
from recsim.estimators.intervals import IntervalKind
from recsim.estimators.ratios import probability_ratio
from recsim.estimators.reward_models import RewardModel
from recsim.estimators.tally import PolicyValue, Tally
from recsim.estimators.units import Unit, Units

Limit = float | ClipRule


def evaluate(
    log: Log,
    policy: Policy,
    estimators: Sequence[str | Estimator] = ("ips", "snips", "clipped_ips"),
    *,
    clip: Limit = 10.0,
    tau: Limit = 10.0,
    shrinkage: Limit = 400.0,
    subgaussian: Limit = 0.1,
    interval: IntervalKind = "bootstrap",
    bound: float | None = None,
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
    reward: str | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
    model: str | Mapping[str, object] | RewardModel | CrossFit = "ridge",
    logging: Policy | None = None,
    overlap: bool | None = None,
) -> list[PolicyValue]:
    """Estimate what a policy would have earned per impression, from a log of another policy.

    In a log of slates of several items every item shown is an impression, weighted by the
    propensity of that item at that position; its reward is its own click. That is unbiased if a
    click depends on nothing else in the slate, and for users in the state in which the logging
    policy left them.

    Args:
        log: The log, its pieces in order, or the folder of a saved one, which is read in pieces.
            Reward models and rules for the clip read it several times, which an iterator cannot.
        policy: The evaluated policy: an agent, or a function of observations and items.
        estimators: Names from `ESTIMATORS`, or estimators that `make_estimator` built.
        clip: Largest weight that the clipped estimators keep; or ``slope`` or ``mse``, to choose
            it on this log: see `recsim.estimators.impressions.clipping`.
        tau: The same for ``switch_dr`` and ``switch``.
        shrinkage: The same for ``dros``.
        subgaussian: The same for ``sub_gaussian``.
        interval: Kind of the intervals; see `recsim.estimators.intervals`.
        bound: Width of the range of a term, for ``bernstein`` and ``hoeffding``.
        level: Nominal coverage of the intervals.
        samples: Bootstrap samples.
        seed: Seed of the bootstrap and of the reward model.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        unit: What is resampled, as independent of the rest: the ``user`` with all their rows, a
            ``session`` of theirs, or the ``row``. The same in an anonymous log.
        history_slates: Slates of history that the policy is shown.
        model: Reward model of the estimators that need one, fitted on this log with cross-fitting:
            a name from `recsim.estimators.reward_models` or its settings; or one that was fitted
            already, on the same log with the same ``unit``.
        logging: The logging policy, where it is known: for ``switch``, to count unsupported
            actions exactly, and for the propensities of a log that has none. It must agree with
            those of a log that has them, to one in a thousand. One that was estimated need not,
            and counts nothing exactly; but ``switch`` takes it only with its own propensities, see
            `recsim.estimators.with_propensities`.
        overlap: Whether to count what the policy would show and the log never does. By default
            wherever it costs little: if the policy knows the probability of every candidate.

    Returns:
        One value per estimator, in their order.

    Raises:
        UserError: If a propensity is missing or no probability, or not that of ``logging`` (names
            the row), the policy does not know its own, or a name or setting is wrong.
    """
    limits = {"clip": clip, "tau": tau, "shrinkage": shrinkage, "subgaussian": subgaussian}
    numbers = {key: value for key, value in limits.items() if not isinstance(value, str)}
    built = [make_estimator(e, **numbers) if isinstance(e, str) else e for e in estimators]
    needs = frozenset[str]().union(*(estimator.needs for estimator in built))
    if "actions" in needs and logging is None:
        raise UserError(
            "switch needs the probability of every action under the logging policy: give 'logging'."
        )
    fit = partial(
        cross_fit, log, reward=reward, unit=unit, history_slates=history_slates, seed=seed
    )
    plain = model if isinstance(model, CrossFit) else None
    weighted = None
    if needs & {"model", "actions"} and not isinstance(model, CrossFit):
        check_read_twice(log, "A reward model is fitted on the log")
        plain = fit(model)
    if "weighted_model" in needs:
        check_read_twice(log, "A reward model is fitted on the log")
        if isinstance(model, CrossFit):
            raise UserError("mrdr fits a reward model of its own: give the settings of one.")
        weighted = fit(model, policy=policy, logging=logging)
    read = partial(
        policy_samples,
        policy=policy,
        reward=reward,
        unit=unit,
        history_slates=history_slates,
        model=plain,
        weighted_model=weighted,
        logging=logging,
        actions="actions" in needs,
    )
    rules = [_rule(estimator, limits) for estimator in estimators]
    for at, rule in enumerate(rules):
        if rule is not None:
            check_read_twice(log, f"The rule {rule!r} looks at the log")
            built[at] = choose(read(log), built[at].name, rule=rule).estimator
    tables = bool(needs & {"model", "weighted_model", "actions"})
    counted = (tables or knows_actions(policy)) if overlap is None else overlap
    exact = logging is not None and not is_estimated(logging)
    found = OverlapSums(exact=exact) if counted else None
    tally = Tally(built, samples=samples, seed=seed, interval=interval, bound=bound)
    known = Fingerprint()
    for sample in read(known.watch(log), overlap=found):
        tally.add(sample)
    if isinstance(model, CrossFit):
        model.check_log(known.value)
    seen = None if found is None else found.result()
    return [
        dataclasses.replace(
            value,
            rule=rule or "",
            unsupported=None if seen is None else seen.unsupported,
            unsupported_share=None if seen is None else seen.share,
            warnings=value.warnings + (() if seen is None else seen.warnings),
            policy_draws=policy.draws if isinstance(policy, SampledPolicy) else 0,
        )
        for value, rule in zip(tally.values(level), rules, strict=True)
    ]


def log_value(
    log: Log,
    *,
    interval: IntervalKind = "bootstrap",
    bound: float | None = None,
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
    reward: str | None = None,
    unit: Unit = "user",
) -> PolicyValue:
    """Return what the logging policy itself earned per impression: the mean of the log.

    Needs no propensities. For the arguments see `evaluate`.
    """
    mean = dataclasses.replace(make_estimator("ips"), name="logged")
    tally = Tally([mean], samples=samples, seed=seed, interval=interval, bound=bound)
    first_row, numbers = 0, Units(unit)
    for chunk in chunks(log):
        shown = chunk.slate >= 0
        rewards = rewards_of(chunk, reward)[shown]
        of_rows = numbers.of(chunk, first_row)[:, None]
        units = np.broadcast_to(of_rows, shown.shape)[shown]
        whole = unit == "row" or chunk.anonymous
        tally.add(Sample(np.ones(len(rewards)), rewards, units, whole=whole))
        first_row += len(chunk)
    return tally.values(level)[0]


def policy_samples(
    log: Log,
    policy: Policy,
    *,
    reward: str | None = None,
    unit: Unit = "user",
    history_slates: int = 5,
    batch_rows: int = 8192,
    first_row: int = 0,
    model: CrossFit | None = None,
    weighted_model: CrossFit | None = None,
    logging: Policy | None = None,
    actions: bool = False,
    overlap: OverlapSums | None = None,
) -> Iterator[Sample]:
    """Yield the impressions of a log as the evaluated policy sees them, to add to a `Tally`.

    Args:
        log: The log, its pieces in order, or the folder of a saved one.
        policy: The evaluated policy.
        reward: Name of the reward; by default the weighted sum of the log's problem.
        unit: What bootstrap intervals resample.
        history_slates: Slates of history that the policy is shown.
        batch_rows: Most rows that the policy is asked about at a time.
        first_row: Number of the log's first row, where ``log`` is a share of a longer one. With
            ``unit="session"`` a share must begin where no session goes on.
        model: Reward model, fitted by `recsim.estimators.impressions.crossfitting.cross_fit`.
        weighted_model: Reward model for ``mrdr``, fitted with the policy.
        logging: The logging policy, where it is known.
        actions: Whether to give what is known of every action, for ``switch``.
        overlap: Counts, if given, what the policy would show and the log never does.

    Raises:
        UserError: See `evaluate`.
    """
    tables = any(extra is not None for extra in (model, weighted_model, overlap)) or actions
    for block in blocks(
        log,
        reward=reward,
        unit=unit,
        history_slates=history_slates,
        batch_rows=batch_rows,
        first_row=first_row,
        every_candidate=tables,
    ):
        shown, first = block.shown, block.first_row
        pi = propensities(policy, block.obs, block.items, first_row=first)
        mu = logged_propensities(block, logging)
        weights = probability_ratio(pi, mu, shown=shown, first_row=first)
        slots = block.items.shape[1]
        every = everywhere = None
        if tables:
            every = action_probabilities(policy, block.obs, slots, first_row=first)
            exact = overlap is not None and overlap.exact
            if logging is not None and (actions or exact):
                everywhere = action_probabilities(logging, block.obs, slots, first_row=first)
        if logging is not None and (actions or not is_estimated(logging)):
            check_agreement(block, logging, everywhere)
        if overlap is not None:
            assert every is not None
            overlap.add(block, every, everywhere if overlap.exact else None)
        said = {}
        table = None
        for name, fitted in (("model", model), ("weighted_model", weighted_model)):
            if fitted is not None:
                assert every is not None
                fitted.check_block(block, unit)
                said[name], table_of = _predictions(block, fitted, every)
                table = table_of if name == "model" else table
        known = None
        if actions:
            assert every is not None
            assert everywhere is not None
            assert table is not None
            known = Actions(every[shown], everywhere[shown], table[shown])
        yield Sample(
            weights[shown],
            block.rewards[shown],
            block.units[shown],
            policy=pi[shown],
            actions=known,
            whole=block.whole,
            **said,
        )


def _rule(estimator: str | Estimator, limits: Mapping[str, Limit]) -> ClipRule | None:
    """Return by which rule the parameter of an estimator is to be chosen, if by one."""
    if not isinstance(estimator, str) or estimator not in PARAMETER_OF:
        return None
    limit = limits[PARAMETER_OF[estimator]]
    if not isinstance(limit, str):
        return None
    check_rule(estimator, limit)
    return limit


def _predictions(block: Block, model: CrossFit, policy: Floats) -> tuple[Prediction, Floats]:
    """Return what a reward model says of a block.

    Args:
        block: The block of B rows.
        model: The model.
        policy: pi of every candidate, ``(B, K, C)``.

    Returns:
        Its prediction for the items shown, and for every candidate that the policy may show,
        ``(B, K, C)``; what it says of the others has no meaning.
    """
    shown, users = block.shown, block.obs["user_features"]
    row, slot = np.nonzero(shown)
    logged = model.predict(
        users, block.items[shown], block.positions[shown], block.units[shown], row
    )
    every = model.every(users, block.obs["candidates"], block.positions, block.units[:, 0])
    if every is not None:
        return Prediction(logged, (policy * every).sum(axis=2)[shown]), every
    table = np.zeros(policy.shape)
    row, slot, place = np.nonzero((policy > 0) & shown[:, :, None])
    table[row, slot, place] = model.predict(
        users,
        block.obs["candidates"][row, place],
        block.positions[row, slot],
        block.units[row, slot],
        row,
    )
    return Prediction(logged, (policy * table).sum(axis=2)[shown]), table
