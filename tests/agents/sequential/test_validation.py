"""Held-out events, and the metric by which training stops."""

import math

import numpy as np
import pytest
import torch

from agents.sequential.config import GRU4RecConfig
from agents.sequential.models import GRU4Rec
from agents.sequential.sequences import Sequences
from agents.sequential.validation import Queries, following, gain, hold_out, ndcg, ranks

EVENTS = [[0, 1, 2], [3], [4, 5], [6, 7, 8, 9]]


@pytest.fixture
def sequences(make_sequences):
    return Sequences.of(make_sequences(EVENTS, num_items=10), "clicked")


def test_ranks_by_hand():
    scores = torch.tensor([[3.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    own = torch.tensor([[2.0], [0.0]])
    # One above and one that ties; four that tie take the mean of the ranks 1 to 4.
    assert ranks(scores, own).tolist() == [2.5, 2.5]


def test_gain_by_hand():
    found = gain(torch.tensor([1.0, 3.0, 10.0, 10.5]))
    assert found.tolist() == pytest.approx([1.0, 0.5, 1 / math.log2(11), 0.0])


def test_the_last_event_of_every_user_with_several_is_held_out(sequences):
    trained, queries = hold_out(
        sequences, GRU4RecConfig(max_length=3), np.random.default_rng(0), "cpu"
    )
    assert trained.events.tolist() == [2, 1, 1, 3]
    order = torch.argsort(queries.target)
    assert queries.target[order].tolist() == [2, 5, 9]
    # The last three tokens; 11 is the start token.
    assert queries.tokens[order].tolist() == [[11, 1, 2], [11, 5, 0], [7, 8, 9]]
    # No held-out event is counted.
    assert trained.counts(10).tolist() == [1, 1, 0, 1, 1, 0, 1, 1, 1, 0]
    seen = {(int(order.argsort()[row]), int(item)) for row, item in zip(*queries.seen, strict=True)}
    assert seen == {(0, 0), (0, 1), (1, 4), (2, 6), (2, 7), (2, 8)}


def test_a_fraction_of_the_users_is_held_out_with_all_their_events(sequences):
    rng = np.random.default_rng(0)
    trained, queries = hold_out(sequences, GRU4RecConfig(held_out=0.5), rng, "cpu")
    assert len(trained.user) == 2
    assert len(queries)
    left = trained.counts(10)
    out = [user for user in range(4) if user not in trained.user]
    assert sum(left) == sum(len(EVENTS[user]) for user in trained.user)
    for target, tokens in zip(queries.target.tolist(), queries.tokens, strict=True):
        (own,) = [EVENTS[user] for user in out if target in EVENTS[user]]
        before = own[: own.index(target)]
        assert [token for token in tokens.tolist() if token] == [11, *(item + 1 for item in before)]


def test_nothing_is_held_out_on_demand_or_if_no_user_has_two_events(sequences, make_sequences):
    rng = np.random.default_rng(0)
    assert hold_out(sequences, GRU4RecConfig(held_out=0.0), rng, "cpu")[1] is None
    single = Sequences.of(make_sequences([[0], [1]], num_items=10), "clicked")
    trained, queries = hold_out(single, GRU4RecConfig(), rng, "cpu")
    assert queries is None
    assert trained.events.tolist() == [1, 1]


def test_the_first_later_event_of_each_known_user_is_judged(sequences, make_sequences):
    later = Sequences.of(make_sequences([[9, 8], [], [7], [], [1]], num_items=10), "clicked")
    queries = following(sequences, later, 3, "cpu")
    assert queries.target.tolist() == [9, 7]
    assert queries.tokens.tolist() == [[1, 2, 3], [11, 5, 6]]
    strangers = Sequences.of(make_sequences([[], [], [], [], [1]], num_items=10), "clicked")
    assert following(sequences, strangers, 3, "cpu") is None


@pytest.mark.parametrize(("exclude_seen", "rank"), [(False, [1, 4, 10]), (True, [1, 2, 6])])
def test_ndcg_by_hand(exclude_seen, rank):
    model = GRU4Rec(GRU4RecConfig(dim=8, max_length=4), 10).eval()
    with torch.no_grad():
        model.embedding.table.weight.zero_()
        model.bias.copy_(torch.arange(10))  # item 9 first, item 0 last
    queries = Queries(
        tokens=torch.tensor([[11, 1, 0, 0], [11, 10, 9, 0], [10, 9, 8, 7]]),
        target=torch.tensor([9, 6, 0]),
        # The target itself may be seen: its rank counts all the same.
        seen=(torch.tensor([0, 1, 1, 2, 2, 2, 2, 2]), torch.tensor([9, 8, 9, 9, 8, 7, 6, 0])),
    )
    expected = sum(1 / math.log2(place + 1) for place in rank) / 3
    assert ndcg(model, queries, exclude_seen) == pytest.approx(expected)
