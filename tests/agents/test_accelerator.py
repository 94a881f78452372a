"""Agents that compute with torch do so on another device too, and come back from it."""

import gymnasium
import numpy as np
import pytest
import torch

import agents
from recsim.play.rollout import rollout

DEVICE = "cuda"

# Small networks and few steps: it is the device that is tested.
AGENTS = {
    "bert4rec": {"dim": 8, "steps": 5},
    "clone": {
        "network": "mlp",
        "weights": "awr",
        "target": "return",
        "temperature": 1.0,
        "steps": 5,
    },
    "dt4ier": {"embed_dim": 8, "heads": 2, "steps": 5, "context": 5, "temperature": 0.5},
    "gru4rec": {"dim": 8, "steps": 5},
    "gru_thompson": {},
    "ppo": {},
    "rel_mf": {},
    "sasrec": {"dim": 8, "steps": 5},
    "slate_mf": {},
    "slateq": {},
}
NEEDED = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


def world(users: int):
    return gymnasium.make_vec("recsim:SlateRec-v0", num_envs=users, preset="retention", max_steps=8)


@pytest.fixture(scope="module")
def log():
    env = world(40)
    agent = agents.make("random", env.unwrapped.problem, seed=0)
    return rollout(env, agent, seed=0, max_steps=8, record=True).to_log()


def played(agent):
    return rollout(world(20), agent, seed=1, max_steps=8, learn=True)


def test_every_agent_with_a_device_is_listed():
    tested = {
        name
        for name in agents.available()
        if "device" in agents.load(name).Config.model_fields
        and not getattr(agents.load(name), "conversations", False)
        and not getattr(agents.load(name), "critiquing", False)
    }
    assert tested == AGENTS.keys()


@NEEDED
@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_learns_acts_and_is_saved_on_an_accelerator(log, name, tmp_path):
    torch.cuda.reset_peak_memory_stats()
    agent = agents.make(name, log.problem, seed=0, device=DEVICE, **AGENTS[name])
    agent.fit(log)
    first = played(agent)
    assert torch.cuda.max_memory_allocated() > 0, "it computed elsewhere"
    assert np.isfinite(first.reward).all()

    torch.save(agent.state_dict(), tmp_path / "agent.pt")
    there = agents.make(name, log.problem, seed=0, device="cpu", **AGENTS[name])
    there.load_state_dict(torch.load(tmp_path / "agent.pt", weights_only=False))
    assert np.isfinite(played(there).reward).all(), "what was learned there is of use here"
