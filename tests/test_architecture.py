"""The architecture: which module may import which, how long a file may be, what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("recsim", "envs", "agents", "scenarios")

# Floors from the ground up. A room imports from the rooms of lower floors and from itself.
FLOORS = (
    ("recsim.errors",),
    ("recsim.arrays", "recsim.draws", "recsim.registry", "recsim.settings", "recsim.files"),
    ("recsim.problem", "recsim.statistics"),
    ("recsim.log", "recsim.metrics"),
    ("recsim.conversation",),
    ("recsim.critiquing",),
    ("recsim.estimators",),
    ("recsim.contracts",),
    ("agents", "envs", "recsim.report", "scenarios"),
    ("recsim.scenario",),
    ("recsim.play", "recsim.runs"),
    ("recsim.trials",),
    ("recsim.chat", "recsim.compare", "recsim.run"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# The front door names things of every floor, and is imported for the version and the registration
# of the environments.
FRONT_DOOR = "recsim"


def modules() -> dict[str, Path]:
    """Return every module of the packages by dotted name."""
    paths = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return paths


def room_of(name: str) -> str:
    """Return the room that a module belongs to, a key of `FLOOR_OF`."""
    package, *rest = name.split(".")
    return ".".join([package, *rest[:1]]) if package == "recsim" else package


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


def imported_modules(name: str) -> set[str]:
    """Return the modules of the packages that a module imports."""
    targets = set()
    for dotted in imports(name, MODULES[name]):
        while dotted and dotted not in MODULES:
            dotted = dotted.rpartition(".")[0]
        targets.add(dotted)
    return targets - {"", name}


MODULES = modules()
GRAPH = {name: imported_modules(name) for name in MODULES}


def test_relative_imports_are_resolved(tmp_path):
    source = tmp_path / "module.py"
    source.write_text(
        "from . import a\nfrom ..other import b\nimport c.d\n\ndef f():\n    import e"
    )
    found = imports("pack.sub.module", source)
    assert {"pack.sub.a", "pack.other.b", "c.d", "e"} <= found


def test_every_module_has_a_floor():
    rooms = {room_of(name) for name in MODULES} - {FRONT_DOOR}
    assert rooms == set(FLOOR_OF)


def test_the_root_of_recsim_has_ten_modules_at_most():
    assert len(list((ROOT / "recsim").glob("*.py"))) <= 10


@pytest.mark.parametrize("floor", range(len(FLOORS)), ids=[" ".join(rooms) for rooms in FLOORS])
def test_a_floor_imports_from_lower_floors_only(floor):
    wrong = [
        f"{name} must not import {target}"
        for name, targets in GRAPH.items()
        if name != FRONT_DOOR and room_of(name) in FLOORS[floor]
        for target in sorted(targets - {FRONT_DOOR})
        if room_of(target) != room_of(name) and FLOOR_OF[room_of(target)] >= floor
    ]
    assert wrong == []


def test_no_two_modules_import_each_other():
    # A package and a module inside it are one thing: the package re-exports its modules.
    wrong = [
        f"{name} and {target}"
        for name, targets in GRAPH.items()
        for target in targets
        if FRONT_DOOR not in (name, target)
        and name < target
        and name in GRAPH[target]
        and not target.startswith(f"{name}.")
    ]
    assert wrong == []


def test_private_names_stay_in_their_package():
    wrong = []
    for name, path in MODULES.items():
        for dotted in imports(name, path):
            module, _, attribute = dotted.rpartition(".")
            if attribute.startswith("_") and not attribute.startswith("__") and module in MODULES:
                own = name if path.name == "__init__.py" else name.rpartition(".")[0]
                if module != own and module.rpartition(".")[0] != own:
                    wrong.append(f"{name} must not import {dotted}")
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
    heavy = {"torch", "scipy", "pandas", "matplotlib", "sklearn", "stable_baselines3"}
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
