import itertools

import pytest
import torch

from agents.slateq.optimisers import OPTIMISERS, Options, exact, greedy, options, top_k


def by_hand() -> Options:
    """One user; weights 1, 2, 4 and values 5, 3, 1 beside no click of weight 1 and value 2."""
    return Options(
        torch.tensor([[1.0, 2.0, 4.0]]),
        torch.tensor([[5.0, 3.0, 1.0]]),
        torch.tensor([1.0]),
        torch.tensor([2.0]),
    )


def random_options(users, candidates, seed, spread=2.0) -> Options:
    draw = torch.Generator().manual_seed(seed)
    shape = (users, candidates)
    return Options(
        (spread * torch.randn(shape, generator=draw, dtype=torch.float64)).exp(),
        torch.randn(shape, generator=draw, dtype=torch.float64),
        (spread * torch.randn(users, generator=draw, dtype=torch.float64)).exp(),
        torch.randn(users, generator=draw, dtype=torch.float64),
    )


def best_of_all(given: Options, slate_size: int) -> torch.Tensor:
    """Return the value of the best of all slates by enumeration."""
    users, candidates = given.weight.shape
    every = [
        given.slate_value(torch.tensor([slate]).expand(users, -1))
        for slate in itertools.combinations(range(candidates), slate_size)
    ]
    return torch.stack(every).amax(dim=0)


def test_slate_value_by_hand():
    given = by_hand()
    # (1 * 2 + 1 * 5 + 2 * 3) / (1 + 1 + 2)
    assert given.slate_value(torch.tensor([[0, 1]])).item() == pytest.approx(13 / 4)
    assert given.slate_value(torch.tensor([[0, 2]])).item() == pytest.approx(11 / 6)
    assert given.slate_value(torch.tensor([[1, 2]])).item() == pytest.approx(12 / 7)
    assert given.slate_value(torch.tensor([[2, 1]])).item() == pytest.approx(12 / 7)


def test_slates_by_hand():
    # v Q is 5, 6, 4; alone the items are worth 7/2, 8/3, 6/5; with the first, 13/4 and 11/6.
    assert top_k(by_hand(), 2).tolist() == [[1, 0]]
    assert greedy(by_hand(), 2).tolist() == [[0, 1]]
    assert sorted(exact(by_hand(), 2)[0].tolist()) == [0, 1]
    assert exact(by_hand(), 1).tolist() == [[0]]
    assert top_k(by_hand(), 1).tolist() == [[1]], "the largest v Q is not the best slate"


@pytest.mark.parametrize("slate_size", [1, 2, 3, 4])
@pytest.mark.parametrize("candidates", [4, 7, 9])
def test_exact_is_the_best_of_all_slates(slate_size, candidates):
    given = random_options(200, candidates, seed=candidates)
    best = best_of_all(given, slate_size)
    torch.testing.assert_close(given.slate_value(exact(given, slate_size)), best)


def test_other_optimisers_are_never_better_and_sometimes_worse():
    given = random_options(500, 8, seed=1)
    best = given.slate_value(exact(given, 3))
    for other in (top_k, greedy):
        value = given.slate_value(other(given, 3))
        assert (value <= best + 1e-12).all()
        assert (value < best - 1e-3).any()
    assert given.slate_value(greedy(given, 3)).mean() > given.slate_value(top_k(given, 3)).mean()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_slates_hold_distinct_items(name):
    result = OPTIMISERS[name](random_options(100, 6, seed=2), 4)
    ordered = result.sort(dim=1).values
    assert result.shape == (100, 4)
    assert (ordered[:, 1:] > ordered[:, :-1]).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_users_do_not_affect_each_other(name):
    given = random_options(20, 6, seed=3)
    third = Options(*(part[2:3] for part in vars(given).values()))
    assert OPTIMISERS[name](third, 3).tolist() == OPTIMISERS[name](given, 3)[2:3].tolist()


def test_only_ratios_of_weights_matter():
    scores = torch.tensor([[0.0, 1.0, 2.0]])
    value, nothing = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([0.5])
    near = options(scores, nothing, value, nothing)
    far = options(scores + 500, nothing + 500, value, nothing)
    slate = torch.tensor([[0, 2]])
    assert near.weight[0, 0] / near.nothing_weight[0] == pytest.approx(torch.e**-0.5, rel=1e-6)
    torch.testing.assert_close(far.slate_value(slate), near.slate_value(slate))
