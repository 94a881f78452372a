r"""Estimators of what a policy earns over time, from trajectories that another policy made.

The log holds n trajectories: at step t something was shown and r_t earned. With rho_t the ratio of
the probabilities of what was shown under the evaluated and the logging policy,
c_t = rho_0 ... rho_t, c_-1 = 1, and G = sum_t gamma^t r_t:

==========  ==========================================================  ==========================
estimator   value                                                       unbiased
==========  ==========================================================  ==========================
`tis`       mean of c_T-1 G                                             yes
`pdis`      mean of sum_t gamma^t c_t r_t                               yes; less variance
`wis`       sum of c_T-1 G / sum of c_T-1                               bias vanishes as 1/n
`snpdis`    as `pdis`, c_it over the mean of c_jt over trajectories j   bias vanishes as 1/n
`dm`        mean of V_0                                                 if the model is right
`dr`        mean of sum_t gamma^t [c_t (r_t - Q_t) + c_t-1 V_t]         yes; any model that was not
                                                                        fitted on the same log
`wdr`       as `dr`, c_it over the mean of c_jt                         bias vanishes as 1/n
`mis`       see `marginalised`                                          if states are Markov, as n
                                                                        grows
==========  ==========================================================  ==========================

All need mu > 0 wherever pi > 0. Three clips, each of something else: ``clipped_tis`` and
``clipped_wis`` cut the weight of the whole trajectory to L; ``clipped_pdis``, ``clipped_snpdis``,
``clipped_dr`` and ``clipped_wdr`` cut every cumulative weight c_t; ``step_clipped_pdis`` cuts every
rho_t before the product. Trajectories that end early keep their last c_t; see `TrajectorySample`.

References: TIS, PDIS and the weighted forms, Precup, Sutton and Singh 2000; DR, Jiang and Li 2016,
arXiv 1511.03722; WDR, Thomas and Brunskill 2016, arXiv 1604.00923.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from recsim.errors import UserError, did_you_mean
from recsim.estimators.impressions.sample import Floats
from recsim.estimators.ratios import sum_of_ratios
from recsim.estimators.trajectories.sample import TrajectoryEstimator, TrajectorySample

Weights = Callable[[TrajectorySample], Floats]


def tis(sample: TrajectorySample, *, clip: float = np.inf) -> float:
    """Trajectory-wise importance sampling: the mean of c_T-1 G. Unbiased.

    Args:
        sample: The trajectories.
        clip: L, the largest weight of a trajectory that is kept.

    Returns:
        Discounted reward per trajectory; NaN if there is none.
    """
    return _made("tis", clip).of(sample)


def wis(sample: TrajectorySample, *, clip: float = np.inf) -> float:
    """Weighted (self-normalised) trajectory-wise importance sampling.

    Args:
        sample: The trajectories.
        clip: L, the largest weight of a trajectory that is kept.

    Returns:
        Discounted reward per trajectory; NaN if all weights are zero.
    """
    return _made("wis", clip).of(sample)


def pdis(sample: TrajectorySample, *, clip: float = np.inf) -> float:
    """Per-decision importance sampling: the mean of sum_t gamma^t c_t r_t. Unbiased.

    A reward does not depend on what is shown later, so the later ratios are left out.

    Args:
        sample: The trajectories.
        clip: L, the largest cumulative weight c_t that is kept.

    Returns:
        Discounted reward per trajectory; NaN if there is none.
    """
    return _made("pdis", clip).of(sample)


def step_clipped_pdis(sample: TrajectorySample, *, clip: float = np.inf) -> float:
    """Return `pdis` with every ratio rho_t cut to ``clip`` before the product.

    Args:
        sample: The trajectories.
        clip: L, the largest ratio of a step that is kept.

    Returns:
        Discounted reward per trajectory; NaN if there is none.
    """
    return _made("step_clipped_pdis", clip).of(sample)


def snpdis(sample: TrajectorySample, *, clip: float = np.inf) -> float:
    """Self-normalised per-decision importance sampling: every c_it over its mean at step t.

    Args:
        sample: The trajectories.
        clip: L, the largest cumulative weight c_t that is kept.

    Returns:
        Discounted reward per trajectory; NaN if all weights of a step are zero.
    """
    return _made("snpdis", clip).of(sample)


def dm(sample: TrajectorySample) -> float:
    """Direct method: the mean of V_0. As good as the model, and no weight helps it.

    Args:
        sample: With ``expected_values``.

    Returns:
        Discounted reward per trajectory; NaN if there is none.
    """
    return _made("dm", np.inf).of(sample)


def dr(sample: TrajectorySample, *, clip: float = np.inf) -> float:
    """Doubly robust: the mean of sum_t gamma^t [c_t (r_t - Q_t) + c_t-1 V_t].

    Unbiased for any model that was not fitted on the same trajectories, time-dependent or not.

    Args:
        sample: With ``action_values`` and ``expected_values``.
        clip: L, the largest cumulative weight c_t that is kept.

    Returns:
        Discounted reward per trajectory; NaN if there is none.
    """
    return _made("dr", clip).of(sample)


def wdr(sample: TrajectorySample, *, clip: float = np.inf) -> float:
    """Weighted doubly robust: `dr` with every c_it over its mean at step t, and c_-1 = 1.

    Args:
        sample: With ``action_values`` and ``expected_values``.
        clip: L, the largest cumulative weight c_t that is kept.

    Returns:
        Discounted reward per trajectory; NaN if all weights of a step are zero.
    """
    return _made("wdr", clip).of(sample)


def effective_sizes(sample: TrajectorySample) -> Floats:
    """Return the effective sample size of the cumulative weights at every step, ``(T,)``.

    How far ahead a log can see: from n trajectories at best it falls with every step.
    """
    weights = sample.cumulative
    squares: Floats = (weights**2).sum(axis=0)
    total: Floats = weights.sum(axis=0) ** 2
    return np.divide(total, squares, out=np.zeros_like(squares), where=squares > 0)


def make_trajectory_estimator(
    name: str, *, clip: float = 10.0, horizon: int | None = None
) -> TrajectoryEstimator:
    """Build an estimator of the trajectory family.

    Args:
        name: One of `TRAJECTORY_ESTIMATORS`.
        clip: Largest weight that the clipped ones keep, L > 0.
        horizon: T, needed to add it up with a `Tally`.

    Raises:
        UserError: If there is no such estimator, or the clip is not above zero.
    """
    if name not in TRAJECTORY_ESTIMATORS:
        raise UserError(f"Unknown estimator {name!r}.{did_you_mean(name, TRAJECTORY_ESTIMATORS)}")
    if not clip > 0:
        raise UserError(f"clip must be above 0, got {clip}: it is the largest weight kept.")
    return _made(name, clip if "clipped_" in name else np.inf, horizon)


def _made(name: str, clip: float, horizon: int | None = None) -> TrajectoryEstimator:
    """Build an estimator that clips, whatever its name."""
    if name == "mis":
        from recsim.estimators.trajectories.marginalised import mis_estimator

        return mis_estimator(horizon)
    by_step = name == "step_clipped_pdis"
    kind = name.removeprefix("step_").removeprefix("clipped_")
    terms, whole, sums = _KINDS[kind]

    def used(values: Floats) -> Floats:
        return values if np.isinf(clip) else np.minimum(values, clip)

    def weights(sample: TrajectorySample) -> Floats:
        if not by_step:
            return used(sample.cumulative)
        product: Floats = np.cumprod(used(sample.ratios), axis=1).astype(np.float64, copy=False)
        return product

    def judged(sample: TrajectorySample) -> tuple[Any, Any, Any]:
        before, after = sample.cumulative, weights(sample)
        over = sample.ratios if by_step else before
        if whole:
            before, after, over = (w[:, -1] for w in (before, after, over))
        return before, after, over > clip

    return TrajectoryEstimator(
        name=name,
        terms=partial(terms, weights=weights, who=name),
        value=sum_of_ratios,
        used=used,
        clip=clip,
        parameter=f"clip={clip:g}" if np.isfinite(clip) else "",
        mean=sums is _two and kind != "wis",
        assumes="model" if kind == "dm" else "",
        noun="trajectory" if whole else "step",
        judged=judged,
        horizon=horizon,
        sums=sums,
    )


def _counted(values: Floats) -> Floats:
    """Return 1 and the value of every trajectory: the terms of a mean."""
    return np.stack([np.ones(len(values)), values], axis=1)


def _tis(sample: TrajectorySample, *, weights: Weights, who: str) -> Floats:
    return _counted(weights(sample)[:, -1] * sample.returns)


def _wis(sample: TrajectorySample, *, weights: Weights, who: str) -> Floats:
    last = weights(sample)[:, -1]
    return np.stack([last, last * sample.returns], axis=1)


def _pdis(sample: TrajectorySample, *, weights: Weights, who: str) -> Floats:
    return _counted((weights(sample) * sample.rewards) @ sample.discounts)


def _snpdis(sample: TrajectorySample, *, weights: Weights, who: str) -> Floats:
    used = weights(sample)
    return np.concatenate([used, used * sample.rewards * sample.discounts], axis=1)  # (n, 2 T)


def _dm(sample: TrajectorySample, *, weights: Weights, who: str) -> Floats:
    return _counted(sample.need("expected_values", who)[:, 0])


def _parts(sample: TrajectorySample, used: Floats, who: str) -> tuple[Floats, Floats, Floats]:
    """Return c_t-1, and both terms of every step of `dr`, discounted, each ``(n, T)``."""
    before = np.concatenate([np.ones((len(used), 1)), used[:, :-1]], axis=1)
    surprise = used * (sample.rewards - sample.need("action_values", who)) * sample.discounts
    return before, surprise, before * sample.need("expected_values", who) * sample.discounts


def _dr(sample: TrajectorySample, *, weights: Weights, who: str) -> Floats:
    _, surprise, expected = _parts(sample, weights(sample), who)
    return _counted((surprise + expected).sum(axis=1))


def _wdr(sample: TrajectorySample, *, weights: Weights, who: str) -> Floats:
    used = weights(sample)
    before, surprise, expected = _parts(sample, used, who)
    return np.concatenate([used, before, surprise, expected], axis=1)  # (n, 4 T)


def _two(steps: int) -> int:
    return 2


# Name -> the terms, whether only whole trajectories have weights, and the number of sums.
_KINDS: dict[str, tuple[Callable[..., Any], bool, Callable[[int], int]]] = {
    "tis": (_tis, True, _two),
    "wis": (_wis, True, _two),
    "pdis": (_pdis, False, _two),
    "snpdis": (_snpdis, False, lambda steps: 2 * steps),
    "dm": (_dm, True, _two),
    "dr": (_dr, False, _two),
    "wdr": (_wdr, False, lambda steps: 4 * steps),
}

TRAJECTORY_ESTIMATORS: tuple[str, ...] = (
    *("tis", "clipped_tis", "wis", "clipped_wis"),
    *("pdis", "clipped_pdis", "step_clipped_pdis", "snpdis", "clipped_snpdis"),
    *("dm", "dr", "clipped_dr", "wdr", "clipped_wdr", "mis"),
)
"""The names that `make_trajectory_estimator` knows."""
