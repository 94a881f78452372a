"""The command of reproductions/bot_play runs, and its rows are consistent."""

import numpy as np
import pytest

import agents
from reproductions.bot_play import cellphone
from reproductions.bot_play.reference import REFERENCE, VARIANTS


@pytest.fixture
def folder(tmp_path):
    """Return a folder of 400 reviews that mention the last of 5 aspects for every item."""
    rng = np.random.default_rng(0)
    rows = [
        f"{user},{item},5,{item % 4} 1 4 1"
        for user in range(40)
        for item in rng.permutation(25)[:10]
    ]
    (tmp_path / "phones_train.txt").write_text("\n".join(rows[:300]) + "\n")
    (tmp_path / "phones_test.txt").write_text("\n".join(rows[300:]) + "\n")
    return tmp_path


@pytest.mark.parametrize("label", VARIANTS)
def test_all_settings_are_known(label):
    agents.configure(VARIANTS[label].agent, **VARIANTS[label].config)


def test_rows_that_share_training_differ_only_in_how_they_act():
    for variant in VARIANTS.values():
        if variant.like is None:
            continue
        first, second = (
            {
                name: value
                for name, value in one.config.items()
                if name not in ("aspect_filter", "listens", "method")
            }
            for one in (variant, VARIANTS[variant.like])
        )
        assert (first, variant.agent) == (second, VARIANTS[variant.like].agent)


def test_compared_rows_are_in_the_table():
    compared = {label for pair in cellphone.PAIRS for label in pair}
    assert compared | {label for label, _ in REFERENCE} <= VARIANTS.keys()
    assert {column for _, column in REFERENCE} <= cellphone.COLUMNS.keys()


def test_the_command_prints_its_tables(folder, monkeypatch, capsys):
    rows = ["control", "bot play, one", "bot play, one, + filter", "popularity"]
    given = ["cellphone", str(folder), "--seeds", "2", "--steps", "2", "--rows", *rows]
    monkeypatch.setattr("sys.argv", given)
    cellphone.main()
    output = capsys.readouterr().out
    assert "400 reviews, 40 users, 25 items, 5 aspects, 320 to train on" in output
    last = output[output.index("2 seeds") :]
    assert [line.count("|") for line in last.splitlines() if line.startswith("| popularity |")] == [
        len(cellphone.COLUMNS) + 2,
        len(cellphone.BASE_METRICS) + 2,
        6,
    ]
    assert "| bot play, one | pop |" in last
    assert "reached |" in last
