"""Logs as datasets of Minari, the format of offline data that goes with Gymnasium.

An episode of a user is an episode of the dataset. Observations have the keys of ``SlateRec-v0``
(``candidates`` only if the log names them), actions are slates, the reward is the scalar one, and
``infos`` holds the other columns of the log. A log without rows beside the episodes, in the folder
``slaterec``, keeps the catalogue, users, names and weights of rewards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools
from recsim.errors import LogError
from recsim.files import complete_folder
from recsim.log.data import MAPPED_COLUMNS, LogData
from recsim.log.history import observations, observations_after
from recsim.log.storage import write_log
from recsim.log.transitions import ends_of_episodes
from recsim.log.validation import validate

CATALOGUE = "slaterec"
"""Folder of the log without rows in the folder of a dataset."""
_KEYS = (
    *("user_features", "history_items", "history_clicks", "history_length", "feedback"),
    *("candidates", "time"),
)
"""Keys of observations that are written."""
INFO_COLUMNS = (
    *("user", "clicks", "propensity", "slate_propensity", "prefix_propensity"),
    *("position", "time", "logger"),
)
"""Columns of a log among the infos, beside those by name."""


def write_minari(
    log: LogData,
    empty: LogData,
    folder: Path,
    *,
    dataset_id: str | None,
    history_slates: int,
    data_format: str,
) -> Path:
    """Write a log, and the same log without rows; see `recsim.log.SlateLog.to_minari`."""
    try:
        import minari
        from minari.dataset.minari_storage import MinariStorage
    except ImportError:
        raise LogError("to_minari needs Minari: pip install 'slaterec[minari]'.") from None

    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise LogError(f"{folder} exists already: choose another folder.")
    if not len(log):
        raise LogError("The log is empty: there are no episodes to write.")
    validate(log)
    ends = ends_of_episodes(log)
    example = {
        key: values
        for key, values in observations(log, np.arange(1), history_slates).items()
        if key in _KEYS and values.shape[1]
    }
    if log.candidates is None:  # the whole catalogue, in every row
        del example["candidates"]
    observation_space, action_space = _spaces(log, example)
    # The temporary path is absolute: Minari looks for files of a relative one within itself.
    with complete_folder(folder) as building:
        storage = MinariStorage.new(
            building,
            observation_space=observation_space,
            action_space=action_space,
            data_format=data_format,
        )
        storage.update_metadata(
            {
                "dataset_id": dataset_id or f"{folder.name}-v0",
                "minari_version": minari.__version__,
                "description": f"Logged slates: {log!r}",
            }
        )
        storage.update_episodes(_buffers(log, ends, list(example), history_slates))
        write_log(building / CATALOGUE, [empty])
    return folder


def _buffers(
    log: LogData, ends: tuple[Bools, Bools], keys: list[str], history_slates: int
) -> Iterator[Any]:
    """Return the episodes, user by user.

    Args:
        log: The log.
        ends: Where episodes are terminated and truncated, ``(M,)`` each.
        keys: Keys of the observations.
        history_slates: Slates of history in an observation.
    """
    from minari.data_collector import EpisodeBuffer

    (terminated, truncated), rows = ends, log.by_user
    last = np.flatnonzero((terminated | truncated)[rows])  # of each episode, within rows
    episodes = np.split(rows, last[:-1] + 1)
    before = observations(log, rows, history_slates)
    after = observations_after(log, rows[last], history_slates)
    infos, reward = _infos(log), log.reward
    for number, episode in enumerate(episodes):
        own = slice(last[number] + 1 - len(episode), last[number] + 1)
        yield EpisodeBuffer(
            id=number,
            observations={
                key: np.concatenate([before[key][own], after[key][number : number + 1]])
                for key in keys
            },
            actions=log.slate[episode],
            rewards=reward[episode],
            terminations=terminated[episode],
            truncations=truncated[episode],
            # The first is that of the reset, zeros, as with Minari's DataCollector. Columns (M,)
            # become (M, 1): Minari does not read others back from Arrow.
            infos={key: np.pad(v[episode], [(1, 0), (0, 0)]) for key, v in infos.items()},
        )


def _infos(log: LogData) -> dict[str, NDArray[Any]]:
    """Return the columns of a log that are not in observations, actions and ends of episodes."""
    columns = {name: getattr(log, name) for name in INFO_COLUMNS}
    for mapped in MAPPED_COLUMNS:
        columns |= {f"{mapped}.{name}": v for name, v in getattr(log, mapped).items()}
    return {
        name: values.reshape(len(log), -1) for name, values in columns.items() if values is not None
    }


def _spaces(
    log: LogData, example: Mapping[str, NDArray[Any]]
) -> tuple[gym.spaces.Dict, gym.spaces.MultiDiscrete]:
    """Return the spaces of observations with the arrays of an example, and of slates."""
    items, slots = log.problem.num_items, log.problem.slate_size
    bounds: dict[str, tuple[float, float]] = {
        "history_items": (-1, items - 1),
        "history_clicks": (0, 1),
        "candidates": (0, items - 1),
    }
    observation: dict[str, gym.Space[Any]] = {}
    for key, values in example.items():
        kind = np.dtype(values.dtype)
        whole = np.issubdtype(kind, np.integer)
        low, high = bounds.get(key, (0, np.iinfo(kind).max) if whole else (-np.inf, np.inf))
        observation[key] = gym.spaces.Box(low, high, values.shape[1:], values.dtype.type)
    start = int(log.slate.min(initial=0))  # -1 if some positions are empty
    action = gym.spaces.MultiDiscrete([items - start] * slots, start=[start] * slots)
    return gym.spaces.Dict(observation), action
