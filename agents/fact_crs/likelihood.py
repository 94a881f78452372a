"""How likely a yes is, given the item that the user looks for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agents.fact_crs.rows import Rows

Floats = NDArray[np.float32]


class Likelihood:
    r"""P(yes to f | target i), from how often it was yes at the root of the forest.

    .. math:: P(\text{yes}_f \mid i) = \frac{n_{i,f} + s\, p_f}{n_i + s}

    if the item has the attribute, n_i being its interactions, n_{i,f} those with a yes and p_f the
    share of yes among all; else ``slip``. Clipped to ``[slip, 1 - slip]``. Where users answer for
    the item alone, a yes is certain if the item has the attribute.

    Args:
        yes: n_{i,f}, ``(F, S)``, sparse.
        counts: n_i, ``(S,)``.
        having: Which known item has which attribute, ``(S, F)`` bool.
        smoothing: s.
        slip: See above.
        certain: Whether users answer for the item alone.
    """

    def __init__(
        self,
        yes: csr_array,
        counts: NDArray[np.floating],
        having: NDArray[np.bool_],
        *,
        smoothing: float,
        slip: float,
        certain: bool = False,
    ) -> None:
        self.counts = counts.astype(np.float32)
        self._yes, self._having, self._smoothing, self._slip = yes, having, smoothing, slip
        self._certain = certain
        self._rate = np.asarray(yes.sum(axis=1)).ravel() / counts.sum()  # (F,)
        self._of_attribute: dict[int, Floats] = {}

    @classmethod
    def of(cls, rows: Rows, having: NDArray[np.bool_], **settings: Any) -> Self:
        """Return that of some interactions; the settings are those of the class."""
        return cls(rows.yes_counts(), rows.counts, having, **settings)

    def chances(self, attributes: NDArray[np.int64]) -> Floats:
        """Return the probability of a yes to one attribute each, given each known item, ``(n, S)``.

        Attributes are worked out when they are first asked for, and kept.
        """
        wanted, place = np.unique(attributes, return_inverse=True)
        return np.stack([self._chances(int(one)) for one in wanted])[place]

    def predicted(self, belief: NDArray[np.floating]) -> Floats:
        """Return the probability of a yes to every attribute, ``(B, F)``.

        Args:
            belief: Probability of each known item, ``(B, S)``.
        """
        # Few items have an attribute; for the others the chance is the same.
        rare: Floats = (self._above_slip @ belief.T).T + self._slip * belief.sum(
            axis=1, keepdims=True
        )
        return rare

    @cached_property
    def _above_slip(self) -> csr_array:
        """By how much the chance of a yes is above ``slip``, ``(F, S)``, sparse."""
        item, attribute = np.nonzero(self._having)
        yes = np.asarray(self._yes[attribute, item]).ravel()
        found = self._chance(yes, self._rate[attribute], self.counts[item]) - self._slip
        shape = self._having.shape[::-1]
        return csr_array((found.astype(np.float32), (attribute, item)), shape=shape)

    def _chances(self, attribute: int) -> Floats:
        found = self._of_attribute.get(attribute)
        if found is None:
            yes = self._yes[[attribute]].toarray()[0]
            chance = self._chance(yes, self._rate[attribute], self.counts)
            having = self._having[:, attribute]
            found = np.where(having, chance, self._slip).astype(np.float32)
            self._of_attribute[attribute] = found
        return found

    def _chance(
        self, yes: NDArray[np.floating], rate: NDArray[np.floating] | float, counts: Floats
    ) -> NDArray[np.floating]:
        """Return the chance of a yes about items that have the attribute."""
        if self._certain:
            return np.full(np.shape(yes), 1 - self._slip)
        found = (yes + self._smoothing * rate) / (counts + self._smoothing)
        clipped: NDArray[np.floating] = np.clip(found, self._slip, 1 - self._slip)
        return clipped

    def state_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "counts": self.counts.copy(),
            "first": self._yes.indptr.copy(),
            "item": self._yes.indices.copy(),
            "yes": self._yes.data.copy(),
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], having: NDArray[np.bool_], **settings: Any
    ) -> Self:
        """Return what `state_dict` told of; the settings are those of the class."""
        shape = (having.shape[1], having.shape[0])
        yes = csr_array((state["yes"], state["item"], state["first"]), shape=shape)
        counts = np.array(state["counts"], dtype=np.float64)
        return cls(yes, counts, having, **settings)
