import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.rel_mf.pairs import ClickedPairs, batches
from recsim.errors import UserError

MATRIX = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 1, 1]]).float()


@pytest.fixture
def clicks() -> ClickedPairs:
    """The clicks of `MATRIX`, in no order, one of them twice."""
    users, items = MATRIX.nonzero().T
    order = torch.tensor([3, 0, 2, 1, 0])
    return ClickedPairs(users[order], items[order], 3, 4)


def test_repeats_count_once(clicks):
    assert len(clicks) == 4
    assert clicks.users.tolist() == [0, 0, 2, 2]
    assert clicks.items.tolist() == [0, 2, 2, 3]
    assert clicks.counts().tolist() == [1, 0, 2, 1]


def test_rows_and_single_pairs_are_those_of_the_matrix(clicks):
    users, items = (
        grid.flatten() for grid in torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij")
    )
    assert torch.equal(clicks.contains(users, items).reshape(3, 4), MATRIX)
    assert torch.equal(clicks.rows(0, 3), MATRIX)
    assert torch.equal(clicks.rows(1, 2), MATRIX[1:2])
    assert torch.equal(clicks.transposed().rows(0, 4), MATRIX.T)


def test_uniform_batches_draw_every_pair_alike(clicks, generator):
    users, items = clicks.uniform(generator, 24_000)
    counts = np.bincount((users * 4 + items).numpy(), minlength=12)
    # 2000 expected of each, standard deviation 43.
    assert (abs(counts - 2000) < 5 * 43).all()


def test_half_batches_are_half_clicks_and_half_pairs_without_one(clicks, generator):
    users, items = clicks.half_clicks(generator, 16_001)
    clicked = clicks.contains(users, items)
    assert clicked.sum() == 8000
    keys = (users * 4 + items).numpy()
    of_clicks = np.bincount(keys[clicked.numpy() == 1], minlength=12)[MATRIX.flatten() == 1]
    of_others = np.bincount(keys[clicked.numpy() == 0], minlength=12)[MATRIX.flatten() == 0]
    assert (abs(of_clicks - 2000) < 5 * 39).all()
    assert (abs(of_others - 1000) < 5 * 30).all()


@given(st.sets(st.integers(0, 19), min_size=1, max_size=19), st.integers(0, 100))
def test_half_batches_never_mistake_a_click(keys, seed):
    chosen = torch.tensor(sorted(keys))
    clicks = ClickedPairs(chosen // 5, chosen % 5, 4, 5)
    users, items = clicks.half_clicks(torch.Generator().manual_seed(seed), 60)
    assert clicks.contains(users, items).tolist() == [1.0] * 30 + [0.0] * 30


def test_half_batches_need_a_pair_without_a_click(generator):
    users, items = torch.ones(3, 4).nonzero().T
    everything = ClickedPairs(users, items, 3, 4)
    with pytest.raises(UserError, match="All 12 pairs of user and item were clicked, so that half"):
        everything.half_clicks(generator, 10)
    assert len(everything.uniform(generator, 10)[0]) == 10


def test_batches_follow_the_seed(clicks):
    def first_two(seed):
        drawn = batches(clicks.uniform, 5, torch.Generator().manual_seed(seed))
        return [torch.stack(next(drawn)).tolist() for _ in range(2)]

    assert first_two(1) == first_two(1)
    assert first_two(1) != first_two(2)
    assert first_two(1)[0] != first_two(1)[1]
