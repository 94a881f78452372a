import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog
from recsim.log.history import observations_after
from recsim.log.transitions import ends_of_episodes, flat_observations
from recsim.play.rounds import join
from recsim.problem import Problem


def small_log(**columns):
    """Two users, whose rows alternate: three rows of user 0, two of user 1; one item each."""
    item_features = np.array([[1.0], [2.0], [3.0]], dtype=np.float32)
    values = {
        "problem": Problem(
            num_items=3, user_feature_dim=1, item_features=item_features, rewards={"pay": 2.0}
        ),
        "user": np.array([0, 1, 0, 1, 0]),
        "session": np.array([0, 0, 1, 0, 1]),
        "day": np.array([0, 0, 1, 1, 1]),
        "step": np.array([0, 0, 0, 1, 1]),
        "slate": np.array([[0], [1], [2], [0], [1]]),
        "clicks": np.array([[1], [0], [0], [1], [1]], dtype=np.int8),
        "feedback": {"pay": np.array([0.5, 0.0, 1.0, 2.0, 3.0])},
        "user_features": np.array([[7.0], [8.0]], dtype=np.float32),
    }
    return SlateLog(**values | columns).validate()


ENDS = {
    "terminated": np.array([False, False, False, False, True]),
    "truncated": np.array([False, False, False, True, False]),
}


def test_transitions_by_hand():
    t = small_log(**ENDS).to_transitions(history_slates=1)
    assert t["actions"].tolist() == [[0], [2], [1], [1], [0]]  # user by user
    assert t["rewards"].tolist() == [1.0, 2.0, 6.0, 0.0, 4.0]
    assert t["terminals"].tolist() == [0, 0, 1, 0, 0]
    assert t["timeouts"].tolist() == [0, 0, 0, 0, 1]
    # User's feature; shown, clicked, feature of the item; pay; day, session, step.
    assert t["observations"].tolist() == [
        [7, 0, 0, 0, 0.0, 0, 0, 0],
        [7, 1, 1, 1, 0.5, 1, 1, 0],
        [7, 1, 0, 3, 1.0, 1, 1, 1],
        [8, 0, 0, 0, 0.0, 0, 0, 0],
        [8, 1, 0, 2, 0.0, 1, 0, 1],
    ]
    assert t["next_observations"][[0, 1, 3]].tolist() == t["observations"][[1, 2, 4]].tolist()
    assert t["next_observations"][[2, 4]].tolist() == [
        [7, 1, 1, 2, 3.0, 1, 1, 2],
        [8, 1, 1, 1, 2.0, 1, 0, 2],
    ]
    assert all(t[key].dtype == np.float32 for key in t if key != "actions")


def test_the_names_of_torchrl():
    log = small_log(**ENDS)
    d3rlpy, t = log.to_transitions(), log.to_transitions("torchrl")
    assert set(t) == {"observation", "action", "next"}
    assert np.array_equal(t["observation"], d3rlpy["observations"])
    assert np.array_equal(t["next"]["observation"], d3rlpy["next_observations"])
    assert t["next"]["reward"][:, 0].tolist() == d3rlpy["rewards"].tolist()
    assert t["next"]["terminated"].shape == (5, 1)
    assert t["next"]["done"][:, 0].tolist() == [False, False, True, False, True]
    assert np.flatnonzero(t["next"]["terminated"]).tolist() == [2]
    assert np.flatnonzero(t["next"]["truncated"]).tolist() == [4]


def test_rows_of_a_log_without_ends_are_cut_off_at_the_last():
    terminated, truncated = ends_of_episodes(small_log())
    assert not terminated.any()
    assert np.flatnonzero(truncated).tolist() == [3, 4]
    # Rows whose end is not in the selection are cut off, too.
    terminated, truncated = ends_of_episodes(small_log(**ENDS).select([0, 1, 2, 3]))
    assert not terminated.any()
    assert np.flatnonzero(truncated).tolist() == [2, 3]


def test_the_observation_after_a_row_is_that_before_the_next(random_log):
    log = random_log(60)
    order = log.by_user
    rows = order[:-1][log.user[order][:-1] == log.user[order][1:]]
    after = observations_after(log, rows, 3)
    following = order[1:][log.user[order][:-1] == log.user[order][1:]]
    before = log.observations(following, history_slates=3)
    assert after.keys() == before.keys()
    for key, values in before.items():
        np.testing.assert_array_equal(after[key], values, err_msg=key)


