"""The items of a world, whatever they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.errors import EnvError, did_you_mean
from recsim.problem import Names


@dataclass(frozen=True, eq=False)
class Items:
    """The items of a catalogue.

    Attributes:
        embedding: Vectors of length 1 ``(I, d)``, or 0 for an item that appeals to all users alike.
        centres: Vectors of the groups, of length 1, ``(G, d)``.
        group: Group of each item, ``(I,)``.
        quality: Long-term value in [0, 1], ``(I,)``.
        bait: Short-term temptation in [0, 1], ``(I,)``.
        minutes: Minutes watched when clicked, ``(I,)``.
        features: Item features that the system observes, ``(I, F)``.
        names: Name of each item; None if items have no other ids than 0 ... I-1.
        group_names: Name of each group, G; empty if groups have no other names than 0 ... G-1.
        columns: Further numbers of each item, ``(I,)`` each, such as a price.
    """

    embedding: NDArray[np.float32]
    centres: NDArray[np.float32]
    group: NDArray[np.int64]
    quality: NDArray[np.float32]
    bait: NDArray[np.float32]
    minutes: NDArray[np.float32]
    features: NDArray[np.float32]
    names: Names | None = None
    group_names: tuple[str, ...] = ()
    columns: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.group)

    def column(self, name: str) -> NDArray[np.float32]:
        """Return one of ``columns``, ``(I,)``.

        Raises:
            EnvError: If the catalogue does not have it; names the nearest.
        """
        if name not in self.columns:
            near = did_you_mean(name, self.columns) or " It has no further columns."
            raise EnvError(f"the catalogue has no column {name!r}.{near}")
        return self.columns[name]

    def conformed(self) -> Items:
        """Return the items with arrays of the types above, copied only where they differ."""
        single = ("embedding", "centres", "quality", "bait", "minutes", "features")
        arrays: dict[str, Any] = {
            name: np.asarray(getattr(self, name), dtype=np.float32) for name in single
        }
        columns = {name: np.asarray(of, dtype=np.float32) for name, of in self.columns.items()}
        group = np.asarray(self.group, dtype=np.int64)
        return replace(self, **arrays, group=group, columns=columns)

    @property
    def dim(self) -> int:
        """Dimensions of embeddings and interests, d."""
        return int(self.embedding.shape[1])

    @property
    def num_groups(self) -> int:
        """Number of groups, G."""
        return len(self.centres)


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors ``(..., d)`` scaled to length 1; those of length 0 stay as they are."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float64] = vectors / np.where(length > 0, length, 1)
    return scaled
