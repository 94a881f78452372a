import pytest

from recsim import run_scenario
from recsim.errors import RunError
from recsim.runs import inputs
from recsim.runs.inputs import fingerprints


def test_files_and_folders_are_known_by_their_content(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.csv").write_text("y")
    (tmp_path / "p.yaml").write_text("z")
    content = {
        "data": {"path": str(tmp_path / "a.csv")},
        "env": {"preset": str(tmp_path / "p.yaml"), "world": {"catalogue": {"path": "no.csv"}}},
        "agents": [{"config": {"path": str(tmp_path / "sub")}}],
    }
    before = fingerprints(content)
    assert set(before) == {str(tmp_path / name) for name in ("a.csv", "p.yaml", "sub")}
    assert fingerprints(content) == before
    (tmp_path / "sub" / "b.csv").write_text("Y")
    after = fingerprints(content)
    assert [name for name in before if before[name] != after[name]] == [str(tmp_path / "sub")]


def test_large_files_are_known_by_their_size(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "_LARGEST", 3)
    path = tmp_path / "a.csv"
    path.write_text("abcd")
    before = fingerprints({"path": str(path)})
    path.write_text("efgh")
    assert fingerprints({"path": str(path)}) == before
    path.write_text("efghi")
    assert fingerprints({"path": str(path)}) != before


def test_a_run_whose_items_changed_is_not_resumed(tmp_path):
    items = tmp_path / "items.csv"
    items.write_text("item,group,price\na,x,1\nb,y,2\nc,x,3\n")
    content = {
        "name": "shop",
        "description": "d",
        "env": {"preset": "boredom", "slate_size": 1, "world": {"catalogue": {"path": str(items)}}},
        "agents": ["random"],
        "seeds": 2,
        "users": 3,
        "steps": 2,
        "output": str(tmp_path / "runs"),
    }
    first = run_scenario(content, workers=1)
    again = run_scenario(content, workers=1, resume=True)
    assert again.folder.path == first.folder.path
    summary = (first.folder.path / "summary.json").read_text()
    assert "items.csv" not in summary
    items.write_text("item,group,price\na,x,1\nb,y,2\nc,x,9\n")
    with pytest.raises(RunError, match=r"items\.csv changed since the run in .* began"):
        run_scenario(content, workers=1, resume=True)
