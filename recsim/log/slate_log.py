"""The one table of logged slates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from recsim.errors import LogError, UserError
from recsim.log import history
from recsim.log.data import (
    MAPPED_COLUMNS,
    OPTIONAL_ROW_COLUMNS,
    ROW_COLUMNS,
    LogData,
    difference,
)
from recsim.log.validation import validate
from recsim.problem.names import joined

if TYPE_CHECKING:
    import pandas as pd

    from recsim.log.transitions import Encoder, Layout


@dataclass(frozen=True, eq=False)
class SlateLog(LogData):
    """M logged slates of K positions; the columns are those of `recsim.log.data.LogData`."""

    def __repr__(self) -> str:
        """Return the size of the log and the names of its optional columns, on one line."""
        parts = [f"{len(self)} rows", f"slates of {self.problem.slate_size}"]
        parts.append("anonymous" if self.anonymous else f"{len(np.unique(self.user))} users")
        parts.append(f"{self.problem.num_items} items")
        known = [name for name in OPTIONAL_ROW_COLUMNS if getattr(self, name) is not None]
        columns = [*known, *(f"feedback.{name}" for name in self.feedback)]
        columns += [f"target_propensities.{name}" for name in self.target_propensities]
        return f"SlateLog({', '.join(parts)}; {', '.join(columns) or 'no optional columns'})"

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
        columns: dict[str, Any] = {name: getattr(self, name)[chosen] for name in ROW_COLUMNS}
        for name in OPTIONAL_ROW_COLUMNS:
            column = getattr(self, name)
            columns[name] = None if column is None else column[chosen]
        for name in MAPPED_COLUMNS:
            mapped: dict[str, Any] = getattr(self, name)
            columns[name] = {key: column[chosen] for key, column in mapped.items()}
        if self.anonymous:
            columns["user_features"] = self.user_features[columns["user"]]
            columns["user"] = np.arange(len(columns["user"]))
        return replace(self, **columns)

    def widened(self, slots: int) -> SlateLog:
        """Return the same log with slates of at least ``slots`` positions, the new ones empty.

        Agents that are built for its problem show as many items.
        """
        more = slots - self.problem.slate_size
        if more <= 0:
            return self
        fills = {"slate": -1, "clicks": 0, "propensity": 1.0, "position": -1}
        columns: dict[str, Any] = {}
        for name, fill in fills.items():
            column = getattr(self, name)
            if column is not None:
                columns[name] = np.pad(column, ((0, 0), (0, more)), constant_values=fill)
        columns["target_propensities"] = {
            name: np.pad(column, ((0, 0), (0, more)), constant_values=1.0)
            for name, column in self.target_propensities.items()
        }
        if self.prefix_propensity is not None:
            columns["prefix_propensity"] = np.pad(
                self.prefix_propensity, ((0, 0), (0, more)), mode="edge"
            )
        return replace(self, problem=replace(self.problem, slate_size=slots), **columns)

    @staticmethod
    def concat(logs: Sequence[SlateLog], *, same_users: bool = False) -> SlateLog:
        """Return the rows of several logs of one problem, one after the other.

        Args:
            logs: At least one log.
            same_users: Whether user ``u`` is the same person in every log; the user features are
                then those of the first. Otherwise the users of each log are different people.
                Without effect on logs with names of users: users of one name are one person, with
                the features of the first log that has them.

        Raises:
            LogError: If the logs differ in catalogue, names of items, slate size, rewards or
                columns.
        """
        if not logs:
            raise LogError("concat needs at least one log, got none.")
        logs = _with_all_loggers(logs)
        first = logs[0]
        for number, log in enumerate(logs[1:], start=1):
            reason = difference(first, log)
            if reason:
                raise LogError(f"Log {number} does not match log 0: {reason}.")
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(log, name) for log in logs]) for name in ROW_COLUMNS
        }
        for name in OPTIONAL_ROW_COLUMNS:
            if getattr(first, name) is not None:
                columns[name] = np.concatenate([getattr(log, name) for log in logs])
        for name in MAPPED_COLUMNS:
            columns[name] = {
                key: np.concatenate([getattr(log, name)[key] for log in logs])
                for key in getattr(first, name)
            }
        if first.user_names is not None:
            if any(log.user_names != first.user_names for log in logs[1:]):
                columns |= _users_by_name(logs)
        elif first.anonymous or not same_users:
            offsets = np.cumsum([0, *(len(log.user_features) for log in logs)])
            columns["user"] = np.concatenate(
                [log.user + offset for log, offset in zip(logs, offsets, strict=False)]
            )
            columns["user_features"] = np.concatenate([log.user_features for log in logs])
        return replace(first, **columns, adaptive=any(log.adaptive for log in logs))

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

        return load_log(folder, SlateLog)

    @staticmethod
    def scan(folder: str | Path, batch_rows: int = 65_536) -> Iterator[SlateLog]:
        """Read a folder written by `save` in chunks of at most ``batch_rows`` rows.

        Only one chunk and, unless the log is anonymous, the table of users are in memory.
        """
        from recsim.log.storage import scan_log

        return scan_log(folder, batch_rows, SlateLog)

    def to_transitions(
        self,
        layout: Layout = "d3rlpy",
        *,
        history_slates: int = 5,
        encode: Encoder | None = None,
    ) -> dict[str, Any]:
        """Return the log as the arrays that libraries of offline reinforcement learning take.

        The N rows are user by user, in the order of time. Actions are slates ``(N, K)``, -1 where
        empty; rewards are the scalar ones. An episode ends where the log has ``terminated`` or
        ``truncated``, and at a user's last row.

        Args:
            layout: ``d3rlpy``: ``observations``, ``actions``, ``rewards``, ``terminals`` and
                ``timeouts``, which ``d3rlpy.dataset.MDPDataset`` takes, and ``next_observations``;
                or ``torchrl``: ``observation``, ``action`` and ``next`` with ``observation``,
                ``reward``, ``terminated``, ``truncated`` and ``done``, the last four ``(N, 1)``,
                which ``tensordict.TensorDict(..., batch_size=[N])`` takes.
            history_slates: Slates of history in an observation, H.
            encode: A function from the arrays of `observations`, N rows each, to an array
                ``(N, ...)``; by default `recsim.log.transitions.flat_observations`.

        Raises:
            LogError: If the log is anonymous, the layout is unknown, or items have neither features
                nor groups and there is no ``encode``.
        """
        from recsim.log.transitions import transitions

        return transitions(self, layout, history_slates, encode)

    def to_minari(
        self,
        folder: str | Path,
        *,
        dataset_id: str | None = None,
        history_slates: int = 5,
        data_format: str = "arrow",
    ) -> Path:
        """Write the log as a dataset of Minari, an episode per user; see `recsim.log.minari`.

        ``minari.MinariDataset(folder)`` opens it, and ``read_log("minari", path=folder)`` reads the
        same log again, sorted by user.

        Args:
            folder: Folder to write to, which must not exist yet; parent folders are created.
            dataset_id: Name of the dataset; by default that of the folder, with ``-v0``.
            history_slates: Slates of history in an observation.
            data_format: ``arrow``, ``parquet`` or ``hdf5``, which needs h5py.

        Returns:
            The folder.

        Raises:
            LogError: If Minari is not installed, the folder exists, or the log is empty or
                anonymous.
        """
        from recsim.log.minari import write_minari

        return write_minari(
            self,
            self.select(slice(0, 0)),
            Path(folder),
            dataset_id=dataset_id,
            history_slates=history_slates,
            data_format=data_format,
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return one line per item shown, without padding.

        Columns: ``row`` of the log, ``user``, ``session``, ``day``, ``step``, ``position``,
        ``item``, ``click``, and if known ``propensity``, ``slate_propensity``, ``logger``,
        ``terminated`` and ``truncated``, the
        probabilities of other policies as ``target_propensity.<name>``, and the named rewards of
        the whole slate as ``feedback.<name>``. Users, items and loggers are given by name if they
        have names.
        """
        import pandas as pd

        row, slot = np.nonzero(self.slate >= 0)
        columns: dict[str, NDArray[Any]] = {"row": row}
        for name in ("user", "session", "day", "step"):
            columns[name] = getattr(self, name)[row]
        if self.user_names is not None:
            columns["user"] = self.user_names.values[columns["user"]]
        columns["position"] = slot if self.position is None else self.position[row, slot]
        items = self.slate[row, slot]
        columns["item"] = items if self.item_names is None else self.item_names.values[items]
        columns["click"] = self.clicks[row, slot]
        if self.propensity is not None:
            columns["propensity"] = self.propensity[row, slot]
        if self.slate_propensity is not None:
            columns["slate_propensity"] = self.slate_propensity[row]
        if self.logger is not None:
            columns["logger"] = np.array(self.logger_names, dtype=object)[self.logger[row]]
        for name in ("terminated", "truncated"):
            if (ends := getattr(self, name)) is not None:
                columns[name] = ends[row]
        for name, target in self.target_propensities.items():
            columns[f"target_propensity.{name}"] = target[row, slot]
        columns |= {f"feedback.{name}": column[row] for name, column in self.feedback.items()}
        return pd.DataFrame(columns)


