"""Damaged inputs, one process each, and the verdict on what became of them.

An input is a folder of valid files of which one kind of `Kind` damages something. It is used in a
forked process with limits on time and memory, and the outcome is *held* if the use succeeded or
ended in one message of the project that names what is damaged. Everything else is a *fault*:
another exception, a crash, a limit, a warning, a message that names nothing, a file written
elsewhere, a wrong number. An input is determined by its kind and its seed.
"""

from __future__ import annotations

import contextlib
import faulthandler
import filecmp
import importlib
import io
import json
import os
import pkgutil
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from recsim.errors import UserError

SECONDS = 20  # of processor time, so that a loaded machine changes nothing
LONGEST_WAIT = 300  # seconds on the clock, for a process that waits forever
MEMORY = 4 * 2**30  # bytes of address space beyond those of the parent
LONGEST_MESSAGE = 1_500  # characters
# Folders of a case: where a use may write, where nothing may be left, where it may keep files.
OUT, TEMPORARY, CACHE = "out", "tmp", "cache"


class WrongNumber(AssertionError):
    """The use of a damaged input succeeded with a result that the input does not justify."""


class Kind(Protocol):
    """One kind of input.

    A kind may also have ``named(message, changed)``, which says whether a message names the damage
    where the name of a changed file is not what it should name.

    Attributes:
        name: In words, shown in the counts.
    """

    name: str

    def prepare(self, folder: Path) -> None:
        """Write valid inputs; done once."""

    def damage(self, folder: Path, rng: np.random.Generator) -> str:
        """Damage something in a copy of that folder; return what, in words."""

    def use(self, folder: Path) -> None:
        """Use the inputs as a person would; the working directory is the folder.

        Raises:
            UserError: As the project does.
            Refused: If a command of the project ended with code 2.
            WrongNumber: If it succeeded with a result that the input does not justify.
        """


class Refused(Exception):
    """A command ended with code 2 and this text on the error stream."""


@dataclass(frozen=True)
class Verdict:
    """What became of one input.

    Attributes:
        kind: Name of the kind.
        seed: Seed of the input.
        damage: What was damaged, in words.
        outcome: ``success``, ``refused`` or ``fault``.
        text: The message, or what the fault is.
    """

    kind: str
    seed: int
    damage: str
    outcome: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}, seed {self.seed}: {self.damage}: {self.outcome}: {self.text}"


def kinds() -> dict[str, Kind]:
    """Return the kinds of ``tests/fuzz/kinds`` by name of their module."""
    import tests.fuzz.kinds as package

    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return {name: importlib.import_module(f"{package.__name__}.{name}").KIND for name in names}


def command(arguments: Sequence[str], main: Callable[[Sequence[str]], int] | None = None) -> None:
    """Run a command of the project in this process, by default ``python -m recsim.run``.

    Raises:
        Refused: If it ended with code 2.
        AssertionError: If it ended with another code than 0 and 2.
    """
    if main is None:
        from recsim.run import main
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        try:
            code: object = main(arguments)
        except SystemExit as ended:  # argparse
            code = ended.code
    if code == 2:
        raise Refused(errors.getvalue())
    assert code == 0, f"exit code {code}: {errors.getvalue()}"


