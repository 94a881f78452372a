"""A catalogue of your own items, from a file or a table in memory."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from envs.world.catalogue import normal_cdf
from envs.world.contracts import CataloguePart
from envs.world.items import Items, unit
from envs.world.tables import Columns, Table, TablePart, projected
from recsim.arrays import Floats, Ints
from recsim.errors import EnvError, UserError
from recsim.problem import Names


class TableCatalogue(TablePart, CataloguePart):
    r"""Your own items: a CSV or Parquet file, a data frame, or named arrays; one item a row.

    Embeddings that are given are scaled to length 1. Otherwise the standardised numbers, the
    categories and the groups of an item, each 0 or 1, are multiplied with a Gaussian matrix that is
    a function of ``seed``, and scaled to length 1: similar items get similar embeddings. The centre
    of a group is the mean of its embeddings. What the table does not have is drawn, as
    `envs.world.catalogue.Catalogue` does: quality and bait with correlation
    ``bait_quality_correlation``, and minutes watched from ``length``, ``length_spread``,
    ``completion`` and the quality.

    The system observes the features: standardised numbers and categories. If there are none, it
    observes the embedding.

    Source: random projections keep distances, Johnson and Lindenstrauss 1984.
    """

    key: ClassVar = "catalogue"
    noun: ClassVar = "item"
    roles: ClassVar = ("group", "embedding", "quality", "bait", "minutes")
    vector: ClassVar = "embedding"

    kind: Literal["table"] = "table"
    item: str = Field("item", description="column of the names of items")
    group: str | None = Field("group", description="column of groups; else the first categories")
    embedding: Columns | None = Field(
        "embedding", description="column of lists, or several columns"
    )
    quality: str | None = Field("quality", description="column of quality in [0, 1]")
    bait: str | None = Field("bait", description="column of bait in [0, 1]")
    minutes: str | None = Field("minutes", description="column of minutes watched when clicked")
    dim: int = Field(8, ge=2, le=10_000, description="dimensions of projected embeddings, d")
    bait_quality_correlation: float = Field(0.0, ge=-1, le=1)
    length: float = Field(4.0, gt=0, description="mean length of an item, minutes")
    length_spread: float = Field(0.4, ge=0, description="deviation of the log-length")
    completion: float = Field(0.3, ge=0, le=1, description="fraction watched at quality 0")
    seed: int = Field(0, ge=0, description="of the projection, and of what is drawn")

    def draw(self) -> Items:
        """Read the items, and draw what the table does not have.

        Raises:
            EnvError: If the table is missing or empty, lacks a column, or has a malformed cell; the
                message names file, line and column.
        """
        table = self.table(self.item)
        try:
            return self._items(table)
        except UserError as error:
            raise EnvError(f"world.{self.key}: {error}") from error

    def _items(self, table: Table) -> Items:
        num = len(table.names)
        group: Ints = table.listed.item_groups
        groups = int(group.max()) + 1
        names = [*table.listed.group_names, "(none)"][:groups]
        features = table.features
        quality, bait, minutes = self._worth(table, num)
        embedding = self._embedding(table, features, np.eye(groups)[group])
        return Items(
            embedding=embedding.astype(np.float32),
            centres=_centres(embedding, group, groups).astype(np.float32),
            group=group,
            quality=quality.astype(np.float32),
            bait=bait.astype(np.float32),
            minutes=minutes.astype(np.float32),
            features=(features if features.shape[1] else embedding).astype(np.float32),
            names=Names(table.names.values, "item"),
            group_names=tuple(names) if table.listed.groups is not None else (),
            columns={
                name: values.astype(np.float32)
                for name, values in zip(
                    table.listed.number_names, table.listed.numbers, strict=True
                )
            },
        )

    def _embedding(self, table: Table, features: Floats, groups: Floats) -> Floats:
        """Return embeddings of length 1, ``(I, d)``."""
        given = table.vectors("embedding")
        if given is not None:
            return given
        known = np.hstack([features, groups if groups.shape[1] > 1 else groups[:, :0]])
        if not known.any():
            raise EnvError(
                "all items are alike: give an 'embedding', a 'group', or 'features' that differ."
            )
        return projected(known, self.dim, self.seed)

    def _worth(self, table: Table, num: int) -> tuple[Floats, Floats, Floats]:
        """Return quality, bait and minutes, ``(I,)`` each; drawn where they are not given."""
        rng = np.random.default_rng([self.seed, 0x51A7E, 1])
        z, rho = rng.standard_normal((3, num)), self.bait_quality_correlation
        quality = table.numbers("quality", 0, 1)
        if quality is None:
            quality = normal_cdf(z[0])
        else:  # bait is coupled to the ranks of the quality that is given
            z[0] = _normal_scores(quality)
        bait = table.numbers("bait", 0, 1)
        if bait is None:
            bait = normal_cdf(rho * z[0] + math.sqrt(1 - rho**2) * z[1])
        minutes = table.numbers("minutes", 0)
        if minutes is None:
            length = self.length * np.exp(self.length_spread * z[2] - self.length_spread**2 / 2)
            minutes = length * (self.completion + (1 - self.completion) * quality)
        return quality, bait, minutes


def _normal_scores(values: Floats) -> Floats:
    """Return what standard normal numbers of the same ranks would be, ``(N,)``."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    scores: Floats = ndtri((rankdata(values) - 0.5) / len(values))
    return scores


def _centres(embedding: Floats, group: Ints, groups: int) -> Floats:
    """Return the mean embedding of every group, scaled to length 1, ``(G, d)``."""
    total = np.zeros((groups, embedding.shape[1]))
    np.add.at(total, group, embedding)
    # Embeddings that cancel leave no mean: their first one stands for them.
    first = embedding[[int(np.argmax(group == number)) for number in range(groups)]]
    small = np.linalg.norm(total, axis=1) < 1e-9
    return unit(np.where(small[:, None], first, total))
