"""A log on disk: a folder of Parquet files that is written and read in pieces.

======================  ==============================================================
file                    content
======================  ==============================================================
``problem.json``        format and version, sizes, weights of the rewards
``interactions.parquet``  one line per slate; columns ``(M, K)`` are fixed-size lists
``users.parquet``       one line per user, in the order of their numbers: name and features
``items.parquet``       one line per item: name, group and features
======================  ==============================================================

The folder is written under a temporary name beside its destination and renamed when it is complete,
so an interrupted write never looks like a log.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from recsim.arrays import Floats, Floats32
from recsim.errors import LogError, UserError
from recsim.files import complete_folder
from recsim.log.data import LogData, difference
from recsim.log.validation import validate
from recsim.problem import Names, Problem
from recsim.settings import RewardWeights, validated

FORMAT = "slaterec-log"
VERSION = 1

Log = TypeVar("Log", bound=LogData)


class _Meta(BaseModel):
    """What ``problem.json`` must hold beside format and version."""

    model_config = ConfigDict(strict=True)

    rows: NonNegativeInt
    anonymous: bool
    adaptive: bool = False  # since 0.2
    logger_names: list[str] = []  # since 0.2
    num_items: PositiveInt
    slate_size: PositiveInt
    num_candidates: PositiveInt
    user_feature_dim: NonNegativeInt
    item_feature_dim: NonNegativeInt
    rewards: RewardWeights


_PLAIN = (
    *("user", "session", "day", "step", "slate_propensity", "time", "logger"),
    *("terminated", "truncated"),
)
_LISTS = ("slate", "clicks", "propensity", "prefix_propensity", "position", "candidates")
_FEEDBACK, _TARGET, _NAME = "feedback.", "target_propensity.", "name"


def write_log(folder: str | Path, chunks: Iterable[LogData], *, overwrite: bool = False) -> Path:
    """Write a log from chunks, in order; one chunk at a time is in memory.

    Args:
        folder: Folder to write to; parent folders are created.
        chunks: At least one log; all with the same columns and catalogue, and the same users
            unless they are anonymous.
        overwrite: Replace an existing log. A folder that is not a log is never replaced.

    Returns:
        The folder.

    Raises:
        LogError: If the folder exists and may not be replaced, or a chunk is malformed.
    """
    folder = Path(folder)
    _check_free(folder, overwrite)
    with complete_folder(folder) as building:
        _write_into(building, chunks)
    return folder


def load_log(folder: str | Path, kind: type[Log]) -> Log:
    """Read a whole log into memory and check it.

    Args:
        folder: The folder.
        kind: Class of the log.

    Raises:
        LogError: If the folder is not a log, is damaged, was written by another version of the
            format, or has a malformed row.
    """
    folder = Path(folder)
    meta, problem = _read_problem(folder)
    with _damage(folder):
        table = _read_table(folder / "interactions.parquet")
        users = _read_table(folder / "users.parquet")
        problem = _with_names(problem, users, folder)
        features = _matrix(users, problem.user_feature_dim)
        log = _from_table(table, meta, problem, features, kind)
    validate(log, where=f"Log at {folder}")
    _check_rows(folder, len(log), meta)
    return log


def scan_log(folder: str | Path, batch_rows: int, kind: type[Log]) -> Iterator[Log]:
    """Read a log in chunks of at most ``batch_rows`` rows; see `SlateLog.scan`."""
    if batch_rows < 1:
        raise LogError(f"batch_rows must be at least 1, got {batch_rows}.")
    folder = Path(folder)
    meta, problem = _read_problem(folder)
    batches = _open(folder / "interactions.parquet").iter_batches(batch_rows)
    users = _open(folder / "users.parquet")
    if meta["anonymous"]:
        pairs = _with_users(batches, users.iter_batches(batch_rows))
    else:
        with _damage(folder):
            all_users = users.read()
            problem = _with_names(problem, all_users, folder)
        pairs = ((pa.Table.from_batches([batch]), all_users) for batch in batches)
    return _chunks(pairs, folder, meta, problem, kind)


def _chunks(
    pairs: Iterator[tuple[pa.Table, pa.Table]],
    folder: Path,
    meta: dict[str, Any],
    problem: Problem,
    kind: type[Log],
) -> Iterator[Log]:
    first_row = 0
    with _damage(folder):
        for table, users in pairs:
            features = _matrix(users, problem.user_feature_dim)
            chunk = _from_table(table, meta, problem, features, kind)
            validate(chunk, where=f"Log at {folder}", first_row=first_row)
            first_row += len(chunk)
            yield chunk
    _check_rows(folder, first_row, meta)


@contextlib.contextmanager
def _damage(folder: Path) -> Iterator[None]:
    """Report what a damaged Parquet file causes while it is read as damage to the log."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise LogError(f"{folder} is a damaged log: {reason}.") from error


