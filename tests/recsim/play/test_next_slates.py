from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import agents
from recsim.contracts.slates import Decision
from recsim.log.encode import rank_within
from recsim.log.readers.sessions import return_shares
from recsim.play import next_slates as module
from recsim.play.next_slates import next_slates


class Recorder:
    """Shows the items after those shown last, and keeps its observations."""

    def __init__(self, problem):
        self.size, self.items = problem.slate_size, problem.num_items
        self.batches: list[int] = []
        self.seen: list[dict[str, Any]] = []

    def begin(self, batch_size):
        self.batches.append(batch_size)

    def act(self, obs):
        self.seen.append(obs)
        last = obs["history_items"][:, -self.size :]
        return Decision((last + 1) % self.items)


@pytest.fixture
def log(random_log):
    """Three rows of user 0 (days 0, 3, 12), one of user 1 (day 2), two of user 2 (days 1, 8)."""
    made = random_log(6, items=7, users=3)
    returns = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    return replace(
        made,
        problem=replace(made.problem, rewards={"click": 1.0, "return": 0.0}),
        user=np.array([0, 2, 1, 0, 2, 0]),
        day=np.array([0, 1, 2, 3, 8, 12]),
        feedback={"click": made.feedback["click"], "return": returns},
    ).validate()


def test_users_are_followed_and_observations_show_what_was_logged(log):
    agent = Recorder(log.problem)
    slates = next_slates(agent, log, history=2)
    assert agent.batches == [3]
    assert len(agent.seen) == 3
    # The user with the most rows comes first; users without further rows stay in the batch.
    assert [obs["user"].tolist() for obs in agent.seen] == [[0, 2, 1]] * 3
    assert [obs["history_length"][:, 0].tolist() for obs in agent.seen] == [
        [0, 0, 0],
        [1, 1, 0],
        [2, 1, 0],
    ]
    assert agent.seen[2]["history_items"][0].tolist() == [*log.slate[0], *log.slate[3]]
    first = np.zeros(2, dtype=np.int64)  # after padding, -1, comes 0
    expected = [first, first, first, log.slate[0] + 1, log.slate[1] + 1, log.slate[3] + 1]
    assert slates.tolist() == (np.array(expected) % 7).tolist()


def test_returns_are_observed_when_they_happen(log):
    agent = Recorder(log.problem)
    next_slates(agent, log, history=1, return_days=7)
    arrived = np.array([obs["feedback"][:, 1] for obs in agent.seen])  # (T, users 0, 2, 1)
    # User 0 returns on day 3, within 7 days of day 0; day 12 is too late for both. User 2 returns
    # on day 8, the last of the window of day 1; their last row is repeated.
    assert (arrived * 7).round(6).tolist() == [[0, 0, 0], [1, 1, 0], [0, 1, 0]]
    plain = Recorder(log.problem)
    next_slates(plain, log, history=1)
    assert plain.seen[1]["feedback"][:, 1].tolist() == [1, 1, 0]  # the reward in the log


@pytest.mark.parametrize("users", [1, 2])
def test_the_batch_size_has_no_effect(log, monkeypatch, users):
    together = next_slates(Recorder(log.problem), log, history=2)
    monkeypatch.setattr(module, "_USERS", users)
    agent = Recorder(log.problem)
    assert next_slates(agent, log, history=2).tolist() == together.tolist()
    assert agent.batches == ([1, 1, 1] if users == 1 else [2, 1])


def test_decisions_are_indices_and_slates_are_items(log):
    candidates = np.argsort(np.random.default_rng(1).random((6, 7)), axis=1)
    indices = next_slates(Recorder(log.problem), log, history=1)
    items = next_slates(Recorder(log.problem), replace(log, candidates=candidates), history=1)
    assert items.tolist() == np.take_along_axis(candidates, indices, axis=1).tolist()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dt4ier", {"steps": 20, "embed_dim": 16, "context": 4, "learning_rate": 0.02}),
        ("gru4rec", {"steps": 20, "dim": 16, "events": "shown"}),
    ],
)
def test_future_rows_other_users_and_later_returns_do_not_change_a_slate(
    random_log, name, settings
):
    def days(seed):
        made = random_log(80, items=12, users=10, seed=seed)
        returns = {"return": return_shares(made.user, made.day, 3)}
        problem = replace(made.problem, rewards={**made.problem.rewards, "return": 0.0})
        return replace(made, problem=problem, feedback=made.feedback | returns)

    first, other = days(0), days(1)
    agent = agents.make(name, first.problem, seed=0, **settings)
    agent.fit(days(2))

    def shown(rows):
        """Return the slates if some rows are replaced by those of another log."""
        mixed = replace(
            first,
            slate=np.where(rows[:, None], other.slate, first.slate),
            clicks=np.where(rows[:, None], other.clicks, first.clicks),
            feedback={
                key: np.where(rows, other.feedback[key], values)
                for key, values in first.feedback.items()
            },
        )
        return next_slates(agent, mixed, history=5, return_days=3)

    none = np.zeros(80, dtype=bool)
    plain, step = shown(none), rank_within(first.user)
    late = shown(step >= 3)
    assert (late[step <= 3] == plain[step <= 3]).all()
    assert (late[step > 3] != plain[step > 3]).any()
    others = shown(first.user != 4)
    assert (others[first.user == 4] == plain[first.user == 4]).all()
    labels = replace(first, feedback=first.feedback | {"return": np.ones(80)})
    assert (next_slates(agent, labels, history=5, return_days=3) == plain).all()
