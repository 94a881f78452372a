import numpy as np
import pytest
import torch

from agents.dt4ier.agent import _split
from agents.dt4ier.data import (
    begin_token,
    check_rewards,
    pack,
    rewards_of,
    trajectories,
    vocabulary,
)
from recsim.errors import AgentError
from recsim.log import SlateLog


@pytest.fixture
def small_log(log_of):
    """Two users, the first with three steps and the second with two."""
    log = log_of(
        [[[0, 1], [2, -1], [3, 4]], [[5, 6], [1, 0], [2, 3]]],
        7,
        clicks=[[[1, 0], [1, 0], [1, 1]], [[0, 0], [0, 1], [0, 0]]],
        now=[[0.4, 1, 0.4], [1, 0, 9]],
        later=[[1, 0.2, 1], [0, 1, 9]],
    )
    return log.select([3, 0, 1, 4, 2])  # rows of both users are interleaved


def test_returns_to_go_are_sums_to_the_end(small_log):
    data = trajectories(small_log, ("now", "later"))
    assert data.user.tolist() == [0, 0, 0, 1, 1]
    expected = [[1.8, 2.2], [1.4, 1.2], [0.4, 1], [1, 1], [0, 1]]
    torch.testing.assert_close(data.rtg, torch.tensor(expected))


def test_successive_returns_to_go_differ_by_the_reward(random_log):
    data = trajectories(random_log(users=20, steps=6), ("now", "later"))
    last = data.end == torch.arange(len(data)) + 1
    assert last.sum() == 20
    # Rewards are multiples of 1/4, so sums are exact.
    assert torch.equal(data.rtg[last], data.rewards[last])
    inner = (~last).nonzero()[:, 0]
    assert torch.equal(data.rtg[inner] - data.rtg[inner + 1], data.rewards[inner])


def test_states_are_the_last_clicks_before_the_step(small_log):
    data = trajectories(small_log, ("now", "later"))
    states = data.states(torch.arange(5), 2)
    assert states.tolist() == [[0, 0], [1, 0], [1, 3], [0, 0], [0, 0]]
    assert trajectories(small_log.select([1, 2, 4, 4]), ("now",)).states(
        torch.tensor([3]), 3
    ).tolist() == [[3, 4, 5]]


def test_slates_have_no_gaps_and_special_tokens_are_not_items(log_of):
    data = trajectories(log_of([[[-1, 0, 6], [-1, -1, -1]]], 7), ("now",))
    assert data.slates.tolist() == [[1, 7, 0], [0, 0, 0]]
    assert vocabulary(7) == 10
    assert begin_token(7) == 8  # the items are 1 ... 7


def test_windows_hold_one_user_and_can_start_at_every_step(random_log):
    log = random_log(users=7, steps=5)
    kept = np.ones(35, dtype=bool)
    kept[[4, 8, 9, 30, 31, 32, 33]] = False
    data = trajectories(log.select(kept), ("now", "later"))
    assert len(data) == 28
    windows = data.windows(torch.arange(28), 3)
    placed = windows.place(data.user[windows.rows] + 1)  # (28, 3), 0 at padding
    for start, row in enumerate(placed.tolist()):
        users = [user for user in row if user]
        assert set(users) == {int(data.user[start]) + 1}
        assert len(users) == min(3, int(data.end[start]) - start)
        assert row == [0] * (3 - len(users)) + users, "padding is on the left"
    first = windows.place(windows.rows + 1)[torch.arange(28), 3 - windows.mask.sum(dim=1)]
    assert first.tolist() == list(range(1, 29))


def test_a_loaded_log_gives_the_same_trajectories(random_log, tmp_path):
    log = random_log(features=2)
    loaded = SlateLog.load(log.save(tmp_path / "log"))
    assert not loaded.user_features.flags.writeable
    torch.set_warn_always(True)  # about tensors on read-only memory; warnings are errors in tests
    try:
        data = trajectories(loaded, ("now", "later"))
    finally:
        torch.set_warn_always(False)
    for name, values in vars(trajectories(log, ("now", "later"))).items():
        assert torch.equal(values, getattr(data, name)), name


def test_each_row_of_an_anonymous_log_is_a_user(random_log):
    log = random_log(users=4, steps=1)
    columns = {name: getattr(log, name) for name in ("session", "day", "step", "slate", "clicks")}
    anonymous = SlateLog(
        problem=log.problem,
        user=np.arange(4),
        feedback=log.feedback,
        user_features=log.user_features,
        anonymous=True,
        **columns,
    )
    data = trajectories(anonymous, ("now",))
    assert data.time.tolist() == [0] * 4
    assert torch.equal(data.rtg, data.rewards)


def test_the_split_is_by_user(random_log):
    log = random_log(users=10)
    trained, held_out = _split(log, 0.3, 0)
    assert len(np.unique(held_out.user)) == 3
    assert not np.intersect1d(trained.user, held_out.user).size
    assert len(trained) + len(held_out) == len(log)
    assert len(_split(log, 0.05, 0)[1]) == 0


def test_the_click_reward_is_a_rate_per_item_shown():
    items = np.array([[4, -1, 2], [-1, -1, -1], [1, 2, 3]])
    clicks = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]])
    rewards = rewards_of(("click", "watch"), items, clicks, {"watch": np.array([3.0, 0.0, 2.0])})
    np.testing.assert_allclose(rewards, [[1 / 2, 3], [0, 0], [2 / 3, 2]])


def test_lists_are_packed():
    lists = torch.tensor([[0, 3, 0, 4, 5], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
    assert pack(lists, 2).tolist() == [[4, 5], [0, 0], [4, 5]]
    assert pack(lists, 5).tolist() == [[3, 4, 5, 0, 0], [0] * 5, [1, 2, 3, 4, 5]]
    assert pack(lists, 6)[2].tolist() == [1, 2, 3, 4, 5, 0]


def test_unknown_rewards_are_rejected(problem_of):
    problem = problem_of(5, 2)
    check_rewards(("click", "later"), problem)
    with pytest.raises(AgentError, match=r"no reward is called 'latr'. Did you mean 'later'\?"):
        check_rewards(("now", "latr"), problem)


@pytest.mark.parametrize("history", [1, 3, 100])
def test_shared_states_are_the_same_as_single_states(random_log, history):
    data = trajectories(random_log(users=5, steps=6), ("now", "later"))
    rows = torch.tensor([0, 3, 4, 5, 6, 7, 12, 29, 29])
    lists, of, length = data.shared_states(rows, history)
    inside = torch.arange(lists.shape[1]) < length[:, None]
    shared = torch.where(inside, lists[of], 0)
    width = min(history, lists.shape[1])
    single = data.states(rows, history)
    assert torch.equal(shared[:, :width], single[:, :width])
    assert not single[:, width:].any()
    assert len(lists) <= len(rows) - 1, "one step occurs twice"
    if history == 100:
        assert len(lists) == 4, "one for each user"
