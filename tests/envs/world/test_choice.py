"""Choice models: small cases worked out by hand, and frequencies of draws."""

import math

import array_api_compat.numpy as xp
import numpy as np
import pytest

from envs.world.choice import Cascade, MultinomialLogit, PositionBased
from recsim.draws import Draws, chain, key_of

MODELS = [
    MultinomialLogit(no_click=0.5),
    Cascade(threshold=0.5, patience=0.8),
    PositionBased(threshold=0.5, bias=0.7),
]


def draws_of(users, seed):
    return Draws(chain(key_of(seed, "test"), np.arange(users)))


def utilities(*values):
    return np.array([values], dtype=np.float32)


def test_multinomial_logit_by_hand():
    model = MultinomialLogit(no_click=math.log(2))
    # weights 1 and 3, no click 2: 1/6 and 3/6
    got = model.probabilities(xp, utilities(0.0, math.log(3)))
    assert got == pytest.approx(np.array([[1 / 6, 3 / 6]]), abs=1e-6)


def test_cascade_by_hand():
    model = Cascade(threshold=0.0, patience=0.5)
    # attraction 1/2 and 3/4; the second is reached with 1/2 * 1/2
    got = model.probabilities(xp, utilities(0.0, math.log(3)))
    assert got == pytest.approx(np.array([[1 / 2, 3 / 16]]), abs=1e-6)


def test_position_based_by_hand():
    model = PositionBased(threshold=0.0, bias=1.0)
    got = model.probabilities(xp, utilities(0.0, math.log(3), 0.0))
    assert got == pytest.approx(np.array([[1 / 2, 3 / 8, 1 / 6]]), abs=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_draws_follow_the_probabilities(model):
    users = 200_000
    utility = np.tile(utilities(1.0, -0.5, 0.3, 2.0), (users, 1))
    clicks = model.draw(xp, draws_of(len(utility), 0), utility)
    expected = model.probabilities(xp, utility[:1])[0]
    error = np.sqrt(expected * (1 - expected) / users)
    assert np.all(np.abs(clicks.mean(axis=0) - expected) < 5 * error)
    if not isinstance(model, PositionBased):
        assert clicks.sum(axis=1).max() == 1


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_a_probability_of_one_in_a_thousand_is_one_click_in_a_thousand(model):
    # If a probability went through the sigmoid a second time, one in a thousand became a half.
    users = 400_000
    offset = model.no_click if isinstance(model, MultinomialLogit) else model.threshold
    utility = np.full((users, 1), offset + math.log(0.001 / 0.999), dtype=np.float32)
    assert model.probabilities(xp, utility[:1])[0, 0] == pytest.approx(0.001, rel=1e-4)
    rate = model.draw(xp, draws_of(len(utility), 1), utility).mean()
    assert abs(rate - 0.001) < 5 * math.sqrt(0.001 / users)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_an_empty_slot_gets_no_clicks_and_takes_none(model):
    utility = np.tile(utilities(1.0, 9.0, 0.3), (10_000, 1))
    shown = np.tile(np.array([[True, False, True]]), (10_000, 1))
    got = model.probabilities(xp, utility[:1], shown[:1])[0]
    # The other slots keep their positions, which matter to the position model only.
    slots = [0, 2]
    alone = model.probabilities(xp, utility[:1, slots])[0]
    if isinstance(model, PositionBased):
        alone = model.probabilities(xp, utility[:1])[0, slots]
    assert got[1] == 0
    assert got[slots] == pytest.approx(alone, abs=1e-6)
    clicks = model.draw(xp, draws_of(len(utility), 2), utility, shown)
    assert not clicks[:, 1].any()


def test_without_position_bias_all_slots_are_examined_equally():
    got = PositionBased(bias=0.0).probabilities(xp, utilities(1.0, 1.0, 1.0))[0]
    assert got[0] == got[1] == got[2]
