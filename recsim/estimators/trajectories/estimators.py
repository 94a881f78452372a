r"""Estimators of what a policy earns over time, from trajectories that another policy made.

The log holds n trajectories: at step t a slate was shown, with reward r_t. With rho_t the ratio of
the probabilities of what was shown under the evaluated and the logging policy,
c_t = rho_0 ... rho_t, c_-1 = 1, and G = sum_t gamma^t r_t:

==========  ==========================================================  ==========================
estimator   value                                                       unbiased
==========  ==========================================================  ==========================
`tis`       mean of c_T-1 G                                             yes
`pdis`      mean of sum_t gamma^t c_t r_t                               yes; less variance: r_t does
                                                                        not depend on later slates
`wis`       sum of c_T-1 G / sum of c_T-1                               bias vanishes as 1/n
`snpdis`    as `pdis`, c_it over the mean of c_jt over trajectories j   bias vanishes as 1/n
`dm`        mean of V_0                                                 if the model is right
`dr`        mean of sum_t gamma^t [c_t (r_t - Q_t) + c_t-1 V_t]         yes; any model that was not
                                                                        fitted on the same log
`wdr`       as `dr`, c_it over the mean of c_jt                         bias vanishes as 1/n
`mis`       see `marginalised`                                          if states are Markov, as n
                                                                        grows
==========  ==========================================================  ==========================

All need mu > 0 wherever pi > 0. There are three clips: ``clipped_tis`` and ``clipped_wis`` clip the
weight of the whole trajectory to L; ``clipped_pdis``, ``clipped_snpdis``, ``clipped_dr`` and
``clipped_wdr`` clip every cumulative weight c_t; ``step_clipped_pdis`` clips every rho_t before the
product. Trajectories that end early keep their last c_t; see `TrajectorySample`. Estimates are NaN
without a trajectory, or where a sum of weights is zero.

References: TIS, PDIS and the weighted forms, Precup, Sutton and Singh 2000; DR, Jiang and Li 2016,
arXiv 1511.03722; WDR, Thomas and Brunskill 2016, arXiv 1604.00923.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from recsim.arrays import Floats
from recsim.estimators.estimator import checked_clip
from recsim.estimators.settings import DEFAULT_CLIP
from recsim.estimators.trajectories.marginalised import mis_terms, mis_weights
from recsim.estimators.trajectories.sample import (
    ClippedWeights,
    TrajectoryEstimator,
    TrajectorySample,
)
from recsim.estimators.weights import clipped, running_product

Weights = Callable[[TrajectorySample], Floats]


def make_trajectory_estimator(
    name: str, *, clip: float = DEFAULT_CLIP, horizon: int | None = None
) -> TrajectoryEstimator:
    """Build an estimator of the trajectory family.

    Args:
        name: One of `TRAJECTORY_ESTIMATORS`.
        clip: Largest weight that the clipped ones keep, L > 0.
        horizon: T, needed for a `Tally` of estimators with sums per step.

    Returns:
        A function of a `TrajectorySample`, ``make_trajectory_estimator("pdis")(sample)``:
        discounted reward per trajectory.

    Raises:
        UserError: If there is no such estimator, or the clip is not above zero.
    """
    limit = checked_clip(name, TRAJECTORY_ESTIMATORS, clip)
    if name == "mis":
        return TrajectoryEstimator(name, mis_terms, undivided=True, weights=mis_weights)
    form = _FORMS[name.removeprefix("step_").removeprefix("clipped_")]
    by_step = name.startswith("step_")
    weights = partial(_step_clipped if by_step else _clipped, limit=limit)
    return TrajectoryEstimator(
        name=name,
        terms=partial(form.terms, name=name, weights=weights),
        width=2 if not form.sums else None if horizon is None else form.sums * horizon,
        clip=limit,
        parameter=f"clip={limit:g}" if np.isfinite(limit) else "",
        mean=not form.sums and form.terms is not _wis,
        needs=frozenset(form.needs),
        assumes="model" if name == "dm" else "",
        noun="trajectory" if form.whole else "step",
        weights=partial(_compared, used=weights, limit=limit, whole=form.whole, by_step=by_step),
    )


def _clipped(sample: TrajectorySample, *, limit: float) -> Floats:
    """Return the cumulative weights, each clipped, ``(n, T)``."""
    return clipped(sample.cumulative, limit)


def _step_clipped(sample: TrajectorySample, *, limit: float) -> Floats:
    """Return the cumulative products of clipped ratios, ``(n, T)``."""
    return running_product(clipped(sample.ratios, limit))


def _compared(
    sample: TrajectorySample, *, used: Weights, limit: float, whole: bool, by_step: bool
) -> ClippedWeights:
    before, after = sample.cumulative, used(sample)
    over = (sample.ratios if by_step else before) > limit
    return (before[:, -1], after[:, -1], over[:, -1]) if whole else (before, after, over)


def _counted(values: Floats) -> Floats:
    """Return 1 and the value of every trajectory: the terms of a mean."""
    return np.stack([np.ones(len(values)), values], axis=1)


def _tis(sample: TrajectorySample, *, name: str, weights: Weights) -> Floats:
    return _counted(weights(sample)[:, -1] * sample.returns)


def _wis(sample: TrajectorySample, *, name: str, weights: Weights) -> Floats:
    last = weights(sample)[:, -1]
    return np.stack([last, last * sample.returns], axis=1)


def _pdis(sample: TrajectorySample, *, name: str, weights: Weights) -> Floats:
    return _counted((weights(sample) * sample.rewards) @ sample.discounts)


def _snpdis(sample: TrajectorySample, *, name: str, weights: Weights) -> Floats:
    used = weights(sample)
    return np.concatenate([used, used * sample.rewards * sample.discounts], axis=1)  # (n, 2 T)


def _dm(sample: TrajectorySample, *, name: str, weights: Weights) -> Floats:
    return _counted(sample.need("expected_values", name)[:, 0])


def _parts(sample: TrajectorySample, used: Floats, name: str) -> tuple[Floats, Floats, Floats]:
    """Return c_t-1, and both terms of every step of `dr`, discounted, each ``(n, T)``."""
    before = np.concatenate([np.ones((len(used), 1)), used[:, :-1]], axis=1)
    residual = used * (sample.rewards - sample.need("action_values", name)) * sample.discounts
    return before, residual, before * sample.need("expected_values", name) * sample.discounts


def _dr(sample: TrajectorySample, *, name: str, weights: Weights) -> Floats:
    _, residual, expected = _parts(sample, weights(sample), name)
    return _counted((residual + expected).sum(axis=1))


def _wdr(sample: TrajectorySample, *, name: str, weights: Weights) -> Floats:
    used = weights(sample)
    before, residual, expected = _parts(sample, used, name)
    return np.concatenate([used, before, residual, expected], axis=1)  # (n, 4 T)


def effective_sizes(sample: TrajectorySample) -> Floats:
    """Return the effective sample size of the cumulative weights at every step, ``(T,)``.

    How far ahead a log can see: from n trajectories at best it falls with every step.
    """
    weights = sample.cumulative
    squares: Floats = (weights**2).sum(axis=0)
    total: Floats = weights.sum(axis=0) ** 2
    return np.divide(total, squares, out=np.zeros_like(squares), where=squares > 0)


class _Form(NamedTuple):
    """How one estimator, clipped or not, is built.

    Attributes:
        description: One line.
        terms: What is summed.
        whole: Whether only whole trajectories have weights.
        sums: Number of sums per step; 0 where there are two in all.
        needs: Columns of the sample that it needs.
    """

    description: str
    terms: Callable[..., Floats]
    whole: bool = False
    sums: int = 0
    needs: tuple[str, ...] = ()


_MODEL = ("action_values", "expected_values")
_FORMS = {
    "tis": _Form("Trajectory-wise importance sampling.", _tis, whole=True),
    "wis": _Form("Self-normalised `tis`.", _wis, whole=True),
    "pdis": _Form("Per-decision importance sampling.", _pdis),
    "snpdis": _Form("Self-normalised `pdis`.", _snpdis, sums=2),
    "dm": _Form("Direct method: mean of V_0.", _dm, whole=True, needs=("expected_values",)),
    "dr": _Form("Doubly robust.", _dr, needs=_MODEL),
    "wdr": _Form("Self-normalised `dr`.", _wdr, sums=4, needs=_MODEL),
}

TRAJECTORY_ESTIMATORS = {
    **{name: form.description for name, form in _FORMS.items()},
    **{
        f"clipped_{name}": f"{form.description.removesuffix('.')} with clipped weights."
        for name, form in _FORMS.items()
        if name != "dm"
    },
    "step_clipped_pdis": "Per-decision importance sampling with clipped ratios.",
    "mis": "Marginalised importance sampling.",
}
"""The names that `make_trajectory_estimator` accepts, each with a line about it."""
