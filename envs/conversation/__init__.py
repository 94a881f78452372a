"""``ConvRec-v0``: conversations in which a recommender asks for attributes or shows items."""

from envs.conversation.env import ConvRecEnv, ConvRecVectorEnv
from envs.conversation.rules import Rewards, Rules

__all__ = ["ConvRecEnv", "ConvRecVectorEnv", "Rewards", "Rules"]
