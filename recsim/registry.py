"""Things that are found by name: built in, or added by another package through an entry point.

A registry imports nothing until a thing is loaded. Its one-line descriptions are read from source
files, so that listing every agent does not import torch.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recsim.errors import UserError, did_you_mean

__all__ = ["Registry"]


class Registry:
    """Names and where each is defined.

    Args:
        group: Entry-point group through which other packages add entries, e.g. ``recsim.agents``.
        noun: What an entry is called in messages, e.g. ``agent``.
        builtin: ``module:attribute`` of each built-in entry, by name.
        check: Called with the name, the target and the loaded entry; raises `UserError` if the
            entry cannot serve.
    """

    def __init__(
        self,
        group: str,
        noun: str,
        builtin: Mapping[str, str],
        check: Callable[[str, str, Any], None] | None = None,
    ) -> None:
        self.group = group
        self.noun = noun
        self.builtin = dict(builtin)
        self._check = check

    def targets(self) -> dict[str, set[str]]:
        """Return every ``module:attribute`` declared for each name; more than one is a clash."""
        targets = {name: {target} for name, target in self.builtin.items()}
        for entry in entry_points(group=self.group):
            targets.setdefault(entry.name, set()).add(entry.value)
        return targets

    def names(self) -> list[str]:
        """Return every name, sorted."""
        return sorted(self.targets())

    def load(self, name: str) -> Any:
        """Import an entry and return it.

        Args:
            name: One of `names`.

        Raises:
            UserError: The name is unknown or declared twice, or what it names cannot be imported
                or cannot serve.
        """
        target = self._target(name)
        module, _, attribute = target.partition(":")
        try:
            loaded = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UserError(
                f"{self.noun} {name!r} ({target}) cannot be imported: {error}"
            ) from error
        if self._check is not None:
            self._check(name, target, loaded)
        return loaded

    def describe(self) -> dict[str, str]:
        """Return the first line of the docstring of every entry, sorted by name.

        An entry whose source cannot be read is imported; what is wrong with a broken one stands in
        place of its description.
        """
        described = {}
        for name in self.names():
            try:
                line = _first_line(self._target(name))
                described[name] = line or _line(inspect.getdoc(self.load(name)))
            except UserError as error:
                described[name] = str(error)
        return described

    def _target(self, name: str) -> str:
        targets = self.targets()
        if name not in targets:
            raise UserError(f"unknown {self.noun} {name!r}.{did_you_mean(name, targets)}")
        if len(targets[name]) > 1:
            clash = " and ".join(sorted(targets[name]))
            raise UserError(
                f"{self.noun} {name!r} is declared twice, by {clash}: rename or uninstall one of "
                "them."
            )
        (target,) = targets[name]
        return target


def _first_line(target: str) -> str | None:
    """Return the first docstring line of ``module:attribute`` without importing it, or None."""
    module, _, attribute = target.partition(":")
    package, *rest = module.split(".")
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    if spec.submodule_search_locations:
        files = [
            Path(folder, *rest).with_suffix(suffix)
            if suffix
            else Path(folder, *rest, "__init__.py")
            for folder in spec.submodule_search_locations
            for suffix in ((".py", "") if rest else ("",))
        ]
    else:
        files = [] if rest else [Path(spec.origin)]
    for file in files:
        if file.suffix == ".py" and file.is_file():
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
                    return _line(ast.get_docstring(node))
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    for alias in node.names:
                        if (alias.asname or alias.name) == attribute:
                            return _first_line(f"{node.module}:{alias.name}")
    return None


def _line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]
