"""The table of additions to `sasrec`, on a small file of sequences."""

from dataclasses import replace

import numpy as np
import pytest

import agents
from reproductions.sequences import additions

QUICK = {"dim": 8, "steps": 4, "max_length": 6, "batch_size": 8, "exclude_seen": True}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Random sequences in the layout of the Amazon files, and settings that take no time."""
    rng = np.random.default_rng(0)
    lines = [" ".join(map(str, [user, *rng.integers(0, 25, 8)])) for user in range(30)]
    (tmp_path / "sequences_amazon").mkdir()
    (tmp_path / "sequences_amazon" / "Beauty.txt").write_text("\n".join(lines))
    data = replace(additions.DATA["beauty"], config=QUICK, intent={"clusters": 3})
    monkeypatch.setitem(additions.DATA, "beauty", data)
    return tmp_path


def run(folder, capsys, *more, seeds="1"):
    """Return the rows of the table and the trials that were run."""
    store = str(folder / "store")
    additions.main(["beauty", str(folder), "--store", store, "--seeds", seeds, *more])
    out, err = capsys.readouterr()
    rows = [line.strip("| ").split(" | ") for line in out.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}, err.splitlines()


def test_a_stopped_command_goes_on_where_it_ended(folder, capsys, monkeypatch):
    whole, trials = run(folder, capsys, "--rows", "none", "erl")
    assert len(trials) == 2
    assert whole["none"][-2:] == ["-", "-"]
    assert whole["`erl`"][-2].startswith("none: ")
    assert whole["`erl`"][-1] == "twice the steps: not measured"
    again, trials = run(folder, capsys, "--rows", "none", "erl")
    assert (again, trials) == (whole, [])
    more, trials = run(folder, capsys, "--rows", "none", "erl", seeds="2")
    assert [trial.split(":")[0] for trial in trials] == ["none, seed 1", "erl, seed 1"]
    assert more["`erl`"][3] == "2"
    # Other settings are other trials.
    changed = replace(additions.DATA["beauty"], config={**QUICK, "dim": 4})
    monkeypatch.setitem(additions.DATA, "beauty", changed)
    _, trials = run(folder, capsys, "--rows", "none")
    assert len(trials) == 1


def test_all_rows_but_those_by_features(folder, capsys):
    rows, _ = run(folder, capsys)
    assert len(rows) == len(additions.ROWS) - 2
    assert len({len(row) for row in rows.values()}) == 1
    assert rows["`meta`"][-2].startswith("two steps a batch: ")
    assert "+0.0000 [+0.0000, +0.0000]" not in rows["`meta`"][-2]
    with pytest.raises(SystemExit):
        run(folder, capsys, "--rows", "metadata")
    assert "needs features of items" in capsys.readouterr().err


@pytest.mark.parametrize("name", additions.DATA)
def test_the_settings_of_all_rows_are_valid_and_differ(name):
    rows = additions.rows_of(additions.DATA[name])
    configs = [agents.configure("sasrec", **row.settings) for row in rows.values()]
    for place, config in enumerate(configs):
        assert config not in configs[:place]
    for row in rows.values():
        assert {row.control, row.second} <= {None, *rows}
