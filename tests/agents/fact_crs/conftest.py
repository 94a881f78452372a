from collections.abc import Callable

import gymnasium as gym
import numpy as np
import pytest

import agents
from agents.fact_crs.growing import Growth, grow, reach_score
from agents.fact_crs.trees import Tree
from agents.fact_crs.vectors import NodeFit
from agents.shared.item_posterior import AnsweredInteractions
from recsim.conversation import AttributeData, planted_tastes
from recsim.play.conversations import conversation_metrics, play_conversations


@pytest.fixture(scope="session")
def tastes() -> AttributeData:
    """Users who take popular items whose attributes they care about."""
    return planted_tastes(num_items=120, num_attributes=12, users=100, interactions=12, seed=1)


@pytest.fixture(scope="session")
def rows(tastes) -> AnsweredInteractions:
    """Interactions on which trees are grown."""
    return AnsweredInteractions.of(tastes, caring=True)


@pytest.fixture
def grown(rows) -> Callable[..., Tree]:
    """Grow a tree on all interactions, by default with the reach score of 30 items."""

    def build(depth=5, score=None, items=None, negatives=5.0) -> Tree:
        fit = NodeFit(negatives=negatives, l2=0.01, steps=30)
        growth = Growth(depth, 64, score or reach_score(30), items, fit)
        return grow(rows, np.arange(len(rows)), np.arange(rows.num_attributes), growth)

    return build


@pytest.fixture
def play() -> Callable[..., dict[str, float]]:
    """Fit an agent and run all conversations of the test part; return the metrics."""

    def build(data, name="fact_crs", *, turns=10, slate=10, seed=0, **config):
        env = gym.make_vec(
            "recsim:ConvRec-v0",
            num_envs=256,
            data=data,
            max_turns=turns,
            slate_size=slate,
        )
        agent = agents.make(name, env.unwrapped.problem, seed=seed, **config)
        agent.fit(env.unwrapped.training_data)
        return conversation_metrics(play_conversations(env, agent, seed=0), turns)

    return build
