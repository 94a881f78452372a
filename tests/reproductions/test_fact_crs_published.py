import gymnasium as gym
import pytest
from pydantic import ValidationError

from recsim.conversation import planted_tastes, read_attributes
from recsim.errors import AgentError
from recsim.play.conversations import conversation_metrics, play_conversations
from reproductions.fact_crs.published import PublishedAgent, PublishedConfig


@pytest.fixture(scope="module")
def tastes():
    return planted_tastes(num_items=120, num_attributes=12, users=100, interactions=12, seed=1)


def play(data, *, free=0, **config):
    env = gym.make_vec(
        "recsim:ConvRec-v0", num_envs=256, data=data, max_turns=10, free_recommendations=free
    )
    agent = PublishedAgent(PublishedConfig(**config), env.unwrapped.problem, 0)
    agent.fit(env.unwrapped.training_data)
    return conversation_metrics(play_conversations(env, agent, seed=0), 10)


def test_free_slates_must_be_allowed(tastes):
    with pytest.raises(AgentError, match="free_recommendations=N"):
        play(tastes)


def test_free_slates_raise_the_success_rate(tastes):
    honest = play(tastes, early_stop=30, turn_accounting="honest")
    free = play(tastes, free=10, early_stop=30)
    assert free["recommendations"] > honest["recommendations"]
    assert free["success_rate"] > honest["success_rate"]


def test_only_early_slates_can_be_free():
    with pytest.raises(ValidationError, match="turn_accounting 'paper' requires"):
        PublishedConfig(stop="lookahead")


def test_the_surrogate_and_the_mean_of_ids_can_be_switched_off(tastes):
    settings = {"early_stop": 30, "turn_accounting": "honest", "trees": 3}
    published = play(tastes, **settings)
    others = play(tastes, **settings, split_score="nll", feedback="fixed", node_negatives=5.0)
    assert published != others


@pytest.mark.slow
def test_free_slates_raise_the_success_rate_on_lastfm(data_dir):
    data = read_attributes(data_dir / "factcrs_lastfm")
    free = play(data, free=10, trees=3)
    honest = play(data, trees=3, turn_accounting="honest")
    assert free["recommendations"] > honest["recommendations"]
    assert free["success_rate"] > honest["success_rate"]
