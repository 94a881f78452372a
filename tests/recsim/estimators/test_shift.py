"""How far clipping moves an estimate, and the warning that the interval ignores it."""

import numpy as np
import pytest

from recsim.estimators import Sample, Tally, evaluate, make_estimator
from recsim.estimators.bootstrap import poisson_counts
from recsim.estimators.diagnostics import WeightSums
from recsim.estimators.impressions.sample import Prediction
from recsim.estimators.reward_models import REGRESSORS


def test_the_shift_by_clipping_by_hand():
    weights, rewards = np.array([0.5, 4.0, 12.0]), np.array([1.0, 1.0, 0.5])
    model = Prediction(np.array([0.2, 0.4, 0.1]), np.zeros(3))
    sample = Sample(weights, rewards, np.arange(3), model=model)
    cut = {
        name: WeightSums.of(make_estimator(name, clip=2.0, tau=2.0).weigh(sample)).cut
        for name in ("ips", "clipped_ips", "clipped_dr", "switch_dr", "snips", "clipped_snips")
    }
    assert cut["clipped_ips"] == pytest.approx(2 * 1.0 + 10 * 0.5)
    assert cut["clipped_dr"] == pytest.approx(2 * 0.6 + 10 * 0.4)
    assert cut["switch_dr"] == pytest.approx(4 * 0.6 + 12 * 0.4)
    assert cut["ips"] == 0
    assert cut["snips"] == cut["clipped_snips"] == 0  # a ratio: not known


@pytest.mark.parametrize("interval", ["hall", "t", "bootstrap"])
def test_a_clip_that_moves_the_estimate_has_a_warning(interval):
    rng = np.random.default_rng(0)
    weights = rng.lognormal(0, 1.0, 4000)
    weights /= weights.mean()
    rewards = (rng.random(4000) < np.minimum(weights / 20, 1)).astype(float)
    sample = Sample(weights, rewards, np.arange(4000), whole=True)

    def said(clip):
        tally = Tally([make_estimator("clipped_ips", clip=clip)], interval=interval, samples=200)
        tally.add(sample)
        return [text for text in tally.values()[0].warnings if "moved the estimate" in text]

    assert said(1e9) == []
    (text,) = said(4.0)
    assert text.startswith("clip=4 moved the estimate by about -0.")


def test_pieces_give_the_same_shift():
    rng = np.random.default_rng(1)
    weights, rewards = rng.exponential(3, 100), rng.random(100)
    estimator = make_estimator("clipped_ips", clip=2.0)
    whole = WeightSums.of(estimator.weigh(Sample(weights, rewards, np.arange(100))))
    parts = [
        WeightSums.of(estimator.weigh(Sample(weights[i::3], rewards[i::3], np.arange(100)[i::3])))
        for i in range(3)
    ]
    assert (parts[0] + parts[1] + parts[2]).cut == pytest.approx(whole.cut)


def test_the_bootstrap_has_its_own_stream_of_random_numbers():
    counts = poisson_counts(5, 0, 64)
    other = np.random.default_rng(5).integers(0, 2**16, size=(256, 64), dtype=np.uint16)
    # Counts are a monotone function of their draws: the same stream would order them alike.
    assert abs(np.corrcoef(counts.ravel(), other.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("model", REGRESSORS)
def test_reward_models_work_without_features_of_users(random_log, model):
    log = random_log(120, slots=1, features=0, anonymous=True)
    uniform = {"policy": lambda obs, items: np.full(items.shape, 1 / 7)}
    settings = {"name": model, "interactions": True}
    (value,) = evaluate(log, uniform["policy"], ["dr"], interval="t", model=settings)
    assert np.isfinite(value.value)


def test_actions_that_are_not_finite_are_refused():
    from recsim.estimators.impressions.sample import Actions

    table = np.full((2, 3), 1 / 3)
    hole = table.copy()
    hole[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"actions\.logging\[1, 2\] is nan"):
        Sample(np.ones(2), np.ones(2), np.arange(2), actions=Actions(table, hole, table))
