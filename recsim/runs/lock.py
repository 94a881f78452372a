"""One process at a time works on a run folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from recsim.errors import UserError

LOCK = "run.lock"

# Locks of this process: a lock file with its id can also be left over from before a restart.
_held: set[Path] = set()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder for this process; the lock of a dead process is taken over.

    Args:
        folder: Where the lock file is.

    Raises:
        UserError: If another process works on the folder, or nothing can be written there.
    """
    lock = (folder / LOCK).resolve()
    if lock in _held or not (_create(lock) or (_is_stale(lock) and _create(lock))):
        raise UserError(
            f"run folder {folder} is in use by {_holder(lock)}: wait until it ends. "
            f"If that process no longer exists, delete {folder / LOCK}."
        )
    _held.add(lock)
    try:
        yield
    finally:
        _held.discard(lock)
        lock.unlink(missing_ok=True)


def _create(lock: Path) -> bool:
    """Create the lock file unless there is one; return whether it was created."""
    try:
        file = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    except OSError as error:
        raise UserError(f"{lock.parent} cannot be written to: {error.strerror}.") from None
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, stream)
    return True


def _is_stale(lock: Path) -> bool:
    """Remove the lock of a dead process; return whether it was removed."""
    pid, host = _read(lock)
    if host != socket.gethostname() or (pid != os.getpid() and _is_alive(pid)):
        return False
    lock.unlink(missing_ok=True)
    return True


def _read(lock: Path) -> tuple[int, str]:
    try:
        content = json.loads(lock.read_text(encoding="utf-8"))
        return int(content["pid"]), str(content["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, ""  # just created or just removed by the other process


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # on Windows, signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True


def _holder(lock: Path) -> str:
    pid, host = _read(lock)
    return f"process {pid} on {host}" if pid else "another process"
