"""SlateRec: simulate users and evaluate recommendation policies.

Importing this package registers its environments, so that ``gymnasium.make("SlateRec-v0")`` works;
``gymnasium.make("recsim:SlateRec-v0")`` needs no import.
"""

from __future__ import annotations

import gymnasium as gym

__version__ = "0.2.0"


def _register() -> None:
    # Entry points are strings, so that importing recsim stays light.
    environments = {
        "SlateRec-v0": ("envs.slates.env:SlateRecEnv", "envs.slates.env:SlateRecVectorEnv"),
        "ConvRec-v0": (
            "envs.conversation.env:ConvRecEnv",
            "envs.conversation.env:ConvRecVectorEnv",
        ),
        "CritiqueRec-v0": (
            "envs.critiquing.env:CritiqueRecEnv",
            "envs.critiquing.env:CritiqueRecVectorEnv",
        ),
        "SlateReplay-v0": ("envs.replay:SlateReplayEnv", None),
        "LearnedRec-v0": ("envs.learned.env:LearnedRecEnv", "envs.learned.env:LearnedRecVectorEnv"),
    }
    for name, (entry_point, vector_entry_point) in environments.items():
        if name not in gym.registry:
            gym.register(name, entry_point, vector_entry_point=vector_entry_point)


_register()
