"""Golden transcripts: a short seeded episode of every environment, as text.

A change of behaviour shows as a difference here. Where it is meant, write the files anew with
``RECSIM_GOLDEN=1 python -m pytest tests/envs/test_transcript.py`` and read the difference.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from envs.slate import SlateRecEnv
from envs.transcript import transcript
from envs.world.presets import PRESETS

GOLDEN = Path(__file__).parent / "golden"


def play(name):
    env = SlateRecEnv(preset=name, max_steps=12, reveal_state=True)
    lines = [f"SlateRec-v0, preset {name}, seed 7: random, oracle and repeated items in turn"]
    obs, info = env.reset(seed=7)
    lines.append("features " + " ".join(f"{x:.3f}" for x in obs["user_features"]))
    rng = np.random.default_rng(7)
    for step in range(15):
        size = env.problem.slate_size
        action = [rng.integers(0, 200, size), info["oracle_slate"], [step] * size][step % 3]
        obs, reward, terminated, truncated, info = env.step(action)
        day, session, of_session = obs["time"]
        lines.append(
            f"day {day} session {session} step {of_session} | {transcript(info)} | "
            f"reward {reward:.3f} expected {info['expected_reward']:.3f} "
            f"of {info['oracle_reward']:.3f}"
        )
        if terminated or truncated:
            lines.append("terminated" if terminated else "truncated")
            _, info = env.reset()
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", PRESETS)
def test_golden_transcript(name):
    file = GOLDEN / f"SlateRec-v0-{name}.txt"
    got = play(name)
    if os.environ.get("RECSIM_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(got)
    assert got == file.read_text()
