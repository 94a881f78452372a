"""Events of logs and observations, as tokens, and the windows drawn from them."""

import numpy as np
import pytest
import torch

from agents.sequential.sequences import (
    Sequences,
    Windows,
    by_length,
    observed,
    special_tokens,
)


def of_users(sequences):
    """The tokens of each user, as lists."""
    ends = sequences.begin + sequences.events + 1
    return [
        sequences.tokens[begin:end].tolist()
        for begin, end in zip(sequences.begin, ends, strict=True)
    ]


def test_sequences_are_of_one_user_each_and_begin_with_the_start_token(make_sequences):
    log = make_sequences([[0, 1, 2], [5], [6, 6]], num_items=7)
    sequences = Sequences.of(log, "clicked")
    assert of_users(sequences) == [[8, 1, 2, 3], [8, 6], [8, 7, 7]]
    assert sequences.user.tolist() == [0, 1, 2]
    assert sequences.counts(7).tolist() == [1, 1, 1, 0, 0, 1, 2]
    user, item = sequences.items()
    assert (user.tolist(), item.tolist()) == ([0, 0, 0, 1, 2, 2], [0, 1, 2, 5, 6, 6])


def test_shortened_sequences_have_only_their_first_events(make_sequences):
    log = make_sequences([[0, 1, 2], [5], [6, 6]], num_items=7)
    short = Sequences.of(log, "clicked").shortened(np.array([2, 0, 1]))
    assert of_users(short) == [[8, 1, 2], [8], [8, 7]]
    assert short.counts(7).tolist() == [1, 1, 0, 0, 0, 0, 1]
    assert short.last(2).tolist() == [[1, 2], [8, 0], [8, 7]]
    assert short.select(np.array([2])).last(4).tolist() == [[8, 7, 0, 0]]


def test_only_clicks_are_events_unless_shown_items_count(make_sequences):
    log = make_sequences([[3, -1, 2]], num_items=4)  # the slate not clicked shows item 0
    assert of_users(Sequences.of(log, "clicked")) == [[5, 4, 3]]
    assert of_users(Sequences.of(log, "shown")) == [[5, 4, 1, 3]]


def test_events_of_a_slate_are_in_order_of_position_without_padding(make_problem, make_log):
    problem = make_problem(num_items=5, slate_size=3)
    columns = {
        "user": np.zeros(2, dtype=np.int64),
        "slate": np.array([[4, 0, 2], [1, 3, -1]]),
        "clicks": np.array([[1, 0, 1], [0, 1, 0]], dtype=np.int8),
    }
    log = make_log(problem, 2, **columns)
    assert of_users(Sequences.of(log, "clicked")) == [[6, 5, 3, 4]]
    assert of_users(Sequences.of(log, "shown")) == [[6, 5, 1, 3, 2, 4]]


@pytest.mark.parametrize("events", ["clicked", "shown"])
def test_sequences_of_a_log_match_its_observations(make_problem, make_log, events):
    problem = make_problem(num_items=9, slate_size=2)
    log = make_log(problem, 30, user=np.arange(30) % 3)
    last = np.array([np.flatnonzero(log.user == user)[-1] for user in range(3)])
    seen = observed(log.observations(last, history_slates=20), events, 99, 10)
    for own, before in zip(of_users(Sequences.of(log, events)), seen, strict=True):
        length = (before > 0).sum()
        assert own[:length] == before[:length].tolist()


def test_observed_events_are_on_the_left_wherever_the_padding_is():
    history = {"candidates": np.zeros((3, 2)), "history_clicks": np.ones((3, 4))}
    items = np.array([[-1, -1, 3, 1], [3, 1, -1, -1], [-1, 3, -1, 1]])
    tokens = observed({**history, "history_items": items}, "clicked", 9, start=8)
    assert tokens.tolist() == [[8, 4, 2]] * 3
    nothing = observed({**history, "history_items": np.full((3, 4), -1)}, "clicked", 9, start=8)
    assert nothing.tolist() == [[8]] * 3
    assert observed({"candidates": np.zeros((3, 2))}, "clicked", 9, 8).tolist() == [[8]] * 3


def test_only_the_last_tokens_are_observed():
    items = np.array([[0, 1, 2, 3], [-1, -1, -1, 4], [-1, -1, 5, 6]])
    obs = {"candidates": np.zeros((3, 2)), "history_items": items}
    assert observed(obs, "shown", 3, 9).tolist() == [[2, 3, 4], [9, 5, 0], [9, 6, 7]]


def test_special_tokens_differ_from_items():
    assert not set(special_tokens(5)) & set(range(6))


@pytest.fixture
def drawn(make_sequences):
    """Windows of L = 4 of users with 10, 3 and 4 events; every item is an event once."""
    log = make_sequences([range(10), range(10, 13), range(13, 17)], num_items=17)
    torch.manual_seed(0)
    windows = Windows(Sequences.of(log, "clicked"), 4, "cpu")
    assert windows.mean_events == pytest.approx((2.5 * 4 + 3 + 4) / 4.5)
    return windows.draw(4500)


def test_windows_are_parts_of_a_sequence_as_long_as_possible(drawn):
    start = 18
    expected = {(start, 11, 12, 13, 0), (start, 14, 15, 16, 17)}
    whole = [start, *range(1, 11)]
    expected |= {tuple(whole[i : i + 5]) for i in range(7)}
    assert {tuple(row) for row in drawn.tolist()} == expected


def test_events_are_predicted_about_equally_often(drawn):
    target = drawn[:, 1:]
    counts = torch.bincount(target[target > 0], minlength=18)[1:]
    # 1000 windows each of the two short users, standard deviation 28
    assert counts[10:].tolist() == pytest.approx([1000] * 7, abs=140)
    # Of the ten ends 2 ... 11, cut to 4 ... 10, so many windows have an event as one of the last 4:
    ends = [3, 4, 5, 6, 4, 4, 4, 4, 3, 2]
    ends = [
        sum(item + 1 <= end < item + 5 for end in (4, 4, 4, 5, 6, 7, 8, 9, 10, 10))
        for item in range(10)
    ]
    assert min(ends) == 2
    assert counts[:10].tolist() == pytest.approx([250 * end for end in ends], abs=140)


def test_groups_of_similar_length_hold_every_sequence_once():
    length = torch.tensor([1, 40, 3, 17, 16, 9, 33, 8, 50, 5])
    tokens = (torch.arange(50) < length[:, None]).long()
    rows = []
    for group, part in by_length(tokens):
        own = length[group]
        assert part.shape == (len(group), int(own.max()))
        assert torch.equal(part, tokens[group, : part.shape[1]])
        assert own.max() <= 8 or own.max() < 2 * own.min()
        rows += group.tolist()
    assert sorted(rows) == list(range(10))
