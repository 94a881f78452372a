from dataclasses import replace

import numpy as np

KEYS = {
    "user_features",
    "history_items",
    "history_clicks",
    "history_length",
    "feedback",
    "candidates",
    "time",
    "user",
}


def test_history_is_what_the_same_user_saw_before(random_log):
    slate = np.array([[0, 1], [2, 3], [4, 5], [6, 0], [1, -1]])
    clicks = np.array([[1, 0], [0, 0], [0, 1], [0, 0], [0, 0]], dtype=np.int8)
    watch = np.array([0.5, 1.5, 2.5, 3.5, 4.5])
    log = random_log(
        5,
        slate=slate,
        clicks=clicks,
        user=np.array([0, 1, 0, 0, 0]),
        feedback={"click": clicks.sum(axis=1).astype(float), "watch": watch},
    )
    obs = log.observations(history_slates=2)
    assert set(obs) == KEYS
    assert obs["history_items"].tolist() == [
        [-1, -1, -1, -1],
        [-1, -1, -1, -1],
        [-1, -1, 0, 1],
        [0, 1, 4, 5],
        [4, 5, 6, 0],
    ]
    assert obs["history_clicks"].tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 1, 0],
        [1, 0, 0, 1],
        [0, 1, 0, 0],
    ]
    assert obs["history_length"].tolist() == [[0], [0], [1], [2], [2]]
    assert obs["feedback"].tolist() == [[0, 0], [0, 0], [1, 0.5], [1, 2.5], [0, 3.5]]
    assert obs["time"].tolist() == [[0, 0, step] for step in range(5)]
    assert obs["candidates"].tolist() == [list(range(7))] * 5
    assert np.array_equal(obs["user_features"], log.user_features[log.user])


def test_observations_of_some_rows_equal_those_of_all(random_log):
    log = random_log(50, position=np.arange(100).reshape(50, 2))
    whole = log.observations()
    rows = np.array([49, 3, 17])
    part = log.observations(rows)
    assert "position" in part
    for name, values in part.items():
        assert np.array_equal(values, whole[name][rows]), name
    assert len(log.observations(slice(0, 0))["time"]) == 0


def test_feedback_does_not_depend_on_the_length_of_the_history(random_log):
    log = random_log(2, user=np.array([3, 3]))
    obs = log.observations(history_slates=0)
    assert obs["history_items"].shape == (2, 0)
    assert obs["history_length"].tolist() == [[0], [0]]
    assert obs["feedback"][1].tolist() == [
        np.float32(log.feedback["click"][0]),
        np.float32(log.feedback["watch"][0]),
    ]


def test_anonymous_logs_have_no_histories(random_log):
    obs = random_log(20, anonymous=True).observations(history_slates=3)
    assert (obs["history_items"] == -1).all()
    assert obs["history_items"].shape == (20, 6)
    assert not obs["history_length"].any()
    assert not obs["feedback"].any()


def test_an_observation_does_not_include_the_clicks_of_its_own_row(random_log):
    log = random_log(30)
    changed = log.clicks.copy()
    changed[29] = 1 - changed[29]
    one, other = log.observations(), replace(log, clicks=changed).observations()
    for name in KEYS:
        assert np.array_equal(one[name], other[name]), name
