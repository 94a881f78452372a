"""The agents: they show the candidates with the highest scores by counting."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np
from scipy import sparse

from agents.counting import counts
from agents.counting.config import (
    CountingConfig,
    EASEConfig,
    ItemKNNConfig,
    SequentialRulesConfig,
    TransitionsConfig,
)
from agents.shared import slates
from agents.shared.deterministic import Deterministic
from agents.shared.event_lists import (
    below_others,
    latest_events,
    logged_events,
    seen_candidates,
)
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.log import SlateLog
from recsim.problem import Problem

Matrix: TypeAlias = sparse.csr_array | Floats

# Numbers that the scores of a block of users may hold (32 MiB of float64).
_BLOCK = 2**22
# The inverse of a dense matrix of so many items needs 10 GB and some ten minutes of CPU time.
_MOST_ITEMS = 20_000


class CountingAgent(Deterministic):
    """An agent that scores items by a matrix of items and items; subclasses compute it.

    Fitted on the events of a log; a second fit forgets the first. Users are known by the events in
    ``obs["history_items"]``. Deterministic, so propensities are 0 or 1.
    """

    needs_log: ClassVar[bool] = True
    reads = frozenset({"history", "item_ids"})
    once: ClassVar[bool] = False
    """Whether an item that a user has several times counts once, with its latest weight."""
    _config: CountingConfig

    def __init__(self, config: CountingConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._counts: Floats | None = None  # n_i, (I,)
        self._counted: sparse.csr_array | None = None
        self._scoring: Matrix | None = None
        ties = np.random.default_rng(seed).permutation(problem.num_items)
        self._ties: Ints = ties  # among equal scores, the lowest is shown first

    def fit(self, log: SlateLog) -> FitReport:
        """Count the events of a log, forgetting any other log.

        Raises:
            AgentError: If the log is anonymous or has no event.
        """
        self.require_users(log, "counts what users do next")
        items, user = logged_events(log, self._config.events)
        self.require(len(items), "clicks" if self._config.events == "clicked" else "items shown")
        self._counts = counts.item_counts(items, self._problem.num_items)
        self._counted, self._scoring = self._count(items, user), None
        return FitReport(rows=len(log))

    def scores(self, obs: Observation) -> Floats:
        """Return the score of every candidate, ``(B, C)``, items already seen included.

        Raises:
            AgentError: If the agent was not fitted.
        """
        popularity = self.fitted(self._counts)
        matrix = self._matrix()
        latest, candidates = latest_events(obs, self._config.events), obs["candidates"]
        scores = np.empty(candidates.shape)
        size = max(1, _BLOCK // self._problem.num_items)
        for start in range(0, len(scores), size):
            rows = slice(start, start + size)
            weights = history_weights(
                latest[rows], self._weights(latest.shape[1]), len(popularity), once=self.once
            )
            product = weights @ matrix  # (b, I)
            block = product.toarray() if sparse.issparse(product) else product
            block = block + self._config.popularity * popularity
            known = (popularity[latest[rows]] > 0) & (latest[rows] >= 0)
            block[~known.any(axis=1)] = popularity
            scores[rows] = np.take_along_axis(block, candidates[rows], axis=1)
        return scores

    def _slates(self, obs: Observation) -> Ints:
        scores, candidates = self.scores(obs), obs["candidates"]
        if self._config.exclude_seen:
            seen = seen_candidates(obs, self._config.events, self._problem.num_items)
            scores = below_others(scores, seen)
        return slates.top_slates_by(scores, self._ties[candidates], self._slate_size)

    @abstractmethod
    def _count(self, items: Ints, user: Ints) -> sparse.csr_array:
        """Return what is kept of the events, ``(I, I)``; see `agents.counting.counts`."""

    @abstractmethod
    def _weights(self, length: int) -> Floats:
        """Return the weights of a user's latest events, the latest first, at most ``length``."""

    def _scoring_matrix(self, counted: sparse.csr_array) -> Matrix:
        """Return the matrix that scores items, ``(I, I)``, computed from what is kept."""
        return counted

    def _matrix(self) -> Matrix:
        if self._scoring is None:
            self._scoring = self._scoring_matrix(self.fitted(self._counted))
        return self._scoring

    def _learned(self) -> dict[str, Any]:
        ties = {"ties": self._ties.copy()}
        if self._counts is None or self._counted is None:
            return ties
        kept = self._counted
        matrix = {name: getattr(kept, name).copy() for name in ("data", "indices", "indptr")}
        return {**ties, "counts": self._counts.copy(), **matrix}

    def _restore(self, state: Mapping[str, Any]) -> None:
        ties, size = np.array(state["ties"], dtype=np.int64), self._problem.num_items
        if len(ties) != size:
            raise self.misfit(f"it has {len(ties)} items; there are {size}")
        self._ties, self._counts, self._counted, self._scoring = ties, None, None, None
        if "counts" in state:
            arrays = tuple(np.array(state[name]) for name in ("data", "indices", "indptr"))
            self._counts = np.array(state["counts"], dtype=np.float64)
            self._counted = sparse.csr_array(arrays, shape=(size, size))


