import math
from dataclasses import replace

import pytest
import torch

from agents.gru_thompson.losses import choice_likelihood, log_likelihood, slate_logits


def logits(preference, vectors, present=None, nothing=0.0):
    """Return the logits of one step of one user."""
    points = torch.tensor(vectors)
    mask = torch.ones(len(points), dtype=torch.bool) if present is None else torch.tensor(present)
    z = torch.tensor(preference)[None, None]
    return slate_logits(z, points[None, None], mask[None, None], torch.tensor([[nothing]]))


def test_two_items_by_hand():
    # Distances 5 and 1; the score of nothing is -2.
    result = logits([0.0, 0.0], [[3.0, 4.0], [0.0, 1.0]], nothing=-2.0).softmax(2).flatten()
    weights = [math.exp(-2), math.exp(-5), math.exp(-1)]
    expected = torch.tensor([weight / sum(weights) for weight in weights])
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)


def test_empty_slots_are_never_chosen():
    result = logits([0.0, 0.0], [[0.0, 1.0], [0.0, 0.0]], present=[True, False]).double()
    assert result.softmax(2)[0, 0, 2] < 1e-40
    assert result.softmax(2)[0, 0, 1] > 0.2


def test_an_empty_step_is_finite_and_not_scored():
    result = logits([0.0, 0.0], [[1.0, 1.0]], present=[False])
    choice, no = torch.tensor([[1]]), torch.tensor([[False]])
    assert log_likelihood(result, choice, no).item() == 0
    assert math.isfinite(log_likelihood(result, choice, ~no).item())


def test_scores_are_clipped():
    result = logits([0.0], [[500.0]], nothing=50.0)
    assert result.flatten().tolist() == [20.0, -100.0]


def test_permuting_slots_permutes_probabilities():
    points = [[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]
    result = logits([0.5, 0.5], points)[0, 0, 1:]
    turned = logits([0.5, 0.5], [points[2], points[0], points[1]])[0, 0, 1:]
    torch.testing.assert_close(turned, result[[2, 0, 1]])


def test_the_gradient_at_distance_0_is_finite():
    point = torch.zeros(1, 1, 1, 2, requires_grad=True)
    yes, zero = torch.ones(1, 1, 1, dtype=torch.bool), torch.zeros(1, 1)
    slate_logits(torch.zeros(1, 1, 2), point, yes, zero).sum().backward()
    assert torch.isfinite(point.grad).all()


class TestOfAModel:
    def likelihood(self, model, choices, generator):
        start, _ = model.start(choices.context_clicks)
        drawn = model.globals(generator, temperature=0.0)
        return choice_likelihood(model, "linear", choices, drawn, start, generator, 0.0)

    def test_unscored_steps_have_likelihood_0(self, make_model, make_choices, generator):
        model, choices = make_model(), make_choices()
        full = self.likelihood(model, choices, generator)
        masked = choices.scored.clone()
        masked[2, 1] = False
        result = self.likelihood(model, replace(choices, scored=masked), generator)
        assert result[2, 1] == 0
        torch.testing.assert_close(result[masked], full[masked])

    def test_sampling_a_part_of_a_large_catalogue_gives_the_same_result(
        self, make_model, make_choices, generator
    ):
        model = make_model(num_items=500)
        choices = make_choices(users=2)
        small = self.likelihood(model, choices, generator)  # 32 entries of 500 items
        many = make_choices(users=2).select(torch.tensor([0, 1] * 40))
        large = self.likelihood(model, many, generator)  # 1280 entries
        torch.testing.assert_close(small, large[:2])

    @pytest.mark.parametrize("items", [1, 2, 3])
    def test_the_score_of_nothing_depends_on_the_length(
        self, make_model, make_choices, items, generator
    ):
        model, choices = make_model(), make_choices()
        present = torch.arange(3) < items
        with torch.no_grad():
            # From slates with 1 + items slots, "nothing" is always chosen.
            model.bias.location.fill_(-5.0)
            model.bias.location[1 + items] = 5.0
        short = replace(
            choices,
            items=torch.where(present, choices.items, -1),
            length=torch.full_like(choices.length, 1 + items),
            choice=torch.zeros_like(choices.choice),
            click=torch.full_like(choices.click, -1),
        )
        assert (self.likelihood(model, short, generator) > -1e-3).all()
