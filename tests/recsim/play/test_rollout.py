import numpy as np
import pandas as pd
import pytest

from recsim.contracts.slates import Decision
from recsim.errors import AgentError, EnvError
from recsim.play.rollout import rollout
from recsim.problem import Problem

NAN = float("nan")

# Three users, four steps. User 0 churns at step 1, user 1 is truncated at step 2, user 2
# continues. Padding is 100, which must not appear in any result.
REWARD = np.array([[1.0, 2, 3], [4, 5, 6], [100, 7, 8], [100, 100, 9]])
RETURN = np.array([[0, 0.5, 0], [0, 0, 0], [100, 0.25, 0], [100, 100, 1.0]])
CLICKS = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]])
DAY = np.array([[0, 0, 0], [0, 2, 0], [0, 2, 0], [0, 0, 1]])
SESSION = np.array([[0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
STEP = np.array([[0, 0, 0], [1, 0, 1], [0, 1, 2], [1, 0, 0]])
END = np.array([[0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1]], dtype=bool)
GAP = np.array([[0, 2, 0], [0, 0, 0], [0, 4, 1], [0, 0, 1]])
TERMINATED = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]], dtype=bool)
TRUNCATED = np.array([[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)
EXPECTED = np.array([[1.0, 1, 1], [1, 1, 1], [100, 1, 1], [100, 100, 1]])
ORACLE = EXPECTED + np.array([[1, 0, 0], [2, 0, 0], [50, 1, 0], [50, 50, 3]])
ITEMS = [[0, 1], [2, 3]]


def problem(num_candidates: int = 4) -> Problem:
    return Problem(
        num_items=4,
        slate_size=2,
        num_candidates=num_candidates,
        user_feature_dim=1,
        item_features=np.zeros((4, 1), dtype=np.float32),
        item_groups=np.array([0, 0, 1, 1]),
        rewards={"click": 1.0, "return": 0.0},
    )


class ScriptedEnv:
    """Plays back the tables above, whatever slates are shown."""

    def __init__(self, convert=lambda x: x, reveal: bool = True, num_candidates: int = 4) -> None:
        self.problem = problem(num_candidates)
        self.unwrapped = self
        self.convert, self.reveal = convert, reveal
        self.actions: list = []

    def obs(self):
        t = min(len(self.actions), 3)
        count = self.problem.num_candidates
        return {
            "user_features": self.convert(np.arange(3, dtype=np.float32)[:, None] + 10 * t),
            "candidates": self.convert(np.arange(4)[None, -count:].repeat(3, axis=0)),
            "time": self.convert(np.stack([DAY[t], SESSION[t], STEP[t]], axis=1)),
        }

    def slates(self):
        if not self.reveal:
            return {}
        named = np.full((3, 2), len(self.actions))
        return {"oracle_slate": self.convert(named), "long_term_slate": self.convert(named + 1)}

    def reset(self, seed):
        self.seed = seed
        self.actions = []
        return self.obs(), self.slates()

    def step(self, action):
        t = len(self.actions)
        self.actions.append(action)
        infos = {
            "rewards": {
                "click": self.convert(CLICKS[t].astype(float)),
                "return": self.convert(RETURN[t]),
            },
            "items": self.convert(np.array([ITEMS[t % 2]] * 3)),
            "clicks": self.convert(np.stack([CLICKS[t], np.zeros(3)], axis=1).astype(np.int8)),
            "session_end": self.convert(END[t]),
            "gap_days": self.convert(GAP[t]),
            "churned": self.convert(TERMINATED[t]),
        } | self.slates()
        if self.reveal:
            infos |= {
                "expected_reward": self.convert(EXPECTED[t]),
                "oracle_reward": self.convert(ORACLE[t]),
            }
        reward, done = self.convert(REWARD[t]), self.convert(TERMINATED[t])
        return self.obs(), reward, done, self.convert(TRUNCATED[t]), infos


class FirstItems:
    """Shows candidates 0 and 1, and records observations and feedback."""

    privileged = False
    propensity: float | None = 0.5

    def __init__(self) -> None:
        self.seen: list = []
        self.feedback: list = []

    def begin(self, batch_size):
        self.batch_size = batch_size

    def act(self, obs):
        self.seen.append(dict(obs))
        slates = np.array([[0, 1]] * 3)
        if self.propensity is None:
            return Decision(slates)
        return Decision(slates, np.full((3, 2), self.propensity), np.full(3, 0.25))

    def observe(self, feedback):
        self.feedback.append(feedback)


def play(env=None, agent=None, **options):
    return rollout(env or ScriptedEnv(), agent or FirstItems(), seed=1, max_steps=4, **options)


def test_a_user_counts_only_until_their_first_end():
    run = play()
    np.testing.assert_array_equal(
        run.active, [[True, True, True], [True, True, True], [False, True, True], [False] * 2 + [1]]
    )


def test_curves_by_step():
    frame = play().curves("step")
    assert frame.index.name == "step"
    # User 1 is truncated after step 2, so step 3 is not known for every user.
    assert frame.index.tolist() == [0, 1, 2]
    np.testing.assert_allclose(frame["reward"], [6 / 3, 15 / 3, 15 / 3])
    np.testing.assert_allclose(frame["cumulative_reward"], [2, 7, 12])
    np.testing.assert_allclose(frame["click"], [1 / 3, 2 / 3, 1 / 3])
    np.testing.assert_allclose(frame["return"], [0.5 / 3, 0, 0.25 / 3])
    np.testing.assert_allclose(frame["active"], [1, 1, 2 / 3])
    np.testing.assert_allclose(frame["immediate_regret"], [1 / 3, 2 / 3, 1 / 3])
    np.testing.assert_allclose(frame["cumulative_immediate_regret"], [1 / 3, 1, 4 / 3])


def test_curves_by_day_stop_where_a_user_was_cut_off():
    # User 2 is cut off after a session on day 1 and would return on day 2: days 0 and 1 are known
    # for all users. User 0 left on day 0; user 1 has not left on day 1 but has no session.
    frame = play().curves("day")
    assert frame.index.tolist() == [0, 1]
    assert frame.index.name == "day"
    np.testing.assert_allclose(frame["reward"], [(1 + 2 + 3 + 4 + 6 + 8) / 3, 9 / 3])
    np.testing.assert_allclose(frame["active"], [1, 2 / 3])
    np.testing.assert_allclose(frame["cumulative_immediate_regret"], [3 / 3, 6 / 3])


def test_curves_by_day_go_to_the_limit_of_days_while_users_are_away(monkeypatch):
    # User 2 is away from day 1 to day 6, user 1 from day 2 to day 6; days end at the limit.
    gap = GAP.copy()
    gap[3, 2] = 5
    monkeypatch.setitem(globals(), "GAP", gap)
    env = ScriptedEnv()
    env.max_days = 5
    frame = play(env).curves("day")
    assert frame.index.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(frame["cumulative_reward"], [8, 11, 15, 15, 15])
    np.testing.assert_allclose(frame["active"], [1, 2 / 3, 2 / 3, 2 / 3, 2 / 3])
    env.max_days = 9  # from day 6 on, nothing is known
    assert play(env).curves("day").index[-1] == 5
    assert len(play().curves("day")) == 3, "without a limit, up to the last day with a session"


def test_a_day_on_which_a_user_was_cut_off_is_not_known():
    short = rollout(ScriptedEnv(), FirstItems(), seed=1, max_steps=2)
    frame = short.curves("day", length=3)  # user 2 is in a session on day 0
    assert frame["reward"].notna().tolist() == [True, False, False]
    assert len(short.curves("day")) == 1


def test_curves_of_a_given_length():
    run = play()
    assert run.curves("step", length=2)["reward"].tolist() == [2, 5]
    longer = run.curves("step", length=5)
    assert longer["reward"].iloc[3:].isna().all()  # user 1 has not left, so these are not known
    assert longer["reward"].iloc[:3].notna().all()


def test_rows_after_all_users_have_left_are_zero(monkeypatch):
    monkeypatch.setitem(globals(), "TERMINATED", TERMINATED | (np.arange(4) == 1)[:, None])
    frame = play().curves("step", length=4)
    assert frame["reward"].tolist() == [2, 5, 0, 0]
    assert frame["cumulative_reward"].tolist() == [2, 7, 7, 7]
    assert frame["active"].tolist() == [1, 1, 0, 0]
    by_day = play().curves("day", length=4)
    np.testing.assert_allclose(by_day["cumulative_reward"], [16 / 3, 16 / 3, 7, 7])
    np.testing.assert_allclose(by_day["active"], [1, 1 / 3, 1 / 3, 0])


def test_a_truncated_user_has_not_left(monkeypatch):
    monkeypatch.setitem(globals(), "TRUNCATED", TRUNCATED | (np.arange(4) == 2)[:, None])
    frame = play().curves("step", length=4)
    assert frame["cumulative_reward"].iloc[:3].tolist() == [2, 7, 12]
    assert frame["active"].iloc[:3].tolist() == pytest.approx([1, 1, 2 / 3])
    assert frame.iloc[3].isna().all()


def test_the_rollout_ends_with_the_last_episode(monkeypatch):
    monkeypatch.setitem(globals(), "TRUNCATED", np.ones((4, 3), dtype=bool))
    env, done = ScriptedEnv(), []
    run = play(env, on_step=done.append)
    assert run.active.shape == (1, 3)
    assert done == [1]


def test_summary():
    numbers = play().summary()
    expected = {
        "reward_per_step": 45 / 9,
        "reward_per_user": 45 / 3,
        "click_per_step": 5 / 9,
        "click_per_user": 5 / 3,
        "return_per_user": 1.75 / 3,
        "return_per_session": 1.75 / 5,
        "sessions_per_user": (1 + 2 + 2) / 3,
        "churned_share": 1 / 3,
        "active_days": (1 + 2 + 2) / 3,
        "immediate_regret_per_step": 7 / 9,
        "immediate_regret_per_user": 7 / 3,
        "coverage": 1.0,
        # shown: items 0 and 1 at steps 0, 2 (3 + 2 users), items 2 and 3 at steps 1, 3 (3 + 1)
        "gini": (-3 * 4 - 1 * 4 + 1 * 5 + 3 * 5) / (4 * 18),
        "distinct_groups_per_slate": 1.0,
    }
    assert numbers == pytest.approx(expected)
    assert list(numbers) == list(expected)


def test_without_revealed_rewards_there_is_no_regret():
    run = play(ScriptedEnv(reveal=False))
    assert run.immediate_regret is None
    assert run.curves()["cumulative_immediate_regret"].isna().all()
    assert not any("regret" in name for name in run.summary())


def test_feedback_has_the_masks_of_active_and_finished_users():
    agent = FirstItems()
    play(agent=agent)
    assert agent.batch_size == 3
    assert [f.active.tolist() for f in agent.feedback] == play().active.tolist()
    np.testing.assert_array_equal([f.done for f in agent.feedback], TERMINATED | TRUNCATED)
    np.testing.assert_array_equal([f.reward for f in agent.feedback], REWARD)
    np.testing.assert_array_equal([f.rewards["return"] for f in agent.feedback], RETURN)


def test_an_environment_may_reuse_its_arrays():
    buffers: dict = {}

    def reuse(value):
        buffer = buffers.setdefault((value.shape, value.dtype), np.empty_like(value))
        buffer[...] = value
        return buffer

    class Reusing(ScriptedEnv):
        def step(self, action):
            obs, reward, terminated, truncated, infos = super().step(action)
            # The same buffers are overwritten in the next step.
            infos["items"] = reuse(infos["items"])
            return obs, reuse(reward), terminated, truncated, infos

    run = play(Reusing())
    np.testing.assert_array_equal(run.reward, REWARD)
    assert run.items[:, 0].tolist() == [[0, 1], [2, 3]] * 2


def test_without_learning_observe_is_not_called():
    agent = FirstItems()
    play(agent=agent, learn=False)
    assert agent.feedback == []


@pytest.mark.parametrize("privileged", [False, True])
def test_only_a_privileged_agent_gets_the_oracle_slate_of_the_step(privileged):
    agent = FirstItems()
    agent.privileged = privileged
    play(agent=agent)
    assert all(("oracle_slate" in obs) == privileged for obs in agent.seen)
    if privileged:
        assert [int(obs["oracle_slate"][0, 0]) for obs in agent.seen] == [0, 1, 2, 3]
        assert [int(obs["long_term_slate"][0, 0]) for obs in agent.seen] == [1, 2, 3, 4]


def test_a_torch_environment_gives_the_same_rollout_and_gets_torch_actions():
    torch = pytest.importorskip("torch")
    env, agent = ScriptedEnv(convert=torch.as_tensor), FirstItems()
    run = play(env, agent, record=True)
    assert all(isinstance(action, torch.Tensor) for action in env.actions)
    assert all(type(v) is np.ndarray for obs in agent.seen for v in obs.values())
    pd.testing.assert_frame_equal(run.curves("day"), play().curves("day"))
    assert run.summary() == play().summary()
    np.testing.assert_array_equal(run.to_log().slate, play(record=True).to_log().slate)


def test_log_of_a_recorded_rollout():
    log = play(record=True).to_log().validate()
    assert log.user.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert log.day.tolist() == [0, 0, 0, 2, 2, 0, 0, 0, 1]
    assert log.session.tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 1]
    assert log.step.tolist() == [0, 1, 0, 0, 1, 0, 1, 2, 0]
    assert log.slate[:3].tolist() == [[0, 1], [2, 3], [0, 1]]
    assert log.clicks[:, 0].tolist() == [1, 1, 0, 1, 0, 0, 0, 1, 1]
    assert log.feedback["return"].tolist() == [0, 0, 0.5, 0, 0.25, 0, 0, 0, 1]
    assert log.user_features.tolist() == [[0], [1], [2]]
    np.testing.assert_array_equal(log.propensity, np.full((9, 2), 0.5))
    np.testing.assert_array_equal(log.slate_propensity, np.full(9, 0.25))
    assert log.candidates is None  # the whole catalogue was offered
    np.testing.assert_allclose(log.reward, log.feedback["click"])


def test_the_log_says_why_episodes_end():
    run = play(record=True)
    log = run.to_log()
    last = np.array([1, 4, 8])  # of users with two, three and four rows
    assert np.flatnonzero(log.terminated | log.truncated).tolist() == last.tolist()
    ends = run.active.sum(axis=0) - 1
    assert log.terminated[last].tolist() == run.terminated[ends, range(3)].tolist()
    assert log.terminated.any()
    assert log.truncated.any()
    # A rollout that stops first cuts everybody off who is still there.
    short = rollout(ScriptedEnv(), FirstItems(), seed=1, max_steps=1, record=True).to_log()
    assert short.truncated.tolist() == (~run.terminated[0]).tolist()


def test_the_log_has_candidates_if_they_are_not_the_whole_catalogue():
    log = play(ScriptedEnv(num_candidates=3), record=True).to_log()
    np.testing.assert_array_equal(log.candidates, [[1, 2, 3]] * 9)


def test_the_log_has_propensity_one_for_empty_slots(monkeypatch):
    monkeypatch.setitem(globals(), "ITEMS", [[0, -1], [2, 3]])
    log = play(record=True).to_log()
    assert log.propensity is not None
    np.testing.assert_array_equal(log.propensity[:, 1], np.where(log.slate[:, 1] < 0, 1.0, 0.5))


def test_the_log_has_no_propensities_if_the_agent_has_none():
    agent = FirstItems()
    agent.propensity = None
    log = play(agent=agent, record=True).to_log()
    assert log.propensity is None
    assert log.slate_propensity is None


@pytest.mark.parametrize("value", [0.0, -0.1, 1.01, np.nan, np.inf, 1e-320])
def test_propensities_that_are_none_are_refused_when_recorded(value):
    agent = FirstItems()
    agent.propensity = np.full((3, 2), 0.5)
    agent.propensity[1, 1] = value
    message = (
        r"agent 'FirstItems', step 1, row 1, position 1: the decision has propensities .*\(0, 1"
    )
    with pytest.raises(AgentError, match=message):
        play(agent=agent, record=True)
    play(agent=agent)  # nobody will divide by them


def test_a_last_digit_above_one_is_rounding(monkeypatch):
    agent = FirstItems()
    agent.propensity = np.full((3, 2), np.float32(1) + np.finfo(np.float32).eps)
    assert play(agent=agent, record=True).to_log().propensity.max() == 1
    # Of empty slots no propensity is asked.
    monkeypatch.setitem(globals(), "ITEMS", [[0, -1], [2, -1]])
    agent.propensity = np.array([[0.5, np.nan]] * 3)
    assert play(agent=agent, record=True).to_log().propensity.min() == 0.5


def test_a_reward_that_is_not_finite_is_refused(monkeypatch):
    reward = REWARD.copy()
    reward[2, 0] = np.inf  # of a user who has left
    monkeypatch.setitem(globals(), "REWARD", reward)
    play()
    reward[2, 2] = np.nan
    with pytest.raises(EnvError, match="step 3, row 2: the environment gave 'reward' nan"):
        play()


def test_the_error_without_a_recording_says_how_to_record():
    with pytest.raises(ValueError, match="record=True"):
        play().to_log()


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="max_steps must be positive, not 0"):
        rollout(ScriptedEnv(), FirstItems(), seed=0, max_steps=0)
