"""Random views keep what they promise."""

from __future__ import annotations

import torch

from agents.sequential.additions.views import cropped, masked, random_views, reordered

START, MASK = 98, 99


def _tokens() -> torch.Tensor:
    """Return sequences of 1 to 10 distinct events, padded on the right, ``(10, 12)``."""
    place = torch.arange(12)
    length = torch.arange(1, 11)[:, None]
    return torch.where(place < length, place + 1, 0)


def test_masks_half_of_the_events_and_no_padding() -> None:
    torch.manual_seed(0)
    tokens, view = _tokens(), masked(_tokens(), MASK)
    assert ((view == MASK).sum(dim=1) == torch.arange(1, 11) // 2).all()
    assert ((view == tokens) | (view == MASK)).all()
    assert (view[tokens == 0] == 0).all()


def test_crops_a_run() -> None:
    torch.manual_seed(0)
    starts = set()
    for _ in range(50):
        view = cropped(_tokens())
        length = (view != 0).sum(dim=1)
        assert (length == (torch.arange(1, 11) // 2).clamp_min(1)).all()
        for row, count in zip(view, length.tolist(), strict=True):
            run = row[:count]
            assert (run.diff() == 1).all()
            assert (row[count:] == 0).all()
        starts.add(int(view[9, 0]))
    assert starts == {1, 2, 3, 4, 5, 6}


def test_reorders_a_run_and_keeps_all_events() -> None:
    torch.manual_seed(0)
    tokens = _tokens()
    view = reordered(tokens)
    assert (view.sort(dim=1).values == tokens.sort(dim=1).values).all()
    assert (view[tokens == 0] == 0).all()
    # A run of 8 of the 10 events can move; events outside stay.
    assert ((view[9] != tokens[9]).sum() <= 8).item()
    assert (view != tokens).any()


def test_each_kind_of_view_occurs() -> None:
    torch.manual_seed(0)
    views = random_views(_tokens()[9:].expand(300, -1), START, MASK)
    is_masked = (views == MASK).any(dim=1)
    is_cropped = (views != 0).sum(dim=1) == 5
    for share in (is_masked.float().mean(), is_cropped.float().mean()):
        assert 0.23 < share < 0.44
    assert not (is_masked & is_cropped).any()


def test_the_start_token_stays_where_it_is() -> None:
    torch.manual_seed(0)
    events = _tokens()[:, :11]
    tokens = torch.cat([torch.full((10, 1), START), events], dim=1)
    for _ in range(20):
        views = random_views(tokens, START, MASK)
        assert (views[:, 0] == START).all()
        assert (views[:, 1] != 0).all()
        assert not (views[:, 1:] == START).any()
    # The views of the events are those without a start token.
    torch.manual_seed(1)
    with_start = random_views(tokens, START, MASK)
    torch.manual_seed(1)
    without = random_views(torch.cat([events, events.new_zeros(10, 1)], dim=1), START, MASK)
    assert (with_start[:, 1:] == without[:, :11]).all()
