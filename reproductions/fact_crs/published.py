"""Details of the published code of FacT-CRS that `agents.fact_crs` deliberately changes.

    agent = PublishedAgent(PublishedConfig(early_stop=250), problem, seed)

By default, `PublishedConfig` has the settings of the published code for LastFM. Compared with the
agent, these can be switched on in addition:

- ``split_score: paper`` scores a split by a surrogate of the loss of the children's vectors.
- ``feedback: paper`` shifts the context after a rejection by the mean of item *ids*, a number that
  is added to every component; the result only affects the choice of the next tree.
- ``turn_accounting: paper``: slates that are shown early are free, which the environment must allow
  (``free_recommendations=N``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from agents.fact_crs import FactCRSAgent, FactCRSConfig
from agents.fact_crs.context import Context
from agents.fact_crs.growing import SplitScore, vector_score
from agents.fact_crs.model import Model
from agents.fact_crs.state import Choice, Conversations
from agents.fact_crs.vectors import NodeFit
from recsim.arrays import AnyFloats, Floats, Floats32, Ints
from recsim.contracts.conversations import Turn
from recsim.contracts.slates import AgentConfig, Observation
from recsim.conversation import ConversationProblem
from recsim.errors import AgentError


class PublishedConfig(FactCRSConfig):
    """Settings of `PublishedAgent`.

    Attributes:
        turn_accounting: ``honest``: every slate takes a turn; ``paper``: early slates are free.
    """

    split_score: Literal["reach", "nll", "paper"] = "paper"  # type: ignore[assignment]
    ranker: Literal["posterior", "counts", "embedding"] = "embedding"
    walk: Literal["forest", "tree"] = "tree"
    stop: Literal["lookahead", "unique_items"] = "unique_items"
    leaf_candidates: bool = True
    feedback: Literal["none", "fixed", "paper"] = "paper"  # type: ignore[assignment]
    feedback_next: float = 1e-5
    feedback_shown: float = 1e-4
    node_negatives: float = 0.0
    turn_accounting: Literal["honest", "paper"] = "paper"

    @model_validator(mode="after")
    def _only_early_slates_are_free(self) -> Self:
        if self.turn_accounting == "paper" and self.stop != "unique_items":
            raise ValueError(
                "turn_accounting 'paper' requires stop 'unique_items': only early slates are free"
            )
        return self


def surrogate_losses(
    vectors: AnyFloats, counts: AnyFloats, items: AnyFloats, _: NodeFit
) -> AnyFloats:
    """Return the published split error of each node, sum of c_i log(1 - sigma(z . V_i)), (C,)."""
    products = (vectors @ items.T).astype(np.float64)
    losses: Floats = -(counts * np.logaddexp(0, products)).sum(axis=1)
    return losses


class PublishedModel(Model):
    """`Model` with the published score of a split."""

    @staticmethod
    def split_score(config: FactCRSConfig, items: Floats32 | None, reach: int) -> SplitScore:
        """Return the score of a split; see `Model.split_score`."""
        if str(config.split_score) != "paper":
            return Model.split_score(config, items, reach)
        assert items is not None
        return vector_score(items, config.split_fit, surrogate_losses)


class PublishedContext(Context):
    """`Context` with the published effect of a rejection."""

    def __init__(self, model: Model, size: int, num_items: int) -> None:
        super().__init__(model, size, num_items)
        self._paper = str(model.config.feedback) == "paper"
        self._for_next = np.zeros_like(self.shift)

    def shown(self, rows: Ints, slates: Ints, following: Ints, mean: Floats32) -> None:
        """Record the effect of slates; see `Context.shown`."""
        if self._paper:
            towards, away = _mean_id(following), _mean_id(slates)
            self._for_next[rows] = self._shifted(rows, mean, towards, away)
        else:
            super().shown(rows, slates, following, mean)

    def _vector(self, rows: Ints) -> NDArray[np.floating]:
        return self._for_next[rows] if self._paper else super()._vector(rows)


def _mean_id(ids: Ints) -> Floats:
    real = ids >= 0
    total: Floats = np.where(real, ids, 0).sum(axis=1, keepdims=True)
    return total / np.maximum(real.sum(axis=1, keepdims=True), 1)


class PublishedConversations(Conversations):
    """`Conversations` that know which slates are free.

    Attributes:
        free: Whether the slate of each conversation is free, ``(B,)``.
    """

    context_class: ClassVar[type[Context]] = PublishedContext

    def __init__(self, model: Model, problem: ConversationProblem, size: int) -> None:
        super().__init__(model, problem, size)
        self.free = np.zeros(size, dtype=np.bool_)

    def _decide(self, rows: Ints, obs: Observation) -> Choice:
        choice = super()._decide(rows, obs)
        sizes = self._model.forest.unique_items(choice.nodes)
        early = sizes[np.arange(len(rows)), choice.tree] <= self._config.early_stop
        left = self._problem.max_turns - obs["turn"][rows, 0]
        self.free[:] = False
        self.free[rows] = early & (left > 1) & ~self._context.used[rows].all(axis=1)
        return choice


class PublishedAgent(FactCRSAgent):
    """`FactCRSAgent` with the details of the published code."""

    Config: ClassVar[type[AgentConfig]] = PublishedConfig
    model_class: ClassVar[type[Model]] = PublishedModel
    state_class: ClassVar[type[Conversations]] = PublishedConversations

    def __init__(self, config: PublishedConfig, problem: ConversationProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._free = config.turn_accounting == "paper"
        if self._free and not problem.free_recommendations:
            raise AgentError(
                "turn_accounting 'paper' shows some slates without using a turn; the environment "
                "must allow this: free_recommendations=N."
            )

    def act(self, obs: Observation) -> Turn:
        """Ask the best question of the current tree, or show the best items."""
        turn = super().act(obs)
        assert isinstance(self._state, PublishedConversations)
        return replace(turn, free=self._state.free.copy()) if self._free else turn
