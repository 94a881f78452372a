"""Dependence of states on events, masks and padding."""

import pytest
import torch

from agents.sequential.config import BERT4RecConfig, GRU4RecConfig, SASRecConfig
from agents.sequential.models import BERT4Rec, GRU4Rec, SASRec
from agents.sequential.training import reciprocal_rank

ITEMS = 10
MODELS = {
    "sasrec": (SASRec, SASRecConfig(dim=8, max_length=8)),
    "gru4rec": (GRU4Rec, GRU4RecConfig(dim=8, layers=2, max_length=8)),
    "bert4rec": (BERT4Rec, BERT4RecConfig(dim=8, max_length=8)),
}


def build(name, **changes):
    model, config = MODELS[name]
    torch.manual_seed(0)
    return model(config.model_copy(update=changes), ITEMS).eval()


def tokens(*lengths, width=7):
    """Random sequences of the given lengths."""
    drawn = torch.randint(1, ITEMS + 1, (len(lengths), width), generator=torch.Generator())
    return torch.where(torch.arange(width) < torch.tensor(lengths)[:, None], drawn, 0)


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_earlier_states_do_not_depend_on_later_events(name):
    model, before = build(name), tokens(7)
    after = before.clone()
    after[0, 4] = before[0, 4] % ITEMS + 1
    changed = (model.states(before) - model.states(after)).abs().amax(dim=2)[0]
    # The start token stands first: the event is token 5.
    assert changed[:5].tolist() == [0.0] * 5
    assert (changed[5:] > 1e-4).all()


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_an_event_is_predicted_from_the_state_before_it(name):
    model, given = build(name), tokens(3, 6)
    states, target = model.examples(given)
    assert target.tolist() == [*(given[0, :3] - 1).tolist(), *(given[1, :6] - 1).tolist()]
    for length in range(6):
        alone = model.next_states(given[1:, :length])
        torch.testing.assert_close(states[3 + length][None], alone, rtol=1e-4, atol=1e-5)


def test_bert4rec_attends_in_both_directions():
    model, before = build("bert4rec"), tokens(7)
    after = before.clone()
    after[0, 4] = before[0, 4] % ITEMS + 1
    changed = (model.states(before) - model.states(after)).abs().amax(dim=2)[0]
    assert (changed > 1e-5).all()


def test_bert4rec_does_not_see_masked_events():
    model, given = build("bert4rec", mask_share=1.0, next_share=0.0), tokens(4, 6)
    other = torch.where(given > 0, given % ITEMS + 1, 0)
    (states, target), (same, shifted) = model.examples(given), model.examples(other)
    assert len(target) == 10
    assert not (target == shifted).any()
    torch.testing.assert_close(states, same, rtol=0, atol=0)


def test_bert4rec_masks_the_next_event_as_in_acting():
    model, given = build("bert4rec", next_share=1.0), tokens(7).repeat(200, 1)
    torch.manual_seed(1)
    states, target = model.examples(given)
    assert len(target) == 200, "one event in each window"
    assert {int(item) for item in target} == set((given[0] - 1).tolist())
    cuts = [model.next_states(given[:1, :length]) for length in range(7)]
    distance = (states[:, None] - torch.cat(cuts)).norm(dim=2)
    assert (distance.min(dim=1).values < 1e-4).all()


def test_bert4rec_masks_about_its_share_and_at_least_one():
    model, given = build("bert4rec", next_share=0.0, mask_share=0.3), tokens(6, 6).repeat(1000, 1)
    torch.manual_seed(2)
    expected = 6 * 0.3 + 0.7**6  # plus one window in which no event is masked by chance
    # Standard deviation of a window 1.1, of the mean of 2000 windows 0.025
    assert len(model.examples(given)[1]) / 2000 == pytest.approx(expected, abs=0.1)
    assert len(build("bert4rec", next_share=0.0, mask_share=1e-9).examples(given)[1]) == 2000


@pytest.mark.parametrize("name", MODELS)
def test_padding_has_no_effect(name):
    model, given = build(name), tokens(3, 1, 5)
    wider = torch.nn.functional.pad(given[:, :5], (0, 2))
    torch.testing.assert_close(
        model.next_states(given[:, :5]), model.next_states(wider), rtol=1e-4, atol=1e-5
    )
    alone = model.next_states(given[:1, :3])
    torch.testing.assert_close(model.next_states(given)[:1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_users_do_not_depend_on_each_other(name):
    model, given = build(name), tokens(7, 2, 0, 4)
    order = torch.tensor([2, 0, 3, 1])
    both = model.next_states(given)
    torch.testing.assert_close(both[order], model.next_states(given[order]), rtol=1e-4, atol=1e-5)
    assert torch.isfinite(both).all()
    assert model.next_states(given[:, :0]).shape == (4, 8)


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_some_items_are_those_of_all(name):
    model, states = build(name), torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    items = torch.tensor([[4, 0], [9, 1], [2, 2]])
    some = model.score(states, items)
    torch.testing.assert_close(some, model.score_all(states).gather(1, items))


def test_reciprocal_rank_by_hand():
    model = build("gru4rec")
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.arange(ITEMS))  # item 9 first, item 0 last
    given, target = torch.zeros(3, 2, dtype=torch.long), torch.tensor([9, 8, 0])
    assert reciprocal_rank(model, given, target, 2) == pytest.approx((1 + 1 / 2 + 1 / 10) / 3)
    with torch.no_grad():
        model.output.bias.zero_()  # all tie, the worst rank counts
    assert reciprocal_rank(model, given, target, 2) == pytest.approx(1 / 10)
