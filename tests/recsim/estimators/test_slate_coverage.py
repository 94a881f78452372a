"""Bias, error and coverage of the slate estimators over many logs whose true value is known."""

import numpy as np
import pytest

from recsim.estimators import SlateSample, Tally, make_slate_estimator
from recsim.estimators.slates.distribution import plackett_luce
from recsim.estimators.slates.pseudo_inverse import pseudo_inverse_weights

CANDIDATES, SLOTS, SLATES, LOGS = 6, 3, 1000, 2000
NAMES = ("sips", "snsips", "rips", "snrips", "iips", "sniips", "pi", "wpi")


def world(kind: str):
    """Return a logged distribution, the weights of every slate, its mean clicks, and the value."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 0.5, CANDIDATES)
    other = scores + rng.normal(0, 0.7, CANDIDATES)
    logging, target = (plackett_luce(s[None], SLOTS) for s in (scores, other))
    slates, places = logging.slates, np.arange(SLOTS)
    clicks = rng.uniform(0.05, 0.4, (SLOTS, CANDIDATES))[places, slates]
    if kind == "cascade":  # what was liked above draws attention away
        clicks *= np.cumprod(1 - 0.8 * clicks, axis=1) / (1 - 0.8 * clicks)
    own = (target.marginals() / logging.marginals())[0][places, slates]
    prefixes = []
    for distribution in (target, logging):
        begins = np.logical_and.accumulate(slates[:, None] == slates[None], axis=2)
        prefixes.append(np.einsum("s,ask->ak", distribution.probabilities[0], begins))
    additive, known = pseudo_inverse_weights(
        slates, np.repeat(target.marginals(), len(slates), 0), logging.second_moments()[0]
    )
    assert known.all()
    value = float(target.probabilities[0] @ clicks.sum(axis=1))
    return logging.probabilities[0], own, prefixes[0] / prefixes[1], additive, clicks, value


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["independent", "cascade"])
def test_bias_and_coverage_of_nominal_95_percent(kind):
    chance, own, prefix, additive, clicks, value = world(kind)
    rng = np.random.default_rng(1)
    estimators = [make_slate_estimator(name, slots=SLOTS) for name in NAMES]
    estimates, covered = np.zeros((LOGS, len(NAMES))), np.zeros(len(NAMES))
    for log in range(LOGS):
        drawn = rng.choice(len(chance), SLATES, p=chance)
        rewards = (rng.random((SLATES, SLOTS)) < clicks[drawn]).astype(float)
        sample = SlateSample(
            rewards.sum(axis=1),
            np.arange(SLATES),
            rewards,
            own[drawn],
            prefix[drawn],
            additive_weights=additive[drawn],
            whole=True,
        )
        tally = Tally(estimators, interval="t")
        tally.add(sample)
        values = tally.values()
        assert all(v.ess > 100 for v in values)
        estimates[log] = [v.value for v in values]
        covered += [v.low <= value <= v.high for v in values]
    bias, error = estimates.mean(axis=0) - value, estimates.std(axis=0) / np.sqrt(LOGS)
    rmse = np.sqrt(((estimates - value) ** 2).mean(axis=0))
    for name, *numbers in zip(NAMES, bias, error, rmse, covered / LOGS, strict=True):
        print("{:8s} bias {:+.4f} ({:.4f}) rmse {:.4f} coverage {:.3f}".format(name, *numbers))
    assert ((covered / LOGS > 0.92) & (covered / LOGS < 0.97)).all()
    plain = [
        NAMES.index(name) for name in ("sips", "rips", *(["iips", "pi"] * (kind != "cascade")))
    ]
    assert (np.abs(bias[plain]) < 4 * error[plain]).all()
    iips = NAMES.index("iips")
    assert (np.abs(bias[iips]) > 4 * error[iips]) == (kind == "cascade")
    assert rmse[iips] < rmse[NAMES.index("rips")] < rmse[NAMES.index("sips")]
