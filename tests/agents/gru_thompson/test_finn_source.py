import dataclasses
import tracemalloc

import numpy as np
import pytest
import torch

from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson.choices import InMemory, from_log
from agents.gru_thompson.finn_source import FinnSource
from recsim.log.readers.finn import FinnSlates, FinnSplit
from recsim.log.readers.finn_layout import write_finn
from reproductions.gru_thompson.distance import DistanceWorld

SPLIT = FinnSplit(valid=np.array([2, 7]), test=np.array([4]), step=3)


@pytest.fixture(scope="module")
def cohort():
    people = DistanceWorld(num_items=30, num_groups=6, slate_size=4).start(25, 0)
    people.log_for(7)
    return people


@pytest.fixture(scope="module")
def slates(cohort, tmp_path_factory):
    return FinnSlates(write_finn(tmp_path_factory.mktemp("finn"), cohort.to_log(), compress=True))


def assert_same(one, other):
    for field in dataclasses.fields(one):
        torch.testing.assert_close(getattr(one, field.name), getattr(other, field.name))


@pytest.mark.parametrize(("part", "users"), [("valid", [2, 7]), ("test", [4])])
def test_the_source_gives_the_same_choices_as_the_log(cohort, slates, part, users, generator):
    choices = from_log(cohort.to_log())
    source = FinnSource(slates, SPLIT, part)
    (training,) = source.batches(100, generator)
    expected = InMemory(choices, torch.tensor([2, 4, 7]), 3)
    assert_same(training, next(expected.batches(100, generator)))
    (held_out,) = source.held_out(100)
    assert_same(held_out, choices.select(torch.tensor(users)).after(3))


def test_batches_hold_every_user_once(slates, generator):
    source = FinnSource(slates, SPLIT)
    batches = list(source.batches(10, generator))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    every = torch.cat([batch.items for batch in batches]).tolist()
    (whole,) = source.batches(100, generator)
    assert sorted(every) == sorted(whole.items.tolist())
    assert [len(part) for part in source.held_out(1)] == [1, 1]


def test_an_agent_can_be_fitted_to_a_source(cohort, slates):
    config = GRUThompsonConfig(dim=2, steps=6, evaluate_every=3, batch_size=10, policy="greedy")
    agent = GRUThompsonAgent(config, slates.problem, 0)
    report = agent.fit_source(FinnSource(slates, SPLIT), slots=slates.slots - 1, horizon=7)
    assert report.rows == 25
    assert {"likelihood", "hits"} <= report.losses[-1].keys()
    assert agent.act(cohort.observation()).slates.shape == (25, 4)


def test_the_memory_of_an_epoch_does_not_grow_with_the_users(tmp_path, generator):
    peaks = []
    for users in (300, 3000):
        people = DistanceWorld(num_items=30, num_groups=6, slate_size=4).start(users, 0)
        people.log_for(7)
        slates = FinnSlates(write_finn(tmp_path / str(users), people.to_log()))
        source = FinnSource(slates, SPLIT)
        tracemalloc.start()
        for _ in source.batches(50, generator):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # If all users were loaded, ten times as many would take ten times the memory.
    assert peaks[1] < 1.5 * peaks[0]
