"""Policies written with names give what the same policies give with numbers."""

from dataclasses import replace

import numpy as np
import pytest

import agents
from recsim.errors import EstimationError
from recsim.estimators import SampledPolicy, by_name, evaluate, evaluate_slates

ITEMS = ["a", "b", "c", "d", "e", "f", "g"]
USERS = [50, 40, 30, 20, 10]
CHANCES = np.array([0.1, 0.2, 0.3, 0.0, 0.4, 0.0, 0.0])


@pytest.fixture
def log(random_log):
    log = random_log(200, slots=1, propensity=np.full((200, 1), 1 / 7))
    return replace(log, problem=replace(log.problem, item_names=ITEMS, user_names=USERS))


def values(log, policy, names=("ips", "snips")):
    return [(v.value, v.low, v.high) for v in evaluate(log, policy, names, samples=100)]


def by_number(obs, items):
    known = CHANCES[items]
    return np.where((obs["history_items"] == 2).any(axis=1)[:, None], known, 1 / 7)


def with_names(obs, items):
    known = np.array([[CHANCES[ITEMS.index(name)] for name in row] for row in items])
    return np.where((obs["history_items"] == "c").any(axis=1)[:, None], known, 1 / 7)


def test_a_function_by_name(log):
    assert values(log, by_name(with_names, log)) == values(log, by_number)
    assert values([log], by_name(with_names, log.problem)) == values(log, by_number)


def test_users_have_names_too(log):
    def by_user(obs, items):
        assert obs["user"].dtype == object
        assert set(obs["user"]) <= set(USERS)
        assert (obs["candidates"] == np.array(ITEMS)).all()
        assert "time" in obs
        return np.where(obs["user"] == 30, 1.0, 0.0)[:, None] * (items == "b")

    def by_row(obs, items):
        return np.where(obs["user"] == 2, 1.0, 0.0)[:, None] * (items == 1)

    assert values(log, by_name(by_user, log)) == values(log, by_row)


class Favourites:
    """Knows every probability, by name."""

    def propensities(self, obs, items):
        return np.where(items == "b", 0.75, np.where(items == "e", 0.25, 0.0))

    def action_probabilities(self, obs):
        return self.propensities(obs, obs["candidates"])[:, None, :]


def test_an_object_and_a_mapping_by_name(log):
    names = ("ips", "dr")
    table = values(log, by_name({"b": 0.75, "e": 0.25}, log), names)
    assert table == values(log, by_name(Favourites(), log), names)
    ips = np.where(log.slate == 1, 0.75, np.where(log.slate == 4, 0.25, 0.0)) * 7 * log.clicks
    assert table[0][0] == pytest.approx(ips.mean())


def test_a_mapping_draws_every_position_of_a_slate(random_log):
    log = random_log(100, slots=2)
    log = replace(log, problem=replace(log.problem, item_names=ITEMS))
    uniform = dict.fromkeys(ITEMS, 1 / 7)
    prefix = np.array([[1 / 7, 1 / 49]] * 100)
    log = replace(log, propensity=np.full((100, 2), 1 / 7), prefix_propensity=prefix)
    (value,) = evaluate_slates(log, by_name(uniform, log), ["sips"])
    assert value.value == pytest.approx(log.reward.mean())


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"bb": 1.0}, "policy: there is no item 'bb'. Did you mean 'b'?"),
        ({"a": 0.5, "b": 0.4}, "must be 0 or more and sum to 1, not 0.9"),
        ({"a": 1.5, "b": -0.5}, "must be 0 or more and sum to 1"),
        ({"a": "all"}, "policy: the probabilities are no numbers"),
        ({"a": float("nan")}, "sum to 1, not nan"),
        ("popularity", "by_name takes a mapping from names to probabilities, a function"),
    ],
)
def test_what_is_no_policy_is_refused(log, policy, message):
    with pytest.raises(EstimationError) as error:
        by_name(policy, log)
    assert message in str(error.value)


def test_a_policy_for_items_of_other_names_is_refused(log):
    others = replace(log, problem=replace(log.problem, item_names=[*ITEMS[:4], "x", "y", "z"]))
    agent = agents.make("popularity", others.problem)
    agent.fit(others)
    for policy in (
        agent,
        SampledPolicy(agent, draws=2),
        by_name({"x": 1.0}, others),
        by_name(with_names, others),
    ):
        for evaluated in (evaluate, evaluate_slates):
            with pytest.raises(EstimationError, match="item 4 is 'x' in one and 'e' in the other"):
                evaluated(log, policy, "ips" if evaluated is evaluate else "sips")
    numbers = replace(log, problem=replace(log.problem, item_names=range(7)))
    with pytest.raises(EstimationError, match="item 0 is 'a' in one and 0 in the other"):
        evaluate(numbers, by_name({"a": 1.0}, log), "ips")
    unnamed = replace(log, problem=replace(log.problem, item_names=None))
    assert evaluate(unnamed, agent, "ips")[0].value == evaluate(others, agent, "ips")[0].value


def test_messages_name_the_function_and_the_log_needs_names(log, random_log):
    def wrong(obs, items):
        return np.full(items.shape, 2.0)

    with pytest.raises(EstimationError, match=r"^wrong returned 2\.0 as a probability, for row 0"):
        evaluate(log, by_name(wrong, log))
    with pytest.raises(EstimationError, match=r"with the numbers 0 \.\.\. 6, without by_name"):
        by_name(wrong, random_log(5))
