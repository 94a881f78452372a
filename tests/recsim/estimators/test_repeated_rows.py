"""Copies of rows in anonymous logs, and rows that are equal by chance."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.estimators import evaluate, evaluate_slates, log_value, repeated_rows
from recsim.estimators.repeated_rows import RepeatedRows, _copied, _hashes
from recsim.log import SlateLog


def uniform(obs, items):
    return np.full(items.shape, 1 / obs["candidates"].shape[1])


@pytest.fixture
def log(random_log):
    """Build an anonymous log whose features are rounded: coarse ones make rows equal by chance."""

    def build(rows, scale, seed=0, features=2):
        rng = np.random.default_rng(seed)
        users = np.round(rng.normal(size=(rows, features)) * scale).astype(np.float32)
        return random_log(
            rows,
            seed=seed,
            items=4,
            slots=1,
            features=features,
            anonymous=True,
            user_features=users,
        )

    return build


def warnings_of(log):
    counts = RepeatedRows()
    counts.add(log)
    return counts.warnings


def test_equally_likely_rows_are_no_copies():
    rng = np.random.default_rng(0)
    named = 0
    for rows, cells in ((300, 100), (500, 200), (1000, 400)):
        for _ in range(100):
            named += _copied(np.unique(rng.integers(cells, size=rows), return_counts=True)[1])
    assert named <= 9


@pytest.mark.parametrize("scale", [0.0, 0.3, 1, 3, 10, 100, 1e6])
def test_rows_that_are_equal_by_chance_are_no_copies(log, scale):
    for seed in range(20):
        assert warnings_of(log(500 + 200 * seed, scale, seed)) == ()


@pytest.mark.parametrize("scale", [1, 3, 1e6])
@pytest.mark.parametrize("times", [2, 3])
def test_a_file_that_was_appended_to_itself_is_named(log, scale, times):
    (text,) = warnings_of(SlateLog.concat([log(2000, scale)] * times))
    assert f"every row of the log occurs {times} times" in text


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_copies_of_a_part_are_counted(log, share):
    whole = log(4000, 1e6)
    copies = int(share * 4000)
    (text,) = warnings_of(SlateLog.concat([whole, whole.select(slice(0, copies))]))
    assert f"about {copies} of {4000 + copies} rows repeat an earlier row exactly" in text


def test_values_carry_the_warning_however_the_log_is_cut(log, random_log):
    whole = log(300, 1e6)
    twice = SlateLog.concat([whole, whole])
    pieces = [whole, whole]
    for given in (twice, pieces):
        (value,) = evaluate(given, uniform, ("ips",), samples=10)
        assert sum("occurs 2 times" in text for text in value.warnings) == 1
        assert any("occurs 2 times" in text for text in log_value(given, samples=10).warnings)
        (of_slates,) = evaluate_slates(given, uniform, ("iips",), samples=10)
        assert any("occurs 2 times" in text for text in of_slates.warnings)
    known = random_log(300, users=40)  # by user, copies do not narrow the interval
    both = SlateLog.concat([known, known], same_users=True)
    assert not any("occurs" in text for text in log_value(both, samples=10).warnings)


def test_a_long_log_is_counted_in_bounded_memory(log, monkeypatch):
    monkeypatch.setattr("recsim.estimators.repeated_rows._MOST", 100)
    whole = log(5000, 1e6)
    counts = RepeatedRows()
    for piece in (whole, whole, whole):
        counts.add(piece)
        assert len(counts._hashes) <= 400
    assert "occurs 3 times" in counts.warnings[0]
    clean = RepeatedRows()
    clean.add(whole)
    assert clean.warnings == ()


def test_any_difference_makes_rows_different(log):
    whole = log(300, 1e6)
    other = replace(whole, user_features=whole.user_features + 1)
    assert warnings_of(SlateLog.concat([whole, other])) == ()
    assert warnings_of(SlateLog.concat([whole, replace(whole, day=whole.day + 1)])) == ()
    offered = [replace(whole, candidates=np.array([own] * 300)) for own in ([0, 1, 2], [0, 1, 3])]
    assert warnings_of(SlateLog.concat(offered)) == ()
    assert "occurs 2 times" in warnings_of(SlateLog.concat(offered[:1] * 2))[0]


def test_rows_of_a_log_are_compared_once(log, monkeypatch):
    counted = []
    monkeypatch.setattr(repeated_rows, "_hashes", lambda chunk: counted.append(1) or hashes(chunk))
    hashes, whole = _hashes, log(300, 1e6)
    for _ in range(3):
        evaluate(whole, uniform, "ips")
    assert len(counted) == 1
