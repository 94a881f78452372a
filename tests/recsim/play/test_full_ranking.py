"""Rankings of all items at rows of a log."""

import numpy as np
import pytest

import agents
from recsim.contracts.slates import Decision
from recsim.errors import AgentError
from recsim.play import full_ranking
from recsim.play.full_ranking import rank_next


class Fixed:
    """Ranks by given scores, the same for all users; remembers what it saw."""

    def __init__(self, scores, size=2):
        self.given, self.size, self.seen = np.array(scores, dtype=float), size, []

    def begin(self, batch_size):
        self.batch = batch_size

    def scores(self, obs):
        self.seen.append(obs["history_items"])
        return np.tile(self.given, (len(obs["candidates"]), 1))


class Slates(Fixed):
    """The same without scores."""

    scores = None

    def act(self, obs):
        best = np.argsort(-self.given, kind="stable")[: self.size]
        return Decision(np.tile(best, (len(obs["candidates"]), 1)))


@pytest.fixture
def log(random_log):
    """Users 0 and 1 with events 0 1 2 and 3 1; four items."""
    slate = np.array([[0, -1], [3, -1], [1, -1], [1, -1], [2, -1]])
    return random_log(
        5,
        items=4,
        users=2,
        user=np.array([0, 1, 0, 1, 0]),
        slate=slate,
        clicks=(slate >= 0).astype(np.int8),
        propensity=None,
    )


ROWS = np.array([3, 4])  # user 1 after 3, user 0 after 0 1


def test_ranks_by_hand(log):
    agent = Fixed([0.9, 0.5, 0.5, 0.1])
    found = rank_next(agent, log, ROWS, top=2)
    # User 1: 0, then 1 and 2 tied: 2.5. User 0: 2, then 3.
    assert found.rank.tolist() == [2.5, 1]
    assert found.shown[0, 0] == 0
    assert found.shown[1].tolist() == [2, 3]
    assert found.scored
    every = rank_next(agent, log, ROWS, top=2, exclude_seen=False)
    assert every.rank.tolist() == [2.5, 2.5]
    assert every.shown[:, 0].tolist() == [0, 0]


def test_items_that_are_not_in_training_are_ranked_last(log):
    trained = np.array([True, False, True, True])
    agent = Fixed([0.1, 0.5, 0.2, 0.9])
    agent.reads = frozenset({"history", "item_ids"})
    found = rank_next(agent, log, ROWS, top=3, trained=trained)
    # Item 1, the next one of user 1, who has 3, comes after 2 and 0.
    assert found.rank.tolist() == [3, 2]
    assert found.shown.tolist() == [[2, 0, -1], [3, 2, -1]]
    assert found.ranked.tolist() == [3, 2]
    every = rank_next(agent, log, ROWS, exclude_seen=False, trained=trained)
    assert every.ranked.tolist() == [4, 4]
    # Features tell something of such an item.
    agent.reads = frozenset({"item_features"})
    assert rank_next(agent, log, ROWS, trained=trained).rank.tolist() == [1, 2]
    del agent.reads
    assert rank_next(agent, log, ROWS, trained=trained).rank.tolist() == [1, 2]


def test_agents_without_scores_are_ranked_by_their_slates(log):
    found = rank_next(Slates([0.9, 0.5, 0.4, 0.1], size=3), log, ROWS, top=2)
    assert found.rank.tolist() == [2, 1]  # 0 and 1 are seen by user 0
    assert found.shown.tolist() == [[0, 1], [2, -1]]
    assert not found.scored
    assert np.isinf(rank_next(Slates([0.9, 0.1, 0.4, 0.8]), log, ROWS[:1], top=2).rank).all()


def test_ties_among_the_items_shown_are_broken_by_the_seed(log):
    shown = [rank_next(Fixed(np.zeros(4)), log, ROWS, top=1, seed=s).shown[0, 0] for s in range(20)]
    assert set(shown) == {0, 1, 2}  # 3 is seen


def test_agents_see_earlier_events_only(log):
    agent = Fixed(np.zeros(4))
    rank_next(agent, log, ROWS)
    (history,) = agent.seen
    assert [[i for i in row if i >= 0] for row in history.tolist()] == [[3], [0, 1]]
    short = Fixed(np.zeros(4))
    rank_next(short, log, ROWS, history=1)
    assert [[i for i in row if i >= 0] for row in short.seen[0].tolist()] == [[3], [1]]


def test_batches_change_nothing(random_log, monkeypatch):
    rows = 80
    slate = np.full((rows, 2), -1)
    slate[:, 0] = np.random.default_rng(0).integers(0, 7, rows)
    log = random_log(rows, slate=slate, clicks=(slate >= 0).astype(np.int8), propensity=None)
    agent = agents.make("sequential_rules", log.problem)
    agent.fit(log)
    whole = rank_next(agent, log, np.arange(rows), top=3)
    monkeypatch.setattr(full_ranking, "_BLOCK", 100)
    pieces = rank_next(agent, log, np.arange(rows), top=3)
    np.testing.assert_array_equal(whole.rank, pieces.rank)
    np.testing.assert_array_equal(whole.shown, pieces.shown)


def test_scores_that_are_no_numbers_are_refused(log):
    with pytest.raises(AgentError, match=r"Fixed\.scores: a score is NaN"):
        rank_next(Fixed([0, np.nan, 0, 0]), log, ROWS)
