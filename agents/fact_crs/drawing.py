"""Draw trees of questions, as lines of text or as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from agents.fact_crs.trees import Tree
from recsim.arrays import Floats


def draw(tree: Tree, names: Sequence[str], *, depth: int | None = None) -> list[str]:
    """Return a tree as lines of text, one for each node, children below their parent.

    Args:
        tree: The tree.
        names: Names of the attributes, ``(F,)``.
        depth: Largest number of questions along a path that are drawn; by default all.
    """
    lines = []
    for node, level in _nodes(tree, depth):
        parent = int(tree.parent[node])
        answer = "" if parent < 0 else "yes: " if tree.yes[parent] == node else "no: "
        lines.append("  " * level + answer + _label(tree, names, node))
    return lines


def figure(tree: Tree, names: Sequence[str], *, depth: int | None = 3) -> Figure:
    """Return a picture of a tree: yes to the left, no to the right.

    Args:
        tree: The tree.
        names: Names of the attributes, ``(F,)``.
        depth: Largest number of questions along a path that are drawn; None for all.

    Returns:
        A figure without a window; ``savefig`` writes it to a file.
    """
    drawn = list(_nodes(tree, depth))
    across = _across(tree, depth)
    lowest = max(level for _, level in drawn)
    leaves = sum(1 for node, level in drawn if _is_end(tree, node, level, depth))
    picture = Figure(figsize=(1.5 * leaves, 1.1 * (lowest + 1)))  # inches
    FigureCanvasAgg(picture)
    axes = picture.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-0.5, leaves - 0.5)
    axes.set_ylim(-lowest - 0.5, 0.5)
    for node, level in drawn:
        x, parent = across[node], int(tree.parent[node])
        if parent >= 0:
            answer = "yes" if tree.yes[parent] == node else "no"
            axes.plot([across[parent], x], [1 - level, -level], color="0.6", linewidth=1, zorder=1)
            axes.text(
                (across[parent] + x) / 2,
                0.5 - level,
                answer,
                ha="center",
                va="center",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
        axes.text(
            x,
            -level,
            _label(tree, names, node).replace(" (", "\n(").replace(", ", ",\n"),
            ha="center",
            va="center",
            fontsize=8,
            bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": "0.4"},
        )
    return picture


def _is_end(tree: Tree, node: int, level: int, depth: int | None) -> bool:
    """Return whether nothing is drawn below a node."""
    return bool(tree.attribute[node] < 0) or level == depth


def _nodes(tree: Tree, depth: int | None) -> Iterator[tuple[int, int]]:
    """Yield the drawn nodes with their levels, in preorder with the yes branch first."""
    waiting = [(0, 0)]
    while waiting:
        node, level = waiting.pop()
        yield node, level
        if not _is_end(tree, node, level, depth):
            waiting += [(int(tree.no[node]), level + 1), (int(tree.yes[node]), level + 1)]


def _across(tree: Tree, depth: int | None) -> Floats:
    """Return the horizontal positions of nodes: ends side by side, parents in the middle."""
    across = np.full(len(tree), np.nan)
    drawn = list(_nodes(tree, depth))
    ends = [node for node, level in drawn if _is_end(tree, node, level, depth)]
    across[ends] = np.arange(len(ends))
    for node, level in reversed(drawn):  # children come before their parents
        if not _is_end(tree, node, level, depth):
            across[node] = (across[tree.yes[node]] + across[tree.no[node]]) / 2
    return across


def _label(tree: Tree, names: Sequence[str], node: int) -> str:
    """Return a node's question and its numbers of interactions and items as text."""
    attribute = int(tree.attribute[node])
    question = "show" if attribute < 0 else f"'{names[attribute]}'?"
    return f"{question} ({tree.members[node]:,} interactions, {tree.unique_items[node]:,} items)"
