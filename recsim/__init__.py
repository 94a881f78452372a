"""SlateRec: simulate users and evaluate recommendation policies.

Importing this package registers its environments, so that ``gymnasium.make("SlateRec-v0")`` works;
``gymnasium.make("recsim:SlateRec-v0")`` needs no import.
"""

from __future__ import annotations

import gymnasium as gym

__version__ = "0.1.0"


def _register() -> None:
    # Entry points are strings, so that importing recsim stays light.
    environments: dict[str, dict[str, str]] = {
        "SlateRec-v0": {
            "entry_point": "envs.slate:SlateRecEnv",
            "vector_entry_point": "envs.slate:SlateRecVectorEnv",
        },
        "SlateReplay-v0": {"entry_point": "envs.replay:SlateReplayEnv"},
    }
    for name, points in environments.items():
        if name not in gym.registry:
            gym.register(id=name, **points)


_register()
