"""Going on from a posterior with a log that has gone on too."""

import numpy as np
import pytest
import torch

from agents.gru_thompson import GRUThompsonAgent, GRUThompsonConfig
from agents.gru_thompson import agent as module
from agents.gru_thompson.choices import from_log
from recsim.errors import UserError
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
    """Every call of the training: the model at its start, the source, the steps."""
    calls, fit = [], module.fit

    def recorded(model, source, config, *rest):
        start = {name: value.clone() for name, value in model.state_dict().items()}
        calls.append((start, source, config.steps))
        return fit(model, source, config, *rest)

    monkeypatch.setattr(module, "fit", recorded)
    return calls


def test_it_sees_the_whole_log_and_starts_from_what_is_known(logs, trainings):
    agent = make(logs[0].problem, held_out=0.0)
    agent.fit(logs[0])
    known = {name: value.clone() for name, value in agent.state_dict()["model"].items()}
    report = agent.refit(logs[1])
    assert report.rows == len(logs[1])
    start, source, steps = trainings[1]
    assert steps == 2
    for name, value in known.items():
        torch.testing.assert_close(start[name], value, rtol=0, atol=0)
    assert source.num_users == 100
    (seen,) = source.batches(1000, torch.Generator())
    whole = from_log(logs[1])
    for name in ("items", "length", "choice", "click", "scored", "basis"):
        assert torch.equal(getattr(seen, name), getattr(whole, name))
    assert agent.state_dict()["horizon"] == 8
    assert any(
        not torch.equal(value, known[name]) for name, value in agent.state_dict()["model"].items()
    )


def test_who_was_held_out_stays_so(logs):
    agent = make(logs[0].problem, held_out=0.2)
    agent.fit(logs[0])
    before = agent.state_dict()["held_out"].tolist()
    agent.refit(logs[1])
    after = agent.state_dict()["held_out"].tolist()
    assert (len(before), len(after)) == (8, 8 + 12)
    assert after[:8] == before
    assert all(user >= 40 for user in after[8:])
    assert len(set(after)) == 20


def test_what_does_not_go_on_starts_anew(logs, trainings):
    agent = make(logs[0].problem)
    agent.refit(logs[0])
    agent.refit(logs[1])
    agent.refit(logs[0])
    assert [steps for _, _, steps in trainings] == [6, 2, 6]
    with pytest.raises(UserError, match="the log has none"):
        agent.refit(logs[0].select(slice(0, 0)))


def test_a_saved_agent_goes_on_in_the_same_way(logs):
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
    """A short log first; then ten times as much, in a few steps from what is known."""
    first, more, fresh = cohort(0, 30), cohort(1, 200), from_log(cohort(2, 300))
    settings = {"steps": 200, "refit_steps": 120, "learning_rate": 0.05, "held_out": 0.0}
    gains, widths = [], []
    for seed in range(3):
        agent = GRUThompsonAgent(GRUThompsonConfig(**QUICK | settings), first.problem, seed)
        agent.fit(first)
        before = agent.judge(fresh, 3).likelihood
        wide = float(agent._model.items.scale().detach().mean())
        agent.refit(SlateLog.concat([first, more]))
        gains.append(agent.judge(fresh, 3).likelihood - before)
        widths.append(float(agent._model.items.scale().detach().mean()) / wide)
    assert np.min(gains) > 0.01, gains
    assert np.max(widths) < 0.7, widths
