"""Datasets of Minari: what `SlateLog.to_minari` wrote, or `minari.DataCollector` recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.errors import LogError
from recsim.log.data import MAPPED_COLUMNS
from recsim.log.minari import CATALOGUE, INFO_COLUMNS
from recsim.log.readers.base import Reader
from recsim.log.slate_log import SlateLog

_NEEDED = ("history_items", "history_clicks", "feedback", "time")
_OF_ROWS = ("user", "slate_propensity", "time", "logger")  # (M,); other columns are (M, K)


class MinariReader(Reader):
    """A dataset of Minari whose observations and actions are those of ``SlateRec-v0``.

    Every episode is a user, except in datasets that `SlateLog.to_minari` wrote, which keep their
    users, names and all columns. For others the catalogue is that of the environment that the
    dataset names; clicks and named rewards are those in ``infos``, if they were recorded, or in
    the next observation.

    Attributes:
        path: Folder of the dataset (with ``metadata.json`` in it, or in its folder ``data``), or
            its name in Minari's folder of datasets.
    """

    path: Path

    def read(self) -> SlateLog:
        """Read all episodes and check them."""
        dataset = self._open()
        empty = self._empty(dataset)
        episodes = [
            _columns(episode, empty, f"{self.path}, episode {episode.id}")
            for episode in _episodes(dataset, self.path)
        ]
        if not episodes:
            raise LogError(f"{self.path} has no episodes.")
        joined: dict[str, Any] = {
            name: np.concatenate([columns[name] for columns in episodes]) for name in episodes[0]
        }
        if "user" not in joined:  # recorded: an episode is a user
            lengths = [len(columns["slate"]) for columns in episodes]
            joined["user"] = np.repeat(np.arange(len(episodes)), lengths)
            first = np.cumsum([0, *lengths[:-1]])
            joined["user_features"] = joined["user_features"][first].astype(np.float32)
        elif empty.terminated is None:  # what the log did not say was filled in
            del joined["terminated"], joined["truncated"]
        mapped: dict[str, Any] = {name: {} for name in MAPPED_COLUMNS}
        for name in [name for name in joined if "." in name]:
            kind, _, key = name.partition(".")
            mapped[kind][key] = joined.pop(name)
        return replace(empty, **joined, **mapped).validate()

    def _open(self) -> Any:
        try:
            import minari
            from minari.storage.datasets_root_dir import get_dataset_path
        except ImportError:
            raise LogError(
                "the reader 'minari' needs Minari: pip install 'slaterec[minari]'."
            ) from None

        named = get_dataset_path(str(self.path))
        places = (self.path, self.path / "data", Path(named) / "data")
        found = next((place for place in places if (place / "metadata.json").is_file()), None)
        if found is None:
            raise LogError(
                f"There is no dataset of Minari at {self.path}: it is a folder with metadata.json "
                f"in it, or the name of one in {Path(named).parent}."
            )
        with _damage_to(self.path):
            return minari.MinariDataset(found)

    def _empty(self, dataset: Any) -> SlateLog:
        """Return a log without rows: the catalogue, and users and names if they are known."""
        catalogue = Path(dataset.spec.data_path) / CATALOGUE
        if catalogue.is_dir():
            return SlateLog.load(catalogue)
        if dataset.env_spec is None:
            raise LogError(
                f"{self.path} names no environment that could give the catalogue: record it from "
                "an environment made by gymnasium.make('SlateRec-v0', ...)."
            )
        try:
            env = dataset.recover_environment()
            problem = env.unwrapped.problem
        except Exception as error:
            raise LogError(
                f"{self.path}: the environment {dataset.env_spec.id!r} gives no catalogue: {error}"
            ) from error
        env.close()
        nothing = np.zeros(0, dtype=np.int64)
        slots = np.zeros((0, problem.slate_size), dtype=np.int64)
        return SlateLog(
            problem=replace(problem, user_names=None),
            user=nothing,
            session=nothing,
            day=nothing,
            step=nothing,
            slate=slots,
            clicks=slots.astype(np.int8),
            feedback={name: np.zeros(0) for name in problem.rewards},
            user_features=np.zeros((0, problem.user_feature_dim), dtype=np.float32),
        )


@contextlib.contextmanager
def _damage_to(path: Path) -> Iterator[None]:
    """Report what a damaged dataset causes while it is read as damage to it."""
    try:
        yield
    except LogError:
        raise
    except Exception as error:  # Minari and the formats below it raise errors of many kinds
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise LogError(f"{path} is not a dataset of Minari, or it is damaged: {reason}.") from error


def _episodes(dataset: Any, path: Path) -> Iterator[Any]:
    with _damage_to(path):
        yield from dataset.iterate_episodes()


def _columns(episode: Any, empty: SlateLog, where: str) -> dict[str, NDArray[Any]]:
    """Return the columns of a log that an episode of T steps has, ``(T, ...)`` each.

    Args:
        episode: An episode of Minari, with T + 1 observations and infos.
        empty: The log without rows; it has columns of zero rows if `SlateLog.to_minari` wrote it.
        where: The episode, for messages.
    """
    obs, slots = episode.observations, empty.problem.slate_size
    missing = [key for key in _NEEDED if not isinstance(obs, Mapping) or key not in obs]
    if missing:
        raise LogError(
            f"{where}: the observations lack {', '.join(missing)}. The reader 'minari' takes those "
            "of SlateRec-v0 as they are, without wrappers, and those of SlateLog.to_minari."
        )
    if np.shape(episode.actions)[1:] != (slots,):
        raise LogError(
            f"{where}: the actions have the shape {np.shape(episode.actions)[1:]}; they must be "
            f"slates of {slots} items (SlateRec-v0 with the default action)."
        )
    time = np.asarray(obs["time"])[:-1].astype(np.int64)  # (T, 3)
    columns = {
        **dict(zip(("day", "session", "step"), time.T, strict=True)),
        "terminated": np.asarray(episode.terminations, dtype=np.bool_),
        "truncated": np.asarray(episode.truncations, dtype=np.bool_),
    }
    columns["truncated"] = columns["truncated"] & ~columns["terminated"]
    if len(empty.user_features):
        columns |= _written(episode, empty)
    else:
        columns |= _recorded(episode, empty, where)
    return columns


def _written(episode: Any, empty: SlateLog) -> dict[str, NDArray[Any]]:
    """Return the other columns of an episode that `SlateLog.to_minari` wrote."""
    columns = {"slate": np.asarray(episode.actions)}
    if empty.candidates is not None:
        columns["candidates"] = np.asarray(episode.observations["candidates"])[:-1]
    names = [name for name in INFO_COLUMNS if getattr(empty, name) is not None]
    names += [f"{mapped}.{name}" for mapped in MAPPED_COLUMNS for name in getattr(empty, mapped)]
    for name in names:
        values = np.asarray(episode.infos[name])[1:]
        of_rows = name in _OF_ROWS or name.startswith("feedback.")
        columns[name] = values[:, 0] if of_rows else values
    return columns


def _recorded(episode: Any, empty: SlateLog, where: str) -> dict[str, NDArray[Any]]:
    """Return the other columns of an episode that was recorded from ``SlateRec-v0``."""
    obs, infos, problem = episode.observations, episode.infos or {}, empty.problem
    slots, rewards = problem.slate_size, list(problem.rewards)
    if np.shape(obs["history_items"])[1] < slots:
        raise LogError(f"{where}: the observations hold no slate of history, which is needed.")
    columns = {
        "slate": np.asarray(obs["history_items"])[1:, -slots:],
        "clicks": np.asarray(obs["history_clicks"])[1:, -slots:].astype(np.int8),
        "user_features": np.broadcast_to(
            obs.get("user_features", np.zeros((1, 0), dtype=np.float32))[:1],
            (len(episode.rewards), problem.user_feature_dim),
        ),
    }
    seen = np.asarray(obs["feedback"])[1:].astype(np.float64)  # (T, R), rounded to float32
    named = infos.get("rewards")
    if named is not None and not isinstance(named, Mapping):  # from Arrow: one dict per step
        named = {name: np.array([step[name] for step in named]) for name in rewards}
    for column, name in enumerate(rewards):
        columns[f"feedback.{name}"] = (
            seen[:, column] if named is None else np.asarray(named[name], dtype=np.float64)[1:]
        )
    if problem.num_candidates != problem.num_items:
        columns["candidates"] = np.asarray(obs["candidates"])[:-1]
    return columns
