"""The agents that count: scores by hand, slates, ties, errors and saving."""

import numpy as np
import pytest

import agents
from recsim.errors import UserError
from recsim.problem import Problem

NAMES = ["ease", "item_knn", "sequential_rules", "transitions"]
# Item 4 never occurs.
SEQUENCES = [[0, 1, 2], [0, 1, 3], [1, 2]]


def problem(items=5, size=2):
    return Problem(
        num_items=items,
        slate_size=size,
        rewards={"click": 1.0, "watch": 0.0},
    )


@pytest.fixture
def fitted(make_log):
    def build(name, sequences=SEQUENCES, items=5, seed=0, size=2, **config):
        known = problem(items, size)
        user = np.repeat(np.arange(len(sequences)), [len(s) for s in sequences])
        slate = np.full((len(user), size), -1)
        slate[:, 0] = np.concatenate(sequences)
        log = make_log(known, len(user), user=user, slate=slate, clicks=(slate >= 0).astype("i1"))
        agent = agents.make(name, known, seed=seed, **config)
        agent.fit(log)
        return agent

    return build


def observe(histories, items=5):
    histories = np.asarray(histories)
    return {
        "history_items": histories,
        "history_clicks": (histories >= 0).astype(np.int8),
        "candidates": np.tile(np.arange(items), (len(histories), 1)),
    }


def test_transitions_from_the_last_two_events_by_hand(fitted):
    obs = observe([[0, 1], [1, 0]])
    n = 1e-4 * np.array([2, 3, 2, 1, 0])
    from_1, from_0 = np.array([0, 0, 2, 1, 0]), np.array([0, 2, 0, 0, 0])
    two = [from_1 + 0.3 * from_0 + n, from_0 + 0.3 * from_1 + n]
    np.testing.assert_allclose(fitted("transitions").scores(obs), two)
    np.testing.assert_allclose(fitted("transitions", last=1).scores(obs), [from_1 + n, from_0 + n])


def test_rules_decay_with_the_age_of_an_event_by_hand(fitted):
    agent = fitted("sequential_rules", decay=0.5, popularity=0.0)
    # 0 is the event before 1: W[1] + W[0] / 2.
    scores = agent.scores(observe([[0, 1]]))
    np.testing.assert_allclose(scores, [[0, 1, 2.25, 1.25, 0]])


def test_neighbours_are_kept_of_the_candidate_or_of_the_item_seen(fitted):
    # The nearest item of 1 is 0, and 1 is the nearest of 0 and of 2.
    one = {"neighbours": 1, "shrink": 1.0, "popularity": 0.0}
    near = 2 / (6**0.5 + 1)
    of_seen = fitted("item_knn", neighbours_of="history", **one).scores(observe([[1]]))
    np.testing.assert_allclose(of_seen, [[near, 0, 0, 0, 0]])
    of_candidates = fitted("item_knn", **one).scores(observe([[1]]))
    np.testing.assert_allclose(of_candidates, [[near, 0, near, 0, 0]])


def test_ease_adds_weights_of_the_items_seen_by_their_age(fitted):
    agent = fitted("ease", ridge=2.0, decay=0.5)
    alone = agent.scores(observe([[0], [1]]))
    both = agent.scores(observe([[0, 1]]))
    np.testing.assert_allclose(both[0], alone[1] + alone[0] / 2)


