"""Agents and the names of items and users."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agents
from agents.saving import load_agent, save_agent
from recsim.errors import AgentError
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
        num_candidates=9,
        user_feature_dim=0,
        item_features=np.random.default_rng(7).normal(size=(9, 2)).astype(np.float32),
        item_groups=np.zeros(9, dtype=np.int64),
        rewards={"click": 1.0},
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
