"""Early stopping and the choice of the state that is kept."""

from dataclasses import replace

import pytest
import torch

from agents.gru_thompson.choices import InMemory
from agents.gru_thompson.config import FitConfig
from agents.gru_thompson.training import Evaluation, _Best, all_distances, evaluate


def update(best, model, *evaluations):
    """Record states that differ in the bias; return the index at which the patience ended."""
    for index, (likelihood, hits) in enumerate(evaluations):
        with torch.no_grad():
            model.bias.location.fill_(float(index))
        if best.update(Evaluation(likelihood, hits)):
            return index
    return None


def kept(best, model, keep):
    best.restore(keep)
    return int(model.bias.location[0])


def test_patience_counts_evaluations_without_any_improvement(make_model):
    rows = [(-2.0, 0.1), (-3.0, 0.2), (-1.0, 0.1), (-1.5, 0.1), (-1.2, 0.2), (-1.1, 0.0)]
    model = make_model()
    assert update(_Best(model, patience=3), model, *rows) == 5
    assert update(_Best(model, patience=4), model, *rows) is None


@pytest.mark.parametrize(
    ("evaluations", "likelihood", "hits", "both"),
    [
        # The state with the best likelihood has too few hits.
        ([(-2.0, 0.5), (-1.0, 0.1)], 1, 0, 0),
        # It has nearly the best hit rate.
        ([(-2.0, 0.5), (-1.0, 0.46)], 1, 0, 1),
        # There are no hits at all.
        ([(-2.0, 0.0), (-1.0, 0.0), (-3.0, 0.0)], 1, 0, 1),
    ],
)
def test_the_state_that_is_kept(make_model, evaluations, likelihood, hits, both):
    model = make_model()
    best = _Best(model, patience=9)
    update(best, model, *evaluations)
    keys = ("likelihood", "hits", "both")
    assert [kept(best, model, keep) for keep in keys] == [likelihood, hits, both]


def test_without_an_evaluation_the_last_state_is_kept(make_model):
    model = make_model()
    with torch.no_grad():
        model.bias.location.fill_(7.0)
    assert kept(_Best(model, patience=1), model, "both") == 7


def test_distances_by_product(generator):
    z, v = torch.randn(2, 4, 3, generator=generator), torch.randn(2, 5, 3, generator=generator)
    expected = (z[:, :, None] - v[:, None]).square().sum(dim=3)
    torch.testing.assert_close(all_distances(z, v), expected)


def test_hit_rate_of_the_items_nearest_to_the_last_preference_of_the_context(
    make_model, make_choices, generator
):
    model = make_model(num_items=7, state="markov")
    with torch.no_grad():
        model.items.location.copy_(torch.arange(7)[:, None] * torch.tensor([1.0, 0.0]))
    choices = make_choices(users=2)
    click = torch.tensor([[0, 5, 6, 0], [0, 2, -1, 6]])
    choices = replace(choices, click=click)
    source = InMemory(choices, torch.tensor([0, 1]), step=2)
    # The nearest items of 5 and 2 are {5, 4, 6} and {2, 1, 3}. Later clicks: 6 and 0; 6.
    result = evaluate(model, "markov", source, FitConfig(dim=2, top=3), generator)
    assert result is not None
    assert result.hits == pytest.approx((1 / 2 + 0) / 2)
    no_clicks = replace(choices, click=torch.full_like(click, -1))
    none = evaluate(
        model, "markov", InMemory(no_clicks, torch.tensor([0]), 2), FitConfig(dim=2), generator
    )
    assert none is not None
    assert none.hits == 0.0
