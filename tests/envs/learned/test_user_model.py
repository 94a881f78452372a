"""Fitting user models, their errors, and saving them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from envs.learned.config import UserModelConfig
from envs.learned.env import LearnedRecEnv
from envs.learned.fitting import choice_loss, fit_user_model
from envs.learned.measuring import Split
from envs.learned.scoring import predicted_returns
from envs.learned.storage import FILE, load_model, save_model
from recsim.errors import UserError


def test_choice_loss_with_at_most_one_click_is_a_multinomial_logit():
    utilities = torch.tensor([[0.0, np.log(2.0)], [0.0, 5.0]])
    shown = torch.tensor([[True, True], [True, False]])
    clicked = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    losses = choice_loss(utilities, shown, clicked, None)
    assert losses.tolist() == pytest.approx([np.log(4 / 2), np.log(2)])


def test_choice_loss_of_several_clicks_is_position_based():
    utilities, shown = torch.zeros(1, 2), torch.tensor([[True, True]])
    losses = choice_loss(utilities, shown, torch.tensor([[1.0, 0.0]]), torch.tensor(1.0))
    # Examined with probability 1 and 1/2, clicked then with 1/2.
    assert losses.tolist() == pytest.approx([-np.log(1 / 2) - np.log(3 / 4)])


def test_groups_of_users_are_disjoint_and_cover_the_log(log):
    split = Split.of(log, UserModelConfig())
    users = [set(log.user[part]) for part in (split.fit, split.calibration, split.test)]
    assert [len(group) for group in users] == [36, 12, 12]
    assert len(set().union(*users)) == 60
    assert sorted(np.concatenate(list(vars(split).values()))) == list(range(len(log)))


def test_the_planted_taste_is_recovered(make_log):
    log = make_log(users=600, seed=3)
    model = fit_user_model(log, UserModelConfig(dim=4, hidden=8, history=3, epochs=15))
    none = np.full((2, 3, 2), -1)
    slates = np.array([[0, 1], [0, 1]])  # what x = -2 and x = 2 like, in this order
    features = np.array([[-2.0], [2.0]], dtype=np.float32)
    chance = model.click_probabilities(features, none, np.zeros_like(none), slates)
    like, dislike = 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(3))
    assert chance == pytest.approx(np.array([[like, dislike], [dislike, like]]), abs=0.08)
    clicked = np.concatenate([none[:, 1:], slates[:, None]], axis=1)
    zero, day = np.zeros_like(clicked), np.array([1, 1])
    back = model.expected_returns(features, clicked, zero + (clicked >= 0), day, day * 0)
    away = model.expected_returns(features, clicked, zero, day, day * 0)
    assert back.min() > 0.85
    assert away.max() < 0.5
    error = model.error
    assert error.click_log_loss < error.click_log_loss_popularity < error.click_log_loss_base + 0.01
    assert error.click_ece < 0.04
    assert error.return_mae < 0.6 * error.return_mae_base
    # Forty sessions in each of ten bins.
    assert error.return_ece < 0.1
    assert error.never_predicted == pytest.approx(error.never_share, abs=0.06)


def test_nothing_is_learned_from_the_test_users(make_log, quick, model):
    changed = make_log()
    test = Split.of(changed, UserModelConfig(**quick)).test
    changed.clicks[test] = 1 - changed.clicks[test]
    changed.feedback["click"][test] = changed.clicks[test].sum(axis=1)
    other = fit_user_model(changed, UserModelConfig(**quick))
    for name, weights in model.response.state_dict().items():
        assert torch.equal(weights, other.response.state_dict()[name]), name
    assert other.error.click_log_loss != model.error.click_log_loss


def test_the_same_seed_fits_the_same_model_and_leaves_the_global_generator(log, quick, model):
    state = torch.random.get_rng_state()
    again = fit_user_model(log, UserModelConfig(**quick))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert again.error == model.error
    other = fit_user_model(log, UserModelConfig(**quick, seed=1))
    assert other.error.click_log_loss != model.error.click_log_loss


def test_a_saved_model_predicts_the_same(log, model, tmp_path):
    names = [f"item {number}" for number in range(model.problem.num_items)]
    model = replace(model, problem=replace(model.problem, item_names=names))
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert list(loaded.problem.item_names) == names
    assert loaded.error == model.error
    assert loaded.config == model.config
    rows = np.arange(len(log))
    slates = np.tile([0, 3], (len(log), 1))
    before = predicted_returns(model, log, rows, slates)
    assert np.array_equal(predicted_returns(loaded, log, rows, slates), before)
    (tmp_path / FILE).write_bytes(b"no model")
    with pytest.raises(UserError, match="is not a user model"):
        load_model(tmp_path)


def test_liked_slates_have_a_higher_predicted_return(make_log):
    log = make_log(users=400, seed=1)
    model = fit_user_model(log, UserModelConfig(dim=4, hidden=8, history=3, epochs=15))
    likes = (log.user_features[log.user, 0] > 0)[:, None]
    good, bad = np.array([1, 3]), np.array([0, 2])
    rows = np.arange(len(log))
    liked = predicted_returns(model, log, rows, np.where(likes, good, bad))
    disliked = predicted_returns(model, log, rows, np.where(likes, bad, good))
    # One or two clicks of likely ones against hardly any: 0.95 and 0.36 by the planted rule.
    assert liked.mean() > 0.8
    assert disliked.mean() < 0.6
    assert liked.shape == (len(log),)


def test_logs_that_cannot_be_fitted_are_refused(make_log):
    silent = make_log()
    silent.clicks[:] = 0
    silent.feedback["click"][:] = 0
    with pytest.raises(UserError, match="no clicks"):
        fit_user_model(silent)
    with pytest.raises(UserError, match="too few to fit"):
        fit_user_model(make_log(users=2))
    with pytest.raises(UserError, match="needs a log with user ids"):
        fit_user_model(replace(make_log(), anonymous=True))


@pytest.mark.parametrize("rewards", [{"click": 1.0}, {"click": 1.0, "return": 0.0}])
def test_clicks_of_users_without_features_are_enough(make_log, quick, rewards):
    full = make_log()
    log = replace(
        full,
        problem=replace(full.problem, user_feature_dim=0, rewards=rewards),
        feedback={name: full.feedback[name] for name in rewards},
        user_features=full.user_features[:, :0],
    )
    error = fit_user_model(log, UserModelConfig(**quick)).error
    assert error.feedback == {}
    assert 0 < error.click_log_loss < 1
    assert np.isnan(error.return_mae) == ("return" not in rewards)


def test_unknown_devices_and_unwritable_folders_are_refused(log, model, quick, tmp_path):
    with pytest.raises(UserError, match="no device 'nowhere' here"):
        fit_user_model(log, UserModelConfig(**quick, device="nowhere"))
    save_model(model, tmp_path / "model")
    with pytest.raises(UserError, match="no device 'nowhere' here"):
        load_model(tmp_path / "model", device="nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"model: .*user_model.pt cannot be written: "):
        save_model(model, tmp_path / "file")


def test_settings_are_checked(saved):
    fit = {"test_share": 0.5, "calibration_share": 0.5}
    with pytest.raises(UserError, match=r"LearnedRec-v0\.fit: .* leave no users"):
        LearnedRecEnv(reader="saved", path=saved, fit=fit)
