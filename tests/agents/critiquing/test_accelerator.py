"""Agents that compute with torch can learn on an accelerator and then act on the CPU."""

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
    assert torch.cuda.max_memory_allocated() > 0, "it did not compute on the accelerator"
    assert 0 <= success(agent, data) <= 1

    on_cpu = {key: value for key, value in SETTINGS[name].items() if key != "device"}
    if "base" in on_cpu:
        on_cpu["base"] = on_cpu["base"] | {"device": "cpu"}
    loaded = agents.make(name, problem, seed=1, **on_cpu)
    loaded.load_state_dict(agent.state_dict())
    showings = []
    for one in (agent, loaded):
        one.begin(np.arange(10))
        showings.append(one.act(obs))
    np.testing.assert_allclose(showings[0].scores, showings[1].scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(showings[0].justification, showings[1].justification)
