"""Planted reviews, fitted agents, and their sessions."""

import gymnasium
import pytest

import agents
from recsim.critiquing import AspectReviews, planted_reviews
from recsim.play.critiquing import play_critiquing


@pytest.fixture(scope="session")
def data() -> AspectReviews:
    """A small set of planted reviews."""
    return planted_reviews(users=60, num_items=50, num_aspects=8, reviews=10, seed=1)


def _sessions(data, sessions=64, **rules):
    return gymnasium.make_vec("recsim:CritiqueRec-v0", num_envs=sessions, data=data, **rules)


@pytest.fixture
def build():
    """Return a fitted agent."""

    def of(data, seed=0, fit=True, **config):
        env = _sessions(data).unwrapped
        agent = agents.make("bot_play", env.problem, seed=seed, **config)
        if fit:
            agent.fit(env.training_data)
        return agent

    return of


@pytest.fixture
def play():
    """Return the sessions of an agent with all test users."""

    def of(data, agent, seed=0, sessions=64, **rules):
        return play_critiquing(_sessions(data, sessions, **rules), agent, seed=seed)

    return of
