"""Lines of code of the packages, without docstrings, comments and blank lines.

    python benchmarks/count_lines.py [PATH ...] [--each]

A line counts if it holds a token of code and does not belong to a docstring. Without paths, the
packages of this repository are counted: ``recsim``, ``envs`` and ``agents``. With ``--each`` every
file is printed too.
"""

from __future__ import annotations

import argparse
import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("recsim", "envs", "agents")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def docstring_lines(source: str) -> set[int]:
    """Return the numbers of the lines of docstrings."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines.update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return lines


def code_lines(source: str) -> int:
    """Return the number of lines of Python source that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(source))


def python_files(path: Path) -> Iterator[Path]:
    """Yield the file itself, or every Python file of a folder."""
    yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def main() -> None:
    """Print the lines of code of every path, and their sum."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    parser.add_argument("--each", action="store_true", help="print every file too")
    given = parser.parse_args()
    total = 0
    for path in given.paths or [ROOT / package for package in PACKAGES]:
        counts = {file: code_lines(file.read_text("utf-8")) for file in python_files(path)}
        if given.each:
            for file, count in counts.items():
                print(f"{count:7,}  {file}")
        print(f"{sum(counts.values()):7,}  {path.name} ({len(counts)} files)")
        total += sum(counts.values())
    print(f"{total:7,}  total")


if __name__ == "__main__":
    main()
