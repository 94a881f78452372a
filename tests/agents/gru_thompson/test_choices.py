import numpy as np
import pytest
import torch

from agents.gru_thompson.choices import InMemory, against_all_items, from_log


@pytest.fixture
def log(make_problem, make_log):
    problem = make_problem(num_items=6, slate_size=2)
    return make_log(
        problem,
        4,
        user=np.array([5, 2, 5, 5]),
        slate=np.array([[0, 1], [2, 3], [4, -1], [5, 0]]),
        clicks=np.array([[0, 1], [0, 0], [1, 0], [1, 1]], dtype=np.int8),
        user_features=np.zeros((6, 3), dtype=np.float32),
    )


def test_choices_of_a_small_log(log):
    choices = from_log(log)
    # User 2 comes first; the slate with two clicks gives two choices.
    assert choices.items.tolist() == [
        [[2, 3], [-1, -1], [-1, -1], [-1, -1]],
        [[0, 1], [4, -1], [5, 0], [5, 0]],
    ]
    assert choices.length.tolist() == [[3, 0, 0, 0], [3, 2, 3, 3]]
    assert choices.choice.tolist() == [[0, 0, 0, 0], [2, 1, 1, 2]]
    assert choices.click.tolist() == [[-1, -1, -1, -1], [1, 4, 5, 0]]
    assert choices.scored.tolist() == [[True, False, False, False], [True] * 4]


def test_only_late_choices_of_held_out_users_are_held_out(make_choices, generator):
    choices = make_choices(users=5, steps=4)
    source = InMemory(choices, torch.tensor([1, 3]), step=3)
    (held_out,) = source.held_out(10)
    assert held_out.scored.tolist() == [[False, False, False, True]] * 2
    assert held_out.context.tolist() == [[True, True, True, False]] * 2
    torch.testing.assert_close(held_out.items, choices.items[[1, 3]])
    (training,) = source.batches(10, generator)
    late = training.scored[:, 3].tolist()
    assert late == [True, False, True, False, True]
    assert training.scored[:, :3].all()
    torch.testing.assert_close(training.context, training.scored)


def test_batches_hold_every_user_once(make_choices, generator):
    choices = make_choices(users=7)
    source = InMemory(choices, torch.zeros(0, dtype=torch.long), step=2)
    batches = list(source.batches(3, generator))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    batched = torch.cat([batch.items for batch in batches])
    assert sorted(batched.tolist()) == sorted(choices.items.tolist())
    assert list(source.held_out(3)) == []


def test_against_all_items_the_other_options_are_random(make_choices, generator):
    choices = make_choices(users=200, num_items=7)
    random = against_all_items(choices, 50, generator)
    clicked = choices.click >= 0
    assert (random.items[:, :, 0][clicked] == choices.click[clicked]).all()
    assert (random.choice == clicked.long()).all()
    assert (random.length == 4).all()
    others = torch.bincount(random.items[:, :, 1:].flatten(), minlength=50)
    # 1600 uniform draws from 50 items: mean 32, deviation 5.6.
    assert others.min() > 8
    assert others.max() < 60
