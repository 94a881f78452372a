import itertools

import pytest
import torch

from agents.gru_thompson.merging import per_slot, rank_major

RANKINGS = torch.tensor([[10, 11, 12], [10, 12, 11], [13, 10, 11]])


def test_both_orders_by_hand():
    assert rank_major(RANKINGS, 3).tolist() == [10, 13, 11]
    assert per_slot(RANKINGS, 3).tolist() == [10, 12, 13]


def plain_rank_major(rankings, size):
    """Merge rank by rank, then sample by sample."""
    slate = []
    for rank, draw in itertools.product(range(len(rankings[0])), range(len(rankings))):
        if rankings[draw][rank] not in slate:
            slate.append(rankings[draw][rank])
    return slate[:size]


def plain_per_slot(rankings, size):
    """Take the best item of each ranking that is not in the slate yet."""
    slate = []
    for ranking in rankings[:size]:
        slate.append(next(item for item in ranking if item not in slate))
    return slate


@pytest.mark.parametrize(
    ("merge", "plain"), [(rank_major, plain_rank_major), (per_slot, plain_per_slot)]
)
def test_batches_against_a_plain_loop(merge, plain, generator):
    rankings = torch.rand((50, 2, 4, 7), generator=generator).argsort(dim=3)[..., :4]
    merged = merge(rankings, 4)
    assert merged.shape == (50, 2, 4)
    for row, twin in itertools.product(range(50), range(2)):
        expected = plain(rankings[row, twin].tolist(), 4)
        assert merged[row, twin].tolist() == expected


@pytest.mark.parametrize("merge", [rank_major, per_slot])
def test_equal_rankings_give_that_ranking(merge, generator):
    ranking = torch.rand((5, 9), generator=generator).argsort(dim=1)[:, :3]
    torch.testing.assert_close(merge(ranking[:, None].expand(-1, 3, -1), 3), ranking)
