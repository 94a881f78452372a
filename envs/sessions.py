"""Environments of sessions about interactions of a data set: conversations and critiquing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import gymnasium as gym
import numpy as np

from envs.faces import Arrays, BatchEnv, ScalarEnv, Simulation
from envs.settings import EnvSettings
from recsim.arrays import Ints
from recsim.errors import EnvError

Data = TypeVar("Data")


class SessionSettings(EnvSettings):
    """Settings that all of these environments have.

    Attributes:
        path: Folder or file of the data.
        planted: Settings of planted data, the default.
        debug: Whether info holds what a real system cannot know.
    """

    path: str | None = None
    planted: Mapping[str, Any] | None = None
    debug: bool = False

    def check_data(self, data: Data | None, kind: type[Data]) -> None:
        """Check data that a caller gives as an object.

        Raises:
            EnvError: If they have another type, or more than one source of data is given.
        """
        if sum(source is not None for source in (data, self.path, self.planted)) > 1:
            raise EnvError("give only one of 'data', 'path' and 'planted'.")
        if data is not None and not isinstance(data, kind):
            raise EnvError(
                f"'data' is {data!r}; it must be {kind.__name__}: for a folder use 'path'."
            )


class SessionSimulation(Simulation):
    """B sessions, each about one interaction of the data: a user who looks for an item."""

    @property
    @abstractmethod
    def training_data(self) -> Any:
        """The data that a recommender may learn from: the train and valid parts."""

    @property
    @abstractmethod
    def episode_users(self) -> Ints:
        """User of each interaction that a session can be about, ``(N,)``."""

    @abstractmethod
    def begin(self, rows: Ints) -> None:
        """Begin the sessions of ``episodes`` in some rows, about interactions of the data."""

    def replace(self, done: Any, info: dict[str, Any]) -> dict[str, Any]:
        """Begin new sessions in the rows where ``done``; see `Simulation.replace`."""
        rows = np.flatnonzero(done)
        self.episodes.next(rows)
        self.begin(rows)
        return info | {"action_mask": self.masks().astype(np.int8)}


SessionSimulationT = TypeVar("SessionSimulationT", bound=SessionSimulation)


class SessionEnv(ScalarEnv[SessionSimulationT], Generic[SessionSimulationT]):
    """The scalar face: one session.

    Args:
        simulation: Of one session.
        render_mode: ``"ansi"`` or None.
    """

    def __init__(self, simulation: SessionSimulationT, render_mode: str | None) -> None:
        super().__init__(simulation, render_mode)
        self._running = False

    @property
    def training_data(self) -> Any:
        """The data that a recommender may learn from: the train and valid parts."""
        return self.simulation.training_data

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Arrays, dict[str, Any]]:
        """Start a session; see `ScalarEnv.reset`."""
        obs, info = super().reset(seed=seed, options=options)
        self._running = True
        return obs, info

    def step(self, action: Any) -> tuple[Arrays, float, bool, bool, dict[str, Any]]:
        """Take a turn.

        Raises:
            gymnasium.error.ResetNeeded: If no session has begun, or it is over.
            ValueError: If the action is malformed, or illegal where that is an error.
        """
        if not self._running:
            raise gym.error.ResetNeeded("Call reset before the next step: no session is running.")
        obs, reward, terminated, truncated, info = super().step(action)
        self._running = not (terminated or truncated)
        return obs, reward, terminated, truncated, info


class SessionBatchEnv(BatchEnv[SessionSimulationT], Generic[SessionSimulationT]):
    """The vector face: many sessions."""

    @property
    def training_data(self) -> Any:
        """The data that a recommender may learn from: the train and valid parts."""
        return self.simulation.training_data

    @property
    def num_episodes(self) -> int:
        """Number of interactions that a session can be about, N."""
        return len(self.episode_users)

    @property
    def episode_users(self) -> Ints:
        """User of each of these interactions, ``(N,)``: the unit of resampling."""
        return self.simulation.episode_users


def whole_numbers(
    values: Any, shape: tuple[int, ...], low: int, end: int, name: str, *, option: bool = False
) -> Ints:
    """Return values as int64 after checking their shape and range.

    Args:
        values: An action, a part of one, or an option of ``reset``.
        shape: Shape that they must have.
        low: Smallest value allowed.
        end: One more than the largest value allowed.
        name: Name of the values in messages.
        option: Whether they are an option of ``reset``.

    Raises:
        ValueError: If an action is wrong.
        EnvError: If an option is wrong.
    """
    array = np.asarray(values)
    fits = array.shape == shape and array.dtype.kind in "iu"
    if fits and not ((array < low) | (array >= end)).any():
        return array.astype(np.int64)
    error = EnvError if option else ValueError
    raise error(
        f"{name} must be whole numbers of shape {shape} in {low} ... {end - 1}, not {values!r}."
    )
