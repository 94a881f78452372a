"""``LearnedRec-v0``: both faces, rewards, ends of episodes, and sources of the model."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import agents
import recsim  # noqa: F401  (registers the environments)
from envs.learned.config import UserModelConfig
from envs.learned.env import LearnedRecEnv, LearnedRecVectorEnv
from envs.learned.fitting import fit_user_model
from recsim.errors import UserError
from recsim.play.rollout import rollout


# Where there is no display, render_mode="human" warns.
@pytest.mark.filterwarnings("ignore:render_mode='human'")
@pytest.mark.parametrize("action", ["slate", "slot"])
def test_check_env(saved, quick, action):
    env = gym.make("recsim:LearnedRec-v0", reader="saved", path=saved, fit=quick, action=action)
    check_env(env.unwrapped)
    sb3_check_env(env.unwrapped)
    assert env.unwrapped.model_error["users_tested"] == 12


@pytest.mark.parametrize("options", [{}, {"num_candidates": 4}, {"slate_size": 3}])
def test_one_user_of_the_vector_face_is_the_scalar_face(saved, quick, options):
    settings = {"reader": "saved", "path": saved, "fit": quick, "reveal_state": True, **options}
    one = gym.make("recsim:LearnedRec-v0", **settings)
    many = gym.make_vec("recsim:LearnedRec-v0", num_envs=1, **settings)
    obs, info = one.reset(seed=5)
    batch, infos = many.reset(seed=5)
    actions, candidates = np.random.default_rng(0), one.unwrapped.problem.num_candidates
    ends = 0
    for _ in range(60):
        for name, value in obs.items():
            assert np.array_equal(value, batch[name][0]), name
        assert np.array_equal(info["oracle_slate"], infos["oracle_slate"][0])
        action = actions.integers(0, candidates, one.unwrapped.problem.slate_size)
        obs, reward, terminated, truncated, info = one.step(action)
        batch, rewards, terminations, truncations, infos = many.step(action[None])
        assert (reward, terminated, truncated) == (rewards[0], terminations[0], truncations[0])
        for name, value in info["rewards"].items():
            of_step = infos["final_info"] if terminated or truncated else infos
            assert value == of_step["rewards"][name][0]
        if terminated or truncated:
            ends += 1
            assert info["expected_reward"] == infos["final_info"]["expected_reward"][0]
            obs, info = one.reset()
    assert ends > 2


def test_the_same_seed_gives_the_same_numbers(model):
    def play(seed):
        env = LearnedRecVectorEnv(20, user_model=model)
        return rollout(env, agents.make("random", env.problem, seed=1), seed=seed, max_steps=20)

    assert np.array_equal(play(3).reward, play(3).reward)
    assert play(3).reward.shape != play(4).reward.shape or (play(3).reward != play(4).reward).any()


def test_clicks_are_as_frequent_as_the_model_predicts(model):
    users = 4000
    env = LearnedRecVectorEnv(users, user_model=model, reveal_state=True)
    env.reset(seed=0)
    slates = np.random.default_rng(0).integers(0, 6, (users, 2))
    expected = env.simulation.world.click_probabilities(env.simulation.state, slates)
    _, reward, *_, info = env.step(slates)
    clicks = info["rewards"]["click"]
    assert np.allclose(info["expected_reward"], expected.sum(axis=1), atol=1e-5)
    spread = np.sqrt((expected * (1 - expected)).sum() / users**2)
    assert abs(clicks.mean() - expected.sum(axis=1).mean()) < 4 * spread
    assert np.array_equal(reward, clicks)


def test_the_oracle_slate_has_the_largest_expected_reward(model):
    env = LearnedRecVectorEnv(30, user_model=model, reveal_state=True)
    _, info = env.reset(seed=1)
    world, state = env.simulation.world, env.simulation.state
    weights = env.problem.rewards
    reached = world.expected_reward(state, info["oracle_slate"], weights)
    rng = np.random.default_rng(0)
    for _ in range(20):
        slates = np.array([rng.permutation(6)[:2] for _ in range(30)])
        assert (world.expected_reward(state, slates, weights) <= reached + 1e-6).all()


def test_episodes_end_only_for_users_who_do_not_return(model):
    env = LearnedRecVectorEnv(500, user_model=model)
    obs, _ = env.reset(seed=0)
    obs, _, terminated, _, info = env.step(np.tile([0, 1], (500, 1)))
    last = info["final_info"]
    assert 0 < terminated.sum() < 500
    assert np.array_equal(terminated, last["churned"])
    returned = last["rewards"]["return"]
    assert (returned[terminated] == 0).all()
    assert (returned[~terminated] > 0).all()
    assert (last["gap_days"][~terminated] == 1).all()
    assert (obs["time"][~terminated, 0] == 1).all()


def test_without_returns_an_episode_is_one_session(make_log, quick):
    log = make_log(returns=False)
    env = LearnedRecEnv(user_model=fit_user_model(log, UserModelConfig(**quick)))
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[2]  # all sessions of the log are single slates
    assert not any("return" in name for name in env.model_error)
    with pytest.raises(UserError, match="max_days is 3, but the log has no return"):
        LearnedRecEnv(user_model=env.user_model, max_days=3)


def test_the_folder_of_a_model_replaces_the_log(saved, quick, tmp_path):
    folder = str(tmp_path / "model")
    fitted = LearnedRecEnv(model=folder, reader="saved", path=saved, fit=quick)
    loaded = LearnedRecEnv(model=folder)
    assert loaded.model_error == fitted.model_error

    def play(env):
        env.reset(seed=2)
        rewards = []
        for step in range(6):
            _, reward, terminated, truncated, _ = env.step([[0, 3], [1, 5]][step % 2])
            rewards.append(reward)
            if terminated or truncated:
                env.reset()
        return rewards

    assert play(fitted) == play(loaded)
    with pytest.raises(UserError, match=r"fitted to something else \(other fit\)"):
        LearnedRecEnv(model=folder, reader="saved", path=saved, fit={**quick, "epochs": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs users to learn from"),
        ({"reader": "saved"}, "needs both reader and path"),
        ({"model": "nowhere"}, "There is no user model at nowhere"),
        ({"model": "nowhere", "fit": {"epochs": 1}}, "options and fit belong to a log"),
        ({"reader": "saved", "path": "x", "fit": {"epoch": 1}}, "fit.epoch.*'epochs'"),
        ({"reader": "saved", "path": "nowhere"}, "nowhere"),
    ],
)
def test_wrong_settings_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        LearnedRecEnv(**arguments)


def test_a_model_and_a_source_of_one_cannot_both_be_given(model, saved):
    with pytest.raises(UserError, match="not both"):
        LearnedRecEnv(user_model=model, reader="saved", path=saved)


def test_a_model_fitted_to_kuairand(data_dir):
    path = data_dir / "kuairand_pure_2w"
    if not path.is_dir():
        pytest.skip(f"no KuaiRand at {path}")
    fit = {"epochs": 1, "dim": 4, "hidden": 4, "history": 3}
    env = gym.make_vec(
        "recsim:LearnedRec-v0",
        num_envs=8,
        reader="kuairand",
        path=str(path),
        options={"slate_size": 5},
        fit=fit,
        reveal_state=True,
    )
    _, info = env.reset(seed=0)
    _, reward, *_ = env.step(info["oracle_slate"])
    assert reward.shape == (8,)
    error = env.unwrapped.model_error
    assert error["click_log_loss"] < error["click_log_loss_base"]


def test_blocks_of_users_are_rows_of_the_whole(model):
    """Also the users who replace those whose episode ended."""

    def play(first, users):
        env = LearnedRecVectorEnv(users, user_model=model, max_steps=12)
        obs, _ = env.reset(seed=3, options={"first_user": first})
        slots, story = env.problem.slate_size, []
        for step in range(40):
            slates = (np.arange(first, first + users)[:, None] + np.arange(slots) + step) % 5
            obs, _, terminated, truncated, info = env.step(slates)
            clicks = info["clicks"].sum(axis=1)
            story.append([obs["user_features"][:, 0], clicks, terminated, truncated])
        return np.array(story)  # (T, 4, B)

    whole = play(0, 12)
    assert whole[:, 2:].any(axis=(0, 1)).all(), "every row has had at least one end"
    for first, end in ((0, 5), (5, 12), (11, 12)):
        assert np.array_equal(play(first, end - first), whole[:, :, first:end])
