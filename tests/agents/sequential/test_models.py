"""Dependence of states on events, masks and padding."""

import pytest
import torch

from agents.sequential.config import BERT4RecConfig, GRU4RecConfig, SASRecConfig
from agents.sequential.models import BERT4Rec, GRU4Rec
from agents.sequential.sasrec import SASRec

ITEMS = 10
START = ITEMS + 1
MODELS = {
    "sasrec": (SASRec, SASRecConfig(dim=8, max_length=8)),
    "gru4rec": (GRU4Rec, GRU4RecConfig(dim=8, hidden=12, layers=2, max_length=8)),
    "bert4rec": (BERT4Rec, BERT4RecConfig(dim=8, max_length=8)),
}


def build(name, **changes):
    model, config = MODELS[name]
    torch.manual_seed(0)
    # A larger scale than usual, so that everything has a visible effect.
    return model(config.model_copy(update={"init_std": 0.5, **changes}), ITEMS).eval()


def tokens(*lengths, width=8):
    """The start token and random events: sequences of the given lengths, the start included."""
    drawn = torch.randint(1, ITEMS + 1, (len(lengths), width), generator=torch.Generator())
    drawn[:, 0] = START
    return torch.where(torch.arange(width) < torch.tensor(lengths)[:, None], drawn, 0)


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_earlier_states_do_not_depend_on_later_events(name):
    model, before = build(name), tokens(8)
    after = before.clone()
    after[0, 5] = before[0, 5] % ITEMS + 1
    changed = (model.states(before) - model.states(after)).abs().amax(dim=2)[0]
    assert changed[:5].tolist() == [0.0] * 5
    assert (changed[5:] > 1e-4).all()


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_an_event_is_predicted_from_the_tokens_before_it(name):
    model, given = build(name), tokens(4, 7)
    states, target = model.examples(given)
    assert target.tolist() == [*(given[0, 1:4] - 1).tolist(), *(given[1, 1:7] - 1).tolist()]
    # The last of a window as in acting; positions of the others count from there.
    for row, last in ((0, 2), (1, 8)):
        alone = model.next_states(given[row : row + 1, : (given[row] > 0).sum() - 1])
        torch.testing.assert_close(states[last][None], alone, rtol=1e-4, atol=1e-5)


def test_a_recurrent_state_is_that_of_acting_at_every_event():
    model, given = build("gru4rec"), tokens(8)
    states, _ = model.examples(given)
    alone = torch.cat([model.next_states(given[:, :length]) for length in range(1, 8)])
    torch.testing.assert_close(states, alone, rtol=1e-4, atol=1e-5)


def test_bert4rec_attends_in_both_directions():
    model, before = build("bert4rec"), tokens(8)
    after = before.clone()
    after[0, 5] = before[0, 5] % ITEMS + 1
    changed = (model.states(before) - model.states(after)).abs().amax(dim=2)[0]
    assert (changed > 1e-5).all()


def test_bert4rec_does_not_see_masked_events():
    model, given = build("bert4rec", mask_share=1.0, next_share=0.0), tokens(5, 7)
    other = torch.where((given > 0) & (given != START), given % ITEMS + 1, given)
    (states, target), (same, shifted) = model.examples(given), model.examples(other)
    assert len(target) == 10
    assert not (target == shifted).any()
    torch.testing.assert_close(states, same, rtol=0, atol=0)


def test_bert4rec_masks_the_next_event_as_in_acting():
    model, given = build("bert4rec", next_share=1.0), tokens(8).repeat(200, 1)
    torch.manual_seed(1)
    states, target = model.examples(given)
    assert len(target) == 200, "one event in each window"
    assert {int(item) for item in target} == set((given[0, 1:] - 1).tolist())
    cuts = [model.next_states(given[:1, :length]) for length in range(1, 8)]
    distance = (states[:, None] - torch.cat(cuts)).norm(dim=2)
    assert (distance.min(dim=1).values < 1e-4).all()


def test_bert4rec_masks_about_its_share_and_at_least_one():
    model, given = build("bert4rec", next_share=0.0, mask_share=0.3), tokens(7, 7).repeat(1000, 1)
    torch.manual_seed(2)
    expected = 6 * 0.3 + 0.7**6  # plus one window in which no event is masked by chance
    # Standard deviation of a window 1.1, of the mean of 2000 windows 0.025
    assert len(model.examples(given)[1]) / 2000 == pytest.approx(expected, abs=0.1)
    assert len(build("bert4rec", next_share=0.0, mask_share=1e-9).examples(given)[1]) == 2000


@pytest.mark.parametrize("name", MODELS)
def test_padding_has_no_effect(name):
    model, given = build(name), tokens(3, 1, 5)
    wider = torch.nn.functional.pad(given[:, :5], (0, 3))
    torch.testing.assert_close(
        model.next_states(given[:, :5]), model.next_states(wider), rtol=1e-4, atol=1e-5
    )
    alone = model.next_states(given[:1, :3])
    torch.testing.assert_close(model.next_states(given)[:1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_users_do_not_depend_on_each_other(name):
    model, given = build(name), tokens(8, 3, 1, 5)
    order = torch.tensor([2, 0, 3, 1])
    both = model.next_states(given)
    torch.testing.assert_close(both[order], model.next_states(given[order]), rtol=1e-4, atol=1e-5)
    assert torch.isfinite(both).all()


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_some_items_are_those_of_all(name):
    model, states = build(name), torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    items = torch.tensor([[4, 0], [9, 1], [2, 2]])
    some = model.score(states, items)
    torch.testing.assert_close(some, model.score_all(states).gather(1, items))


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_padded_batches_are_finite(name):
    model, given = build(name).train(), tokens(8, 2, 3)
    states, target = model.examples(given)
    torch.nn.functional.cross_entropy(model.score_all(states), target).backward()
    assert all(
        torch.isfinite(value.grad).all() for value in model.parameters() if value.grad is not None
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_training_begins_at_the_entropy_of_popularity(name, bias):
    """Guards the initial scales: vectors too long make a confident model before any step."""
    many, generator = 500, torch.Generator().manual_seed(0)
    share = 1 / torch.arange(1, many + 1)
    drawn = torch.multinomial(share, 200 * 51, replacement=True, generator=generator)
    drawn = drawn.view(200, 51) + 1
    network, config = MODELS[name]
    settings = {"dim": 64, "hidden": 128, "max_length": 50, "item_bias": bias, "dropout": 0.4}
    settings = {key: settings[key] for key in settings if hasattr(config, key)}
    torch.manual_seed(0)
    model = network(config.model_copy(update=settings), many).train()
    counts = torch.bincount(drawn.flatten() - 1, minlength=many)
    model.begin_at_popularity(counts)
    states, target = model.examples(drawn)
    loss = torch.nn.functional.cross_entropy(model.score_all(states), target)
    known = counts[counts > 0] / counts.sum()
    expected = -(known * known.log()).sum() if bias else torch.tensor(many).log()
    assert loss.item() == pytest.approx(float(expected), rel=0.05)
