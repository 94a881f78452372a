"""Slates under a posterior set by hand."""

import numpy as np
import pytest
import torch

from agents.gru_thompson.config import PolicyConfig
from agents.gru_thompson.policies import Policy
from agents.gru_thompson.scoring import Scorer, Users

ITEMS, SLOTS = 12, 3
ALL_POLICIES = [
    {"policy": "greedy"},
    {"policy": "epsilon_greedy"},
    {"policy": "thompson"},
    {"policy": "thompson", "share_draws": True},
    {"policy": "in_slate"},
    {"policy": "in_slate", "merge": "per_slot"},
    {"policy": "in_slate", "share_draws": True},
    {"policy": "in_slate", "prune": 5},
    {"policy": "ucb", "draws": 5},
]


@pytest.fixture
def model(make_model):
    """A posterior whose deviations are as large as the distances between items."""
    model = make_model(num_items=ITEMS)
    set_scale(model, 1.0)
    return model


def set_scale(model, scale):
    share = scale / model.config.max_scale
    with torch.no_grad():
        model.items.width.fill_(np.log(share / (1 - share)))


def users(batch=8, candidates=None, seed=0):
    """Return users with up to four clicks, the last one without any."""
    draw = torch.Generator().manual_seed(seed)
    clicks = torch.randint(ITEMS, (batch, 4), generator=draw)
    clicks[torch.arange(4) >= torch.arange(batch).flip(0)[:, None]] = -1
    return Users(clicks, candidates)


def some_candidates(batch, count, seed=1):
    draw = torch.Generator().manual_seed(seed)
    return torch.rand((batch, ITEMS), generator=draw).argsort(dim=1)[:, :count]


def slates(model, settings, people, seed=0, repeats=1):
    generator = torch.Generator().manual_seed(seed)
    return Policy(model, PolicyConfig(**settings), SLOTS).slates(people, generator, repeats)


@pytest.mark.parametrize("settings", ALL_POLICIES)
@pytest.mark.parametrize("count", [ITEMS, 6])
def test_slates_hold_distinct_candidates_and_follow_the_seed(model, settings, count):
    people = users(candidates=some_candidates(8, count))
    result = slates(model, settings, people, repeats=2)
    assert result.shape == (8, 2, SLOTS)
    assert ((result >= 0) & (result < count)).all()
    assert (result.sort(dim=2).values.diff(dim=2) > 0).all()
    torch.testing.assert_close(result, slates(model, settings, people, repeats=2))
    if settings["policy"] in {"thompson", "in_slate"}:
        assert (result != slates(model, settings, people, seed=1, repeats=2)).any()


@pytest.mark.parametrize("settings", ALL_POLICIES)
def test_at_temperature_0_every_policy_is_greedy(model, settings):
    greedy = slates(model, {"policy": "greedy"}, users())
    if settings["policy"] in {"thompson", "in_slate", "ucb"}:
        settings = settings | {"temperature": 0.0}
    torch.testing.assert_close(slates(model, settings, users()), greedy)


@pytest.mark.parametrize("settings", ALL_POLICIES)
def test_slates_do_not_depend_on_the_order_of_the_candidates(model, settings):
    set_scale(model, 1e-6)
    with torch.no_grad():
        for site in (model.gamma, model.bias):
            site.width.fill_(-30.0)
        model.spread.fill_(-50.0)
    people = users(batch=4)  # all but the last have clicks
    ordered = slates(model, settings, people)[:3, 0]
    order = some_candidates(4, ITEMS)
    mixed = slates(model, settings, Users(people.clicks, order))[:3, 0]
    torch.testing.assert_close(order[:3].gather(1, mixed), ordered)


def test_greedy_by_hand(make_model):
    model = make_model(num_items=ITEMS)
    with torch.no_grad():
        model.items.location.copy_(torch.arange(ITEMS)[:, None] * torch.tensor([1.0, 0.0]))
    # Two clicks on 6: the initial state is item 6 and stays there.
    people = Users(torch.tensor([[6, 6]]), None)
    result = slates(model, {"policy": "greedy"}, people)[0, 0].tolist()
    assert result[0] == 6
    assert sorted(result) == [5, 6, 7]


def frequencies(model, settings, people, item_slots=SLOTS, repeats=4000):
    generator = torch.Generator().manual_seed(5)
    drawn = Policy(model, PolicyConfig(**settings), item_slots).slates(people, generator, repeats)
    first = drawn[:, :, 0]
    return torch.stack([torch.bincount(row, minlength=ITEMS) for row in first]) / repeats


def test_in_slate_with_one_slot_has_the_distribution_of_thompson(model):
    people = users(batch=3)
    one = frequencies(model, {"policy": "thompson"}, people, 1)
    other = frequencies(model, {"policy": "in_slate"}, people, 1)
    # The standard deviation of a difference is at most sqrt(2 * .25 / 4000) = .011.
    torch.testing.assert_close(one, other, atol=0.05, rtol=0)


