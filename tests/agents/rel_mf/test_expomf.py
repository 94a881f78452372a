import math

import numpy as np
import pytest
import torch

from agents.rel_mf import expomf
from agents.rel_mf.expomf import ExpoMF, fit_expomf, posterior_exposure
from agents.rel_mf.pairs import ClickedPairs

rng = np.random.default_rng(0)
Y = (rng.random((12, 9)) < np.linspace(0.6, 0.05, 9)).astype(float)


@pytest.fixture
def clicks() -> ClickedPairs:
    """The clicks of `Y`."""
    users, items = torch.from_numpy(np.argwhere(Y == 1)).T
    return ClickedPairs(users, items, *Y.shape)


def density(x, precision):
    return math.sqrt(precision / (2 * math.pi)) * np.exp(-precision / 2 * x**2)


def exposure(scores, mu, precision):
    """The probability that each pair was seen."""
    seen = mu * density(scores, precision)
    return np.where(Y == 1, 1.0, seen / (seen + 1 - mu))


def one_round(p, q, mu, settings):
    """A round of expectation maximisation, one user and one item at a time."""
    ridge, lam = settings.l2 * np.eye(settings.dim), settings.precision
    a, old = exposure(p @ q.T, mu, lam), p
    p = np.empty_like(p)
    for u in range(len(p)):
        gram = lam * sum(a[u, i] * np.outer(q[i], q[i]) for i in range(len(q))) + ridge
        p[u] = np.linalg.solve(gram, lam * sum(a[u, i] * Y[u, i] * q[i] for i in range(len(q))))
    assert not np.allclose(p, old)
    a, new = exposure(p @ q.T, mu, lam), np.empty_like(q)
    for i in range(len(q)):
        gram = lam * sum(a[u, i] * np.outer(p[u], p[u]) for u in range(len(p))) + ridge
        new[i] = np.linalg.solve(gram, lam * sum(a[u, i] * Y[u, i] * p[u] for u in range(len(p))))
    a = exposure(p @ new.T, mu, lam)
    mu = (settings.alpha + a.sum(axis=0) - 1) / (settings.alpha + settings.beta + len(p) - 2)
    return p, new, mu


@pytest.mark.parametrize("block", [2**24, 40])
def test_a_round_is_that_of_loops_over_users_and_items(clicks, monkeypatch, block):
    monkeypatch.setattr(expomf, "_BLOCK", block)
    settings = ExpoMF(dim=2, iterations=1, l2=0.1, precision=1.5, exposure=0.3, alpha=2, beta=3)
    generator = torch.Generator().manual_seed(4)
    start = [0.01 * torch.randn(size, 2, generator=generator).double().numpy() for size in Y.shape]
    result = fit_expomf(clicks, settings, torch.Generator().manual_seed(4))
    p, q, mu = one_round(*start, np.full(9, 0.3), settings)
    assert result.users.numpy() == pytest.approx(p, rel=1e-3, abs=1e-6)
    assert result.items.numpy() == pytest.approx(q, rel=1e-3, abs=1e-5)
    assert result.exposure.numpy() == pytest.approx(mu, rel=1e-4)


def log_posterior(p, q, mu, settings):
    scores, lam = p @ q.T, settings.precision
    clicked = np.log(mu) + np.log(density(1 - scores, lam))
    not_clicked = np.log(mu * density(scores, lam) + 1 - mu)
    prior = (settings.alpha - 1) * np.log(mu) + (settings.beta - 1) * np.log(1 - mu)
    penalty = settings.l2 / 2 * ((p**2).sum() + (q**2).sum())
    return np.where(Y == 1, clicked, not_clicked).sum() + prior.sum() - penalty


def test_every_round_raises_the_posterior(clicks, generator):
    settings = ExpoMF(dim=3, iterations=25, l2=0.5, precision=2.0, exposure=0.2, alpha=1.5, beta=2)
    values = []

    def note(number, result):
        arrays = [x.double().numpy() for x in (result.users, result.items, result.exposure)]
        values.append(log_posterior(*arrays, settings))

    fit_expomf(clicks, settings, generator, note)
    assert len(values) == 25
    assert (np.diff(values) > -1e-4).all()
    assert values[-1] > values[0] + 1


def test_the_chance_of_having_been_seen():
    # Precision 2 pi makes the density at 0 equal to 1: a = mu / (mu + 1 - mu) = mu.
    clicks, scores = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 0.0]])
    seen = posterior_exposure(clicks, scores, torch.tensor([0.25, 0.25]), 2 * math.pi)
    assert seen.tolist() == [[0.25, 1.0]]
    # A high score that was not clicked was probably not seen.
    unlikely = posterior_exposure(torch.zeros(1, 1), torch.tensor([[3.0]]), torch.tensor(0.5), 1.0)
    assert unlikely.item() == pytest.approx(0.00441, abs=1e-5)


def test_items_clicked_by_more_are_seen_by_more(clicks, generator):
    result = fit_expomf(clicks, ExpoMF(dim=2, l2=0.5), generator)
    order = np.argsort(Y.sum(axis=0), kind="stable")
    assert result.exposure[order[-1]] > result.exposure[order[0]]
    assert ((result.exposure > 0) & (result.exposure < 1)).all()
