"""Baselines that hold conversations."""

from agents.conversation.bayes import BayesAgent
from agents.conversation.dqn import DQNAgent
from agents.conversation.max_entropy import MaxEntropyAgent
from agents.conversation.popularity import AbsGreedyAgent, PopularItemsAgent

__all__ = ["AbsGreedyAgent", "BayesAgent", "DQNAgent", "MaxEntropyAgent", "PopularItemsAgent"]
