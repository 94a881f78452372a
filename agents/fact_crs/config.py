"""Settings of FacT-CRS."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from agents.fact_crs.vectors import NodeFit
from recsim.contracts.slates import AgentConfig


class FactCRSConfig(AgentConfig):
    """Settings of `FactCRSAgent`.

    Attributes:
        trees: Number of trees.
        depth: Largest number of questions along a path of a tree.
        bootstrap: Size of the sample of training interactions for each tree, as a fraction; drawn
            with replacement.
        feature_keep: Probability that a tree may ask about an attribute.
        candidates: Number of attributes tried at a node: those that come closest to halving its
            interactions.
        split_score: What a split minimises. ``reach``: the number of interactions whose items are
            not among the most frequent ones of the children, as many as ``reach_slates`` slates
            hold. ``nll``: the loss of the children's vectors.
        reach_slates: See ``split_score``; by default six tenths of the turns.
        ranker: ``posterior``: log-probability of the items given the answers. ``counts``: mean
            log-frequency at the visited nodes. ``embedding``: product of the item vectors and the
            mean vector of the visited nodes.
        walk: ``forest``: every tree proposes its next question, and the best is asked. ``tree``:
            one tree at a time, and the next one after a rejection.
        stop: When to show a slate. ``lookahead``: as soon as no proposed question is worth its
            turn. ``unique_items``: at a node with at most ``early_stop`` different items.
        early_stop: See ``stop``; 0: only at leaves.
        turn_cost: Cost of a turn for ``lookahead``, relative to the gain of a success.
        leaf_candidates: Whether items of the node reached are shown before all others; requires
            ``walk: tree``.
        feedback: Effect of a rejection, apart from not showing the slate again. ``none``: none.
            ``fixed``: rejected items lose their probability, and the vectors of the shown items
            are subtracted from the context.
        feedback_next: Weight of the mean vector of the next items in the ranking, a_pos.
        feedback_shown: Weight of the mean vector of the shown items, a_neg.
        dim: Dimension of item and node vectors.
        node_negatives: Number of negatives per interaction when a node vector is fitted.
        l2: Weight of half the squared norm of a node vector.
        steps: Descent steps for a node; for a candidate split, a fifth.
        smoothing: Number of interactions that the yes rate of an attribute counts for.
        slip: Smallest probability of an answer.
        unseen: Number of interactions that an item without any counts for, if users answer for the
            item alone; otherwise, such items are shown last.
    """

    trees: int = Field(10, ge=1)
    depth: int = Field(8, ge=0)
    bootstrap: float = Field(0.9, gt=0, le=1)
    feature_keep: float = Field(0.9, gt=0, le=1)
    candidates: int = Field(64, ge=1)
    split_score: Literal["reach", "nll"] = "reach"
    reach_slates: int | None = Field(None, ge=1)
    ranker: Literal["posterior", "counts", "embedding"] = "posterior"
    walk: Literal["forest", "tree"] = "forest"
    stop: Literal["lookahead", "unique_items"] = "lookahead"
    early_stop: int = Field(250, ge=0)
    turn_cost: float = Field(0.03, ge=0)
    leaf_candidates: bool = False
    feedback: Literal["none", "fixed"] = "fixed"
    feedback_next: float = Field(0.0, ge=0)
    feedback_shown: float = Field(0.1, ge=0, lt=1)
    dim: int = Field(40, ge=3)
    node_negatives: float = Field(5.0, ge=0)
    l2: float = Field(0.01, gt=0)
    steps: int = Field(30, ge=1)
    smoothing: float = Field(5.0, gt=0)
    slip: float = Field(1e-4, gt=0, lt=0.5)
    unseen: float = Field(0.5, ge=0)

    @model_validator(mode="after")
    def _settings_are_compatible(self) -> Self:
        if self.walk == "forest" and self.stop != "lookahead":
            raise ValueError("walk 'forest' requires stop 'lookahead': it has no single node")
        if self.walk == "forest" and self.leaf_candidates:
            raise ValueError("leaf_candidates requires walk 'tree': a forest has no single node")
        return self

    @property
    def needs_vectors(self) -> bool:
        """Whether item and node vectors are used."""
        return self.ranker == "embedding" or self.split_score != "reach"

    @property
    def node_fit(self) -> NodeFit:
        """How node vectors are fitted."""
        return NodeFit(self.node_negatives, self.l2, self.steps)

    @property
    def split_fit(self) -> NodeFit:
        """How node vectors are fitted to score a split."""
        return NodeFit(self.node_negatives, self.l2, max(1, self.steps // 5))
