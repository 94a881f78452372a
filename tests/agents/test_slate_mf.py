import math

import numpy as np
import pytest
import torch

import agents
from agents.slate_mf import Factors, SlateMFAgent, SlateMFConfig, sampled_loss, slate_loss
from recsim.errors import UserError
from recsim.log import SlateLog
from recsim.problem import Problem

QUICK = {"steps": 6, "batch_size": 16, "evaluate_every": 2, "held_out": 0.3}


def by_hand() -> Factors:
    """Three items with vectors (ln 2, 0), (ln 3, 0), (0, 1)."""
    factors = Factors(3, 1, 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        factors.items.copy_(torch.tensor([[math.log(2), 0], [math.log(3), 0], [0, 1.0]]))
        factors.no_click.fill_(math.log(5))
    return factors


USER = torch.tensor([[1.0, 0.0]])


def test_a_user_is_represented_by_features_and_clicks():
    factors = by_hand()
    with torch.no_grad():
        factors.features.copy_(torch.tensor([[2.0, -1.0]]))
        factors.everybody.copy_(torch.tensor([0.5, 0.25]))
        factors.gain.fill_(3.0)
        features = torch.tensor([[1.0], [0.0], [0.0]])
        result = factors.users(features, torch.tensor([[-1, -1], [2, -1], [2, 2]]))
    # 3 / 2 and 3 * 2 / 3 times the vector of the third item.
    assert result.tolist() == [[2.5, -0.75], [0.5, 1.75], [0.5, 2.25]]


def test_slate_loss_by_hand():
    slate = torch.tensor([[0, 1], [0, 1], [1, -1]])
    clicks = torch.tensor([[0, 1], [0, 0], [1, 0]])
    result = slate_loss(by_hand(), USER.expand(3, -1), slate, clicks)
    # Weights 2 and 3 beside 5 of no click.
    assert result.tolist() == pytest.approx([-math.log(0.3), -math.log(0.5), -math.log(3 / 8)])


def test_sampled_loss_by_hand(monkeypatch):
    drawn = torch.tensor([[0, 2, 1]])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: drawn)
    generator = torch.Generator()

    def loss(*clicks):
        slate = torch.tensor([[0, 1]])
        made = torch.tensor([clicks], dtype=torch.bool)
        return sampled_loss(by_hand(), USER, slate, made, 3, generator).item()

    # Weights are 2, 3 and 1; the clicked item does not stand against itself.
    assert loss(0, 1) == pytest.approx(-math.log(3 / 6))
    assert loss(1, 1) == pytest.approx((-math.log(2 / 6) - math.log(3 / 6)) / 2)
    assert loss(0, 0) == 0


def planted(users=300, steps=8, seed=0) -> SlateLog:
    """Users of two kinds like one half of 12 items each; features tell nothing of the kind."""
    problem = Problem(
        12, 3, 12, 1, np.zeros((12, 0), np.float32), np.zeros(12, np.int64), {"click": 1.0}
    )
    rng = np.random.default_rng(seed)
    rows = users * steps
    user = np.repeat(np.arange(users), steps)
    slate = np.argsort(rng.random((rows, 12)), axis=1)[:, :3]
    weights = np.where(slate % 2 == (user % 2)[:, None], 4.0, 0.5)
    cumulative = np.cumsum(weights, axis=1)
    drawn = rng.random((rows, 1)) * (cumulative[:, -1:] + 2.0)
    below = cumulative <= drawn
    clicks = ~below
    clicks[:, 1:] &= below[:, :-1]
    zeros = np.zeros(rows, dtype=np.int64)
    return SlateLog(
        problem=problem,
        user=user,
        session=zeros,
        day=zeros,
        step=np.tile(np.arange(steps), users),
        slate=slate,
        clicks=clicks.astype(np.int8),
        feedback={"click": clicks.sum(axis=1).astype(float)},
        user_features=rng.normal(size=(users, 1)).astype(np.float32),
    )


@pytest.mark.parametrize("config", [{}, {"loss": "sampled", "negatives": 4}])
def test_new_users_are_shown_items_similar_to_their_clicks(config):
    log, others = planted(), planted(seed=1)
    agent = SlateMFAgent(SlateMFConfig(dim=3, steps=400, **config), log.problem, 0)
    agent.fit(log)
    late = np.flatnonzero(others.step == 7)
    obs = {name: c for name, c in others.observations(late).items() if name != "user"}
    own = agent.act(obs).slates % 2 == (others.user[late] % 2)[:, None]
    popular = agents.make("popularity", log.problem)
    popular.fit(log)
    same = popular.act(obs).slates % 2 == (others.user[late] % 2)[:, None]
    # An agent that shows the same to all is right for half of the users.
    assert same.mean() == pytest.approx(0.5, abs=0.01)
    assert own.mean() > 0.85


def test_training_ends_early_and_keeps_the_best():
    log = planted(users=60)
    agent = SlateMFAgent(SlateMFConfig(dim=8, steps=2000, weight_decay=0.0), log.problem, 0)
    losses = agent.fit(log).losses
    assert losses[-1]["step"] < 2000
    best = min(range(len(losses)), key=lambda row: losses[row]["held_out"])
    assert len(losses) - 1 - best == 5


def make(log, fitted=True, seed=3, **config):
    agent = SlateMFAgent(SlateMFConfig(**QUICK | config), log.problem, seed)
    if fitted:
        agent.fit(log)
    return agent


@pytest.mark.parametrize("config", [{}, {"loss": "sampled", "negatives": 2}])
def test_same_seed_same_vectors(config):
    log = planted(users=20)
    one, two, other = (make(log, seed=seed, **config).state_dict()["factors"] for seed in (1, 1, 2))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=0)
    assert (one["items"] != other["items"]).any()


def test_scores_follow_the_candidates():
    log = planted(users=20)
    agent, obs = make(log), log.observations(np.arange(5))
    mixed = obs | {"candidates": obs["candidates"][:, ::-1]}
    np.testing.assert_allclose(agent.scores(mixed)[:, ::-1], agent.scores(obs), rtol=1e-6)


def test_a_saved_agent_continues():
    log = planted(users=20)
    obs = log.observations()
    agent, fresh = make(log), make(log, fitted=False, seed=8)
    fresh.load_state_dict(agent.state_dict())
    np.testing.assert_array_equal(fresh.scores(obs), agent.scores(obs))
    agent.fit(log)
    fresh.fit(log)
    np.testing.assert_array_equal(fresh.scores(obs), agent.scores(obs))


def test_mistakes(make_problem, make_log):
    log = planted(users=20)
    with pytest.raises(UserError, match="'slate_mf' must be fitted on a log"):
        make(log, fitted=False).act(log.observations())
    with pytest.raises(UserError, match="learns from clicks, but the log has none"):
        make(log, fitted=False).fit(log.select(~log.clicks.any(axis=1)))
    with pytest.raises(UserError, match="'negatives' has no effect with loss 'slate'"):
        agents.configure("slate_mf", negatives=3)
    with pytest.raises(UserError, match="'slate_mf': no device 'nowhere' here"):
        make(log, device="nowhere")
    other = make_log(make_problem(), 10)
    with pytest.raises(UserError, match="expects 1 user features; the log has 3"):
        make(log, fitted=False).fit(other)
    for fresh in (make(other, fitted=False), make(log, fitted=False, dim=2)):
        with pytest.raises(UserError, match="fitted on another catalogue or with another 'dim'"):
            fresh.load_state_dict(make(log).state_dict())
