"""Readers by name: the built-in ones, and those that another package adds."""

import subprocess
import sys

import pytest

from recsim.errors import LogError
from recsim.log import READERS, Reader, make_reader, read_log
from recsim.run import main

THEIRS = '''
"""A reader of another package."""

import numpy as np

from recsim.log import Reader, SlateLog
from recsim.problem import Problem


class TheirReader(Reader):
    """Their own format: one line per click."""

    path: str
    rows: int = 40

    def read(self):
        zeros = np.zeros(self.rows, dtype=np.int64)
        clicks = np.arange(self.rows) % 2
        return SlateLog(
            problem=Problem(
                num_items=2,
                item_features=np.eye(2, dtype=np.float32),
            ),
            user=np.arange(self.rows),
            session=zeros,
            day=zeros,
            step=zeros,
            slate=(np.arange(self.rows) // 2 % 2)[:, None],
            clicks=clicks.astype(np.int8)[:, None],
            feedback={"click": clicks.astype(float)},
            user_features=np.zeros((self.rows, 0), dtype=np.float32),
            propensity=np.full((self.rows, 1), 0.5),
            anonymous=True,
        ).validate()


def not_a_reader():
    """Something else."""
'''

SCENARIO = """\
name: theirs
description: A log of another format.
data: {reader: theirs, path: anywhere, rows: 20}
agents: [random]
estimators: [ips]
"""


@pytest.fixture
def their_package(tmp_path, monkeypatch):
    """A package on the path that declares a reader as an entry point."""
    (tmp_path / "their_reader.py").write_text(THEIRS)
    information = tmp_path / "theirs-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[recsim.readers]\ntheirs = their_reader:TheirReader\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_another_package_adds_a_reader(their_package):
    assert {"theirs", "table"} <= set(READERS.names())
    assert READERS.describe()["theirs"] == "Their own format: one line per click."
    assert "their_reader" not in sys.modules
    assert len(read_log("theirs", path="anywhere")) == 40
    with pytest.raises(LogError, match=r"theirs\.row: unknown key\. Did you mean 'rows'\?"):
        make_reader("theirs", path="anywhere", row=3)


def test_a_scenario_can_use_a_reader_of_another_package(their_package, monkeypatch, capsys):
    monkeypatch.chdir(their_package)
    (their_package / "theirs.yaml").write_text(SCENARIO)
    assert main(["theirs.yaml", "--workers", "1"]) == 0
    assert "theirs" in capsys.readouterr().out


def test_what_is_not_a_reader_is_refused(their_package):
    with (their_package / "theirs-1.0.dist-info" / "entry_points.txt").open("a") as file:
        file.write("wrong = their_reader:not_a_reader\nabsent = their_reader:Absent\n")
    with pytest.raises(LogError, match=r"'wrong' .*must be a subclass of recsim\.log\.Reader"):
        make_reader("wrong", path="anywhere")
    with pytest.raises(LogError, match=r"'absent' \(their_reader:Absent\) cannot be imported"):
        make_reader("absent", path="anywhere")


def test_an_unknown_reader_has_a_near_match():
    with pytest.raises(LogError, match=r"unknown reader 'tabel'\. Did you mean 'table'\?"):
        read_log("tabel", path="log.csv")


@pytest.mark.parametrize("name", sorted(READERS.builtin))
def test_every_reader_has_a_description_and_a_path(name):
    assert READERS.describe()[name].endswith(".")
    reader = READERS.load(name)
    assert issubclass(reader, Reader)
    assert "path" in reader.model_fields


def test_listing_readers_imports_none_of_them():
    code = (
        "import sys; from recsim.log import READERS; READERS.describe(); "
        "print(*[m for m in sys.modules if m.startswith('recsim.log.readers.')], "
        "*sorted({'pandas', 'pyarrow', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["recsim.log.readers.base"]
