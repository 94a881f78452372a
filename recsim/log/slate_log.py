"""The one table of logged slates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Floats32, Ints
from recsim.errors import LogError
from recsim.log import history
from recsim.log.validation import validate
from recsim.problem import Problem

if TYPE_CHECKING:
    import pandas as pd

# Columns with one entry per row; all others describe the whole log.
_ROW_COLUMNS = ("user", "session", "day", "step", "slate", "clicks")
_OPTIONAL_ROW_COLUMNS = (
    *("propensity", "slate_propensity", "prefix_propensity"),
    *("position", "candidates"),
)


@dataclass(frozen=True, eq=False)
class SlateLog:
    """M logged slates of K positions, as columns; rows are in the order of time.

    Attributes:
        problem: The catalogue that the item ids refer to, and the reward weights.
        user: User of the row, ``(M,)``; indexes ``user_features``.
        session: The user's session, ``(M,)``.
        day: Day of the row, ``(M,)``.
        step: Step of the session, ``(M,)``.
        slate: Item ids shown, ``(M, K)``, padded with -1.
        clicks: 1 where the item was clicked, ``(M, K)`` int8.
        feedback: Named rewards, each ``(M,)`` float64; the names of ``problem.rewards``.
        user_features: What the system knows about each user, ``(U, F)`` float32.
        propensity: Probability that the logging policy put the item at its position,
            ``(M, K)``, or None if unknown. In (0, 1]; 1 at padding.
        slate_propensity: Probability of the whole ordered slate, ``(M,)``, or None.
        prefix_propensity: Probability of the first k items in this order, ``(M, K)``, or None; the
            last column is that of the whole slate.
        position: Position on the page of each slot, ``(M, K)``, or None for 0 ... K-1.
        candidates: Item ids that could have been shown, ``(M, C)``, or None for the catalogue.
        anonymous: True if the log does not identify its users: every row is then a user of its
            own, ``user`` is 0 ... M-1, and no row has a history.
    """

    problem: Problem
    user: Ints
    session: Ints
    day: Ints
    step: Ints
    slate: Ints
    clicks: NDArray[np.int8]
    feedback: dict[str, Floats] = field(default_factory=dict)
    user_features: Floats32 = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    propensity: Floats | None = None
    slate_propensity: Floats | None = None
    prefix_propensity: Floats | None = None
    position: Ints | None = None
    candidates: Ints | None = None
    anonymous: bool = False

    def __len__(self) -> int:
        """Return the number of rows M."""
        return len(self.user)

    @property
    def reward(self) -> Floats:
        """Scalar reward, ``(M,)``: the weighted sum of the named rewards."""
        total = np.zeros(len(self))
        for name, weight in self.problem.rewards.items():
            if weight:
                total += weight * self.feedback[name]
        return total

    def validate(self) -> Self:
        """Check the log and return it.

        Raises:
            LogError: If a column has the wrong shape, or a row has an item or user that does
                not exist, a propensity outside (0, 1], or a number that is not finite. The
                message names the row.
        """
        validate(self)
        return self

    def select(self, rows: NDArray[Any] | slice | Sequence[int]) -> SlateLog:
        """Return some rows as a log of the same users and catalogue.

        Args:
            rows: Row numbers, a slice, or a boolean mask ``(M,)``.
        """
        chosen = rows if isinstance(rows, slice) else np.asarray(rows)
        if not isinstance(chosen, slice) and chosen.size == 0:
            chosen = chosen.astype(np.int64)
        columns: dict[str, Any] = {name: getattr(self, name)[chosen] for name in _ROW_COLUMNS}
        for name in _OPTIONAL_ROW_COLUMNS:
            column = getattr(self, name)
            columns[name] = None if column is None else column[chosen]
        columns["feedback"] = {name: column[chosen] for name, column in self.feedback.items()}
        if self.anonymous:
            columns["user_features"] = self.user_features[columns["user"]]
            columns["user"] = np.arange(len(columns["user"]))
        return replace(self, **columns)

    @staticmethod
    def concat(logs: Sequence[SlateLog], *, same_users: bool = False) -> SlateLog:
        """Return the rows of several logs of one problem, one after the other.

        Args:
            logs: At least one log.
            same_users: Whether user ``u`` is the same person in every log; the user features are
                then those of the first. Otherwise the users of each log are different people.

        Raises:
            LogError: If the logs differ in catalogue, slate size, rewards or columns.
        """
        if not logs:
            raise LogError("concat needs at least one log, got none.")
        first = logs[0]
        for number, log in enumerate(logs[1:], start=1):
            difference = _difference(first, log)
            if difference:
                raise LogError(f"Log {number} does not match log 0: {difference}.")
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(log, name) for log in logs]) for name in _ROW_COLUMNS
        }
        for name in _OPTIONAL_ROW_COLUMNS:
            if getattr(first, name) is not None:
                columns[name] = np.concatenate([getattr(log, name) for log in logs])
        columns["feedback"] = {
            name: np.concatenate([log.feedback[name] for log in logs]) for name in first.feedback
        }
        if first.anonymous or not same_users:
            offsets = np.cumsum([0, *(len(log.user_features) for log in logs)])
            columns["user"] = np.concatenate(
                [log.user + offset for log, offset in zip(logs, offsets, strict=False)]
            )
            columns["user_features"] = np.concatenate([log.user_features for log in logs])
        return replace(first, **columns)

    def observations(
        self, rows: NDArray[Any] | slice | None = None, *, history_slates: int = 5
    ) -> dict[str, NDArray[Any]]:
        """Return the observation of an agent before each row, with the keys of ``SlateRec-v0``.

        The history is what the same user saw earlier in this log, including clicks; it is padding
        if the log is anonymous.

        Args:
            rows: B rows; all by default.
            history_slates: Slates of history, H.

        Returns:
            The arrays documented in `recsim.contracts.slates`, each with B rows, and ``position``
            ``(B, K)`` if the log has it. ``candidates`` may be a read-only view.
        """
        wanted = np.arange(len(self))
        return history.observations(self, wanted if rows is None else wanted[rows], history_slates)

    @cached_property
    def by_user(self) -> Ints:
        """Row numbers sorted by user, in the order of the log within a user, ``(M,)``."""
        return np.argsort(self.user, kind="stable")

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the log as a folder of Parquet files; see `recsim.log.storage`.

        Args:
            folder: Folder to write to; parent folders are created.
            overwrite: Replace an existing log. A folder that is not a log is never replaced.

        Returns:
            The folder.
        """
        from recsim.log.storage import write_log

        return write_log(folder, [self], overwrite=overwrite)

    @staticmethod
    def load(folder: str | Path) -> SlateLog:
        """Read a folder written by `save`."""
        from recsim.log.storage import load_log

        return load_log(folder)

    @staticmethod
    def scan(folder: str | Path, batch_rows: int = 65_536) -> Iterator[SlateLog]:
        """Read a folder written by `save` in chunks of at most ``batch_rows`` rows.

        Only one chunk and, unless the log is anonymous, the table of users are in memory.
        """
        from recsim.log.storage import scan_log

        return scan_log(folder, batch_rows)

    def to_pandas(self) -> pd.DataFrame:
        """Return one line per item shown, without padding.

        Columns: ``row`` of the log, ``user``, ``session``, ``day``, ``step``, ``position``,
        ``item``, ``click``, ``propensity`` and ``slate_propensity`` if known, and the named rewards
        of the whole slate as ``feedback.<name>``.
        """
        import pandas as pd

        row, slot = np.nonzero(self.slate >= 0)
        columns: dict[str, NDArray[Any]] = {"row": row}
        for name in ("user", "session", "day", "step"):
            columns[name] = getattr(self, name)[row]
        columns["position"] = slot if self.position is None else self.position[row, slot]
        columns["item"] = self.slate[row, slot]
        columns["click"] = self.clicks[row, slot]
        if self.propensity is not None:
            columns["propensity"] = self.propensity[row, slot]
        if self.slate_propensity is not None:
            columns["slate_propensity"] = self.slate_propensity[row]
        columns |= {f"feedback.{name}": column[row] for name, column in self.feedback.items()}
        return pd.DataFrame(columns)


def _difference(first: SlateLog, other: SlateLog) -> str:
    """Return why two logs cannot be concatenated; empty if they can."""
    for name in [item.name for item in fields(Problem)]:
        one, two = getattr(first.problem, name), getattr(other.problem, name)
        if not (np.array_equal(one, two) if isinstance(one, np.ndarray) else one == two):
            return f"they differ in problem.{name}"
    if first.anonymous != other.anonymous:
        return "one is anonymous and the other is not"
    for name in _OPTIONAL_ROW_COLUMNS:
        if (getattr(first, name) is None) != (getattr(other, name) is None):
            return f"only one of them has the column {name!r}"
    if set(first.feedback) != set(other.feedback):
        return f"the feedback is {sorted(other.feedback)}, not {sorted(first.feedback)}"
    return ""