def test_items_without_features_are_told_apart_by_their_group():
    log = small_log()
    none = np.zeros((3, 0), dtype=np.float32)
    groups = replace(log.problem, item_features=none, item_groups=np.array([0, 2, 2]))
    obs = log.observations(np.array([4]), history_slates=1)
    assert flat_observations(obs, groups).tolist() == [[7, 1, 0, 0, 0, 1, 1, 1, 1, 1]]
    alike = replace(log, problem=replace(log.problem, item_features=none))
    with pytest.raises(LogError, match=r"neither features nor groups.*give encode="):
        alike.to_transitions()
    own = alike.to_transitions(encode=lambda obs: obs["history_items"])
    assert own["observations"].shape == (5, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "d3rply"}, "Did you mean 'd3rlpy'"),
        ({"encode": lambda obs: np.zeros((2, 3))}, r"5 rows; it returned an array of shape \(2, 3"),
        ({"encode": lambda obs: 1.0}, r"array of shape \(\)"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(LogError, match=message):
        small_log().to_transitions(**options)


def test_an_anonymous_log_has_no_episodes(random_log, tmp_path):
    log = random_log(4, anonymous=True)
    with pytest.raises(LogError, match="anonymous"):
        log.to_transitions()
    pytest.importorskip("minari")
    with pytest.raises(LogError, match="anonymous"):
        log.to_minari(tmp_path / "log")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truncated": None}, "has the column terminated, but not truncated"),
        ({"terminated": None}, "has the column truncated, but not terminated"),
        ({"terminated": ENDS["truncated"]}, "row 3: terminated True and truncated are both set"),
        ({"terminated": np.zeros(5)}, "terminated holds float64; it must be bool"),
        ({"terminated": np.zeros(4, dtype=bool)}, r"shape \(4,\)"),
    ],
)
def test_wrong_ends_are_refused(change, message):
    with pytest.raises(LogError, match=message):
        small_log(**ENDS | change)


def test_ends_are_kept(tmp_path):
    log = small_log(**ENDS)
    saved = SlateLog.load(log.save(tmp_path / "log"))
    both = SlateLog.concat([log, log])
    for name, ends in ENDS.items():
        assert getattr(saved, name).tolist() == ends.tolist()
        assert getattr(both, name).tolist() == [*ends, *ends]
        assert getattr(log.select([4, 3]), name).tolist() == ends[[4, 3]].tolist()
        assert log.to_pandas()[name].tolist() == ends.tolist()
    assert "terminated, truncated" in repr(log)


def test_ends_that_some_logs_lack_are_dropped():
    known, unknown = small_log(**ENDS), small_log()
    with pytest.raises(LogError, match="only one of them has the column 'terminated'"):
        SlateLog.concat([known, unknown])
    assert join([known, unknown]).terminated is None
    assert join([known, known]).truncated.sum() == 2


def test_d3rlpy_takes_them():
    d3rlpy = pytest.importorskip("d3rlpy")
    t = small_log(**ENDS).to_transitions()
    names = ("observations", "actions", "rewards", "terminals", "timeouts")
    data = d3rlpy.dataset.MDPDataset(**{name: t[name] for name in names})
    assert [len(episode) for episode in data.episodes] == [3, 2]
    assert [episode.terminated for episode in data.episodes] == [True, False]
    assert data.episodes[0].rewards[:, 0].tolist() == [1, 2, 6]
    assert data.dataset_info.action_space == d3rlpy.constants.ActionSpace.DISCRETE


def test_torchrl_takes_them():
    tensordict = pytest.importorskip("tensordict")
    t = small_log(**ENDS).to_transitions("torchrl")
    data = tensordict.TensorDict(t, batch_size=[5])
    assert data["next", "terminated"].shape == (5, 1)
    assert data[2]["next", "reward"].tolist() == [6]


def test_the_example_of_the_guide_runs(capsys):
    guide = Path(__file__).parents[3] / "docs" / "logs.md"
    section = guide.read_text(encoding="utf-8").partition("## Transitions")[2]
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], {"log": small_log()})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(small_log().to_transitions())
