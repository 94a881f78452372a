"""The walls of the house: who may import whom, how long a file may be, what an import may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("recsim", "envs", "agents", "scenarios")

# Package -> what its modules must not import. Names are prefixes of dotted module names.
LOW = ("recsim.log", "recsim.estimators", "recsim.metrics", "recsim.statistics")
FORBIDDEN = {
    "agents": ("envs",),
    "envs": ("agents",),
    **dict.fromkeys(LOW, ("agents", "envs")),
    "recsim.problem": ("agents", "envs"),
    "recsim.errors": ("agents", "envs"),
}
# The bench stands on top: nothing below may import it.
TOP = (
    "recsim.run",
    "recsim.trials.simulation",
    "recsim.scenario.schema",
    "recsim.play.rollout",
    "recsim.runs.executor",
)


def modules() -> dict[str, Path]:
    """Return every module of the packages by dotted name."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def imports(name: str, path: Path) -> set[str]:
    """Return the dotted names that a module imports, anywhere in the file."""
    found = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # relative
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


MODULES = modules()


def test_there_are_modules_to_look_at():
    assert {"recsim.play.rollout", "agents.bandits.linucb", "recsim.log"} <= MODULES.keys()


def test_relative_imports_are_resolved(tmp_path):
    source = tmp_path / "module.py"
    source.write_text(
        "from . import a\nfrom ..other import b\nimport c.d\n\ndef f():\n    import e"
    )
    found = imports("pack.sub.module", source)
    assert {"pack.sub.a", "pack.other.b", "c.d", "e"} <= found


def test_imports_go_down_only():
    wrong = []
    for name, path in MODULES.items():
        imported = imports(name, path)
        barred = {
            bar for package, bars in FORBIDDEN.items() if inside(name, package) for bar in bars
        }
        if any(inside(name, package) for package in ("agents", "envs", *LOW)):
            barred |= set(TOP)
        wrong += [
            f"{name} must not import {found}"
            for found in sorted(imported)
            if any(inside(found, bar) for bar in barred)
        ]
    assert wrong == []


def test_no_file_has_more_than_400_lines():
    folders = (*PACKAGES, "tests", "benchmarks", "reproductions")
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


@pytest.mark.parametrize("module", ["recsim", "agents"])
def test_importing_a_package_stays_cheap(module):
    heavy = {"torch", "pandas", "matplotlib", "sklearn", "stable_baselines3"}
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
