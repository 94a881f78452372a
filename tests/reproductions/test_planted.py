"""The checks on planted data, with one or two seeds."""

import numpy as np
import pytest

from reproductions.sequences import planted


def means(rows):
    """Return the mean of each row over the seeds, by setting and measure."""
    return {(row, measure): np.mean(values) for _, row, measure, values in rows}


def test_own_views_minus_others_by_hand():
    import torch

    # Each user's two states are equal; those of the two users are orthogonal, then opposite.
    assert planted.own_minus_others(torch.tensor([[2.0, 0], [0, 1], [1, 0], [0, 3]])) == 1
    assert planted.own_minus_others(torch.tensor([[1.0, 0], [-1, 0], [1, 0], [-1, 0]])) == 2


def test_hits_with_ties_by_hand():
    ranked = np.array([[3.0, 1, 2], [1, 1, 0], [1, 1, 1]])
    # Ranks 1, 1.5 and 2.
    assert planted.hit_rate(ranked, np.array([0, 0, 0]), 1) == pytest.approx(1 / 3)
    assert planted.hit_rate(ranked, np.array([0, 0, 0]), 2) == 1


@pytest.mark.slow
def test_metadata_ranks_items_that_were_never_in_training():
    found = means(planted.cold(range(1)))
    cold, warm = "HR@10 of cold items", "HR@10 of warm items"
    assert found["item_inputs: id", cold] < 0.05
    assert found["item_inputs: metadata", cold] > 0.7
    assert found["item_inputs: both", cold] > 0.2
    assert found["item_inputs: metadata", warm] > found["item_inputs: id", warm] - 0.03


@pytest.mark.slow
def test_distilled_transitions_help_to_learn_them():
    found = means(planted.transitions(range(2)))
    early, late = (f"share of successors ranked first, {steps} steps" for steps in (75, 300))
    # Of 1,000 items in two seeds: the standard error of a difference is below 0.02.
    assert found["distil_transitions", early] > found["control", early] - 0.05
    assert found["distil_transitions", late] > found["control", late] + 0.05
    assert found["control", late] > 0.4
