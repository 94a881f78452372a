"""Training of the bases."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression

from agents.bot_play.auc import valid_auc
from agents.bot_play.bpr import BPRConfig, bpr_loss, fit_bpr, unreviewed
from agents.bot_play.model import CritiquedModel
from agents.bot_play.plrec import PLRecConfig, fit_plrec, least_squares, logistic, projected
from agents.bot_play.tables import Tables, passes
from recsim.critiquing import planted_reviews

CPU = torch.device("cpu")


def generator(seed=0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def tables(data) -> Tables:
    return Tables.of(data, CPU)


def test_the_loss_of_bpr_by_hand():
    model = CritiquedModel(torch.tensor([[1.0]]), 2, 1, generator())
    for parameter, value in zip(
        model.parameters(), ([[1.0]], [[2.0], [0.5]], [[1.0]], [0.0], [[1.0]], [0.0]), strict=True
    ):
        parameter.data = torch.tensor(value)
    # z = 1 + 1, margin 2 (2 - 0.5) = 3, logit 2 + 2 = 4; softplus(-3) and softplus(-4).
    loss = bpr_loss(
        model, *(torch.tensor([index]) for index in (0, 0, 1)), torch.tensor([[1.0]]), 0.5
    )
    torch.testing.assert_close(loss, torch.tensor(0.048587 + 0.5 * 0.018150), rtol=1e-4, atol=0)


def test_negatives_are_items_without_a_review(data, tables):
    users = tables.users.repeat(20)
    drawn = unreviewed(tables, users, generator())
    assert not tables.taken.contains(users, drawn).any()
    counts = torch.bincount(drawn[users == 0], minlength=data.num_items)
    assert (counts > 0).sum() > 0.9 * (data.num_items - (tables.users == 0).sum())


def test_users_who_reviewed_all_items_get_any_negative(tables):
    all_items = torch.arange(3)
    taken = type(tables.taken)(torch.zeros(3, dtype=torch.long), all_items, 1, 3)
    full = replace(tables, taken=taken)
    assert len(unreviewed(full, torch.zeros(5, dtype=torch.long), generator())) == 5


def test_passes_take_every_row_once():
    batches = passes(5, 2, generator())
    first, second = (torch.cat([next(batches) for _ in range(3)]) for _ in range(2))
    assert first.sort().values.tolist() == second.sort().values.tolist() == [0, 1, 2, 3, 4]
    assert first.tolist() != second.tolist()


def test_auc_by_hand(tables):
    model = CritiquedModel(torch.zeros(1, 1), 4, 1, generator())
    for parameter, value in ((model.users, [[1.0]]), (model.items, [[3.0], [2.0], [1.0], [1.0]])):
        parameter.data = torch.tensor(value)
    model.encoder.requires_grad_(False)
    model.encoder[0].bias.zero_()
    zero = torch.zeros(1, dtype=torch.long)
    small = {"item_counts": torch.zeros(4, 1), "valid_users": zero}
    small["taken"] = type(tables.taken)(zero, zero, 1, 4)  # item 0 has a train review

    def auc(item):
        return valid_auc(model, replace(tables, **small, valid_items=torch.tensor([item])))

    assert auc(1) == 1
    assert auc(2) == pytest.approx((3 - 1.5) / 3), "one above, one tie"


def test_the_best_epoch_is_kept(tables):
    config = BPRConfig(epochs=12, learning_rate=0.1, batch_size=64)
    model, report = fit_bpr(tables, config, generator())
    best = max(entry["auc"] for entry in report)
    assert valid_auc(model, tables) == best
    assert best > report[-1]["auc"], "otherwise, the test is void"


def test_weight_decay_makes_weights_smaller(data):
    train = Tables.of(data.select("train"), CPU)  # the last epoch is kept
    free, held = (
        fit_bpr(train, BPRConfig(epochs=30, batch_size=64, l2=l2), generator())[0]
        for l2 in (0.0, 1.0)
    )
    for name, weights in held.named_parameters():
        assert weights.norm() < 0.9 * free.get_parameter(name).norm(), name


def test_without_a_valid_part_the_last_epoch_is_kept(data):
    train = Tables.of(data.select("train"), CPU)
    _, report = fit_bpr(train, BPRConfig(epochs=2), generator())
    assert [sorted(entry) for entry in report] == [["epoch", "loss"]] * 2


def test_normalised_counts_are_at_most_one(data):
    counts = Tables.of(data, CPU, normalise=True).user_counts
    raw = torch.as_tensor(data.user_counts)
    assert (counts.amax(dim=1) == (raw.amax(dim=1) > 0)).all()
    torch.testing.assert_close(counts * raw.amax(dim=1, keepdim=True), raw.float())


def test_plrec_equals_the_closed_form():
    r = np.array([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1]])
    users, items = projected(sparse.csr_array(r), 2, 10, 0.5, seed=0)
    # A full SVD, up to the signs of its vectors, which do not affect z V^T.
    _, strength, q = np.linalg.svd(r)
    exact = r @ q[:2].T * np.sqrt(strength[:2])
    weights = np.linalg.inv(exact.T @ exact + 0.5 * np.eye(2)) @ exact.T @ r
    np.testing.assert_allclose(users @ items.T, exact @ weights, atol=1e-10)
    np.testing.assert_allclose(users.abs(), np.abs(exact), atol=1e-10)


def test_one_dimension_of_plrec_by_hand():
    # R = [[2, 0], [0, 1]]: S = 2, Q = e_0, users = (2 sqrt 2, 0), items = (4 sqrt 2 / (8 + 1), 0).
    users, items = projected(sparse.csr_array(np.diag([2.0, 1.0])), 1, 10, 1.0, seed=0)
    np.testing.assert_allclose(users.abs(), [[8**0.5], [0]], atol=1e-10)
    np.testing.assert_allclose(users @ items.T, [[16 / 9, 0], [0, 0]], atol=1e-10)


def test_least_squares_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    weights, bias = least_squares(torch.from_numpy(x), torch.from_numpy(y))
    expected = LinearRegression().fit(x, y)
    np.testing.assert_allclose(weights.T, expected.coef_)
    np.testing.assert_allclose(bias, expected.intercept_)


def test_logistic_regressions_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    y = (x @ rng.normal(size=(3, 4)) + rng.logistic(size=(80, 4)) > 0).astype(float)
    y[:, 3] = 1.0
    weights, bias = logistic(torch.from_numpy(x), torch.from_numpy(y), 2.0)
    for aspect in range(3):
        expected = LogisticRegression(C=0.5, tol=1e-8).fit(x, y[:, aspect])
        np.testing.assert_allclose(weights[aspect], expected.coef_[0], atol=1e-4)
        np.testing.assert_allclose(bias[aspect], expected.intercept_[0], atol=1e-4)
    assert not weights[3].any(), "all targets have the aspect"
    assert bias[3].item() == pytest.approx(np.log(79)), "as if there were one exception"


def test_plrec_averages_two_estimates_of_a_user(tables):
    model, _ = fit_plrec(tables, PLRecConfig(dim=5, ridge=10), 0, generator())
    assert next(iter(model.parameters())).requires_grad
    all_users = torch.arange(len(tables.user_counts))
    latent = model.latent(all_users, model.first_preferences(all_users))
    ratio = (latent * model.users).sum() / (model.users * model.users).sum()
    assert 1.2 < ratio < 2.0, "the sum of two similar halves"
    encoded = model.encoder(tables.user_counts)
    residual = model.users - encoded
    inputs = tables.user_counts - tables.user_counts.mean(dim=0)
    assert (inputs.T @ residual).abs().max() < 1e-3, "residuals are orthogonal to the inputs"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("base", ["bpr", "plrec"])
def test_bases_rank_and_justify_better_than_popularity(base, seed):
    reviews = planted_reviews(users=200, num_items=80, num_aspects=12, seed=seed)
    tables = Tables.of(reviews, CPU)
    if base == "bpr":
        config = BPRConfig(epochs=150, batch_size=512)
        model, _ = fit_bpr(tables, config, generator(seed))
    else:
        model, _ = fit_plrec(tables, PLRecConfig(dim=10, ridge=10), seed, generator(seed))
    popular = CritiquedModel(tables.user_counts, reviews.num_items, 1, generator())
    with torch.no_grad():
        popular.users.fill_(1.0)
        popular.items.copy_(torch.as_tensor(reviews.item_popularity)[:, None])
        popular.encoder[0].weight.zero_()
        popular.encoder[0].bias.zero_()
    # Two standard errors of an AUC over 200 reviews are 0.04.
    assert valid_auc(model, tables) > valid_auc(popular, tables) + 0.1
    with torch.no_grad():
        latent = model.latent(tables.users, model.first_preferences(tables.users))
        predicted = model.logits(latent, tables.items) > 0
    target = tables.item_aspects[tables.items]
    majority = tables.item_aspects.float().mean(dim=0) > 0.5
    assert (predicted == target).float().mean() > (majority == target).float().mean() + 0.05
