"""Registries: names of built-in entries, and of those that other packages add by entry points.

A registry imports nothing until an entry is loaded. One-line descriptions are read from source
files, so that listing every agent does not import torch.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recsim.errors import UserError, did_you_mean, listed


class Registry:
    """Names, and where each is defined.

    Args:
        group: Entry-point group through which other packages add entries, e.g. ``recsim.agents``.
        noun: What an entry is called in messages, e.g. ``agent``.
        builtin: ``module:attribute`` of each built-in entry, by name.
        check: Called with the name, the target and the loaded entry; raises an error if the entry
            does not keep the contract.
        error: The class of errors that the registry raises.
    """

    def __init__(
        self,
        group: str,
        noun: str,
        builtin: Mapping[str, str],
        check: Callable[[str, str, Any], None] | None = None,
        error: type[UserError] = UserError,
    ) -> None:
        self.group = group
        self.noun = noun
        self.builtin = dict(builtin)
        self._check = check
        self._error = error

    def targets(self) -> dict[str, set[str]]:
        """Return every ``module:attribute`` declared for each name; more than one is a clash."""
        targets = {name: {target} for name, target in self.builtin.items()}
        for entry in entry_points(group=self.group):
            targets.setdefault(entry.name, set()).add(entry.value)
        return targets

    def names(self) -> list[str]:
        """Return every name, sorted."""
        return sorted(self.targets())

    def target(self, name: str) -> str:
        """Return the ``module:attribute`` of a name.

        Raises:
            UserError: If the name is unknown or declared twice.
        """
        return self._only(name, self.targets())

    def load(self, name: str) -> Any:
        """Import an entry and return it.

        Args:
            name: One of `names`.

        Raises:
            UserError: If the name is unknown or declared twice, or its target cannot be imported
                or does not keep the contract.
        """
        return self._load(name, self.target(name))

    def describe(self) -> dict[str, str]:
        """Return the first line of the docstring of every entry, sorted by name.

        An entry whose source cannot be read is imported. If that fails, the error stands in place
        of the description, so that one broken package does not hide the others.
        """
        targets = self.targets()
        return {name: self._describe(name, targets) for name in sorted(targets)}

    def _describe(self, name: str, targets: Mapping[str, set[str]]) -> str:
        try:
            target = self._only(name, targets)
            line = first_line(target)
            return line or _line(inspect.getdoc(self._load(name, target)))
        except UserError as error:
            return str(error)
        except Exception as error:
            return f"{self.noun} {name!r} cannot be imported: {type(error).__name__}: {error}"

    def _load(self, name: str, target: str) -> Any:
        module, _, attribute = target.partition(":")
        try:
            imported = importlib.import_module(module)
        except ImportError as error:
            raise self._error(
                f"{self.noun} {name!r} ({target}) cannot be imported: {error}"
            ) from error
        try:
            loaded = getattr(imported, attribute)
        except AttributeError as error:
            raise self._error(
                f"{self.noun} {name!r} ({target}) cannot be imported: {error}"
            ) from None
        if self._check is not None:
            self._check(name, target, loaded)
        return loaded

    def _only(self, name: str, targets: Mapping[str, set[str]]) -> str:
        if name not in targets:
            raise self._error(f"unknown {self.noun} {name!r}.{did_you_mean(name, targets)}")
        if len(targets[name]) > 1:
            clash = listed(sorted(targets[name]))
            raise self._error(
                f"{self.noun} {name!r} is declared twice, by {clash}: rename or uninstall one of "
                "them."
            )
        (target,) = targets[name]
        return target


def first_line(target: str) -> str | None:
    """Return the first docstring line of ``module:attribute`` without importing it, or None."""
    module, _, attribute = target.partition(":")
    for file in _sources(module):
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
                return _line(ast.get_docstring(node))
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == attribute:
                        return first_line(f"{_imported(node, package)}:{alias.name}")
    return None


def _sources(module: str) -> Iterator[Path]:
    """Yield the source files that may define a module, without importing its package."""
    package, *rest = module.split(".")
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    roots = [Path(folder) for folder in spec.submodule_search_locations or ()]
    files = [Path(spec.origin)] if spec.origin and not rest else []
    for root in roots if rest else ():
        files += [Path(root, *rest, "__init__.py"), Path(root, *rest).with_suffix(".py")]
    yield from (file for file in files if file.suffix == ".py" and file.is_file())


def _imported(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute name of the module that a ``from`` statement imports from."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]
