import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "count_lines.py"

SOURCE = '''"""Docstring of the module.

Two paragraphs.
"""

# A comment.
import os  # 1


class Box:  # 2
    """One line."""

    text = """
    not a docstring
    """  # 5: a string of three lines

    async def lift(
        self,
    ) -> None:  # 8
        """Docstring of a method."""
        print(os.name)  # 9

'''


def count(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")


def test_docstrings_comments_and_blank_lines_do_not_count(tmp_path):
    (tmp_path / "box.py").write_text(SOURCE)
    (tmp_path / "empty.py").write_text("")
    assert count(tmp_path / "box.py")[-2] == "      9  total"
    folder = count(tmp_path, tmp_path / "box.py", "--each")
    assert folder[0].split() == ["9", str(tmp_path / "box.py")]
    assert folder[2].split() == ["9", tmp_path.name, "(2", "files)"]
    assert folder[-2].split() == ["18", "total"]


def test_the_packages_are_counted_without_arguments():
    names = [line.split()[1] for line in count()[:-1]]
    assert names == ["recsim", "envs", "agents", "total"]