def _with_all_loggers(logs: Sequence[SlateLog]) -> Sequence[SlateLog]:
    """Return logs whose loggers are numbered alike, by the names of all of them."""
    if all(log.logger_names == logs[0].logger_names for log in logs):
        return logs
    if any(log.logger is None for log in logs):
        return logs  # refused later, with the name of the column
    names = tuple(dict.fromkeys(name for log in logs for name in log.logger_names))
    numbered = []
    for log in logs:
        assert log.logger is not None
        numbers = np.array([names.index(name) for name in log.logger_names], dtype=np.int64)
        numbered.append(replace(log, logger=numbers[log.logger], logger_names=names))
    return numbered


def _users_by_name(logs: Sequence[SlateLog]) -> dict[str, Any]:
    """Return ``problem``, ``user`` and ``user_features`` of logs of users with names."""
    try:
        names, numbers = joined([log.user_names for log in logs if log.user_names is not None])
    except UserError as error:
        raise LogError(f"These logs cannot be concatenated: {error}") from None
    features = np.empty((len(names), logs[0].user_features.shape[1]), dtype=np.float32)
    for log, number in zip(reversed(logs), reversed(numbers), strict=True):  # the first log wins
        features[number] = log.user_features
    return {
        "problem": replace(logs[0].problem, user_names=names),
        "user": np.concatenate(
            [number[log.user] for log, number in zip(logs, numbers, strict=True)]
        ),
        "user_features": features,
    }