@pytest.mark.parametrize("name", NAMES)
class TestEveryCountingAgent:
    def test_users_without_known_events_get_the_popular_items(self, name, fitted):
        # Item 4 is in no training sequence.
        obs = observe([[-1, -1], [-1, 4]])
        np.testing.assert_array_equal(fitted(name).scores(obs), [[2, 3, 2, 1, 0]] * 2)
        del obs["history_items"], obs["history_clicks"]
        assert fitted(name).act(obs).slates[:, 0].tolist() == [1, 1]

    def test_scores_are_those_of_the_candidates(self, name, fitted):
        agent = fitted(name)
        obs = observe([[0, 1], [1, 2]])
        every = agent.scores(obs)
        obs["candidates"] = np.array([[3, 0, 2], [4, 1, 0]])
        some = np.take_along_axis(every, obs["candidates"], axis=1)
        np.testing.assert_array_equal(agent.scores(obs), some)

    def test_users_do_not_depend_on_each_other(self, name, fitted):
        agent = fitted(name)
        together = agent.scores(observe([[-1, 0, 1], [1, 2, 0]]))
        alone = [agent.scores(observe([history]))[0] for history in ([0, 1], [1, 2, 0])]
        np.testing.assert_allclose(together, alone, atol=1e-12)

    def test_items_seen_are_shown_last_if_they_are_excluded(self, name, fitted):
        agent = fitted(name, size=5, exclude_seen=True)
        obs = observe([[0, 1]])
        shown = agent.act(obs).slates[0]
        assert set(shown[3:].tolist()) == {0, 1}
        scores = agent.scores(obs)[0]  # as if they were not excluded
        assert (np.diff(scores[shown[:3]]) <= 0).all()

    def test_ties_are_broken_by_the_seed_and_not_by_id(self, name, fitted):
        # Items 2 ... 39 never occur: they tie.
        first = {
            int(fitted(name, [[0, 1]], items=40, seed=seed, size=3).act(obs).slates[0, -1])
            for seed in range(8)
            for obs in [observe([[-1]], items=40)]
        }
        assert len(first) > 4
        assert min(first) >= 2

    def test_what_was_not_clicked_is_no_event(self, name, fitted, make_log):
        agent, known = fitted(name), problem()
        before = agent.scores(observe([[0, 1]]))
        user = np.repeat([0, 1, 2], [4, 4, 2])
        slate = np.array(
            [
                *([0, -1], [1, -1], [4, -1], [2, -1]),
                *([0, 3], [1, 4], [3, 2], [4, -1]),
                *([1, 0], [2, 3]),
            ]
        )
        clicks = np.zeros(slate.shape, dtype=np.int8)
        clicks[:, 0] = [1, 1, 0, 1, 1, 1, 1, 0, 1, 1]
        again = make_log(known, 10, user=user, slate=slate, clicks=clicks)
        agent.fit(again)
        np.testing.assert_array_equal(agent.scores(observe([[0, 1]])), before)
        obs = observe([[0, 4, 1]])
        obs["history_clicks"] = np.array([[1, 0, 1]], dtype=np.int8)
        np.testing.assert_array_equal(agent.scores(obs), before)

    def test_a_loaded_agent_scores_alike(self, name, fitted):
        agent = fitted(name)
        other = agents.make(name, problem(), seed=3)
        with pytest.raises(UserError, match="must be fitted on a log"):
            other.scores(observe([[0]]))
        other.load_state_dict(agent.state_dict())
        obs = observe([[0, 1], [2, -1]])
        np.testing.assert_array_equal(agent.scores(obs), other.scores(obs))
        np.testing.assert_array_equal(agent.act(obs).slates, other.act(obs).slates)
        with pytest.raises(UserError, match="it has 5 items; there are 6"):
            agents.make(name, problem(6)).load_state_dict(agent.state_dict())

    def test_logs_without_users_or_events_are_refused(self, name, make_log):
        agent = agents.make(name, problem())
        with pytest.raises(UserError, match="does not know its users"):
            agent.fit(make_log(problem(), 4, anonymous=True))
        none = np.zeros((4, 2), dtype=np.int8)
        with pytest.raises(UserError, match="learns from clicks, but the log has none"):
            agent.fit(make_log(problem(), 4, clicks=none))


def test_ease_refuses_a_catalogue_that_it_cannot_invert():
    with pytest.raises(UserError, match=r"at most 20,000; this catalogue has 20,001\. Use 'seq"):
        agents.make("ease", problem(20_001))


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("transitions", {"last": 3}, r"config\.last: must be 1 or 2"),
        ("transitions", {"last": 1, "second": 0.5}, "'second' has no effect with last 1"),
        ("sequential_rules", {"decay": 0.0}, r"config\.decay"),
        ("ease", {"ridge": 0}, r"config\.ridge"),
        ("ease", {"lambda": 100}, r"config\.lambda: unknown key"),
        ("item_knn", {"neighbours_of": "seen"}, "must be 'candidate' or 'history'"),
    ],
)
def test_wrong_settings_are_named(name, config, message):
    with pytest.raises(UserError, match=message):
        agents.make(name, problem(), **config)


def first_unseen(agent, histories, items):
    scores = agent.scores(observe(histories, items))
    np.put_along_axis(scores, histories, -np.inf, axis=1)
    return scores.argmax(axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_each_beats_popularity_by_what_it_counts(name, fitted):
    """Users have items of one of three groups of eight, each of which follows one other."""
    rng = np.random.default_rng(0)
    group, start = rng.integers(3, size=200), rng.integers(8, size=200)
    steps = np.where(rng.random((200, 6)) < 0.9, 1, rng.integers(1, 8, (200, 6))).cumsum(axis=1)
    items = 8 * group[:, None] + (start[:, None] + steps) % 8
    shown = {
        label: first_unseen(fitted(agent, items[:120].tolist(), 24, **config), items[120:, :4], 24)
        for label, agent, config in (
            ("counting", name, {}),
            ("popularity", "popularity", {"rank_by": "total"}),
        )
    }
    in_group = {label: (found // 8 == group[120:]).mean() for label, found in shown.items()}
    assert in_group["counting"] > 0.95
    assert in_group["popularity"] < 0.6
    if name in ("transitions", "sequential_rules"):
        follower = 8 * group[120:] + (items[120:, 3] % 8 + 1) % 8
        new = ~(items[120:, :4] == follower[:, None]).any(axis=1)
        assert (shown["counting"] == follower)[new].mean() > 0.85
        assert (shown["popularity"] == follower)[new].mean() < 0.3
