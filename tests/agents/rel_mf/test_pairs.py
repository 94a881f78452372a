import numpy as np
import pytest
import torch

from agents.rel_mf.pairs import ClickedPairs, batches

MATRIX = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 1, 1]]).float()


@pytest.fixture
def clicks() -> ClickedPairs:
    """The clicks of `MATRIX`, in random order, one of them twice."""
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


def test_uniform_batches_draw_every_pair_equally_often(clicks, generator):
    users, items = clicks.uniform(generator, 24_000)
    counts = np.bincount((users * 4 + items).numpy(), minlength=12)
    # 2000 expected of each, standard deviation 43.
    assert (abs(counts - 2000) < 5 * 43).all()


def test_batches_follow_the_seed(clicks):
    def first_two(seed):
        drawn = batches(clicks.uniform, 5, torch.Generator().manual_seed(seed))
        return [torch.stack(next(drawn)).tolist() for _ in range(2)]

    assert first_two(1) == first_two(1)
    assert first_two(1) != first_two(2)
    assert first_two(1)[0] != first_two(1)[1]
