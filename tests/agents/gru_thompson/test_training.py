"""What is kept of a training, and when it stops."""

from dataclasses import replace

import pytest
import torch

from agents.gru_thompson.choices import InMemory
from agents.gru_thompson.config import FitConfig
from agents.gru_thompson.training import Judgement, _Best, all_distances, judge


def see(best, model, *looks):
    """Judge states that are told apart by the bias; return where the patience ended."""
    for at, (likelihood, hits) in enumerate(looks):
        with torch.no_grad():
            model.bias.location.fill_(float(at))
        if best.see(Judgement(likelihood, hits), model):
            return at
    return None


def kept(best, keep):
    state = best.chosen(keep)
    assert state is not None
    return int(state["bias.location"][0])


def test_patience_counts_looks_without_either_improving(make_model):
    looks = [(-2.0, 0.1), (-3.0, 0.2), (-1.0, 0.1), (-1.5, 0.1), (-1.2, 0.2), (-1.1, 0.0)]
    assert see(_Best(patience=3), make_model(), *looks) == 5
    assert see(_Best(patience=4), make_model(), *looks) is None


@pytest.mark.parametrize(
    ("looks", "likelihood", "hits", "both"),
    [
        # The best likelihood has too few hits.
        ([(-2.0, 0.5), (-1.0, 0.1)], 1, 0, 0),
        # It has nearly the best.
        ([(-2.0, 0.5), (-1.0, 0.46)], 1, 0, 1),
        # Nobody is hit, ever.
        ([(-2.0, 0.0), (-1.0, 0.0), (-3.0, 0.0)], 1, 0, 1),
    ],
)
def test_what_is_kept(make_model, looks, likelihood, hits, both):
    best = _Best(patience=9)
    see(best, make_model(), *looks)
    assert [kept(best, how) for how in ("likelihood", "hits", "both")] == [likelihood, hits, both]


def test_nothing_judged_nothing_chosen():
    assert _Best(patience=1).chosen("both") is None


def test_distances_by_product(generator):
    z, v = torch.randn(2, 4, 3, generator=generator), torch.randn(2, 5, 3, generator=generator)
    expected = (z[:, :, None] - v[:, None]).square().sum(dim=3)
    torch.testing.assert_close(all_distances(z, v), expected)


def test_hits_of_the_items_nearest_to_the_last_preference_before_the_split(
    make_model, make_choices, generator
):
    model = make_model(num_items=7, state="markov")
    with torch.no_grad():
        model.items.location.copy_(torch.arange(7)[:, None] * torch.tensor([1.0, 0.0]))
    choices = make_choices(users=2)
    click = torch.tensor([[0, 5, 6, 0], [0, 2, -1, 6]])
    choices = replace(choices, click=click)
    source = InMemory(choices, torch.tensor([0, 1]), step=2)
    # Nearest to 5 and 2: {5, 4, 6} with one of both ends, {2, 1, 3}. Later clicks: 6, 0 and 6.
    found = judge(model, "markov", source, FitConfig(dim=2, top=3), generator)
    assert found is not None
    assert found.hits == pytest.approx((1 / 2 + 0) / 2)
    quiet = replace(choices, click=torch.full_like(click, -1))
    none = judge(
        model, "markov", InMemory(quiet, torch.tensor([0]), 2), FitConfig(dim=2), generator
    )
    assert none is not None
    assert none.hits == 0.0
