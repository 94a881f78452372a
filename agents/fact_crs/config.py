"""Settings of FacT-CRS."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from recsim.contracts.slates import AgentConfig


class FactCRSConfig(AgentConfig):
    """Settings of `FactCRSAgent`; `paper` gives those of the published code.

    Attributes:
        trees: Trees of the forest.
        depth: Most questions along a path of a tree.
        bootstrap: Training interactions that a tree sees, as a share; drawn with replacement.
        feature_keep: Probability that a tree may ask for an attribute.
        candidates: Attributes tried at a node: those nearest to halving its interactions.
        split_score: What a split should make small. ``reach``: the interactions that the most
            frequent items of the children leave out, as many items as ``reach_slates`` slates hold.
            ``nll``: the loss of the children's vectors. ``paper``: the published surrogate of it.
        reach_slates: See ``split_score``; by default 6 in 10 of the turns.
        ranker: ``posterior``: log-probability of items given the answers. ``counts``: mean
            log-frequency at the visited nodes. ``embedding``: item vectors times the mean vector of
            the visited nodes.
        walk: ``forest``: each tree proposes its next question, and the best is asked. ``tree``: one
            tree at a time; after a rejection the next.
        stop: When to show. ``lookahead``: as soon as no proposed question is worth its turn.
            ``unique_items``: at a node with at most ``early_stop`` different items.
        early_stop: See ``stop``; 0 goes on to a leaf.
        turn_cost: What a turn costs, for ``lookahead``; a success earns 1.
        leaf_candidates: Whether items of the reached node are shown before all others; needs
            ``walk: tree``.
        feedback: What a rejection changes besides that the slate is not shown again. ``none``:
            nothing. ``fixed``: rejected items lose their probability, and the vectors of the shown
            items are subtracted from the context. ``paper``: the published shift, by numbers of
            items instead of their vectors; it reaches the choice of the next tree only.
        feedback_next: Weight of the mean vector of the next items of the ranking, a_pos.
        feedback_shown: Weight of the mean vector of the shown items, a_neg.
        turn_accounting: ``honest``: a slate costs a turn. ``paper``: a slate shown early is free,
            which the environment must allow (``free_recommendations``).
        dim: Length of item and node vectors.
        node_negatives: Items that count against each interaction in the fit of a node vector.
        l2: Weight of half the squared length of a node vector.
        steps: Descent steps in the fit of a node; of a candidate, a fifth.
        smoothing: Interactions that the frequencies at a parent, or of an attribute, are worth.
        slip: Least probability of an answer.
        unseen: Interactions that an item that nobody took is worth, where users answer for the item
            alone; elsewhere such items are shown last.
    """

    trees: int = Field(10, ge=1)
    depth: int = Field(8, ge=0)
    bootstrap: float = Field(0.9, gt=0, le=1)
    feature_keep: float = Field(0.9, gt=0, le=1)
    candidates: int = Field(64, ge=1)
    split_score: Literal["reach", "nll", "paper"] = "reach"
    reach_slates: int | None = Field(None, ge=1)
    ranker: Literal["posterior", "counts", "embedding"] = "posterior"
    walk: Literal["forest", "tree"] = "forest"
    stop: Literal["lookahead", "unique_items"] = "lookahead"
    early_stop: int = Field(250, ge=0)
    turn_cost: float = Field(0.03, ge=0)
    leaf_candidates: bool = False
    feedback: Literal["none", "fixed", "paper"] = "fixed"
    feedback_next: float = Field(0.0, ge=0)
    feedback_shown: float = Field(0.1, ge=0, lt=1)
    turn_accounting: Literal["honest", "paper"] = "honest"
    dim: int = Field(40, ge=3)
    node_negatives: float = Field(5.0, ge=0)
    l2: float = Field(0.01, gt=0)
    steps: int = Field(30, ge=1)
    smoothing: float = Field(5.0, gt=0)
    slip: float = Field(1e-4, gt=0, lt=0.5)
    unseen: float = Field(0.5, ge=0)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.walk == "forest" and self.stop != "lookahead":
            raise ValueError(
                "walk 'forest' needs stop 'lookahead': there is no one node to stop at"
            )
        if self.walk == "forest" and self.leaf_candidates:
            raise ValueError("leaf_candidates needs walk 'tree': there is no one node")
        if self.turn_accounting == "paper" and self.stop != "unique_items":
            raise ValueError(
                "turn_accounting 'paper' needs stop 'unique_items': only such slates were free"
            )
        return self

    @property
    def needs_vectors(self) -> bool:
        """Whether anything depends on item and node vectors."""
        return self.ranker == "embedding" or self.split_score != "reach"

    @classmethod
    def paper(cls, **changes: Any) -> Self:
        """Return the settings of the published code for LastFM, with changes."""
        published: dict[str, Any] = {
            "split_score": "paper",
            "ranker": "embedding",
            "walk": "tree",
            "stop": "unique_items",
            "leaf_candidates": True,
            "feedback": "paper",
            "feedback_next": 1e-5,
            "feedback_shown": 1e-4,
            "turn_accounting": "paper",
            "node_negatives": 0.0,
        }
        return cls(**published | changes)
