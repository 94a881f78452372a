"""Environments of sessions about interactions of a data set: conversations and critiquing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from envs.faces import BatchEnv, ScalarEnv, Simulation
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

    def outlook(self) -> dict[str, Any]:
        """Return which actions are allowed next."""
        return {"action_mask": self.masks().astype(np.int8)}


SessionSimulationT = TypeVar("SessionSimulationT", bound=SessionSimulation)


class SessionEnv(ScalarEnv[SessionSimulationT], Generic[SessionSimulationT]):
    """The scalar face: one session."""

    @property
    def training_data(self) -> Any:
        """The data that a recommender may learn from: the train and valid parts."""
        return self.simulation.training_data


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
