"""The table of next-item prediction, on a small file of sequences."""

import numpy as np
import pytest

import agents
from recsim.errors import UserError
from reproductions.sequences import table


@pytest.fixture
def folder(tmp_path):
    """Walks along 30 items in a circle, in the layout of the Amazon files."""
    rng = np.random.default_rng(0)
    lines = []
    for user in range(40):
        steps = np.where(rng.random(8) < 0.8, 1, rng.integers(1, 30, 8))
        items = (rng.integers(30) + np.cumsum(steps)) % 30
        lines.append(" ".join(map(str, [user, *items])))
    (tmp_path / "sequences_amazon").mkdir()
    (tmp_path / "sequences_amazon" / "Beauty.txt").write_text("\n".join(lines))
    return tmp_path


def cells(out):
    rows = [line.split(" | ") for line in out.splitlines() if line.startswith("| ")]
    return {row[0].strip("| "): row[1:] for row in rows}


def test_published_and_counting_rows_stand_in_one_table(folder, capsys):
    table.main(["beauty", str(folder), "--store", str(folder / "store")])
    rows = cells(capsys.readouterr().out)
    assert len(rows) == 1 + len(table.PUBLISHED["beauty"]) + len(table.COUNTING)
    assert len({len(row) for row in rows.values()}) == 1
    assert rows["MCLRec, published"][3] == "0.0446"
    rules, popularity = rows["`sequential_rules`"], rows["`popularity`"]
    assert float(rules[3]) > 0.5 > float(popularity[3])
    assert rules[-1].startswith("- ")
    assert popularity[-1].startswith("-0.")


def test_a_trained_row_has_its_seeds(folder, capsys, monkeypatch):
    quick = table.Row("sasrec", {"dim": 8, "steps": 4}, {}, True)
    monkeypatch.setitem(table.LEARNED, "sasrec", quick)
    command = ["beauty", str(folder), "--store", str(folder / "store"), "--rows", "sasrec"]
    table.main([*command, "--seeds", "1"])
    capsys.readouterr()
    table.main([*command, "--seeds", "2"])
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in err.splitlines()] == ["sasrec, seed 1"]
    rows = cells(out)
    assert rows["`sasrec`"][7] != "-"
    assert rows["`sequential_rules`"][7] == "-"
    assert rows["`sasrec`"][8] == "2"
    assert rows["`sequential_rules`"][8] == "1"


@pytest.mark.parametrize("title", [*table.COUNTING, *table.LEARNED])
def test_the_settings_of_all_rows_are_valid(title):
    row = (table.COUNTING | table.LEARNED)[title]
    for config in (row.config, {**row.config, **row.amazon}):
        agents.configure(row.name, **config)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"Toys_and_Games.txt does not exist"):
        table.main(["toys", str(tmp_path), "--store", str(tmp_path / "store")])
