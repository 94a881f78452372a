"""Errors for mistakes of the user, each with one message."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator

_LEAST_LETTERS = 3  # of a name that is only begun


class UserError(Exception):
    """A mistake in what the user gave: a key, a name, a file, a row.

    The message says what was wrong, where, and what would be right. The command line prints it
    without a traceback and exits with code 2; nothing is written.
    """


class ScenarioError(UserError):
    """A scenario, or a change to one, is wrong."""


class LogError(UserError):
    """A file of logged data, or an option of its reader, is wrong."""


class AgentError(UserError):
    """An agent or one of its settings is wrong, or the agent cannot work on this problem."""


class EnvError(UserError):
    """An environment or one of its settings is wrong."""


class EstimationError(UserError):
    """A value cannot be estimated from this log in this way."""


class RunError(UserError):
    """A run folder is missing, damaged, locked or belongs to another scenario."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, else the list of known names.

    Args:
        name: What the user wrote.
        known: The names that would have been right.
    """
    names = sorted(known)
    return nearest(name, names) or (f" Known: {', '.join(names)}." if names else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, or else nothing.

    Args:
        name: What the user wrote.
        known: The names that would have been right.
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not close and len(name) >= _LEAST_LETTERS:
        close = [other for other in names if other.startswith(name)]
    return f" Did you mean {close[0]!r}?" if len(close) == 1 else ""


def listed(names: Iterable[str], word: str = "and") -> str:
    """Return names as words of a sentence: ``a, b and c``."""
    *others, last = [*names] or [""]
    return f"{', '.join(others)} {word} {last}" if others else last


@contextlib.contextmanager
def located(where: str) -> Iterator[None]:
    """Put a place in front of the message of a `UserError`, such as a key path of a scenario.

    Args:
        where: The place; nothing is added if it is empty.
    """
    try:
        yield
    except UserError as error:
        if not where:
            raise
        raise type(error)(f"{where}: {error}") from error
