"""Drawings of trees, as text and as pictures."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from agents.fact_crs.drawing import draw, figure
from agents.fact_crs.trees import Tree

NAMES = ["rock", "jazz"]


@pytest.fixture
def tree() -> Tree:
    """Ask about rock, and after a no about jazz."""
    return Tree(
        attribute=np.array([0, -1, 1, -1, -1]),
        yes=np.array([1, -1, 3, -1, -1]),
        no=np.array([2, -1, 4, -1, -1]),
        counts=csr_array(
            np.array([[2000, 3, 1], [2000, 0, 0], [0, 3, 1], [0, 3, 0], [0, 0, 1]], dtype=float)
        ),
        vectors=np.zeros((5, 0), dtype=np.float32),
    )


def test_lines(tree):
    assert draw(tree, NAMES) == [
        "'rock'? (2,004 interactions, 3 items)",
        "  yes: show (2,000 interactions, 1 items)",
        "  no: 'jazz'? (4 interactions, 2 items)",
        "    yes: show (3 interactions, 1 items)",
        "    no: show (1 interactions, 1 items)",
    ]


def test_lines_down_to_a_depth(tree):
    assert draw(tree, NAMES, depth=1) == draw(tree, NAMES)[:3]
    assert draw(tree, NAMES, depth=0) == draw(tree, NAMES)[:1]


def test_every_node_of_a_grown_tree_has_a_line(grown):
    tree = grown(depth=4)
    lines = draw(tree, [f"attribute {number}" for number in range(12)])
    assert len(lines) == len(tree)
    assert sum("show" in line for line in lines) == (tree.attribute < 0).sum()


def test_the_picture_has_a_box_for_every_node_and_a_line_to_every_child(tree):
    axes = figure(tree, NAMES, depth=None).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert sorted(text for text in texts if text in ("yes", "no")) == ["no", "no", "yes", "yes"]
    assert sum("interactions" in text for text in texts) == 5
    assert len(axes.lines) == 4
    position = {text.get_text().split("\n")[0]: text.get_position() for text in axes.texts}
    assert position["'rock'?"] == (pytest.approx(0.75), 0)  # leaves at 0, 1, 2; jazz at 1.5
    assert position["'jazz'?"] == (pytest.approx(1.5), -1)


def test_the_picture_ends_at_the_given_depth(tree, tmp_path):
    picture = figure(tree, NAMES, depth=1)
    assert len(picture.axes[0].lines) == 2
    picture.savefig(tmp_path / "tree.png")
    assert (tmp_path / "tree.png").stat().st_size > 1000
