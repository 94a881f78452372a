"""The policy for stable-baselines3's own learners: by hand, in PPO and A2C, and what it learns."""

import itertools
from functools import lru_cache

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, PPO

from agents.sb3.scoring import ScoringNetwork, ScoringPolicy, SlateDistribution
from envs.sb3 import SB3VecEnv
from envs.slates.env import SlateRecVectorEnv
from recsim.errors import UserError

torch.set_num_threads(1)

SMALL = {
    "preset": "position_bias",
    "world": {"catalogue": {"num_items": 12}},
    "slate_size": 3,
    "max_steps": 10,
    "observation": "features",
}
KINDS = {"slates": {}, "slots": {"action": "slot"}, "candidates": {"num_candidates": 6}}


def layout_of(settings):
    return {"layout": SlateRecVectorEnv(1, **settings).feature_layout}


def model_on(learner, settings, users=4, **options):
    env = SB3VecEnv(SlateRecVectorEnv(users, **settings))
    kwargs = {"n_steps": 8, "seed": 0, "device": "cpu"} | options
    if learner is PPO:
        kwargs.setdefault("batch_size", 16)
    return learner(ScoringPolicy, env, policy_kwargs=layout_of(settings), **kwargs)


def random_network(last="more"):
    torch.manual_seed(0)
    layout = {"user": slice(0, 2), "candidates": slice(2, 14), last: slice(14, 17)}
    return ScoringNetwork(layout, 4, hidden=5, activation=torch.nn.Tanh)


def test_the_order_of_candidates_does_not_matter():
    network = random_network()
    features = torch.randn(6, 17)
    order = torch.tensor([2, 0, 3, 1])
    block = features[:, 2:14].reshape(6, 4, 3)[:, order].reshape(6, 12)
    permuted = torch.cat([features[:, :2], block, features[:, 14:]], dim=1)
    (logits, value), (others, same) = network(features), network(permuted)
    torch.testing.assert_close(logits[:, order], others)
    torch.testing.assert_close(value, same)
    # A candidate's score depends on its own numbers and on the context, not on other candidates.
    changed = features.clone()
    changed[:, 2:5] += 1
    moved = network.forward_actor(changed) - logits
    assert (moved[:, 0].abs() > 1e-3).all()
    assert not moved[:, 1:].any()
    changed = features.clone()
    changed[:, 16] += 1
    assert (network.forward_actor(changed) != logits).all()


def test_items_of_the_slate_get_no_chance():
    features = torch.randn(1, 17)
    features[:, 2:14].reshape(1, 4, 3)[:, :, -1] = torch.tensor([0.0, 1.0, 0.0, 1.0])
    chances = random_network(last="slate").forward_actor(features).softmax(dim=1)
    assert (chances[0, [1, 3]] == 0).all()
    assert (chances[0, [0, 2]] > 0).all()


def test_probabilities_by_hand():
    distribution = SlateDistribution(2).proba_distribution(torch.log(torch.tensor([[1.0, 2, 5]])))
    # 5/8 for the first item, then 2/3 of what is left.
    assert distribution.log_prob(torch.tensor([[2, 1]])).exp().item() == pytest.approx(5 / 12)
    first = -sum(p * np.log(p) for p in (1 / 8, 2 / 8, 5 / 8))
    second = -sum(p * np.log(p) for p in (1 / 3, 2 / 3))
    assert distribution.entropy().item() == pytest.approx(first + second)
    assert distribution.mode().tolist() == [[2, 1]]
    slates = list(itertools.permutations(range(3), 2))
    many = SlateDistribution(2).proba_distribution(distribution.logits.repeat(6, 1))
    assert many.log_prob(torch.tensor(slates)).exp().sum().item() == pytest.approx(1)


def test_slates_are_drawn_with_their_probabilities():
    torch.manual_seed(1)
    logits = torch.log(torch.tensor([[1.0, 2, 5]])).repeat(20_000, 1)
    drawn = SlateDistribution(2).proba_distribution(logits).sample()
    for slate, chance in (([2, 1], 5 / 12), ([0, 1], 1 / 8 * 2 / 7)):
        share = (drawn == torch.tensor(slate)).all(dim=1).float().mean().item()
        assert share == pytest.approx(chance, abs=4 * np.sqrt(chance / 20_000))


