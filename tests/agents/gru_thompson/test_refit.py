"""Continue from a posterior on an extended log."""

import numpy as np
import pytest
import torch

from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson import agent as module
from agents.gru_thompson.choices import from_log
from recsim.errors import AgentError
from recsim.log import SlateLog
from reproductions.gru_thompson.distance import DistanceWorld

WORLD = DistanceWorld(num_items=20, num_groups=4, slate_size=3)
QUICK = {"dim": 2, "state": "linear", "steps": 6, "refit_steps": 2, "evaluate_every": 2}


def cohort(seed, users=40, steps=6):
    people = WORLD.start(users, seed)
    people.log_for(steps)
    return people.to_log()


@pytest.fixture(scope="module")
def logs():
    first = cohort(0)
    return first, SlateLog.concat([first, cohort(1, users=60, steps=8)])


def make(problem, **config):
    return GRUThompsonAgent(GRUThompsonConfig(**QUICK | config), problem, 3)


@pytest.fixture
def trainings(monkeypatch):
    """Arguments of every call of the training: initial model, source, steps."""
    calls, fit = [], module.fit

    def recorded(model, source, config, *rest):
        start = {name: value.clone() for name, value in model.state_dict().items()}
        calls.append((start, source, config.steps))
        return fit(model, source, config, *rest)

    monkeypatch.setattr(module, "fit", recorded)
    return calls


def test_a_refit_uses_the_whole_log_and_starts_from_the_posterior(logs, trainings):
    agent = make(logs[0].problem, held_out=0.0)
    agent.fit(logs[0])
    before = {name: value.clone() for name, value in agent.state_dict()["model"].items()}
    report = agent.refit(logs[1])
    assert report.rows == len(logs[1])
    start, source, steps = trainings[1]
    assert steps == 2
    for name, value in before.items():
        torch.testing.assert_close(start[name], value, rtol=0, atol=0)
    assert source.num_users == 100
    (batch,) = source.batches(1000, torch.Generator())
    whole = from_log(logs[1])
    for name in ("items", "length", "choice", "click", "scored", "context"):
        assert torch.equal(getattr(batch, name), getattr(whole, name))
    assert agent.state_dict()["horizon"] == 8
    assert any(
        not torch.equal(value, before[name]) for name, value in agent.state_dict()["model"].items()
    )


def test_held_out_users_remain_held_out(logs):
    agent = make(logs[0].problem, held_out=0.2)
    agent.fit(logs[0])
    before = agent.state_dict()["held_out"].tolist()
    agent.refit(logs[1])
    after = agent.state_dict()["held_out"].tolist()
    assert (len(before), len(after)) == (8, 8 + 12)
    assert after[:8] == before
    assert all(user >= 40 for user in after[8:])
    assert len(set(after)) == 20


def test_a_refit_on_another_log_starts_from_scratch(logs, trainings):
    agent = make(logs[0].problem)
    agent.refit(logs[0])
    agent.refit(logs[1])
    agent.refit(logs[0])
    assert [steps for _, _, steps in trainings] == [6, 2, 6]
    with pytest.raises(AgentError, match="the log has none"):
        agent.refit(logs[0].select(slice(0, 0)))


def test_a_loaded_agent_refits_in_the_same_way(logs):
    agent = make(logs[0].problem, held_out=0.2)
    agent.fit(logs[0])
    other = make(logs[0].problem, held_out=0.2)
    other.load_state_dict(agent.state_dict())
    agent.refit(logs[1])
    other.refit(logs[1])
    assert torch.equal(agent.state_dict()["held_out"], other.state_dict()["held_out"])
    mine, theirs = agent.state_dict()["model"], other.state_dict()["model"]
    assert all(torch.equal(value, theirs[name]) for name, value in mine.items())


@pytest.mark.slow
def test_further_users_make_the_posterior_narrower_and_predict_better():
    """Fit to a short log, then refit on one several times as long in a few steps."""
    first, more, fresh = cohort(0, 30), cohort(1, 200), from_log(cohort(2, 300))
    settings = {"steps": 200, "refit_steps": 120, "learning_rate": 0.05, "held_out": 0.0}
    gains, widths = [], []
    for seed in range(3):
        agent = GRUThompsonAgent(GRUThompsonConfig(**QUICK | settings), first.problem, seed)
        agent.fit(first)
        before = agent.evaluate(fresh, 3).likelihood
        wide = float(agent._model.items.scale().detach().mean())
        agent.refit(SlateLog.concat([first, more]))
        gains.append(agent.evaluate(fresh, 3).likelihood - before)
        widths.append(float(agent._model.items.scale().detach().mean()) / wide)
    assert np.min(gains) > 0.01, gains
    assert np.max(widths) < 0.7, widths
