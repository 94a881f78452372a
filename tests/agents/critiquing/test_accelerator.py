"""Agents that compute with torch learn on another device too, and act alike on their return."""

import numpy as np
import pytest
import torch

import agents

DEVICE = "cuda"
SETTINGS = {
    "bayes_critiquing": {"base": {"device": DEVICE}, "draws": 2},
    "bot_play": {"device": DEVICE, "bpr": {"epochs": 2}, "play": {"steps": 5}},
    "ce_vae": {"device": DEVICE, "epochs": 5},
    "linear_critiquing": {"base": {"device": DEVICE, "base": "plrec", "plrec": {"dim": 6}}},
}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
@pytest.mark.parametrize("name", SETTINGS)
def test_an_agent_learns_on_an_accelerator(name, data, problem_of, observe, success):
    torch.cuda.reset_peak_memory_stats()
    problem, obs = problem_of(data), observe(data, 10)
    agent = agents.make(name, problem, seed=0, **SETTINGS[name])
    agent.fit(data)
    assert torch.cuda.max_memory_allocated() > 0, "it computed elsewhere"
    assert 0 <= success(agent, data) <= 1

    here = {key: value for key, value in SETTINGS[name].items() if key != "device"}
    if "base" in here:
        here["base"] = here["base"] | {"device": "cpu"}
    back = agents.make(name, problem, seed=1, **here)
    back.load_state_dict(agent.state_dict())
    showings = []
    for one in (agent, back):
        one.begin(np.arange(10))
        showings.append(one.act(obs))
    np.testing.assert_allclose(showings[0].scores, showings[1].scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(showings[0].justification, showings[1].justification)