def test_masks_exclude_candidates():
    distribution = SlateDistribution(1).proba_distribution(torch.zeros(2, 3))
    distribution.apply_masking(np.array([[True, False, True], [False, False, True]]))
    chance = torch.stack([distribution.log_prob(torch.tensor([i, i])) for i in range(3)]).exp()
    assert chance.T.tolist() == [[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]]
    # With slates a mask has K * C entries; a candidate must be allowed in every slot.
    distribution = SlateDistribution(2).proba_distribution(torch.zeros(1, 3))
    distribution.apply_masking(np.array([[True, True, True, True, False, True]]))
    assert sorted(distribution.mode()[0].tolist()) == [0, 2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learner", [PPO, A2C])
def test_learners_train_and_keep_what_they_learned(learner, kind, tmp_path):
    settings = SMALL | KINDS[kind]
    model = model_on(learner, settings)
    obs = model.env.reset()
    before = [parameter.clone() for parameter in model.policy.parameters()]
    distribution = model.policy.get_distribution(torch.as_tensor(obs))
    chances = distribution.logits.softmax(dim=1)
    assert chances.max() < 1.5 / chances.shape[1]  # at first, all slates are about as likely
    model.learn(128)
    for old, new in zip(before, model.policy.parameters(), strict=True):
        assert not torch.equal(old, new)
    model.save(tmp_path / "model")
    loaded = learner.load(tmp_path / "model", device="cpu")
    for deterministic in (True, False):
        actions = []
        for one in (model, loaded):
            torch.manual_seed(3)
            actions.append(one.predict(obs, deterministic=deterministic)[0])
        assert np.array_equal(*actions)
    model.policy.save(tmp_path / "policy")
    policy = ScoringPolicy.load(tmp_path / "policy", device="cpu")
    assert np.array_equal(*(one.predict(obs, deterministic=True)[0] for one in (policy, model)))


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_no_item_repeats(kind, deterministic):
    settings = SMALL | KINDS[kind]
    env = gym.make("recsim:SlateRec-v0", **settings)
    model = PPO(
        ScoringPolicy, env, n_steps=8, batch_size=8, seed=0, policy_kwargs=layout_of(settings)
    )
    obs, _ = env.reset(seed=0)
    slates = 0
    for _ in range(24):
        action, _ = model.predict(obs, deterministic=deterministic)
        obs, _, terminated, truncated, info = env.step(action)
        if (info["items"] >= 0).any():
            assert len(set(info["items"].tolist()) - {-1}) == 3
            slates += 1
        if terminated or truncated:
            obs, _ = env.reset()
    assert slates >= 8


def test_same_seed_same_parameters():
    def learned(seed):
        model = model_on(PPO, SMALL, seed=seed)
        return torch.cat([part.flatten() for part in model.learn(64).policy.parameters()])

    assert torch.equal(learned(3), learned(3))
    assert not torch.equal(learned(3), learned(4))


def test_maskable_ppo():
    contrib = pytest.importorskip("sb3_contrib", reason="needs sb3-contrib")
    from agents.sb3.maskable import MaskableScoringPolicy

    for kind in KINDS.values():
        settings = SMALL | kind
        env = SB3VecEnv(SlateRecVectorEnv(4, **settings))
        model = contrib.MaskablePPO(
            MaskableScoringPolicy,
            env,
            n_steps=8,
            batch_size=16,
            seed=0,
            policy_kwargs=layout_of(settings),
        )
        before = model.policy.value_net.weight.clone()
        model.learn(64)
        assert not torch.equal(before, model.policy.value_net.weight)
        obs = env.reset()
        masks = np.ones((4, env.env_method("action_masks")[0].size), dtype=bool)
        masks[:, 1::2] = False
        if "action" in kind:
            action, _ = model.predict(obs, deterministic=True, action_masks=masks)
            assert (action % 2 == 0).all()


def test_a_wrong_layout_or_space_is_refused():
    env = SB3VecEnv(SlateRecVectorEnv(2, **SMALL))
    with pytest.raises(UserError, match=r"policy_kwargs=\{'layout'"):
        PPO(ScoringPolicy, env)
    ids = SB3VecEnv(SlateRecVectorEnv(2, **SMALL | {"observation": "ids"}))
    with pytest.raises(UserError, match="make the environment with observation='features'"):
        PPO(ScoringPolicy, ids, policy_kwargs=layout_of(SMALL))
    layout = layout_of(SMALL)["layout"]
    wrong = [
        layout_of(SMALL | {"num_candidates": 5})["layout"],
        {"candidates": layout["candidates"]},
        layout | {"user": slice(0, 2)},
        layout | {"user": 3},
        {"all": slice(0, 165)},
        {"candidates": slice(None)},
        [slice(0, 165)],
    ]
    for other in wrong:
        with pytest.raises(
            UserError, match="layout does not fit observations of 165 numbers about"
        ):
            PPO(ScoringPolicy, env, policy_kwargs={"layout": other})
    with pytest.raises(UserError, match="165 numbers about 0 candidates"):
        ScoringPolicy(env.observation_space, spaces.Box(0, 1, (3,)), lambda _: 0.1, layout=layout)


PLANTED = {
    "preset": "position_bias",
    "world": {
        "catalogue": {"num_items": 12, "num_groups": 4, "feature_noise": 0.0},
        "population": {"feature_noise": 0.0},
    },
    "slate_size": 2,
    "max_steps": 10,
    "observation": "features",
}


def earned(env, act, steps=10):
    """Return the mean reward per user, and its standard error, of the users of seed 9."""
    obs, _ = env.reset(seed=9)
    total = np.zeros(env.num_envs)
    for _ in range(steps):
        obs, reward, *_ = env.step(act(obs))
        total += reward
    return total.mean(), total.std() / np.sqrt(len(total))


@lru_cache
def best_fixed_slate():
    """Return what the best of all slates earns, chosen with hindsight on the same users."""
    env = SlateRecVectorEnv(400, **PLANTED)
    slates = itertools.permutations(range(env.problem.num_items), env.problem.slate_size)
    return max(earned(env, lambda obs, slate=slate: np.tile(slate, (400, 1))) for slate in slates)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", ["slates", "slots"])
def test_ppo_learns_what_each_user_likes(kind, seed):
    """Users like different groups of items, so any slate that is the same for all earns little."""
    settings = PLANTED | KINDS[kind]
    # With slots the reward comes with the last of two items, so the next step counts too.
    options = {"slates": {"gamma": 0.0}, "slots": {"gamma": 0.9, "gae_lambda": 0.9}}[kind]
    model = model_on(
        PPO,
        settings,
        users=64,
        seed=seed,
        n_steps=16,
        batch_size=256,
        n_epochs=5,
        learning_rate=3e-3,
        **options,
    )
    env = SlateRecVectorEnv(400, **settings)
    per_slate = env.simulation.steps_per_slate
    model.learn(10_240 * per_slate)
    reward, noise = earned(
        env, lambda obs: model.predict(obs, deterministic=True)[0], 10 * per_slate
    )
    most, error = best_fixed_slate()
    assert reward - most > 5 * np.hypot(noise, error)
    assert reward > 1.3 * most
