import itertools

import numpy as np
import pytest
import torch

from agents.dt4ier.decoding import decode, next_probabilities
from agents.dt4ier.encoders import SlateDecoder
from recsim.draws import Draws, chain, key_of

ITEMS = 8


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    return SlateDecoder(ITEMS, 8, 0.0).eval()


@pytest.fixture
def contexts():
    return torch.randn(40, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def candidates():
    draw = torch.Generator().manual_seed(2)
    return 1 + torch.rand(40, ITEMS, generator=draw).argsort(dim=1)[:, :5]  # tokens


def draws_of(users):
    keys = chain(key_of(3, "test"), np.arange(users))
    return Draws(keys, double=True).on_torch("cpu")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@torch.no_grad()
def test_slates_hold_distinct_candidates(decoder, contexts, candidates, temperature):
    for slots in (1, 3, 5):
        index, _ = decode(
            decoder, contexts, candidates, slots, temperature=temperature, draws=draws_of(40)
        )
        assert index.shape == (40, slots)
        assert ((index >= 0) & (index < 5)).all()
        assert (index.sort(dim=1).values.diff(dim=1) > 0).all()


@torch.no_grad()
def test_special_tokens_are_never_shown(decoder, contexts):
    decoder.out.bias[[0, ITEMS + 1, ITEMS + 2]] = 100.0
    items = torch.arange(1, ITEMS + 1).expand(40, -1)
    index, _ = decode(decoder, contexts, items, ITEMS)
    assert (index.sort(dim=1).values == torch.arange(ITEMS)).all()


@torch.no_grad()
def test_the_first_slot_depends_on_the_context_only(decoder, contexts):
    slates = torch.arange(1, 4).expand(40, -1)
    others = slates.flip(1)
    one, other = decoder(contexts, slates), decoder(contexts, others)
    assert torch.equal(one[:, 0], other[:, 0])
    assert (one[:, 1:] != other[:, 1:]).any(dim=2).all()
    last = slates.clone()
    last[:, 2] = 7
    assert torch.equal(decoder(contexts, last), one), "no slot depends on the last item"
    assert (decoder.begin(contexts)[:, 0] != decoder.begin(contexts)[:, 1]).any()


@torch.no_grad()
def test_the_best_items_are_the_most_probable(decoder, contexts, candidates):
    index, _ = decode(decoder, contexts, candidates, 3)
    table = next_probabilities(decoder, contexts, candidates, index, temperature=1.0)
    assert torch.equal(table.argmax(dim=2), index)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
@torch.no_grad()
def test_probabilities_of_all_slates_sum_to_one(decoder, contexts, candidates, temperature):
    orders = torch.tensor(list(itertools.permutations(range(5), 3)))
    size = (len(orders), -1)
    table = next_probabilities(
        decoder,
        contexts[:1].expand(*size),
        candidates[:1].expand(*size),
        orders,
        temperature,
    )
    torch.testing.assert_close(table.sum(dim=2), torch.ones(60, 3, dtype=torch.float64))
    whole = table.gather(2, orders[:, :, None])[:, :, 0].prod(dim=1)
    assert float(whole.sum()) == pytest.approx(1.0)


@torch.no_grad()
def test_reported_probabilities_of_sampled_slates_are_right(decoder, contexts, candidates):
    index, prefixes = decode(decoder, contexts, candidates, 3, temperature=0.7, draws=draws_of(40))
    table = next_probabilities(decoder, contexts, candidates, index, 0.7)
    expected = table.gather(2, index[:, :, None])[:, :, 0].cumprod(dim=1)
    torch.testing.assert_close(prefixes, expected, rtol=1e-4, atol=1e-8)


@torch.no_grad()
def test_sampled_frequencies_match_the_probabilities(decoder, contexts, candidates):
    draws = 4000
    with torch.no_grad():
        decoder.out.bias.copy_(torch.linspace(-1, 1, ITEMS + 3))
    index, _ = decode(
        decoder,
        contexts[:1].expand(draws, -1),
        candidates[:1].expand(draws, -1),
        2,
        temperature=0.5,
        draws=draws_of(draws),
    )
    first = next_probabilities(decoder, contexts[:1], candidates[:1], index[:1, :1], 0.5)[0, 0]
    share = torch.bincount(index[:, 0], minlength=5) / draws
    # Standard deviation at most .5 / sqrt(4000) = .008.
    torch.testing.assert_close(share.double(), first, atol=0.03, rtol=0)


@torch.no_grad()
def test_empty_slots_are_skipped(decoder, contexts, candidates):
    index = torch.tensor([[0, -1, 1]]).expand(40, -1)
    table = next_probabilities(decoder, contexts, candidates, index, 1.0)
    assert (table[:, 2, 0] == 0).all()
    assert (table[:, 2, 1:] > 0).all()
