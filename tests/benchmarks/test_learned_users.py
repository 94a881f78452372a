"""A model fitted to a log ranks agents as the world behind the log does."""

import pandas as pd
import pytest
import torch

from benchmarks.learned_users import compare, rankings

torch.set_num_threads(1)

ORDER = ["random", "popularity", "linucb"]


def test_clicks_rank_agents_as_the_true_world_does():
    table, error = compare("interest_evolution", users=500, steps=30, seed=0, evaluated=200)
    for place in ("true", "model"):
        assert table[f"{place}_reward_per_step"].sort_values().index.tolist() == ORDER
    # Noise of 200 users is about 0.05.
    assert table["model_reward_per_step"]["random"] == pytest.approx(
        table["true_reward_per_step"]["random"], abs=0.15
    )
    assert error.click_ece < 0.025  # a hundred users
    assert error.click_log_loss < 0.9 * error.click_log_loss_popularity


def test_rankings_of_world_and_model_are_compared_seed_by_seed():
    true = {"random": 1.0, "popularity": 2.0, "linucb": 3.0}
    other = {"random": 1.0, "popularity": 3.0, "linucb": 2.0}
    tables = [
        pd.DataFrame({"true_reward_per_step": true, "model_reward_per_step": model})
        for model in (true, other, {"random": 3.0, "popularity": 1.0, "linucb": 2.0})
    ]
    assert rankings(tables) == ("reward_per_step: same ranking in 1 of 3 seeds, same last in 2")


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["interest_exploration", "interest_evolution", "retention"])
@pytest.mark.parametrize("seed", [0, 1])
def test_clicks_rank_agents_in_every_world(preset, seed):
    table, error = compare(preset, users=500, steps=30, seed=seed)
    for place in ("true", "model"):
        assert table[f"{place}_reward_per_step"].sort_values().index.tolist() == ORDER
    assert error.click_ece < 0.025
    assert error.click_log_loss < error.click_log_loss_popularity


@pytest.mark.slow
def test_returns_of_bait_are_worst_in_a_model_of_many_users():
    table, error = compare("retention", users=3000, steps=80, seed=0)
    for place in ("true", "model"):
        assert table[f"{place}_return_per_session"].idxmin() == "popularity"
    assert error.return_ece < 0.05
    assert error.return_log_loss < error.return_log_loss_base
