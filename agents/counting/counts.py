"""Counts of a log's events, and what is computed from them; all matrices are ``(I, I)``.

Events are given as arrays ``items`` and ``user``, ``(N,)``, sorted by user and then by time. X is
the matrix of users and items, 1 where the user has an event with the item.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

from recsim.arrays import Floats, Ints

# Rows of a sparse matrix that are sorted at a time.
_BLOCK = 1024


def item_counts(items: Ints, num_items: int) -> Floats:
    """Return n_i, the number of events of each item, ``(I,)``."""
    return np.bincount(items, minlength=num_items).astype(np.float64)


def transitions(items: Ints, user: Ints, num_items: int, gap: int = 1) -> sparse.csr_array:
    """Return N, where N_ij counts how often the same user has j exactly ``gap`` events after i."""
    same = user[gap:] == user[:-gap]
    pair = items[:-gap][same], items[gap:][same]
    ones = np.ones(len(pair[0]))
    # Equal pairs are added up.
    return sparse.csr_array((ones, pair), shape=(num_items, num_items))


def sequential_rules(items: Ints, user: Ints, num_items: int, max_gap: int) -> sparse.csr_array:
    """Return W, where W_ij is the sum over gaps g of the count at gap g, divided by g.

    Reference: Kamehkhosh, Jannach and Ludewig, RecTemp 2017; the authors weight by 1/g too.

    Args:
        items: ``(N,)``.
        user: ``(N,)``.
        num_items: I.
        max_gap: Largest gap; 1 is the next event.
    """
    total = sparse.csr_array((num_items, num_items))
    for gap in range(1, max_gap + 1):
        total = total + transitions(items, user, num_items, gap) / gap
    return total


def co_counts(items: Ints, user: Ints, num_items: int) -> sparse.csr_array:
    """Return X'X, where entry (i, j) counts the users with both items."""
    _, row = np.unique(user, return_inverse=True)
    ones = np.ones(len(items))
    matrix = sparse.csr_array((ones, (row, items)), shape=(int(row.max(initial=-1)) + 1, num_items))
    matrix.data[:] = 1.0  # a user counts once, however often they have the item
    return sparse.csr_array(matrix.T @ matrix)


def item_neighbours(co: sparse.csr_array, shrink: float, neighbours: int) -> sparse.csr_array:
    r"""Return the similarities of each item with its nearest neighbours.

    .. math:: S_{ij} = C_{ij} / (\sqrt{C_{ii} C_{jj}} + \mathrm{shrink}), \quad S_{ii} = 0

    Args:
        co: C, from `co_counts`.
        shrink: Lowers similarities that rest on few users.
        neighbours: Entries kept in each row, the largest ones; ties go to the lower id.
    """
    entries = sparse.coo_array(co)
    row, column = entries.coords
    root = np.sqrt(co.diagonal())
    value = entries.data / (root[row] * root[column] + shrink)
    off = row != column
    row, column, value = row[off], column[off], value[off]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < neighbours
    return sparse.csr_array((value[kept], (row[kept], column[kept])), shape=co.shape)


def ease(co: sparse.csr_array, ridge: float) -> Floats:
    r"""Return the weights of the shallow linear autoencoder in closed form.

    .. math:: P = (X'X + \lambda I)^{-1}, \quad B_{ij} = -P_{ij} / P_{jj}, \quad B_{ii} = 0

    Reference: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019,
    arXiv:1905.03375, equation 8.

    Args:
        co: X'X, from `co_counts`.
        ridge: Lambda, above 0.
    """
    gram = co.toarray()
    np.fill_diagonal(gram, gram.diagonal() + ridge)
    # Cholesky in place: half the time and memory of a general inverse.
    factor, _ = linalg.lapack.dpotrf(gram.T, lower=True, overwrite_a=True)
    inverse, _ = linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)
    weights: Floats = np.tril(inverse, -1)
    weights += weights.T
    weights /= -np.diagonal(inverse)
    return weights
