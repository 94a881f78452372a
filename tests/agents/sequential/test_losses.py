"""The losses, worked by hand."""

import math

import pytest
import torch

from agents.sequential.losses import (
    bce,
    bpr,
    cross_entropy,
    draw_negatives,
    gbce,
    sampled_softmax,
    top1_max,
)

LOG3 = math.log(3.0)  # its sigmoid is 3/4


def test_bce_by_hand():
    loss = bce(torch.tensor([LOG3]), torch.tensor([[0.0, -LOG3]]))
    # -log 3/4 - log(1 - 1/2) - log(1 - 1/4)
    assert loss.tolist() == pytest.approx([-math.log(0.75) + math.log(2) - math.log(0.75)])


@pytest.mark.parametrize(("t", "beta"), [(0.0, 1.0), (1.0, 0.4), (0.5, 0.7)])
def test_gbce_weighs_the_event_by_beta(t, beta):
    positive, negative = torch.tensor([LOG3]), torch.tensor([[0.0, -LOG3]])
    # alpha = 2 negatives of 5 other items; t = 0 is bce, t = 1 has beta = alpha.
    event, others = -math.log(0.75), math.log(2) - math.log(0.75)
    assert gbce(positive, negative, t, 6).tolist() == pytest.approx([beta * event + others])


def test_gbce_without_calibration_is_bce():
    generator = torch.Generator().manual_seed(0)
    positive, negative = torch.randn(5, generator=generator), torch.randn(5, 3, generator=generator)
    torch.testing.assert_close(gbce(positive, negative, 0.0, 9), bce(positive, negative))


def test_the_sampled_softmax_of_all_items_is_the_cross_entropy():
    scores = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 5, 2, 2])
    drawn = torch.arange(6)  # with a uniform probability each is drawn once on average
    loss = sampled_softmax(
        scores.gather(1, target[:, None])[:, 0],
        scores[:, drawn],
        torch.log(6 * torch.full((6,), 1 / 6)),
        target[:, None] == drawn,
    )
    torch.testing.assert_close(loss, cross_entropy(scores, target))


def test_the_sampled_softmax_is_corrected_for_how_often_items_are_drawn():
    """Without the correction scores would be learned relative to popularity."""
    torch.manual_seed(0)
    share = torch.tensor([0.5, 0.3, 0.15, 0.05])
    scores = torch.tensor([[0.3, -1.0, 2.0, 0.5]])
    drawn = torch.multinomial(share, 200_000, replacement=True)
    loss = sampled_softmax(
        scores[:, 0], scores[:, drawn], torch.log(len(drawn) * share[drawn]), drawn[None] == 0
    )
    assert float(loss) == pytest.approx(float(cross_entropy(scores, torch.tensor([0]))), abs=0.02)


def test_bpr_by_hand():
    loss = bpr(torch.tensor([LOG3]), torch.tensor([[0.0, LOG3]]))
    assert loss.tolist() == pytest.approx([(-math.log(0.75) + math.log(2)) / 2])


def test_top1_max_by_hand():
    # Negatives 0 and log 3 have weights 1/4 and 3/4; the positive is 0.
    loss = top1_max(torch.tensor([0.0]), torch.tensor([[0.0, LOG3]]))
    square = 1 / (1 + math.exp(-(LOG3**2)))
    assert loss.tolist() == pytest.approx([0.25 * (0.5 + 0.5) + 0.75 * (0.75 + square)])


def test_cross_entropy_by_hand():
    scores = torch.log(torch.tensor([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    loss = cross_entropy(scores, torch.tensor([2, 0]))
    assert loss.tolist() == pytest.approx([math.log(8 / 5), math.log(4)])


@pytest.mark.parametrize(
    "loss", [bce, bpr, top1_max, lambda own, others: gbce(own, others, 0.75, 20)]
)
def test_a_higher_score_of_the_event_lowers_the_loss(loss):
    negative = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    values = [float(loss(torch.tensor([score]), negative)) for score in (-1.0, 0.0, 2.0)]
    assert values == sorted(values, reverse=True)


def test_negatives_are_drawn_from_all_other_items():
    torch.manual_seed(0)
    target = torch.arange(4)
    drawn = draw_negatives(target, 4, 3000)
    assert drawn.shape == (4, 3000)
    for item in range(4):
        counts = torch.bincount(drawn[item], minlength=4)
        assert counts[item] == 0
        # 1000 each, standard deviation 26
        assert all(
            abs(int(count) - 1000) < 130 for place, count in enumerate(counts) if place != item
        )
