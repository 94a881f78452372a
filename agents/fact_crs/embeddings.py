"""Vectors of items, from what their users answered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import svds

from agents.fact_crs.rows import Rows


def item_vectors(rows: Rows, dim: int, *, smoothing: float, seed: int) -> NDArray[np.float32]:
    """Return a vector for each known item, ``(S, dim)``.

    A constant, the standardised logarithm of the item's interactions, and the first left singular
    vectors of the smoothed shares of yes, ``n_if / ((n_i + s) sqrt(p_f))``, each scaled to a mean
    square of 1. The first two let a node vector say how likely and how popular its items are; the
    others span what answers tell of items, weighted up where a yes is rare.

    Args:
        rows: The interactions.
        dim: D, at least 3. Fewer columns are informative where items or attributes are fewer; the
            others are 0.
        smoothing: s.
        seed: Of the start of the decomposition.
    """
    size = rows.num_known
    vectors = np.zeros((size, dim), dtype=np.float32)
    vectors[:, 0] = 1.0
    logs = np.log(rows.counts)
    vectors[:, 1] = (logs - logs.mean()) / max(float(logs.std()), 1e-12)
    yes = rows.yes_counts()  # (F, S)
    told = np.flatnonzero(np.diff(yes.indptr))
    rank = min(dim - 2, len(told) - 1, size - 1)
    if rank < 1:
        return vectors
    rate = np.asarray(yes[told].sum(axis=1)).ravel() / len(rows)
    shares = csr_array(
        diags_array(1 / (rows.counts + smoothing)) @ yes[told].T @ diags_array(rate**-0.5)
    ).astype(np.float64)
    first = np.random.default_rng([seed, 0xE3B]).normal(size=min(shares.shape))
    left, strength, _ = svds(shares, k=rank, v0=first)
    order = np.argsort(-strength)
    left = left[:, order] * np.sign(left[np.abs(left).argmax(axis=0), np.arange(rank)])[order]
    vectors[:, 2 : 2 + rank] = left * np.sqrt(size)
    return vectors
