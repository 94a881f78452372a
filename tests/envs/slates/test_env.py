"""``SlateRec-v0``: both faces of the one kernel."""

import json

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import recsim  # noqa: F401  (registers the environments)
from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from envs.world.presets import PRESETS
from envs.wrappers import RecordEpisodeStatistics
from recsim.errors import UserError

torch.set_num_threads(1)


def flat(tree, prefix=""):
    """Nested dicts of arrays as one dict."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, np.asarray(value)


def always_ending(**changes):
    """A world in which sessions are short and users churn or return often."""
    return {"session": {"minutes": 2.0, "step_minutes": 1.0}, **changes}


# Where there is no display, render_mode="human" warns.
@pytest.mark.filterwarnings("ignore:render_mode='human'")
@pytest.mark.parametrize("action", ["slate", "slot"])
@pytest.mark.parametrize("name", PRESETS)
def test_check_env(name, action):
    env = gym.make("recsim:SlateRec-v0", preset=name, action=action, reveal_state=True)
    check_env(env.unwrapped)
    sb3_check_env(env.unwrapped)


@pytest.mark.parametrize("learner", [PPO, A2C])
def test_sb3_trains_out_of_the_box(learner):
    env = gym.make("recsim:SlateRec-v0", preset="retention")
    model = learner("MultiInputPolicy", env, n_steps=64, seed=0)
    before = [parameter.clone() for parameter in model.policy.parameters()]
    model.learn(128)
    assert any(
        not torch.equal(old, new)
        for old, new in zip(before, model.policy.parameters(), strict=True)
    )


@pytest.mark.parametrize("options", [{}, {"num_candidates": 30}, {"action": "slot"}])
@pytest.mark.parametrize("name", PRESETS)
def test_one_user_of_the_vector_face_is_the_scalar_face(name, options):
    settings = {"preset": name, "max_steps": 9, "reveal_state": True, **options}
    one = gym.make("recsim:SlateRec-v0", **settings)
    many = gym.make_vec("recsim:SlateRec-v0", num_envs=1, **settings)
    obs, info = one.reset(seed=5)
    batch, infos = many.reset(seed=5)
    actions, candidates = np.random.default_rng(0), one.unwrapped.problem.num_candidates
    ends = 0
    for _ in range(120):
        for left, right in ((obs, batch), (info, infos)):
            left, right = dict(flat(left)), dict(flat(right))
            assert left.keys() == right.keys()
            for key, value in left.items():
                assert np.array_equal(value, right[key][0]), key
        size = np.shape(one.action_space.sample())
        action = actions.integers(0, candidates, size)
        obs, reward, terminated, truncated, info = one.step(action)
        batch, rewards, terminations, truncations, infos = many.step(np.asarray(action)[None])
        assert (reward, terminated, truncated) == (rewards[0], terminations[0], truncations[0])
        if terminated or truncated:
            ends += 1
            final = dict(flat(infos.pop("final_obs")))
            for key, value in flat(obs):
                assert np.array_equal(value, final[key][0]), key
            assert infos.pop("_final_obs") == infos.pop("_final_info") == [True]
            last = dict(flat(infos.pop("final_info")))
            for key, value in flat(info):
                assert np.array_equal(value, last[key][0]), key
            obs, info = one.reset()
            # All else in the info of the vector face describes the last step of the old user.
            hints = ("state", "oracle_slate", "long_term_slate")
            info, infos = ({key: some[key] for key in hints} for some in (info, infos))
    assert ends >= 1


def test_users_are_a_function_of_the_seed():
    def trace(seed):
        env = SlateRecVectorEnv(num_envs=8, preset="retention")
        env.reset(seed=seed)
        steps = [env.step(np.tile(np.arange(5), (8, 1))) for _ in range(50)]
        return np.array([step[1] for step in steps])

    assert np.array_equal(trace(3), trace(3))
    assert not np.array_equal(trace(3), trace(4))


def test_reset_without_a_seed_continues_the_random_stream():
    env = SlateRecEnv()
    first = env.reset(seed=1)[0]["user_features"]
    second = env.reset()[0]["user_features"]
    third = env.reset()[0]["user_features"]
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)
    assert np.array_equal(env.reset(seed=1)[0]["user_features"], first)
    assert np.array_equal(env.reset()[0]["user_features"], second)


def test_limits_truncate_and_churn_terminates():
    env = SlateRecVectorEnv(
        num_envs=64, preset="retention", max_steps=7, max_days=0, world=always_ending()
    )
    env.reset(seed=0)
    ends = {"terminated": 0, "truncated": 0}
    for _ in range(40):
        _, _, terminated, truncated, info = env.step(np.tile(np.arange(5), (64, 1)))
        assert not (terminated & truncated).any()
        assert np.array_equal(terminated, info["churned"])
        steps = info["final_obs"]["history_length"][truncated] if truncated.any() else []
        assert all(length == 5 for length in steps)
        ends["terminated"] += terminated.sum()
        ends["truncated"] += truncated.sum()
    assert ends["terminated"] > 10
    assert ends["truncated"] > 10


def test_days_truncate():
    env = SlateRecEnv(preset="retention", max_days=3, max_steps=0, world=always_ending())
    for seed in range(20):
        obs, _ = env.reset(seed=seed)
        while True:
            obs, _, terminated, truncated, _ = env.step(np.arange(5))
            assert truncated == (obs["time"][0] >= 3)
            if terminated or truncated:
                break
    assert env.simulation.max_steps is None


def test_the_end_of_the_only_session_terminates():
    env = SlateRecEnv(preset="interest_evolution", world=always_ending())
    env.reset(seed=0)
    for _ in range(50):
        _, _, terminated, truncated, info = env.step(np.arange(5))
        assert terminated == info["session_end"] == info["churned"]
        assert not truncated
        if terminated:
            return
    pytest.fail("a session of two minutes did not end in 50 steps")


def test_a_step_that_ends_an_episode_does_not_reset():
    env = SlateRecEnv(max_steps=3)
    features = env.reset(seed=0)[0]["user_features"]
    for _ in range(3):
        obs, *_, truncated, _ = env.step(np.arange(5))
    assert truncated
    assert obs["time"].tolist() == [0, 0, 3]
    assert obs["history_length"] == [3]
    assert np.array_equal(obs["user_features"], features)


def test_make_vec_takes_max_episode_steps():
    env = gym.make_vec("recsim:SlateRec-v0", num_envs=2, max_episode_steps=4, preset="boredom")
    env.reset(seed=0)
    truncations = [env.step(np.tile(np.arange(5), (2, 1)))[3].all() for _ in range(8)]
    assert truncations == [False, False, False, True] * 2
    settings = {"preset": "boredom", "slate_size": 3, "action": "slot"}
    env = gym.make_vec("recsim:SlateRec-v0", num_envs=2, max_episode_steps=6, **settings)
    env.reset(seed=0)
    truncations = [env.step(np.array([i % 3, i % 3]))[3].all() for i in range(12)]
    assert truncations == ([False] * 5 + [True]) * 2
    with pytest.raises(UserError, match="a positive multiple of the 3 steps"):
        gym.make_vec("recsim:SlateRec-v0", num_envs=2, max_episode_steps=7, **settings)
    env = gym.make_vec("recsim:SlateRec-v0", num_envs=2, max_episode_steps=9, max_steps=4)
    assert env.unwrapped.simulation.max_steps == 4


def test_episode_statistics_of_the_vector_face():
    env = RecordEpisodeStatistics(SlateRecVectorEnv(num_envs=3, preset="boredom", max_steps=6))
    env.reset(seed=0)
    total = np.zeros(3)
    for step in range(12):
        _, reward, _, truncated, info = env.step(np.tile(np.arange(5), (3, 1)))
        total += reward
        assert truncated.all() == (step % 6 == 5)
        if truncated.all():
            assert info["episode"]["l"].tolist() == [6, 6, 6]
            assert info["episode"]["r"] == pytest.approx(total)
            total[:] = 0


def test_history_holds_what_was_shown_and_clicked():
    env = SlateRecEnv(history=2, slate_size=3, preset="position_bias")
    obs, _ = env.reset(seed=0)
    assert obs["history_items"].tolist() == [-1] * 6
    assert obs["history_length"] == [0]
    slates, clicks = [[-1] * 3] * 2, [[0] * 3] * 2
    for step in range(4):
        slate = [step, step + 1, step + 2]
        obs, _, _, _, info = env.step(slate)
        slates.append(slate)
        clicks.append(info["clicks"].tolist())
        assert obs["history_items"].tolist() == slates[-2] + slates[-1]
        assert obs["history_clicks"].tolist() == clicks[-2] + clicks[-1]
        assert obs["history_length"] == [min(step + 1, 2)]
        assert obs["feedback"] == pytest.approx(list(info["rewards"].values()))
    assert np.sum(clicks) > 0


def test_new_users_have_no_history():
    env = SlateRecVectorEnv(num_envs=50, preset="retention", world=always_ending())
    env.reset(seed=0)
    for _ in range(30):
        obs, _, terminated, truncated, info = env.step(np.tile(np.arange(5), (50, 1)))
        new = terminated | truncated
        assert np.all(obs["history_items"][new] == -1)
        assert not obs["history_clicks"][new].any()
        assert not obs["feedback"][new].any()
        assert not obs["time"][new].any()
        assert not obs["history_length"][new].any()
        assert np.all(obs["history_length"][~new] > 0)
        if new.any():
            assert np.all(info["final_obs"]["history_length"] > 0)
            # The info of the step still describes the user who left.
            assert np.all(info["session_end"][terminated])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "retenton"}, "Did you mean 'retention'"),
        ({"world": {"drift": {"rat": 1}}}, "Did you mean 'rate'"),
        ({"rewards": {"clik": 1}}, "Did you mean 'click'"),
        ({"rewards": {"return": 1}}, "no reward 'return'"),
        ({"rewards": {"click": float("nan")}}, r"rewards\.click: must be a finite number, not nan"),
        ({"rewards": {"click": True}}, r"rewards\.click: must be a valid number, not True"),
        ({"max_days": 5}, "no days pass in a world without retention"),
        ({"slate_size": 0}, r"slate_size: must be greater than or equal to 1, not 0"),
        ({"slate_size": 50, "num_candidates": 40}, "there are 40 candidates"),
        ({"num_candidates": 300}, "the catalogue has 200 items"),
        ({"max_steps": -1}, r"max_steps: must be greater than or equal to 0, not -1"),
        ({"action": "slots"}, r"action: must be 'slate' or 'slot', not 'slots'"),
        ({"history": 0}, r"history: must be greater than or equal to 1, not 0"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_would_be_right(settings, message):
    with pytest.raises(UserError, match=message):
        SlateRecEnv(**settings)


@pytest.mark.parametrize("name", PRESETS)
def test_the_latent_state_is_revealed_only_if_asked_for(name):
    hidden = {"state", "oracle_slate", "long_term_slate", "expected_reward", "oracle_reward"}
    env = SlateRecEnv(preset=name)
    obs, info = env.reset(seed=0)
    interest = env.simulation.world.latent(env.simulation.state)["interest"][0]
    _, _, _, _, later = env.step(np.arange(env.problem.slate_size))
    assert not hidden & (info.keys() | later.keys())
    for key, value in obs.items():
        assert value.shape != interest.shape or not np.allclose(value, interest), key
    env = SlateRecEnv(preset=name, reveal_state=True)
    _, info = env.reset(seed=0)
    _, _, _, _, later = env.step(info["oracle_slate"])
    assert hidden == (hidden & later.keys())
    assert later["expected_reward"] == pytest.approx(later["oracle_reward"], abs=1e-6)


@pytest.mark.parametrize("make", [SlateRecEnv, lambda: SlateRecVectorEnv(num_envs=3)])
def test_callers_may_overwrite_returned_arrays(make):
    def trace(overwrite):
        env = make()
        obs, info = env.reset(seed=0)
        rewards = []
        for _ in range(20):
            for key, array in flat({"obs": obs, "info": info}):
                if overwrite and key != "obs.candidates" and array.ndim and array.flags.writeable:
                    array[...] = 1
            action = np.tile(np.arange(5), (*np.shape(env.action_space.sample())[:-1], 1))
            obs, reward, terminated, truncated, info = env.step(action)
            if isinstance(env, SlateRecEnv) and (terminated or truncated):
                obs, info = env.reset()
            rewards.append(reward)
            rewards.append(obs["history_items"].sum() + obs["history_clicks"].sum())
        return np.array(rewards, dtype=object)

    assert np.array_equal(np.hstack(trace(False)), np.hstack(trace(True)))


def test_other_reward_weights_keep_the_defaults_of_the_preset():
    env = SlateRecEnv(preset="retention", rewards={"return": 5})
    assert env.problem.rewards == {"click": 1.0, "watch": 0.0, "return": 5}


def test_rewards_are_weighted():
    env = SlateRecEnv(preset="retention", rewards={"click": 2.0, "return": 7.0})
    env.reset(seed=0)
    for _ in range(60):
        _, reward, terminated, _, info = env.step(np.arange(5))
        assert reward == pytest.approx(2 * info["rewards"]["click"] + 7 * info["rewards"]["return"])
        if terminated:
            env.reset()


def test_render_is_the_last_step_as_text():
    env = gym.make("recsim:SlateRec-v0", render_mode="ansi")
    env.reset(seed=0)
    assert env.render() == "a new user; nothing shown yet"
    env.step([3, 1, 4, 1, 5])
    assert env.render().startswith("shown 3 1 4 - 5 | clicked ")
    assert SlateRecEnv().render() is None


def test_the_spec_survives_json():
    env = gym.make("recsim:SlateRec-v0", preset="boredom", world={"catalogue": {"num_items": 50}})
    settings = json.loads(env.spec.to_json())["kwargs"]
    assert settings == {"preset": "boredom", "world": {"catalogue": {"num_items": 50}}}


def test_the_torch_backend_has_the_same_spaces_and_distribution():
    settings = {"preset": "retention", "num_envs": 2000, "max_steps": 15}
    means = []
    for backend in ("numpy", "torch"):
        env = gym.make_vec("recsim:SlateRec-v0", backend=backend, **settings)
        obs, _ = env.reset(seed=0)
        total = 0.0
        for step in range(20):
            action = env.unwrapped.simulation.backend.asarray(np.tile(np.arange(5), (2000, 1)))
            obs, reward, terminated, truncated, _ = env.step(action)
            total += float(reward.sum())
            for key, space in env.observation_space.items():
                array = np.asarray(obs[key])
                assert (array.shape, array.dtype) == (space.shape, space.dtype), key
            assert terminated.dtype == truncated.dtype
            assert step < 14 or bool((terminated | truncated).any()) or step > 14
        means.append(total / (2000 * 20))
    assert abs(means[0] - means[1]) < 5 * 0.5 / np.sqrt(2000 * 20) * np.sqrt(2)


def test_torch_is_a_function_of_its_seed():
    def trace(seed):
        env = SlateRecVectorEnv(num_envs=16, backend="torch", preset="retention")
        env.reset(seed=seed)
        return torch.stack([env.step(torch.arange(5).repeat(16, 1))[1] for _ in range(30)])

    assert torch.equal(trace(1), trace(1))
    assert not torch.equal(trace(1), trace(2))