def history_weights(
    latest: Ints, weights: Floats, num_items: int, *, once: bool
) -> sparse.csr_array:
    """Return the weight of every item in the histories of users, ``(B, I)``.

    Args:
        latest: Events, the latest first, ``(B, T)``; -1 is padding.
        weights: Weight of the latest event, the one before, and so on; older ones have 0.
        num_items: I.
        once: Whether an item counts once, at its latest event; otherwise its weights are added.
    """
    latest = latest[:, : len(weights)]
    row, age = np.nonzero(latest >= 0)
    item = latest[row, age]
    if once:
        _, first = np.unique(row * num_items + item, return_index=True)
        row, age, item = row[first], age[first], item[first]
    return sparse.csr_array((weights[age], (row, item)), shape=(len(latest), num_items))


class TransitionsAgent(CountingAgent):
    """Ranks items by how often they came right after the user's last one or two events."""

    name: ClassVar[str] = "transitions"
    Config: ClassVar[type[AgentConfig]] = TransitionsConfig
    _config: TransitionsConfig

    def _count(self, items: Ints, user: Ints) -> sparse.csr_array:
        return counts.transitions(items, user, self._problem.num_items)

    def _weights(self, length: int) -> Floats:
        return np.array([1.0, self._config.second])[: self._config.last]


class Decayed(CountingAgent):
    """An agent whose history has weights that decay with age; its settings have ``decay``."""

    _config: Any

    def _weights(self, length: int) -> Floats:
        return np.asarray(self._config.decay ** np.arange(length), dtype=np.float64)


class SequentialRulesAgent(Decayed):
    """Ranks items by how often and how soon they came after the user's latest events."""

    name: ClassVar[str] = "sequential_rules"
    Config: ClassVar[type[AgentConfig]] = SequentialRulesConfig
    _config: SequentialRulesConfig

    def _count(self, items: Ints, user: Ints) -> sparse.csr_array:
        size = self._problem.num_items
        return counts.sequential_rules(items, user, size, self._config.max_gap)


class ItemKNNAgent(Decayed):
    """Ranks items by the cosine of their users with those of the user's latest events."""

    name: ClassVar[str] = "item_knn"
    Config: ClassVar[type[AgentConfig]] = ItemKNNConfig
    once: ClassVar[bool] = True
    _config: ItemKNNConfig

    def _count(self, items: Ints, user: Ints) -> sparse.csr_array:
        co = counts.co_counts(items, user, self._problem.num_items)
        kept = counts.item_neighbours(co, self._config.shrink, self._config.neighbours)
        return kept if self._config.neighbours_of == "history" else sparse.csr_array(kept.T)


class EASEAgent(Decayed):
    """Ranks items by a linear model of all items from all others, in closed form.

    The inverse of a dense matrix of items takes memory and time: at most 20,000 items. What is
    saved are the counts; a loaded agent inverts again.
    """

    name: ClassVar[str] = "ease"
    Config: ClassVar[type[AgentConfig]] = EASEConfig
    once: ClassVar[bool] = True
    _config: EASEConfig

    def __init__(self, config: EASEConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        if problem.num_items > _MOST_ITEMS:
            raise self.error(
                f"inverts a matrix of items by items, at most {_MOST_ITEMS:,}; this catalogue has "
                f"{problem.num_items:,}. Use 'sequential_rules', or keep fewer items, such as with "
                "the option k_core of a reader."
            )

    def _count(self, items: Ints, user: Ints) -> sparse.csr_array:
        return counts.co_counts(items, user, self._problem.num_items)

    def _scoring_matrix(self, counted: sparse.csr_array) -> Matrix:
        return counts.ease(counted, self._config.ridge)
