"""Recommenders that hold dialogues, to compare others with."""

from agents.conversational.bayes import BayesAgent
from agents.conversational.dqn import DQNAgent
from agents.conversational.max_entropy import MaxEntropyAgent
from agents.conversational.popularity import AbsGreedyAgent, PopularItemsAgent

__all__ = ["AbsGreedyAgent", "BayesAgent", "DQNAgent", "MaxEntropyAgent", "PopularItemsAgent"]
