import numpy as np
import pytest
import torch
from torch import nn

from agents.shared.early_stopping import Training, split_by_user, train


class Level(nn.Module):
    """One number."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.0))


def training(**changes) -> Training:
    settings = {"steps": 400, "batch_size": 8, "learning_rate": 0.1, "weight_decay": 0.0}
    return Training(**settings | {"evaluate_every": 10, "patience": 3} | changes)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_whole_users_are_held_out(generator):
    user = np.array([7, 3, 7, 9, 3, 5, 9, 7])
    rows, held_out = split_by_user(user, 0.5, generator)
    assert sorted([*rows.tolist(), *held_out.tolist()]) == list(range(8))
    assert len(set(user[held_out])) == 2
    assert not set(user[held_out]) & set(user[rows])
    every, none = split_by_user(user, 0.1, generator)
    assert every.tolist() == list(range(8))
    assert len(none) == 0


def test_the_best_state_is_kept_and_training_ends(generator):
    # The rows to train on pull to 4, the one held out wants 2: beyond it things get worse.
    wanted = torch.tensor([4.0, 4.0, 2.0])
    model = Level()
    report = train(
        model,
        lambda rows: (model.level - wanted[rows]).square(),
        torch.tensor([0, 1]),
        torch.tensor([2]),
        training(),
        generator,
    )
    best = min(row["held_out"] for row in report)
    assert (model.level.item() - 2) ** 2 == pytest.approx(best)
    assert report[-1]["held_out"] > best
    assert report[-1]["step"] < 400
    worse = [row["held_out"] > best for row in report]
    assert worse[-3:] == [True] * 3
    assert not worse[-4]


def test_without_held_out_users_all_steps_are_taken(generator):
    model, wanted = Level(), torch.tensor([4.0])
    none_held_out = torch.tensor([], dtype=torch.long)
    rows = torch.tensor([0])

    def losses(some):
        return (model.level - wanted[some]).square()

    report = train(model, losses, rows, none_held_out, training(steps=395), generator)
    assert [report[0]["step"], report[-2]["step"], report[-1]["step"]] == [10, 390, 395]
    assert all(row.keys() == {"step", "loss"} for row in report)
    assert model.level.item() == pytest.approx(4.0, abs=0.05)
