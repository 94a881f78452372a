"""Reward models, and that they predict only for units on which they were not fitted."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import UserError
from recsim.estimators import RewardModel, cross_fit
from recsim.estimators.reward_models import REGRESSORS, Fitted, fold_of

SMALL = {
    "random_forest": {"n_estimators": 10},
    "extra_trees": {"n_estimators": 10},
    "hist_gradient_boosting": {"max_iter": 20},
    "torch": {"epochs": 40, "learning_rate": 1e-2},
}


def clicks_log(random_log, rows=1500, seed=0):
    """Build a log in which half of the users like item 0, the others item 1, and none item 2."""
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, 2, rows)
    slate = rng.integers(0, 3, (rows, 1))
    liked = np.where(slate[:, 0] == taste, 0.9, np.where(slate[:, 0] == 2, 0.1, 0.3))
    clicks = (rng.random(rows) < liked).astype(np.int8)[:, None]
    users = np.stack([taste, 1 - taste], axis=1).astype(np.float32)
    log = random_log(
        rows,
        items=3,
        slots=1,
        features=2,
        anonymous=True,
        slate=slate,
        clicks=clicks,
        user_features=users,
        propensity=np.full((rows, 1), 1 / 3),
        feedback={"click": clicks[:, 0].astype(float), "watch": np.zeros(rows)},
    )
    return replace(log, problem=replace(log.problem, item_features=np.zeros((3, 0), np.float32)))


@pytest.mark.parametrize("name", sorted(REGRESSORS))
def test_every_model_learns(random_log, name):
    log = clicks_log(random_log)
    fitted = cross_fit(log, {"name": name, "options": SMALL.get(name, {})}, seed=3)
    taste = np.array([0, 0, 0, 1, 1, 1])
    users = np.stack([taste, 1 - taste], axis=1).astype(np.float32)
    items, zeros = np.array([0, 1, 2, 0, 1, 2]), np.zeros(6, dtype=int)
    predicted = fitted.predict(users, items, zeros, zeros)
    expected = np.array([0.9, 0.3, 0.1, 0.3, 0.9, 0.1])
    if name == "mean":
        expected = np.array([0.6, 0.6, 0.1] * 2)  # which ignores users
    assert predicted == pytest.approx(expected, abs=0.12)
    again = cross_fit(log, {"name": name, "options": SMALL.get(name, {})}, seed=3)
    np.testing.assert_array_equal(again.predict(users, items, zeros, zeros), predicted)


def test_a_linear_model_without_interactions_ranks_items_in_the_same_order(random_log):
    log = clicks_log(random_log)
    plain = cross_fit(log, {"name": "ridge", "interactions": False})
    users = np.array([[0, 1], [0, 1], [1, 0], [1, 0]], dtype=np.float32)
    zeros = np.zeros(4, dtype=int)
    predicted = plain.predict(users, np.array([0, 1, 0, 1]), zeros, zeros)
    assert predicted[0] - predicted[1] == pytest.approx(predicted[2] - predicted[3], abs=1e-9)


class Memory:
    """Remembers the rewards of the rows that it was fitted on, by their first user feature."""

    def fit(self, features, targets, sample_weight=None):
        self.known = dict(zip(features[:, 2].round(6).tolist(), targets.tolist(), strict=True))
        return self

    def predict(self, features):
        return np.array([self.known.get(key, -1.0) for key in features[:, 2].round(6).tolist()])


def test_predictions_come_from_models_fitted_on_other_units(random_log):
    rows = 60
    log = random_log(rows, items=3, slots=1, users=20, features=1)
    fitted = cross_fit(log, "mean", regressor=Memory(), seed=1)
    # Standardised features differ by fold; every model was fitted on the users of other folds.
    users = np.unique(log.user)
    for fold, model in enumerate(fitted.models):
        own = users[fold_of(users, 3, 1) == fold]
        table = np.zeros((len(own), 8))
        table[:, 2] = log.user_features[own, 0]
        assert (model.predict(table) == -1.0).all()
        others = np.setdiff1d(users, own)
        table = np.zeros((len(others), 8))
        table[:, 2] = log.user_features[others, 0]
        assert len(others) > 5
        assert (model.predict(table) != -1.0).all()
    rows_of = cross_fit(log, "mean", regressor=Memory(), unit="row", seed=1)
    assert len(rows_of.models[0]._regressor.known) > len(fitted.models[0]._regressor.known) - 1


def test_item_means_are_those_of_the_other_folds(random_log):
    log = random_log(90, items=3, slots=1, anonymous=True)
    fitted = cross_fit(log, {"name": "mean", "smoothing": 2.0}, seed=4)
    folds = fold_of(np.arange(90), 3, 4)
    rewards, items = log.clicks[:, 0].astype(float), log.slate[:, 0]
    for fold in range(3):
        rest = folds != fold
        overall = rewards[rest].mean()
        for item in range(3):
            own = rewards[rest & (items == item)]
            expected = (own.sum() + 2 * overall) / (len(own) + 2)
            at = np.flatnonzero(folds == fold)[:1]
            predicted = fitted.predict(
                log.user_features[:1], np.array([item]), np.zeros(1, int), at
            )
            assert predicted[0] == pytest.approx(expected)


def test_folds_are_even_and_do_not_depend_on_the_cut():
    units = np.arange(30_000)
    folds = fold_of(units, 5, 0)
    assert np.abs(np.bincount(folds) / 30_000 - 0.2).max() < 0.01
    np.testing.assert_array_equal(fold_of(units[7::11], 5, 0), folds[7::11])
    assert (fold_of(units, 5, 1) != folds).mean() > 0.7
    # Folds do not depend on simple patterns in the numbers.
    assert np.abs(np.bincount(folds[::5]) / 6000 - 0.2).max() < 0.03


def test_models_fitted_on_pieces_are_the_same(random_log):
    log = clicks_log(random_log, rows=300)
    pieces = [log.select(slice(0, 100)), log.select(slice(100, 300))]
    one, other = cross_fit(log, "ridge"), cross_fit(pieces, "ridge")
    probe = (log.user_features[:5], log.slate[:5, 0], np.zeros(5, int), np.arange(5))
    np.testing.assert_allclose(other.predict(*probe), one.predict(*probe))


def test_a_weight_is_worth_as_many_rows():
    rng = np.random.default_rng(0)
    x, y, copies = rng.normal(size=(40, 2)), rng.random(40), rng.integers(0, 4, 40)
    for name in ("ridge", "random_forest"):
        model = RewardModel.of({"name": name, "options": {"alpha": 0.1} if name == "ridge" else {}})
        weighted = Fitted(model.build(0), x, y, copies.astype(float), standardise=False)
        if name == "ridge":
            repeated = Fitted(
                model.build(0), np.repeat(x, copies, 0), np.repeat(y, copies), standardise=False
            )
            np.testing.assert_allclose(weighted.predict(x), repeated.predict(x), rtol=1e-6)
        assert weighted.predict(x).shape == (40,)


def test_the_model_of_mrdr_fits_the_rows_with_large_weights(random_log):
    log = clicks_log(random_log)

    def policy(obs, items):
        return np.where(items == 0, 0.98, 0.01)

    fitted = cross_fit(log, {"name": "ridge", "interactions": False}, policy=policy)
    plain = cross_fit(log, {"name": "ridge", "interactions": False})
    users = np.array([[0, 1], [1, 0]], dtype=np.float32)
    probe = (users, np.array([0, 0]), np.zeros(2, int), np.zeros(2, int))
    truth = np.array([0.9, 0.3])
    # Without interactions the unweighted model cannot fit both tastes for item 0.
    assert np.abs(fitted.predict(*probe) - truth).max() < 0.1
    assert np.abs(plain.predict(*probe) - truth).max() > 0.15


def test_where_nothing_can_be_fitted_the_mean_is_predicted():
    x = np.zeros((3, 1))
    same = Fitted(RewardModel.of("logistic").build(0), x, np.ones(3))
    assert same.predict(x).tolist() == [1, 1, 1]
    no_weight = Fitted(RewardModel.of("ridge").build(0), x, np.arange(3.0), np.zeros(3))
    assert no_weight.predict(x).tolist() == [0, 0, 0]


def test_torch_does_not_change_the_global_generator_and_accepts_a_module():
    import torch

    from recsim.estimators.torch_regressor import TorchRegressor

    torch.set_num_threads(1)
    x = np.linspace(-1, 1, 64)[:, None]
    before = torch.random.get_rng_state()
    made = TorchRegressor(
        module=lambda size: torch.nn.Linear(size, 1), epochs=300, learning_rate=0.05, batch_size=16
    )
    predicted = made.fit(x, 2 * x[:, 0] + 1).predict(x)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert predicted == pytest.approx(2 * x[:, 0] + 1, abs=0.05)
    # Weights of zero: only the right half is learned.
    weights = (x[:, 0] > 0).astype(float)
    flat = TorchRegressor(
        module=lambda size: torch.nn.Linear(size, 1), epochs=300, learning_rate=0.05
    )
    half = flat.fit(x, np.abs(x[:, 0]), weights).predict(x)
    assert half[40:] == pytest.approx(x[40:, 0], abs=0.05)
    with pytest.raises(UserError, match="was not fitted"):
        TorchRegressor().predict(x)
    with pytest.raises(UserError, match="epochs and batch_size must be at least 1"):
        TorchRegressor(epochs=0)


def test_errors_name_the_mistake(random_log):
    with pytest.raises(UserError, match=r"unknown reward model 'rigde'\. Did you mean 'ridge'\?"):
        RewardModel.of("rigde")
    with pytest.raises(
        UserError, match=r"reward_model\.options\.alhpa: 'ridge' has no such option\. D"
    ):
        RewardModel.of({"name": "ridge", "options": {"alhpa": 1}})
    with pytest.raises(UserError, match=r"reward_model\.folds: must be greater than or equal to 2"):
        RewardModel.of({"folds": 1})
    with pytest.raises(UserError, match=r"reward_model\.fold: unknown key\. Did you mean 'folds'"):
        RewardModel.of({"fold": 3})
    log = clicks_log(random_log, rows=30)
    log = replace(log, feedback={"click": np.arange(30.0), "watch": np.zeros(30)})
    with pytest.raises(
        UserError, match="LogisticRegression needs rewards 0 and 1; there are others"
    ):
        cross_fit(log, "logistic")
    with pytest.raises(UserError, match="too few independent users or rows for 3 folds"):
        cross_fit(log.select([0]))
    with pytest.raises(UserError, match="no impression to fit a reward model on"):
        cross_fit(log.select([]))


@pytest.mark.parametrize("name", ["ridge", "logistic"])
@pytest.mark.parametrize("interactions", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_linear_models_predict_all_candidates_at_once(random_log, name, interactions, shared):
    log = random_log(80, items=5, slots=2, users=30)
    fitted = cross_fit(log, {"name": name, "interactions": interactions})
    users, units, size = log.user_features[:9], np.arange(9), 4
    rng = np.random.default_rng(0)
    candidates = np.argsort(rng.random((9, 5)), axis=1)[:, :size]
    if shared:
        candidates = np.broadcast_to(candidates[0], (9, size))
    positions = np.tile([0, 1], (9, 1))
    predicted = fitted.every(users, candidates, positions, units)
    row, slot, place = np.indices((9, 2, size)).reshape(3, -1)
    expected = fitted.predict(
        users, candidates[row, place], positions[row, slot], units[row], row
    ).reshape(9, 2, size)
    np.testing.assert_allclose(predicted, expected, rtol=1e-9, atol=1e-12)
    assert cross_fit(log, "mean").every(users, candidates, positions, units) is None


def test_no_more_rows_than_wanted_are_fitted_on(random_log):
    log = random_log(90, items=3, slots=1, anonymous=True)
    few = cross_fit(log, {"name": "mean", "rows": 7}, regressor=Memory())
    assert [len(model._regressor.known) for model in few.models] == [7, 7, 7]
    # The mean of an item costs no memory and counts all rows.
    all_of_them = cross_fit(log, "mean", regressor=Memory())
    np.testing.assert_array_equal(few.means, all_of_them.means)
