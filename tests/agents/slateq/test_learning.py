import numpy as np
import pytest
import torch

from agents.shared.choice_logit import log_choice
from agents.slateq import SlateQAgent, SlateQConfig
from agents.slateq.learning import Steps, choices, logged_value, q_loss, targets
from agents.slateq.optimisers import exact
from recsim.errors import UserError
from recsim.log import SlateLog
from recsim.problem import Problem

QUICK = {"steps": 3, "choice_steps": 3, "batch_size": 8, "gamma": 0.5}


def test_only_the_value_of_the_choice_is_corrected():
    value = torch.tensor([[1.0, 3.0]]).expand(4, -1)
    nothing = torch.full((4,), 2.0)
    shown = torch.tensor([[True, True]] * 3 + [[True, False]])
    clicks = torch.tensor([[0, 1], [0, 0], [1, 1], [0, 1]])
    target = torch.tensor([5.0, 5.0, 2.0, 4.0])
    # (3 - 5)^2; no click (2 - 5)^2; both share: ((1 - 2)^2 + (3 - 2)^2) / 2; padding: (2 - 4)^2.
    assert q_loss(value, nothing, shown, clicks, target).tolist() == [4.0, 9.0, 1.0, 4.0]


@pytest.fixture
def learned(sequences):
    """Return two networks after a few steps, and their training data."""

    def build(log=None, **config):
        log = log or sequences()
        agent = SlateQAgent(SlateQConfig(**QUICK | config), log.problem, 0)
        agent.fit(log)
        return (agent.model.choice, agent.model.value), Steps.of(log, agent._config), agent._config

    return build


def test_targets_of_sarsa(learned):
    (choice, value), steps, config = learned(target="watch")
    result = targets(choice, value, steps, torch.arange(11), config)
    with torch.no_grad():
        picks, worth = choice(steps.states), value(steps.states)
        scores = choice.scores(picks, steps.slate)
        chance = log_choice(scores, picks.nothing, steps.slate >= 0).exp()
        q = value.scores(worth, steps.slate)
    ahead = chance[:, 0] * worth.nothing + (chance[:, 1:] * q).sum(dim=1)
    for row in range(11):
        follows = row not in {3, 6, 10}
        expected = steps.reward[row] + (0.5 * ahead[row + 1] if follows else 0.0)
        assert result[row].item() == pytest.approx(expected.item(), rel=1e-5)
    # The second user left, the others were cut off.
    assert steps.known.tolist() == [True] * 3 + [False] + [True] * 6 + [False]


@pytest.mark.parametrize("offered", [False, True])
def test_targets_of_q_are_those_of_the_best_slate(learned, sequences, offered):
    candidates = np.argsort(np.random.default_rng(1).random((11, 6)), axis=1)[:, :4]
    some = torch.as_tensor(candidates)
    log = sequences(candidates=candidates if offered else None)
    (choice, value), steps, config = learned(log, backup="q", optimiser="exact")
    result = targets(choice, value, steps, torch.tensor([0]), config)[0]
    with torch.no_grad():
        states = steps.states.select(torch.tensor([1]))
        given = choices(choice, value, states, some[1:2] if offered else None)
        best = given.slate_value(exact(given, 2))[0]
        logged = logged_value(choice, value, states, steps.slate[1:2])[0]
    assert result.item() == pytest.approx((steps.reward[0] + 0.5 * best).item(), rel=1e-5)
    if not offered:
        assert best >= logged - 1e-6


def test_the_reward_is_the_target(sequences):
    log = sequences()
    for target, expected in {
        "click": log.clicks.sum(axis=1),
        "watch": log.feedback["watch"],
        "reward": log.feedback["click"] + 0.5 * log.feedback["watch"],
    }.items():
        steps = Steps.of(log, SlateQConfig(target=target))
        np.testing.assert_allclose(steps.reward, expected, rtol=1e-6)


def good_and_bait(users=150, steps=10) -> SlateLog:
    """All users click what is shown. Item 1, bait, earns 1 now; item 0 earns 3 a step later."""
    problem = Problem(2, 1, 2, 0, np.zeros((2, 0), np.float32), np.zeros(2, np.int64), {"pay": 1.0})
    slate = np.random.default_rng(0).integers(2, size=(users, steps))
    pay = (slate == 1).astype(float)
    pay[:, 1:] += 3.0 * (slate[:, :-1] == 0)
    rows = users * steps
    zeros = np.zeros(rows, dtype=np.int64)
    return SlateLog(
        problem=problem,
        user=np.repeat(np.arange(users), steps),
        session=zeros,
        day=zeros,
        step=np.tile(np.arange(steps), users),
        slate=slate.reshape(-1, 1),
        clicks=np.ones((rows, 1), dtype=np.int8),
        feedback={"pay": pay.ravel()},
        user_features=np.zeros((users, 0), dtype=np.float32),
    )


@pytest.mark.parametrize(("backup", "gamma"), [("sarsa", 0.0), ("sarsa", 0.8), ("q", 0.8)])
def test_later_rewards_count_unless_gamma_is_zero(backup, gamma):
    log = good_and_bait()
    config = SlateQConfig(
        target="pay",
        gamma=gamma,
        backup=backup,
        history=2,
        steps=600,
        choice_steps=100,
        learning_rate=0.02,
    )
    agent = SlateQAgent(config, log.problem, 0)
    agent.fit(log)
    obs = log.observations(np.arange(300), history_slates=2)
    assert agent.act(obs).slates.tolist() == [[0 if gamma else 1]] * 300
    states = Steps.of(log, config).states
    value = agent.model.value
    with torch.no_grad():
        every = value.scores(value(states), None)  # (M, 2)
    difference = (every[:, 0] - every[:, 1]).mean().item()
    # The next slate is the same for both, so they differ by gamma 3 - 1.
    assert difference == pytest.approx(3 * gamma - 1, abs=0.15)
    if (backup, gamma) == ("sarsa", 0.8):
        # Bait first: 1 now, 1/2 a step later, then 2 forever: 1 + .8 / 2 + .64 * 2 / .2.
        assert every[log.step == 0, 1].mean().item() == pytest.approx(7.8, abs=0.7)


def test_users_with_single_slates_are_refused(sequences):
    log = sequences(lengths=(1, 1, 1))

    def fit(**config):
        return SlateQAgent(SlateQConfig(**QUICK | config), log.problem, 0).fit(log)

    with pytest.raises(UserError, match="every user of the log has only one slate"):
        fit()
    assert fit(gamma=0.0).rows == 3
    assert fit(ending="left").rows == 3
