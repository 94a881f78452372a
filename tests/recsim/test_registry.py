"""Entries are described without an import, loaded, and checked."""

import sys
from importlib.metadata import EntryPoint

import pytest

from recsim.errors import AgentError, UserError
from recsim.registry import Registry

MODULE = '''
raise RuntimeError("imported")


class Plain:
    """Does one thing.

    And explains it.
    """


def build():
    """Builds."""
'''


@pytest.fixture
def make_registry(monkeypatch):
    """Build a registry of things, with what other packages declare."""

    def build(builtin, declared=(), **arguments):
        points = [EntryPoint(name, value, "recsim.things") for name, value in declared]
        monkeypatch.setattr("recsim.registry.entry_points", lambda group: points)
        return Registry("recsim.things", "thing", builtin, **arguments)

    return build


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package that must not be imported; return its name."""
    (tmp_path / "things_apart").mkdir()
    for file, text in {
        "__init__.py": "from things_apart.plain import Plain as Renamed\n",
        "plain.py": MODULE,
        "sub/__init__.py": "from ..plain import Plain\nfrom . import inner\n",
        "sub/inner.py": "from ..sub import Plain\nfrom .deep import build\n",
        "sub/deep.py": MODULE,
        "wrong.py": "def (",
    }.items():
        path = tmp_path / "things_apart" / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "things_alone.py").write_text(MODULE)
    (tmp_path / "things_buggy.py").write_text("import sys\nsys.nothing\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "things_apart"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("things_apart.plain:Plain", "Does one thing."),
        ("things_apart.plain:build", "Builds."),
        ("things_apart:Renamed", "Does one thing."),
        ("things_apart.sub:Plain", "Does one thing."),
        ("things_apart.sub.inner:Plain", "Does one thing."),
        ("things_apart.sub.inner:build", "Builds."),
        ("things_alone:Plain", "Does one thing."),
    ],
)
def test_an_entry_is_described_without_being_imported(make_registry, package, target, line):
    assert make_registry({"one": target}).describe() == {"one": line}
    assert not [name for name in sys.modules if name.startswith("things_")]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("things_apart.wrong:Plain", "thing 'broken' cannot be imported: SyntaxError"),
        ("no_such_package:Plain", "cannot be imported: No module named 'no_such_package'"),
        ("things_apart.plain:Missing", "thing 'broken' cannot be imported: RuntimeError: imported"),
        ("recsim.errors:Missing", "(recsim.errors:Missing) cannot be imported: module"),
    ],
)
def test_a_broken_entry_does_not_hide_the_others(make_registry, package, target, message):
    described = make_registry({"one": "recsim.errors:UserError"}, [("broken", target)]).describe()
    assert described["one"].startswith("A mistake in")
    assert message in described["broken"]


def test_a_bug_in_the_module_of_an_entry_shows_its_traceback(make_registry, package):
    with pytest.raises(RuntimeError, match="imported"):
        make_registry({"one": "things_alone:Plain"}).load("one")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        make_registry({"one": "things_buggy:Plain"}).load("one")


def test_names_that_cannot_be_loaded(make_registry):
    registry = make_registry(
        {"one": "recsim.errors:UserError"}, [("one", "elsewhere:One")], error=AgentError
    )
    with pytest.raises(AgentError, match="thing 'one' is declared twice, by elsewhere:One and rec"):
        registry.load("one")
    with pytest.raises(AgentError, match=r"unknown thing 'onee'. Did you mean 'one'?"):
        registry.target("onee")


def test_what_is_loaded_is_checked(make_registry):
    def check(name, target, loaded):
        raise UserError(f"{name} {target} {loaded.__name__}")

    same = "recsim.errors:UserError"
    registry = make_registry({"one": same}, [("one", same)], check=check)
    with pytest.raises(UserError, match=r"one recsim.errors:UserError UserError"):
        registry.load("one")
    assert registry.names() == ["one"]
