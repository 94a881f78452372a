"""``CritiqueRec-v0``: one item at a time, justified by aspects, which the user criticises."""

from envs.critiquing.env import CritiqueRecEnv, CritiqueRecVectorEnv
from envs.critiquing.rules import Rules

__all__ = ["CritiqueRecEnv", "CritiqueRecVectorEnv", "Rules"]
