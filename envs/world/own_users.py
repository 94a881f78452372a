"""A population of your own users, from a file or a table in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from envs.world.backend import Array, Backend
from envs.world.contracts import PopulationPart
from envs.world.items import Items
from envs.world.tables import Columns, Table, TablePart, projected
from recsim.arrays import Floats, Ints
from recsim.draws import Draws, Purpose
from recsim.errors import EnvError, UserError, did_you_mean

ROW, SPREAD = Purpose("row of the population"), Purpose("spread of the population")


class TablePopulation(TablePart, PopulationPart):
    r"""Your own users: a CSV or Parquet file, a data frame, or named arrays; one user a row.

    A simulated user is a row drawn with replacement, in proportion to ``weight``. With the row's
    vector v, which has length 1, their interest is

    .. math:: u \propto v + \text{spread}\,\epsilon / \sqrt{d}, \qquad \|u\| = 1.

    v is the column ``interest``, which has the dimensions of the items' embeddings; else the
    centre of the ``group`` of items that the user prefers; else a projection of the features, with
    which similar users have similar interests that are unrelated to what the features mean.

    The system observes the features: standardised numbers and categories.
    """

    key: ClassVar = "population"
    noun: ClassVar = "user"
    roles: ClassVar = ("group", "interest", "weight")
    vector: ClassVar = "interest"

    kind: Literal["table"] = "table"
    user: str = Field("user", description="column of the names of users")
    interest: Columns | None = Field("interest", description="column of lists, or columns")
    group: str | None = Field("group", description="column of the preferred group of items")
    weight: str | None = Field("weight", description="column of weights; without it all are alike")
    spread: float = Field(0.0, ge=0, le=1000, description="distance of users from their row")
    seed: int = Field(0, ge=0, description="the projection is a function of this seed")

    def bind(self, items: Items, backend: Backend) -> TableUsers:
        """Read the users.

        Raises:
            EnvError: If the table is missing or empty, lacks a column, has a malformed cell, or
                does not fit the items; the message names file, line and column.
        """
        table = self.table(self.user)
        try:
            features, interest = table.features, self._interest(table, items)
            weight = table.numbers("weight", 0)
            if weight is None:
                weight = np.ones(len(table.names))
            if not weight.any():
                raise EnvError("all weights are 0.")
        except UserError as error:
            raise EnvError(f"world.{self.key}: {error}") from error
        if not features.shape[1]:
            features = np.zeros((len(features), 1))  # nothing is observed
        cumulative = np.cumsum(weight)
        return TableUsers(
            spread=self.spread,
            bounds=np.stack([features.min(axis=0), features.max(axis=0)]),
            cumulative=backend.asarray(cumulative / cumulative[-1]),
            interest=backend.asarray(interest.astype(np.float32)),
            features=backend.asarray(features.astype(np.float32)),
        )

    def _interest(self, table: Table, items: Items) -> Floats:
        """Return the vector of every row, ``(N, d)``."""
        given = table.vectors("interest")
        if given is not None:
            if given.shape[1] != items.dim:
                raise EnvError(
                    f"interests have {given.shape[1]} dimensions, and the embeddings of items "
                    f"{items.dim}: they must be the same."
                )
            return given
        if table.played["group"]:
            vectors: Floats = items.centres[_groups(table, items)].astype(np.float64)
            return vectors
        features = table.features
        if not features.any():
            raise EnvError(
                "all users are alike: give an 'interest', a 'group', or 'features' that differ."
            )
        return projected(features, items.dim, self.seed)


@dataclass(frozen=True, eq=False)
class TableUsers:
    """The rows of a table of N users, on one backend.

    Attributes:
        spread: Distance of users from their row.
        bounds: Lowest and highest features, ``(2, F)``.
        cumulative: Cumulative share of the weights, float64 ``(N,)``.
        interest: Vectors of length 1, ``(N, d)``.
        features: ``(N, F)``.
    """

    spread: float
    bounds: Floats
    cumulative: Array
    interest: Array
    features: Array

    def feature_bounds(self, dim: int) -> Floats:
        """Return the lowest and highest value of every user feature, ``(2, F)``."""
        del dim
        return self.bounds

    def draw(self, xp: Any, draws: Draws, centres: Array) -> tuple[Array, Array]:
        """Draw users; see `PopulationPart.draw`."""
        del centres
        chance = xp.astype(draws.uniform(ROW, 1)[:, 0], self.cumulative.dtype)
        rows = xp.searchsorted(self.cumulative, chance, side="right")  # (B,)
        interest = xp.take(self.interest, rows, axis=0)
        if self.spread:
            dim = interest.shape[1]
            interest = interest + (self.spread / dim**0.5) * draws.normal(SPREAD, dim)
            interest = interest / xp.sqrt(xp.vecdot(interest, interest) + 1e-12)[:, None]
        return interest, xp.take(self.features, rows, axis=0)


def _groups(table: Table, items: Items) -> Ints:
    """Return the number of the group that every user prefers, ``(N,)``."""
    known = items.group_names or tuple(map(str, range(items.num_groups)))
    (column,) = table.played["group"]
    place = {name: number for number, name in enumerate(known)}
    groups = np.zeros(len(table.names), dtype=np.int64)
    for row, (name, *_) in enumerate(entry or [""] for entry in table.listed.groups or ()):
        if name not in place:
            raise EnvError(
                f"column {column!r}, user {table.names[row]!r}: the catalogue has no group "
                f"{name!r}.{did_you_mean(name, known)}"
            )
        groups[row] = place[name]
    return groups
