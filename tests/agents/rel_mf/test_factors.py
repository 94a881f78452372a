import itertools

import pytest
import torch

from agents.rel_mf.factors import Factors, Training, train
from agents.rel_mf.losses import ideal, naive
from agents.rel_mf.pairs import ClickedPairs, batches


def test_scores_are_products_plus_biases(generator):
    factors = Factors(2, 3, 4, generator, biases=True)
    with torch.no_grad():
        for number, bias in enumerate(factors.biases):
            bias += torch.arange(len(bias)) + 10.0**number
    users, items = torch.tensor([1, 0]), torch.tensor([2, 1])
    p, q = factors.users.detach(), factors.items.detach()
    products = [float(p[u] @ q[i]) for u, i in ((1, 2), (0, 1))]
    wanted = [products[0] + 2 + 12 + 100, products[1] + 1 + 11 + 100]
    assert factors(users, items).tolist() == pytest.approx(wanted, rel=1e-6)
    assert factors.all_scores()[users, items].tolist() == pytest.approx(wanted, rel=1e-6)


def test_vectors_start_as_xavier_would_have_them(generator):
    factors = Factors(300, 100, 50, generator)
    for table in (factors.users.detach(), factors.items.detach()):
        bound = (6 / (table.shape[0] + table.shape[1])) ** 0.5
        assert table.abs().max() <= bound
        assert table.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_one_step_of_gradient_descent_by_hand(generator):
    factors = Factors(2, 2, 3, generator)
    p, q = factors.users.detach().clone(), factors.items.detach().clone()
    users, items, gamma = torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([0.9, 0.2])
    rate, l2 = 0.1, 0.01
    train(factors, [(users, items)], lambda u, i: ideal(gamma[i]), Training(rate, l2, "sgd"))
    f = torch.sigmoid(q @ p[0])  # (2,) both items of user 0
    # d/dscore of gamma (1-f)^2 + (1-gamma) f^2, over two pairs
    slope = (-2 * gamma * (1 - f) + 2 * (1 - gamma) * f) * f * (1 - f) / 2
    torch.testing.assert_close(factors.users[0], p[0] - rate * (slope @ q + l2 * p[0]))
    torch.testing.assert_close(factors.items, q - rate * (slope[:, None] * p[0] + l2 * q))
    # The penalty is on the whole tables: user 1 was in no pair and shrinks.
    torch.testing.assert_close(factors.users[1], p[1] * (1 - rate * l2))


def test_training_can_be_stopped(generator):
    clicks = ClickedPairs(torch.tensor([0]), torch.tensor([0]), 2, 2)
    steps = []

    def stop(step, loss):
        steps.append(step)
        return step == 3

    train(
        Factors(2, 2, 2, generator),
        itertools.islice(batches(clicks.uniform, 4, generator), 10),
        lambda u, i: naive(clicks.contains(u, i)),
        Training(),
        on_step=stop,
    )
    assert steps == [1, 2, 3]


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.05), ("sgd", 5.0)])
@pytest.mark.parametrize("loss", ["squared", "log"])
def test_known_relevance_is_learned(generator, optimizer, rate, loss):
    # Two kinds of users, two kinds of items: the minimum of either loss is gamma itself.
    kinds = torch.arange(8) % 2
    gamma = torch.where(kinds[:, None] == kinds, 0.8, 0.3)
    factors = Factors(8, 8, 3, generator, biases=True)
    clicks = ClickedPairs(torch.tensor([0]), torch.tensor([0]), 8, 8)
    train(
        factors,
        itertools.islice(batches(clicks.uniform, 256, generator), 600),
        lambda users, items: ideal(gamma[users, items]),
        Training(rate, 0.0, optimizer, loss),
    )
    assert (torch.sigmoid(factors.all_scores()) - gamma).abs().max() < 0.05
