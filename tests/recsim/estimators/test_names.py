"""The public names of the estimators, and what their import costs."""

import subprocess
import sys

import numpy as np
import pytest

from recsim import estimators
from recsim.errors import UserError
from recsim.estimators import (
    ESTIMATORS,
    SLATE_ESTIMATORS,
    TRAJECTORY_ESTIMATORS,
    ImpressionSettings,
    Intervals,
    Tally,
    evaluate,
    evaluate_slates,
    evaluate_trajectories,
    make_estimator,
    make_slate_estimator,
    make_trajectory_estimator,
)

FAMILIES = (
    (ESTIMATORS, make_estimator),
    (SLATE_ESTIMATORS, make_slate_estimator),
    (TRAJECTORY_ESTIMATORS, make_trajectory_estimator),
)


def test_every_name_can_be_imported():
    assert all(hasattr(estimators, name) for name in estimators.__all__)


@pytest.mark.parametrize(("names", "make"), FAMILIES)
def test_every_estimator_has_its_name_and_a_description(names, make):
    for name, description in names.items():
        assert make(name).name == name
        assert description.endswith(".")
        assert "\n" not in description


def test_the_import_is_light():
    heavy = ["torch", "scipy", "sklearn", "pandas", "pyarrow"]
    code = f"import recsim.estimators, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_settings_can_be_given_as_an_object_or_as_keywords(random_log):
    def uniform(obs, items):
        return items * 0 + 0.1

    log = random_log(60, slots=1)
    settings = ImpressionSettings(interval="t", clip=2.0, level=0.9)
    by_object = evaluate(log, uniform, settings=settings)
    assert by_object == evaluate(log, uniform, interval="t", clip=2.0, level=0.9)
    (other,) = evaluate(log, uniform, ("clipped_ips",), settings=settings, clip=3.0)
    assert (other.clip, other.level, other.interval_kind) == (3.0, 0.9, "t")
    (default,) = evaluate(log, uniform, ("clipped_ips",), settings=Intervals(interval="t"))
    assert default.clip == 10.0
    with pytest.raises(UserError, match=r"estimation\.clpi: unknown key\. Did you mean 'clip'\?"):
        evaluate(log, uniform, clpi=3.0)


def test_one_name_is_a_list_of_one(random_log):
    def uniform(obs, items):
        return np.full(items.shape, 1 / obs["candidates"].shape[1])

    log = random_log(60, slots=1)
    for evaluation, name in (
        (evaluate, "snips"),
        (evaluate_slates, "iips"),
        (evaluate_trajectories, "pdis"),
    ):
        assert evaluation(log, uniform, name) == evaluation(log, uniform, [name])
    snips = make_estimator("snips")
    assert evaluate(log, uniform, snips) == evaluate(log, uniform, "snips")
    assert Tally(snips).estimators == (snips,)
    with pytest.raises(UserError, match=r"Unknown estimator 'isp'\. Did you mean 'ips'"):
        evaluate(log, uniform, "isp")
