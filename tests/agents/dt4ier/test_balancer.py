import pytest
import torch

from agents.dt4ier.balancer import RTGBalancer, balancer_loss, train_balancer

# Short and long return, and the best weight of the short one; lambda is 1/2.
OPTIMA = [
    *((4, 4, 0.5), (2, 5, 5 / 7), (5, 2, 2 / 7), (1, 5, 0.0), (5, 1, 1.0)),
    (8.7, 3, 3 / 11.7),
]


@pytest.mark.parametrize(("short", "long", "best"), OPTIMA)
def test_the_loss_is_minimal_at_the_closed_form(short, long, best):
    a = torch.linspace(0, 1, 10_001)
    returns = torch.tensor([[float(short), float(long)]])
    loss_of = torch.func.vmap(lambda weights: balancer_loss(weights[None], returns, 0.5))
    losses = loss_of(torch.stack([a, 1 - a], dim=1))
    assert float(a[losses.argmin()]) == pytest.approx(best, abs=2e-4)


def test_the_loss_by_hand():
    weights = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    returns = torch.tensor([[4.0, 8.0], [2.0, 0.0]])
    # (-(3 + 2) + .5 * 1) and (-(1 + 0) + .5 * 1)
    assert float(balancer_loss(weights, returns, 0.5)) == pytest.approx((-4.5 - 0.5) / 2)


def test_a_balancer_that_can_tell_all_users_apart_finds_the_optimum():
    torch.manual_seed(0)
    balancer = RTGBalancer(len(OPTIMA))
    # Training scales returns to mean 1; these have mean 1 already, so they stay as they are.
    returns = torch.tensor([row[:2] for row in OPTIMA], dtype=torch.float32)
    mean = returns.mean(dim=0)
    returns = returns / mean
    ratio = returns[:, 0] / returns[:, 1]
    best = torch.where(ratio > 3, 1.0, torch.where(ratio < 1 / 3, 0.0, 1 / (1 + ratio)))
    assert ((best == 0) | (best == 1)).any()
    train_balancer(balancer, torch.eye(len(OPTIMA)), returns, steps=700, learning_rate=5e-3)
    weights = balancer(torch.eye(len(OPTIMA))).detach()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(OPTIMA)))
    torch.testing.assert_close(weights[:, 0], best, atol=0.02, rtol=0)


def test_units_of_returns_do_not_matter():
    features = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    returns = torch.rand(40, 2, generator=torch.Generator().manual_seed(1))
    weights = []
    for unit in (torch.tensor([1.0, 1.0]), torch.tensor([64.0, 0.5])):
        torch.manual_seed(0)
        balancer = RTGBalancer(3)
        train_balancer(balancer, features, returns * unit, steps=50)
        weights.append(balancer(features).detach())
    torch.testing.assert_close(*weights, atol=1e-4, rtol=0)


def test_a_constant_feature_gives_finite_weights():
    balancer = RTGBalancer(1)
    train_balancer(balancer, torch.ones(5, 1), torch.zeros(5, 2), steps=3)
    assert balancer(torch.ones(2, 1)).isfinite().all()
