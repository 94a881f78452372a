import numpy as np

from agents.shared import clicked
from agents.shared.clicked import Clicked, observed

OBS = {
    "history_items": np.array([[-1, -1, 3, 4, 5, 3], [1, 2, 3, 4, 5, 6]]),
    "history_clicks": np.array([[0, 0, 0, 1, 0, 0], [1, 1, 0, 0, 0, 1]]),
    "candidates": np.tile(np.arange(7), (2, 1)),
}


def test_clicks_are_listed_with_their_age():
    result = Clicked.of(OBS, 2, 5)
    assert result.items.tolist() == [[4, -1, -1], [1, 2, 6]]
    assert result.age.tolist() == [[1, 0, 0], [2, 2, 0]]
    assert result.slates.tolist() == [2, 3]


def test_older_slates_are_ignored():
    result = Clicked.of(OBS, 2, 2)
    assert result.items.tolist() == [[4], [6]]
    assert result.age.tolist() == [[1], [0]]
    assert result.slates.tolist() == [2, 2]


def test_without_a_history_there_are_no_clicks():
    result = Clicked.of({"candidates": OBS["candidates"]}, 2, 5)
    assert result.items.shape == result.age.shape == (2, 0)
    assert result.slates.tolist() == [0, 0]


def test_parts_are_widened():
    parts = [Clicked.of(OBS, 2, 2), Clicked.of(OBS, 2, 5)]
    result = Clicked.concat(parts)
    assert result.items.tolist() == [[4, -1, -1], [6, -1, -1], [4, -1, -1], [1, 2, 6]]
    assert result.slates.tolist() == [2, 2, 2, 3]


def test_a_log_in_blocks_is_the_log(make_problem, make_log, monkeypatch):
    log = make_log(make_problem(), 30, user=np.arange(30) % 4)
    whole = Clicked.of(log.observations(history_slates=3), 2, 3)
    monkeypatch.setattr(clicked, "_BLOCK", 6 * 7)
    blocks = list(observed(log, 3))
    assert [len(obs["candidates"]) for obs in blocks] == [7, 7, 7, 7, 2]
    result = Clicked.concat([Clicked.of(obs, 2, 3) for obs in blocks])
    for name, value in vars(whole).items():
        np.testing.assert_array_equal(getattr(result, name), value)