@contextlib.contextmanager
def prepared(kind: Kind) -> Iterator[Path]:
    """Prepare the valid inputs of a kind in a temporary folder, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name).resolve() / "valid"
        folder.mkdir()
        status, text = _in_child(lambda: kind.prepare(folder), folder, 600)
        if status != "success":
            raise RuntimeError(f"{kind.name}: the valid inputs could not be written: {text}")
        yield folder


def run_case(kind: Kind, valid: Path, seed: int) -> Verdict:
    """Damage a copy of valid inputs, use it, and judge.

    Args:
        kind: The kind of input.
        valid: The folder of `prepared`.
        seed: Any number; the same one gives the same input.
    """
    place = Path(tempfile.mkdtemp(prefix="case-", dir=valid.parent))
    try:
        folder = place / "case"
        shutil.copytree(valid, folder, symlinks=True)
        damage = kind.damage(folder, np.random.default_rng(seed))
        changed = _changed(valid, folder)
        before = _listing(folder)
        outcome, text = _in_child(lambda: kind.use(folder), folder, SECONDS)
        if outcome == "refused":
            outcome, text = _judged(kind, text, changed)
        if outcome != "fault" and (written := sorted(_listing(folder) - before)):
            outcome, text = "fault", f"wrote {written[0][0]} outside of its output folder"
        return Verdict(kind.name, seed, damage, outcome, text)
    finally:
        _remove(place)


def _judged(kind: Kind, text: str, changed: Sequence[str]) -> tuple[str, str]:
    """Return the outcome for a message that refuses an input."""
    message = text.strip()
    if not message:
        return "fault", "refused without a message"
    if "Traceback" in message or "\n  File " in message:
        return "fault", f"a traceback: {message}"
    if len(message) > LONGEST_MESSAGE:
        return "fault", f"a message of {len(message)} characters: {message[:200]}"
    if message.count("error: ") > 1 and message.count("\nerror: "):
        return "fault", f"more than one message: {message}"
    named = getattr(kind, "named", _named)
    if not named(message, changed):
        return "fault", f"the message names none of {', '.join(changed)}: {message}"
    return "refused", message


def _named(message: str, changed: Sequence[str]) -> bool:
    """Return whether a message has the name of a changed file, or of a folder that holds one."""
    names = {part for name in changed for part in Path(name).parts if part not in (OUT, CACHE)}
    return any(name in message for name in names)


def _in_child(use: Callable[[], None], folder: Path, seconds: int) -> tuple[str, str]:
    """Run something in a forked process with limits; return its outcome and what it said."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            os.setsid()
            outcome, text = _limited(use, folder, seconds)
            with os.fdopen(writing, "w", encoding="utf-8", errors="backslashreplace") as stream:
                json.dump([outcome, text[:20_000]], stream)
        finally:
            os._exit(0)
    os.close(writing)
    said = _read(reading, child)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):  # what it started and left
        os.killpg(child, signal.SIGKILL)
    if said:
        with contextlib.suppress(ValueError):
            outcome, text = json.loads(said)
            return outcome, text
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        limit = {signal.SIGXCPU: f": over {seconds} s", signal.SIGKILL: ": over the limits"}
        name = signal.Signals(number).name
        return "fault", f"killed by {name}{limit.get(signal.Signals(number), '')}"
    return "fault", "ended without saying how"


def _read(pipe: int, child: int) -> str:
    """Return what a child writes until it ends; kill it if it waits forever."""
    parts, end = [], time.monotonic() + LONGEST_WAIT
    with os.fdopen(pipe, "rb") as stream:
        while True:
            if not select.select([stream], [], [], max(0, end - time.monotonic()))[0]:
                os.kill(child, signal.SIGKILL)
                return json.dumps(["fault", f"still waiting after {LONGEST_WAIT} s"])
            part = os.read(stream.fileno(), 2**16)
            if not part:
                return b"".join(parts).decode("utf-8")
            parts.append(part)


def _limited(use: Callable[[], None], folder: Path, seconds: int) -> tuple[str, str]:
    """Run something in this process, which is the child, and return how it went."""
    faulthandler.disable()  # a crash is reported by the parent
    spent = time.process_time()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = int(spent) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    space = _address_space() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    os.chdir(folder)
    for name in (OUT, TEMPORARY, CACHE):
        (folder / name).mkdir(exist_ok=True)
    os.environ.update(TMPDIR=str(folder / TEMPORARY), XDG_CACHE_HOME=str(folder / CACHE))
    tempfile.tempdir = None
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        try:
            use()
        except (UserError, Refused) as error:
            return "refused", str(error)
        except WrongNumber as error:
            return "fault", f"wrong number: {error}"
        except BaseException:
            return "fault", traceback.format_exc()
    if "Traceback" in printed.getvalue():
        return "fault", f"succeeded with a traceback: {printed.getvalue()}"
    return "success", ""


def _address_space() -> int:
    """Return the bytes of address space of this process."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


def _changed(valid: Path, folder: Path) -> list[str]:
    """Return the paths of what differs between two folders, relative to them."""
    names = {str(path.relative_to(place)) for place in (valid, folder) for path in _walk(place)}
    return sorted(name for name in names if not _same(valid / name, folder / name)) or ["anything"]


def _same(one: Path, other: Path) -> bool:
    if one.is_dir() and other.is_dir():
        return True
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def _walk(folder: Path) -> list[Path]:
    return [Path(place) / name for place, dirs, files in os.walk(folder) for name in dirs + files]


def _listing(folder: Path) -> set[tuple[str, int]]:
    """Return what is in a folder except where a use may write: names, and times of change."""
    inside = {}
    for path in _walk(folder):
        name = path.relative_to(folder)
        if name.parts[0] not in (OUT, CACHE) and str(name) != TEMPORARY:
            changed = 0 if path.is_dir() else path.lstat().st_mtime_ns
            inside[str(name)] = changed
    return set(inside.items())


def _remove(place: Path) -> None:
    """Remove a folder, also one whose rights were damaged."""
    for path in [place, *_walk(place)]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(place, ignore_errors=True)
