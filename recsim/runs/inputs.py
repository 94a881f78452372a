"""What the files were that a run reads, so that it is not continued with others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Larger files are known by their size alone: a run should not wait for gigabytes.
_LARGEST = 2**26


def fingerprints(content: Any) -> dict[str, str]:
    """Return a fingerprint of every file and folder that a scenario names, by its path.

    Args:
        content: The scenario as plain data. Names are the values of keys ``path`` and of presets
            that are files; those that do not exist are left out, such as patterns.
    """
    return {
        name: _of_folder(Path(name)) if Path(name).is_dir() else _of_file(Path(name))
        for name in dict.fromkeys(_names(content))
        if Path(name).exists()
    }


def _names(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            is_file = key == "path" or (key == "preset" and str(value).endswith((".yaml", ".yml")))
            if is_file and isinstance(value, str):
                yield value
            else:
                yield from _names(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _names(value)


def _of_file(path: Path) -> str:
    size = path.stat().st_size
    if size > _LARGEST:
        return f"{size} bytes"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _of_folder(path: Path) -> str:
    """Return a fingerprint of the names and contents of the files of a folder."""
    parts = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            parts.update(f"{file.relative_to(path).as_posix()}|{_of_file(file)}\n".encode())
    return parts.hexdigest()[:16]
