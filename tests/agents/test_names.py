"""Agents and the names of items and users."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agents
from agents.saving import load_agent, save_agent
from agents.shared.base import BaseSlateAgent
from agents.shared.recommending import recommend
from recsim.contracts.kinds import kind_of
from recsim.contracts.slates import Decision
from recsim.errors import AgentError
from recsim.log import SlateLog
from recsim.problem import Problem

NAMES = st.one_of(
    st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1), min_size=9, max_size=9, unique=True
    ),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=9, max_size=9, unique=True),
)


@pytest.fixture(scope="module")
def named_problem():
    """Return a problem of nine items with names."""
    return Problem(
        num_items=9,
        slate_size=3,
        item_features=np.random.default_rng(7).normal(size=(9, 2)).astype(np.float32),
        item_names=[f"item {number}" for number in range(9)],
        user_names=["ann", "bob", "cyd"],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("agents")


@given(NAMES, NAMES)
@settings(max_examples=10)
def test_names_survive_a_saved_agent(named_problem, folder, items, users):
    problem = replace(named_problem, item_names=items, user_names=users)
    save_agent(agents.make("popularity", problem), folder / "agent.pt")
    loaded = load_agent(folder / "agent.pt").problem
    assert list(loaded.item_names) == items
    assert list(loaded.user_names) == users
    assert loaded.item_names == problem.item_names


def test_an_agent_for_other_items_is_refused(named_problem):
    agent = agents.make("popularity", named_problem)
    agents.check_instance(agent, named_problem)
    others = replace(named_problem, item_names=[f"other {item}" for item in range(9)])
    with pytest.raises(AgentError, match="'PopularityAgent' was built for other items"):
        agents.check_instance(agent, others)
    agents.check_instance(agent, replace(named_problem, item_names=None))


SLATE_AGENTS = {name for name in agents.BUILTIN if kind_of(agents.load(name)) == "slates"}
MIXTURE = {"members": [{"name": "popularity"}, {"name": "random"}]}
ITEMS = [f"item {number}" for number in range(9)]


def named_log(problem, rows=40):
    """Return a log of three users, in which later items are clicked more often."""
    rng = np.random.default_rng(3)
    slate = np.argsort(rng.random((rows, 9)), axis=1)[:, : problem.slate_size]
    clicks = (rng.random(slate.shape) < 0.1 + slate / 10).astype(np.int8)
    return SlateLog(
        problem=problem,
        user=np.arange(rows) % 3,
        session=np.zeros(rows, dtype=np.int64),
        day=np.zeros(rows, dtype=np.int64),
        step=np.arange(rows) // 3,
        slate=slate,
        clicks=clicks,
        feedback={"click": clicks.sum(axis=1).astype(float), "watch": rng.random(rows)},
        user_features=np.zeros((3, problem.user_feature_dim), dtype=np.float32),
    ).validate()


@pytest.fixture
def fitted(named_problem, quick):
    """Build an agent by name, fitted on a log of items and users with names."""

    def build(name, **changes):
        problem = replace(named_problem, rewards={"click": 1.0, "watch": 0.0}, **changes)
        agent = agents.make(name, problem, seed=3, **(quick | {"mixture": MIXTURE}).get(name, {}))
        agent.fit(named_log(problem))
        return agent

    return build


@pytest.mark.parametrize("name", sorted(SLATE_AGENTS - {"oracle"}))
def test_every_agent_recommends_by_name(fitted, name):
    agent = fitted(name)
    for history in ([], ["item 3", "item 0", "item 3"]):
        items = agent.recommend(history)
        assert len(items) == 3
        assert len(set(items)) == 3
        assert set(items) <= set(ITEMS)
    everything = agent.recommend(["item 8"], k=6, exclude=["item 0"], candidates=ITEMS)
    assert len(set(everything)) == 6
    assert "item 0" not in everything


def test_an_item_follows_its_own_history(fitted):
    agent = fitted("transitions")
    counts = np.zeros((9, 9))
    log = named_log(agent.problem)
    for user in range(3):
        slate, clicks = log.slate[log.user == user], log.clicks[log.user == user]
        events = slate[clicks > 0]
        np.add.at(counts, (events[:-1], events[1:]), 1)
    counts[4, 4] = 0  # seen items come last
    best = agent.recommend(["item 4"], k=1)
    assert counts[4, ITEMS.index(best[0])] == counts[4].max()


def test_slates_from_what_is_left_continue_the_ranking(fitted):
    agent = fitted("popularity")
    ranked = agent.recommend(k=9)
    assert agent.recommend() == ranked[:3]
    assert agent.recommend(k=4) == ranked[:4]
    assert agent.recommend(exclude=ranked[:2], k=3) == ranked[2:5]
    assert agent.recommend(candidates=ranked[5:8]) == ranked[5:8]
    assert agent.recommend(np.array(["item 1"])) == ranked[:3]


def test_an_agent_with_wider_slates_gives_the_same_items_with_one_decision(named_problem, quick):
    log = named_log(replace(named_problem, slate_size=1, rewards={"click": 1.0, "watch": 0.0}))
    found = []
    for wide in (log, log.widened(6)):
        agent = agents.make("sasrec", wide.problem, seed=1, **quick["sasrec"])
        agent.fit(wide)
        found.append(agent.recommend(["item 2", "item 8"], k=6))
    assert found[0] == found[1]


def test_without_names_items_are_numbers(fitted):
    named, plain = fitted("popularity"), fitted("popularity", item_names=None, user_names=None)
    numbers = plain.recommend([3, 2], k=4)
    assert [f"item {number}" for number in numbers] == named.recommend(k=4)
    with pytest.raises(AgentError, match=r"history: there is no item 9. There are 9 items, such"):
        plain.recommend([9])
    with pytest.raises(AgentError, match="users have no names, so user must be a number: 'ann'"):
        plain.recommend(user="ann")


def test_a_known_user_has_recommendations_of_their_own(fitted):
    agent = fitted("rel_mf")
    own = [agent.recommend(user=user, k=9) for user in ("ann", "bob", "cyd", None)]
    assert len(set(map(tuple, own))) > 1
    assert agent.recommend(user="dan", k=9, unknown="ignore") == own[3]
    log = named_log(agent.problem)
    obs = log.observations(np.array([1]))
    assert own[1][:3] == [ITEMS[item] for item in agent.act(obs).slates[0]]
    unnamed = fitted("rel_mf", user_names=None)
    assert unnamed.recommend(user=1, k=9) == own[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"history": ["thing"]}, "agent 'popularity': history: there is no item 'thing'."),
        ({"history": ["itme 3"]}, "Did you mean 'item"),
        ({"history": "item 3"}, "history must be a list, such as ['item 3']"),
        ({"candidates": [3]}, "candidates: there is no item 3"),
        ({"exclude": ["x"]}, "exclude: there is no item 'x'"),
        ({"user": "anne"}, "user: there is no user 'anne'. Did you mean 'ann'?"),
        ({"k": 10}, "k is 10; of 9 candidates it can recommend 1 to 9 in whole slates of 3"),
        ({"k": 0}, "k is 0"),
        ({"candidates": ["item 1"]}, "k is 3; of 1 candidates it can recommend 1 to 0"),
    ],
)
def test_a_mistake_is_named(fitted, arguments, message):
    with pytest.raises(AgentError) as error:
        fitted("popularity").recommend(**arguments)
    assert message in str(error.value)


def test_unknown_items_can_be_ignored(fitted):
    agent = fitted("sasrec")
    known = agent.recommend(["item 3", "item 2"])
    assert agent.recommend(["new", "item 3", 4, "item 2"], unknown="ignore") == known


def test_features_are_needed_where_they_are_read(fitted):
    agent = fitted("linucb", user_feature_dim=2)
    assert len(agent.recommend(user_features=[0.5, 1])) == 3
    for wrong in (None, [1.0], [0.0, np.nan], "ab"):
        with pytest.raises(AgentError, match=r"agent 'linucb': .*user_features.* 2"):
            agent.recommend(user_features=wrong)
    assert len(fitted("popularity", user_feature_dim=2).recommend()) == 3


def test_what_cannot_recommend_says_why(fitted, named_problem):
    with pytest.raises(AgentError, match="agent 'oracle' reads the hidden state of simulated"):
        fitted("oracle").recommend()
    with pytest.raises(AgentError, match="agent 'sasrec' must be fitted on a log before"):
        agents.make("sasrec", named_problem).recommend()


def test_an_agent_without_a_base_class_can_be_asked_too(named_problem):
    class Last:
        privileged = False

        def begin(self, batch_size):
            pass

        def act(self, obs):
            return agents.Decision(np.argsort(-obs["candidates"], axis=1)[:, :3])

    assert recommend(Last(), named_problem, k=4) == ["item 8", "item 7", "item 6", "item 5"]


def test_a_loaded_agent_recommends_the_same(fitted, folder):
    agent = fitted("sasrec")
    save_agent(agent, folder / "sasrec.pt")
    loaded = load_agent(folder / "sasrec.pt")
    assert loaded.recommend(["item 3"], k=6) == agent.recommend(["item 3"], k=6)


class Remembering(BaseSlateAgent):
    """Shows the first items; remembers the history for a while."""

    def act(self, obs):
        last = obs["history_items"].max()
        self.last = last
        time.sleep(0.002)  # another thread may run meanwhile
        assert self.last == last
        return Decision(np.arange(self.slate_size)[None])

    def propensities(self, obs, items):
        return None


def test_calls_from_several_threads_wait_for_each_other(named_problem):
    agent = Remembering(Remembering.Config(), named_problem, 0)
    histories = [[f"item {number % 9}"] for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(agent.recommend, histories))
    assert all(len(items) == 3 for items in found)