def _check_rows(folder: Path, rows: int, meta: dict[str, Any]) -> None:
    if rows != meta["rows"]:
        raise LogError(
            f"{folder} is a damaged log: it has {rows} rows, and {meta['rows']} were written."
        )


def _with_users(
    batches: Iterator[pa.RecordBatch], users: Iterator[pa.RecordBatch]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Pair every batch of rows with as many lines of users; the files are cut independently."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        while sum(len(piece) for piece in waiting) < len(batch):
            piece = next(users, None)
            if piece is None:
                raise LogError(
                    "The log is damaged: users.parquet has fewer lines than it has rows."
                )
            waiting.append(piece)
        table = pa.Table.from_batches(waiting)
        yield pa.Table.from_batches([batch]), table.slice(0, len(batch))
        waiting = table.slice(len(batch)).to_batches()


def _check_free(folder: Path, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not _is_log(folder):
        raise LogError(f"{folder} exists and is not a log: choose another folder.")
    if not overwrite:
        raise LogError(
            f"{folder} already holds a log: choose another folder, or set overwrite=True to "
            "replace it."
        )


def _is_log(folder: Path) -> bool:
    try:
        meta = json.loads((folder / "problem.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(meta, dict) and meta.get("format") == FORMAT


def _write_into(folder: Path, chunks: Iterable[LogData]) -> None:
    writers: dict[str, pq.ParquetWriter] = {}
    first: LogData | None = None
    rows, adaptive = 0, False
    try:
        for chunk in chunks:
            validate(chunk)
            if first is None:
                first = chunk
            elif reason := difference(first, chunk):
                raise LogError(f"A chunk does not match the first one: {reason}.")
            elif first.user_names != chunk.user_names:
                raise LogError("A chunk does not match the first one: its users have other names.")
            tables = {"interactions": _to_table(chunk, first_user=rows)}
            if chunk is first or chunk.anonymous:
                tables["users"] = _features_table(chunk.user_features, chunk.user_names)
            for name, table in tables.items():
                if name not in writers:
                    path = folder / f"{name}.parquet"
                    writers[name] = pq.ParquetWriter(path, table.schema, write_page_checksum=True)
                writers[name].write_table(table)
            rows += len(chunk)
            adaptive = adaptive or chunk.adaptive
    finally:
        for writer in writers.values():
            writer.close()
    if first is None:
        raise LogError("There is nothing to write: at least one chunk of a log is needed.")
    problem = first.problem
    items = _features_table(problem.item_features, problem.item_names).add_column(
        0, "group", pa.array(problem.item_groups)
    )
    pq.write_table(items, folder / "items.parquet", write_page_checksum=True)
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "rows": rows,
        "anonymous": first.anonymous,
        "adaptive": adaptive,
        "logger_names": list(first.logger_names),
        "num_items": problem.num_items,
        "slate_size": problem.slate_size,
        "num_candidates": problem.num_candidates,
        "user_feature_dim": problem.user_feature_dim,
        "item_feature_dim": problem.item_features.shape[1],
        "rewards": problem.rewards,
    }
    (folder / "problem.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def _to_table(log: LogData, first_user: int) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for name in _PLAIN:
        if getattr(log, name) is not None:
            columns[name] = pa.array(getattr(log, name))
    if log.anonymous:
        columns["user"] = pa.array(log.user + first_user)
    for name in _LISTS:
        if getattr(log, name) is not None:
            columns[name] = _lists(getattr(log, name))
    columns |= {_FEEDBACK + name: pa.array(column) for name, column in log.feedback.items()}
    columns |= {_TARGET + name: _lists(column) for name, column in log.target_propensities.items()}
    return pa.table(columns)


def _from_table(
    table: pa.Table, meta: dict[str, Any], problem: Problem, features: Floats32, kind: type[Log]
) -> Log:
    columns: dict[str, Any] = {}
    feedback: dict[str, Floats] = {}
    targets: dict[str, Floats] = {}
    for name in table.column_names:
        if name.startswith(_FEEDBACK):
            feedback[name.removeprefix(_FEEDBACK)] = table[name].to_numpy()
        elif name.startswith(_TARGET):
            targets[name.removeprefix(_TARGET)] = _unlist(table[name])
        elif name in _LISTS:
            columns[name] = _unlist(table[name])
        elif name in _PLAIN:
            columns[name] = table[name].to_numpy()
    if meta["anonymous"]:
        columns["user"] = np.arange(len(table))
    try:
        return kind(
            problem=problem,
            feedback=feedback,
            target_propensities=targets,
            user_features=features,
            anonymous=meta["anonymous"],
            adaptive=meta.get("adaptive", False),
            logger_names=tuple(meta.get("logger_names", ())),
            **columns,
        )
    except TypeError as error:
        raise LogError(f"interactions.parquet of the log lacks a column: {error}.") from error


def _read_problem(folder: Path) -> tuple[dict[str, Any], Problem]:
    if not folder.is_dir():
        raise LogError(f"There is no log at {folder}: a log is a folder with problem.json in it.")
    if not _is_log(folder):
        raise LogError(f"{folder} is not a log: its problem.json is missing or has another format.")
    meta = json.loads((folder / "problem.json").read_text(encoding="utf-8"))
    if meta.get("version") != VERSION:
        raise LogError(
            f"{folder} is a log of format version {meta.get('version')}; this release of SlateRec "
            f"reads version {VERSION}."
        )
    checked = validated(_Meta, meta, f"{folder} is a damaged log: problem.json", error=LogError)
    with _damage(folder):
        items = _read_table(folder / "items.parquet")
        problem = Problem(
            num_items=checked.num_items,
            slate_size=checked.slate_size,
            num_candidates=checked.num_candidates,
            user_feature_dim=checked.user_feature_dim,
            item_features=_matrix(items, checked.item_feature_dim),
            item_groups=items["group"].to_numpy(),
            rewards=checked.rewards,
            item_names=_names(items, "item", folder),
        )
    return meta, problem


def _with_names(problem: Problem, users: pa.Table, folder: Path) -> Problem:
    """Return the problem of a log with the names of its users, if they have some."""
    return replace(problem, user_names=_names(users, "user", folder))


def _names(table: pa.Table, of: str, folder: Path) -> Names | None:
    """Return the names of users or items; None if there are none, as before version 0.2."""
    if _NAME not in table.column_names:
        return None
    try:
        return Names(table[_NAME].to_numpy(), of)
    except UserError as error:
        raise LogError(f"{folder} is a damaged log: {error}") from error


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, memory_map=True, page_checksum_verification=True)
    except FileNotFoundError:
        raise LogError(f"The log is not complete: {path} is missing.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise LogError(f"{path} is not a valid Parquet file: {error}") from error


def _read_table(path: Path) -> pa.Table:
    return _open(path).read()


def _lists(matrix: NDArray[Any]) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _unlist(column: pa.ChunkedArray) -> NDArray[Any]:
    if not pa.types.is_fixed_size_list(column.type):
        raise LogError(f"The log is damaged: it holds {column.type}, not lists of one length.")
    flat: NDArray[Any] = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), column.type.list_size)  # (M * K,) -> (M, K)


def _features_table(features: Floats32, names: Names | None) -> pa.Table:
    columns: dict[str, pa.Array] = {"number": pa.array(np.arange(len(features)))}
    if names is not None:
        columns[_NAME] = pa.array(names.values)
    if features.shape[1]:  # Parquet has no lists of length zero
        columns["features"] = _lists(features)
    return pa.table(columns)


def _matrix(table: pa.Table, width: int) -> Floats32:
    if width == 0:
        return np.zeros((len(table), 0), dtype=np.float32)
    features: Floats32 = _unlist(table["features"])
    return features
