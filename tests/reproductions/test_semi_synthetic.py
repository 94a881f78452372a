import numpy as np
import pandas as pd
import pytest
import torch

from recsim.log.readers.movielens import read_movielens
from recsim.log.readers.ratings import Ratings
from reproductions.unbiased import semi_synthetic
from reproductions.unbiased.semi_synthetic import Truth, World


@pytest.fixture
def truth() -> Truth:
    """Return four kinds of taste, and exposure that differs between items whatever their kind."""
    kind = torch.arange(200)[:, None] % 4 == torch.arange(120) % 4
    order = torch.randperm(120, generator=torch.Generator().manual_seed(0))
    exposure = torch.linspace(0.05, 0.9, 120)[order].expand(200, 120)
    return Truth(torch.where(kind, 0.5, 0.1), exposure)


def test_items_seen_and_relevant_are_clicked(truth):
    world = semi_synthetic.draw(truth, 2.0, torch.Generator().manual_seed(0))
    assert torch.equal(world.theta, truth.exposure**2)
    assert ((world.clicks == 0) | (world.relevant == 1)).all()
    assert world.relevant.mean().item() == pytest.approx(truth.gamma.mean().item(), abs=0.01)
    expected = (world.theta * world.gamma).mean().item()
    assert world.clicks.mean().item() == pytest.approx(expected, abs=0.01)


def test_rarely_rated_items_are_dropped():
    ratings = Ratings(
        user=np.array([0, 1, 2, 0]),
        item=np.array([5, 5, 2, 2]),
        rating=np.array([1.0, 2.0, 3.0, 4.0]),
        seconds=None,
        user_features=np.zeros((3, 0), dtype=np.float32),
        item_features=np.zeros((7, 0), dtype=np.float32),
        item_groups=np.zeros(7, dtype=np.int64),
    )
    rows, size = semi_synthetic.often_rated(ratings, least=2)
    assert size == 2
    assert rows.tolist() == [[0, 1, 0], [1, 1, 1], [2, 0, 2], [0, 0, 3]]
    assert semi_synthetic.often_rated(ratings, least=3)[1] == 0


def test_losses_and_dcg_use_the_pairs_without_a_click():
    relevant = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    clicks = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    gamma = torch.full((2, 3), 0.5)
    factors = semi_synthetic.Factors(2, 3, 1, torch.Generator().manual_seed(0))
    with torch.no_grad():
        factors.users.fill_(1.0)
        factors.items.copy_(torch.tensor([[9.0], [2.0], [1.0]]))
    world = World(gamma, gamma, relevant, clicks)
    loss, of_gamma, dcg = semi_synthetic.evaluate(world, factors, seed=0)
    soft = np.log1p(np.exp([2.0, 1.0, 9.0, 2.0, 1.0]))  # -log(1 - f)
    assert loss == pytest.approx((soft.sum() - 1.0) / 5, rel=1e-5)
    assert of_gamma == pytest.approx((2 * soft[2:].sum() - 12) / 6, rel=1e-5)
    # User 0 has one relevant item without a click, ranked second after an irrelevant one.
    assert dcg == pytest.approx(1 / np.log2(3))


def test_the_order_of_the_learners_if_exposure_varies(truth):
    results = semi_synthetic.run(truth, (1.0,), seeds=2, steps=300, batch_size=1024)
    losses = results.pivot(index="seed", columns="learner", values="loss_of_gamma")
    # After so few steps, oracle and unbiased learner are alike.
    assert (losses["oracle"] < 1.001 * losses["unbiased"]).all()
    assert (losses["unbiased"] + 0.02 < losses["naive"]).all()
    dcg = results.groupby("learner")["dcg"].mean()
    assert dcg["unbiased"] > dcg["naive"]


def test_the_table_counts_the_seeds_in_order():
    rows = [
        [2.0, seed, learner, loss, loss, dcg]
        for seed, values in enumerate([[0.1, 0.2, 0.3], [0.2, 0.1, 0.3], [0.1, 0.2, 0.2]])
        for learner, loss, dcg in zip(semi_synthetic.LEARNERS, values, [0.3, 0.3, 0.2], strict=True)
    ]
    columns = ["power", "seed", "learner", *semi_synthetic.MEASURES]
    results = pd.DataFrame(rows, columns=columns)
    assert semi_synthetic.in_order(results, "loss").tolist() == [True, False, False]
    assert semi_synthetic.in_order(results, "dcg").all()
    lines = semi_synthetic.table(results).splitlines()
    # The 97.5% quantile of Student's t with two degrees of freedom is 4.303.
    assert lines[2] == (
        "| 2 | log loss | 0.1333 ±0.1434 | 0.1667 ±0.1434 | 0.2667 ±0.1434 "
        "| +0.0333 ±0.2868 | +0.1000 ±0.2484 | 1/3 |"
    )
    assert lines[4].endswith("| 3/3 |")


@pytest.mark.slow
def test_the_order_of_the_learners_on_movielens(data_dir):
    truth = semi_synthetic.learn_truth(read_movielens(data_dir / "ml_latest_small"))
    results = semi_synthetic.run(truth, (0.5, 1.0, 2.0), seeds=5)
    assert semi_synthetic.in_order(results, "loss_of_gamma").all()
    means = results.groupby(["power", "learner"])[["loss", "dcg"]].mean().unstack("learner")
    assert (means["loss"]["unbiased"] < means["loss"]["naive"]).all()
    # Training pairs favour learners that fit them: 0.2 % if there are many clicks.
    assert (means["loss"]["oracle"] < 1.002 * means["loss"]["unbiased"]).all()
    assert (means["dcg"]["oracle"] >= means["dcg"]["unbiased"]).all()
    assert (means["dcg"]["unbiased"] > means["dcg"]["naive"]).all()
