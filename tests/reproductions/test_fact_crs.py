"""The tables of reproductions/fact_crs: means over seeds and users, and paired differences."""

import numpy as np
import pandas as pd
import pytest

from recsim.conversation import planted_tastes
from reproductions.fact_crs import lastfm


def conversations(successes, users=(0, 0, 1)):
    """Return conversations that end at turn 3 if they succeed."""
    success = np.array(successes, dtype=bool)
    rows = {"user": users, "success": success, "turn": np.where(success, 3, lastfm.TURNS)}
    return pd.DataFrame(
        rows
        | dict.fromkeys(("hdcg", "n_questions", "n_recs", "items_shown"), 1.0)
        | {"reward": 0.0}
    )


def test_means_are_over_conversations_and_intervals_over_seeds_and_users():
    mean, errors = lastfm.ratios(
        [conversations([1, 0, 0]), conversations([1, 1, 0])], "success_rate"
    )
    assert mean == pytest.approx(0.5)
    # Of six conversations: user 0 has 1 of 2, then 2 of 2 successes; user 1 none of 1.
    np.testing.assert_allclose(errors, np.array([[0, -0.5], [1, -0.5]]) / 6)


def test_differences_are_paired_by_seed_and_user():
    first = [conversations([1, 0, 1]), conversations([1, 1, 1])]
    second = [conversations([0, 0, 1]), conversations([0, 1, 1])]
    gap = lastfm.difference(first, second, "average_turns")
    assert gap.value == pytest.approx(-7 / 3)
    # The same difference with both seeds: only users differ.
    assert gap.low < gap.value < gap.high
    same = lastfm.difference(first, first, "success_rate")
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_the_command_prints_its_tables(monkeypatch, capsys):
    data = planted_tastes(num_items=60, num_attributes=8, users=40, interactions=8, seed=1)
    monkeypatch.setattr(lastfm, "read_attributes", lambda path: data)
    rows = ["popularity", "fact_crs", "as published, free slates", "as published"]
    monkeypatch.setattr("sys.argv", ["lastfm", "DATA", "--seeds", "2", "--variants", *rows])
    lastfm.main()
    output = capsys.readouterr().out
    last = output[output.index("2 seeds") :].splitlines()
    labels = [line.split("|")[1].strip() for line in last if line.startswith("| ")]
    # Each table has two lines of heading.
    assert labels == [
        *("", "---", *rows),
        *("", "---", "popularity minus fact_crs", "as published, free slates minus as published"),
        "as published minus fact_crs",
    ]
