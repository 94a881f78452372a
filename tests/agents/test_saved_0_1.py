"""States of agents in run folders of version 0.1 load and act the same."""

from pathlib import Path

import numpy as np
import pytest

import agents
from recsim.files import load_state
from recsim.problem import Problem

SAVED = Path(__file__).parent / "saved_0_1"  # written by version 0.1.0
# Settings, and the slate that version 0.1.0 showed to each of four users without a history.
CASES = {
    "linucb": ({"alpha": 0.0}, [3, 4]),
    "slate_mf": ({"steps": 40, "dim": 3}, [3, 5]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_state_of_0_1_loads_and_acts_the_same(name):
    config, slate = CASES[name]
    problem = Problem(
        num_items=6,
        slate_size=2,
        user_feature_dim=2,
        item_features=np.eye(6, 3, dtype=np.float32),
    )
    rng = np.random.default_rng(0)
    rng.random((200, 6))  # drawn before the features by the script that wrote the states
    obs = {
        "user_features": rng.normal(size=(20, 2)).astype(np.float32)[:4],
        "history_items": np.full((4, 10), -1),
        "history_clicks": np.zeros((4, 10), dtype=np.int8),
        "history_length": np.zeros((4, 1), dtype=np.int64),
        "feedback": np.zeros((4, 1), dtype=np.float32),
        "candidates": np.tile(np.arange(6), (4, 1)),
        "time": np.zeros((4, 3), dtype=np.int64),
    }
    agent = agents.make(name, problem, seed=9, **config)
    agent.load_state_dict(load_state(SAVED / f"{name}.pt"))
    agent.begin(4)
    assert agent.act(obs).slates.tolist() == [slate] * 4
