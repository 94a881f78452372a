"""The agent as a whole: its memory while acting, and interrupted trainings."""

import shutil

import numpy as np
import pytest
import torch

import agents
from agents.dt4ier.memory import Memory, read
from agents.dt4ier.training import Trainer
from recsim.errors import AgentError, UserError

SMALL = {"embed_dim": 16, "history": 4, "buckets": 8, "balance_steps": 5}
NAMED = {"short": "now", "long": "later"}


def observation(log, users, steps, step):
    """Return the observation before a step of users who were shown the slates of a log."""
    rows = np.arange(users)[:, None] * steps + np.arange(step)  # (U, t)
    slots = log.slate.shape[1]
    items, clicks = np.full((2, users, steps * slots), -1)
    clicks[:] = 0
    if step:
        items[:, -step * slots :] = log.slate[rows].reshape(users, -1)
        clicks[:, -step * slots :] = log.clicks[rows].reshape(users, -1)
    last = rows[:, -1] if step else None
    rewards = [log.feedback[name][last] if step else np.zeros(users) for name in NAMED.values()]
    return {
        "user_features": log.user_features,
        "candidates": np.tile(np.arange(log.problem.num_items), (users, 1)),
        "history_items": items,
        "history_clicks": clicks,
        "history_length": np.full((users, 1), step),
        "feedback": np.stack(rewards, axis=1),
    }


def test_contexts_while_acting_are_those_of_the_trajectory(random_log, train):
    log = random_log(features=2)
    case = train(log, steps=2, context=5, **SMALL)
    model, data = case.model.requires_grad_(False), case.data
    weights, prompt = model.weights(data.features), torch.tensor([0.8, 0.5])
    rtg = [prompt * weights * model.start_rtg]
    rewards = data.rewards.view(6, 5, 2)
    for step in range(4):
        rtg.append((rtg[-1] - weights * rewards[:, step]).clamp_min(0))
    tokens, windows = case.tokens(data, torch.stack(rtg, dim=1))
    expected = model.contexts(tokens, windows.mask)  # (U, T, D)
    memory = None
    for step in range(5):
        obs = observation(log, 6, 5, step)
        last = read(obs, log.problem, ("now", "later"), 4, "cpu")
        if memory is None:
            memory = Memory.start(model, last, prompt)
        else:
            memory = memory.with_outcome(model, last)
        memory = memory.with_next_step(model)
        torch.testing.assert_close(memory.contexts(model), expected[:, step], atol=1e-5, rtol=0)


def agent_of(log, seed=0, **settings):
    settings = {"steps": 6, "context": 3} | SMALL | NAMED | settings
    return agents.make("dt4ier", log.problem, seed=seed, **settings)


def weights_of(agent):
    return agent.state_dict()["model"]


def test_a_resumed_training_ends_like_an_uninterrupted_one(random_log, tmp_path, monkeypatch):
    log = random_log(features=2)
    whole = agent_of(log, seed=3)
    report = whole.fit(log)
    settings = {"checkpoint": str(tmp_path / "{seed}.pt"), "checkpoint_every": 2}
    step = Trainer.step

    def fails_after_five(trainer):
        if trainer.done == 5:
            raise KeyboardInterrupt
        step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", fails_after_five)
        with pytest.raises(KeyboardInterrupt):
            agent_of(log, seed=3, **settings).fit(log)
    assert [path.name for path in tmp_path.iterdir()] == ["3.pt"]
    resumed = agent_of(log, seed=3, **settings)
    assert resumed.fit(log).losses == report.losses
    for name, value in weights_of(whole).items():
        assert torch.equal(weights_of(resumed)[name], value), name
    # Neither the prompt nor the temperature changes the training.
    prompted = agent_of(log, seed=3, prompt=0.1, temperature=1.0, **settings)
    monkeypatch.setattr(Trainer, "step", None)
    assert prompted.fit(log).losses == report.losses


def test_mixed_precision_learns_nearly_the_same(random_log):
    log = random_log(users=20, features=2)
    whole, half = (agent_of(log, steps=20, mixed_precision=mixed) for mixed in (False, True))
    losses = [agent.fit(log).losses[-1]["cross_entropy"] for agent in (whole, half)]
    assert losses[0] != losses[1], "mixed precision has no effect"
    assert losses[0] == pytest.approx(losses[1], abs=0.02)
    assert all(value.dtype != torch.bfloat16 for value in weights_of(half).values())
    half.act(observation(log, 20, 5, 0))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch.compile itself causes warnings
@pytest.mark.skipif(not shutil.which("c++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() == "DEFAULT",
    reason="torch.compile cannot build its kernels without vector instructions",
)
def test_a_compiled_transformer_learns_the_same(random_log, tmp_path, monkeypatch):
    # Kernels that another process left in the common cache may be for another capability.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    log = random_log(users=20)
    plain, compiled = (agent_of(log, layers=1, steps=3, compile=chosen) for chosen in (False, True))
    losses = [agent.fit(log).losses[-1]["loss"] for agent in (plain, compiled)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)
    assert weights_of(compiled).keys() == weights_of(plain).keys(), "weights keep their names"
    plain.load_state_dict(compiled.state_dict())
    obs = observation(log, 20, 5, 0)
    np.testing.assert_array_equal(compiled.act(obs).slates, plain.act(obs).slates)


@pytest.mark.parametrize(("other", "settings"), [(1, {}), (0, {"learning_rate": 0.5})])
def test_a_checkpoint_of_another_training_is_rejected(random_log, tmp_path, other, settings):
    path = str(tmp_path / "checkpoint.pt")
    log = random_log()
    agent_of(log, checkpoint=path).fit(log)
    with pytest.raises(AgentError, match="belongs to another log, seed or settings"):
        agent_of(log, checkpoint=path, **settings).fit(random_log(seed=other))


def test_rewards_are_deducted_from_the_prompt_except_for_new_users(random_log):
    log = random_log()
    agent = agent_of(log, prompt=1.0)
    agent.fit(log)
    agent.begin(6)
    agent.act(observation(log, 6, 5, 0))
    first = agent._memory.rtg
    obs = observation(log, 6, 5, 1)
    obs["history_length"][0] = 0  # a new user in this row
    agent.act(obs)
    earned = np.stack([log.feedback[name][::5] for name in NAMED.values()], axis=1) / 2
    expected = np.maximum(first.numpy() - earned, 0)
    np.testing.assert_allclose(agent._memory.rtg[1:], expected[1:], atol=1e-6)
    np.testing.assert_array_equal(agent._memory.rtg[0], first[0])
    assert agent._memory.mask.tolist() == [[False, True]] + [[True, True]] * 5


def test_a_saved_agent_shows_the_same_slates(random_log):
    log = random_log(features=2)
    agent = agent_of(log, temperature=0.7)
    agent.fit(log)
    copy = agent_of(log, temperature=0.7, seed=9)
    copy.load_state_dict(agent.state_dict())
    obs = observation(log, 6, 5, 0)
    np.testing.assert_array_equal(copy.act(obs).slates, agent.act(obs).slates)
    with pytest.raises(AgentError, match="other settings"):
        agent_of(log, user_features=False).load_state_dict(agent.state_dict())


@pytest.mark.parametrize("prompt", [-1, "high", [1, 2, 3], [1, -1], True, float("nan")])
def test_a_prompt_is_a_number_or_two(prompt):
    with pytest.raises(UserError) as caught:
        agents.configure("dt4ier", prompt=prompt)
    message = str(caught.value)
    assert "config.prompt: must be a non-negative number, or a list of two" in message
    assert "\n" not in message, "one mistake, one message"
