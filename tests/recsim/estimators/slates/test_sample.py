"""Valid and invalid samples of slates."""

import numpy as np
import pytest

from recsim.errors import UserError
from recsim.estimators.slates.sample import SlateSample


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.1, np.nan, np.inf])
def test_an_invalid_logged_propensity_is_refused(wrong):
    good = np.full((3, 2), 0.5)
    bad = good.copy()
    bad[2, 1] = wrong
    with pytest.raises(UserError, match=r"row 2, position 1: the logged propensity .* in \(0, 1\]"):
        SlateSample.of_slots(good, marginals=(good, bad))
    with pytest.raises(UserError, match=r"row 2, position 1: the logged prefix propensity"):
        SlateSample.of_slots(good, prefixes=(good, bad))
    with pytest.raises(UserError, match=r"row 2: the logged slate propensity"):
        SlateSample.of_slots(good, slates=(good[:, 0], bad[:, 1]))
    if wrong != 0:
        with pytest.raises(UserError, match=r"the evaluated propensity .* is not in \[0, 1\]"):
            SlateSample.of_slots(good, marginals=(bad, good))
    shown = np.array([[True, True]] * 2 + [[True, False]])
    rewards = np.where(shown, 1.0, 0.0)
    sample = SlateSample.of_slots(rewards, marginals=(good, bad), shown=shown)
    assert sample.slot_weights[2].tolist() == [1.0, 1.0]


def test_invalid_samples_are_refused():
    with pytest.raises(ValueError, match=r"slot_rewards\[0, 1\] is 1.0: at an empty position"):
        SlateSample.of_slots([[1.0, 1.0]], shown=[[True, False]])
    with pytest.raises(ValueError, match=r"slot_weights has shape \(2, 1\); it must be \(1, 1\)"):
        SlateSample.of_slots([[1.0]], slot_weights=np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"slate_weights\[0\] is -1.0: below zero"):
        SlateSample.of_slots([[1.0]], slate_weights=np.array([-1.0]))
    with pytest.raises(ValueError, match=r"additive_weights\[0\] is nan: not finite"):
        SlateSample.of_slots([[1.0]], additive_weights=np.array([np.nan]))
    with pytest.raises(ValueError, match=r"both must be \(N,\) or \(N, K\)"):
        SlateSample.of_slots([[1.0]], marginals=(np.ones((1, 2)), np.ones((1, 1))))
