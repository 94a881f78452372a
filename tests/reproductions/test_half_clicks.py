"""The published batches of Rel-MF: half clicks, half pairs without one."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.rel_mf.pairs import ClickedPairs
from reproductions.unbiased.half_clicks import draw

MATRIX = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 1, 1]]).float()


def test_both_halves_are_uniform():
    clicks = ClickedPairs(*MATRIX.nonzero().T, 3, 4)
    users, items = draw(clicks, torch.Generator().manual_seed(3), 16_001)
    clicked = clicks.contains(users, items)
    assert clicked.sum() == 8000
    keys = (users * 4 + items).numpy()
    of_clicks = np.bincount(keys[clicked.numpy() == 1], minlength=12)[MATRIX.flatten() == 1]
    of_others = np.bincount(keys[clicked.numpy() == 0], minlength=12)[MATRIX.flatten() == 0]
    assert (abs(of_clicks - 2000) < 5 * 39).all()
    assert (abs(of_others - 1000) < 5 * 30).all()


@given(st.sets(st.integers(0, 19), min_size=1, max_size=19), st.integers(0, 100))
def test_half_of_a_batch_has_clicks(keys, seed):
    chosen = torch.tensor(sorted(keys))
    clicks = ClickedPairs(chosen // 5, chosen % 5, 4, 5)
    users, items = draw(clicks, torch.Generator().manual_seed(seed), 60)
    assert clicks.contains(users, items).tolist() == [1.0] * 30 + [0.0] * 30