def test_shared_samples_have_the_same_distribution_for_each_user(model):
    people = users(batch=3)
    one = frequencies(model, {"policy": "thompson"}, people)
    other = frequencies(model, {"policy": "thompson", "share_draws": True}, people)
    torch.testing.assert_close(one, other, atol=0.05, rtol=0)


@pytest.mark.parametrize("share", [False, True])
def test_users_are_independent_unless_they_share_samples(model, share):
    """Compare how often two users with the same clicks get the same first item with chance."""
    people = Users(torch.tensor([[2, 5], [2, 5]]), None)
    settings = {"policy": "thompson", "share_draws": share}
    result = slates(model, settings, people, repeats=4000)[:, :, 0]
    together = (result[0] == result[1]).double().mean().item()
    chance = sum(
        float((result[0] == item).double().mean() * (result[1] == item).double().mean())
        for item in range(ITEMS)
    )
    if share:
        assert together > chance + 0.1
    else:
        assert together == pytest.approx(chance, abs=0.03)


def test_an_item_has_the_same_sample_as_a_candidate_and_in_the_history(make_model, generator):
    """With the state ``markov``, the preference is the clicked item, so their distance is 0."""
    model = make_model(num_items=ITEMS, state="markov")
    set_scale(model, 1.0)
    for candidates in (None, torch.tensor([[3, 7, 4], [1, 0, 7]])):
        people = Users(torch.tensor([[2, 7], [0, 7]]), candidates)
        (squares,) = Scorer(model).independent(people, 5, generator)
        indices = [7, 7] if candidates is None else [1, 2]
        for user, index in enumerate(indices):
            torch.testing.assert_close(squares[user, :, index], torch.zeros(5))
            assert (squares[user, :, [i for i in range(3) if i != index]] > 0).all()


def test_pruning_keeps_near_and_uncertain_items(model, generator):
    set_scale(model, 1e-4)
    with torch.no_grad():
        model.items.location.copy_(torch.arange(ITEMS)[:, None] * torch.tensor([1.0, 0.0]))
        model.items.width[11] = 0.0  # deviation 4.5 at distance 5
    people = Users(torch.tensor([[6, 6]]), None)
    kept = Scorer(model).promising(people, 4, generator)
    assert sorted(kept[0].tolist()) == [5, 6, 7, 11]


def test_ucb_prefers_uncertain_items(make_model):
    model = make_model(num_items=ITEMS)
    set_scale(model, 1e-4)
    with torch.no_grad():
        model.items.location.fill_(20.0)
        model.items.location[:3] = torch.tensor([[0.0, 0.0], [0.0, 2.9], [0.0, -3.0]])
        model.items.width[2] = -2.0  # deviation 1.07
    people = Users(torch.tensor([[0, 0]]), None)
    assert slates(model, {"policy": "greedy"}, people)[0, 0].tolist() == [0, 1, 2]
    wide = slates(model, {"policy": "ucb", "width": 2.0, "draws": 200}, people)
    assert wide[0, 0].tolist() == [0, 2, 1]


def test_ucb_slates_do_not_depend_on_other_users(model):
    people = users()
    together = slates(model, {"policy": "ucb"}, people)
    single = [slates(model, {"policy": "ucb"}, people.select(slice(i, i + 1))) for i in range(8)]
    torch.testing.assert_close(together, torch.cat(single))


@pytest.mark.parametrize("settings", ALL_POLICIES)
def test_scoring_in_blocks_of_users_gives_the_same_slates(model, monkeypatch, settings):
    people = users(candidates=some_candidates(8, 6))
    whole = slates(model, settings, people, repeats=3)
    monkeypatch.setattr("agents.gru_thompson.policies._AT_ONCE", 3 * 6)
    parts = slates(model, settings, people, repeats=3)
    assert parts.shape == whole.shape
    if settings["policy"] not in {"thompson", "in_slate"} or settings.get("share_draws"):
        torch.testing.assert_close(parts, whole)


def test_small_blocks_give_the_same_distribution_of_slates(model, monkeypatch):
    people = users(batch=3)
    whole = frequencies(model, {"policy": "in_slate"}, people)
    monkeypatch.setattr("agents.gru_thompson.scoring._BLOCK", 4000)
    blocks = frequencies(model, {"policy": "in_slate"}, people)
    torch.testing.assert_close(whole, blocks, atol=0.05, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_posterior_makes_in_slate_more_diverse_than_greedy(model, seed):
    groups = torch.arange(ITEMS) % 3
    with torch.no_grad():
        model.items.location.copy_(groups[:, None] * torch.tensor([1.0, 0.5]))
    people = users(batch=50, seed=seed)

    def kinds(settings):
        result = slates(model, settings, people, seed=seed)[:, 0]
        return sum(len(set(row)) for row in groups[result].tolist()) / 50

    assert kinds({"policy": "in_slate"}) > kinds({"policy": "greedy"}) + 0.2
