"""Splits of trees, and fits of node vectors."""

import json

import numpy as np
import pytest

from agents.fact_crs.config import FactCRSConfig
from agents.fact_crs.growing import Growth, best_split, grow_forest, reach_score, vector_score
from agents.fact_crs.trees import Tree
from agents.fact_crs.vectors import NodeFit, fit_nodes, item_vectors, node_losses
from reproductions.fact_crs.published import surrogate_losses


def leads_to(tree, node, answers):
    """Return which rows of answers lead to a node, ``(n,)``."""
    mask = np.ones(len(answers), dtype=bool)
    for attribute, yes in tree.path(node):
        mask &= answers[:, attribute] == yes
    return mask


def test_every_question_splits_its_interactions(rows, grown):
    tree, answers = grown(), rows.answers.toarray() > 0
    assert len(tree) > 20
    for node in range(len(tree)):
        here = leads_to(tree, node, answers)
        expected = np.bincount(rows.item[here], minlength=rows.num_known)
        np.testing.assert_array_equal(tree.counts[[node]].toarray()[0], expected)
        if tree.attribute[node] >= 0:
            children = tree.members[tree.yes[node]] + tree.members[tree.no[node]]
            assert tree.members[node] == children == here.sum()
            assert min(tree.members[tree.yes[node]], tree.members[tree.no[node]]) > 0


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_no_path_repeats_a_question_or_is_too_long(grown, depth):
    tree = grown(depth=depth)
    assert tree.level.max() == depth
    for node in range(len(tree)):
        asked = [attribute for attribute, _ in tree.path(node)]
        assert len(set(asked)) == len(asked) == tree.level[node] <= depth


def test_answers_lead_to_the_nodes_of_their_interactions(rows, grown):
    tree, answers = grown(), rows.answers.toarray() > 0
    reached = tree.reach(np.where(answers, 1, 2).astype(np.int8))
    assert (tree.attribute[reached] < 0).all(), "complete answers lead to a leaf"
    for node in np.unique(reached):
        np.testing.assert_array_equal(reached == node, leads_to(tree, node, answers))
    nothing = np.zeros((1, rows.num_attributes), dtype=np.int8)
    assert tree.reach(nothing).tolist() == [0]


def scores(rows, free, score, vector):
    """Score every question at the root, one after the other."""
    answers = rows.answers.toarray() > 0
    values = []
    for attribute in free:
        mask = answers[:, attribute]
        yes = np.bincount(rows.item[mask], minlength=rows.num_known).astype(np.float32)
        no = np.bincount(rows.item[~mask], minlength=rows.num_known).astype(np.float32)
        values.append(score(yes[None], no[None], vector)[0])
    return np.array(values)


@pytest.mark.parametrize(
    ("loss", "negatives"), [(None, 5.0), (node_losses, 5.0), (surrogate_losses, 0.0)]
)
def test_the_best_question_is_chosen(rows, loss, negatives):
    items = item_vectors(rows, 8, smoothing=5.0, seed=0)
    fit = NodeFit(negatives=negatives, l2=0.01, steps=10)
    score = reach_score(20) if loss is None else vector_score(items, fit, loss)
    free = np.arange(rows.num_attributes)
    vector = np.zeros(8, dtype=np.float32)
    growth = Growth(1, 64, score, items, fit)
    chosen = best_split(rows, np.arange(len(rows)), free, vector, growth)
    values = scores(rows, free, score, vector)
    assert values[chosen] == pytest.approx(values.min(), rel=1e-4)


def test_reach_by_hand():
    yes = np.array([[5.0, 1.0, 3.0], [0.0, 0.0, 2.0]])
    no = np.array([[1.0, 1.0, 1.0], [4.0, 3.0, 0.0]])
    assert reach_score(2)(yes, no, np.zeros(0)).tolist() == [-(8 + 2), -(2 + 7)]
    assert reach_score(9)(yes, no, np.zeros(0)).tolist() == [-12, -9]


def test_the_loss_of_counts_equals_that_of_the_interactions():
    rng = np.random.default_rng(0)
    items = rng.normal(size=(6, 3))
    vector = rng.normal(size=(1, 3))
    drawn = rng.integers(6, size=40)
    counts = np.bincount(drawn, minlength=6)[None].astype(float)
    fit = NodeFit(negatives=4.0, l2=0.3, steps=1)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    loss = 0.15 * (vector**2).sum()
    for item in drawn:
        loss -= np.log(sigmoid(vector[0] @ items[item]))
        for other in range(6):  # the mean over four uniform negatives
            loss -= 4 / 6 * np.log(sigmoid(-vector[0] @ items[other]))
    assert node_losses(vector, counts, items, fit)[0] == pytest.approx(loss, rel=1e-8)
    surrogate = sum(np.log(1 - sigmoid(vector[0] @ items[item])) for item in drawn)
    assert surrogate_losses(vector, counts, items, fit)[0] == pytest.approx(surrogate, rel=1e-8)


def test_finite_differences_of_the_loss_vanish_at_a_fitted_vector():
    rng = np.random.default_rng(1)
    items, counts = rng.normal(size=(9, 3)), rng.integers(1, 6, size=(2, 9)).astype(float)
    fit = NodeFit(negatives=3.0, l2=0.1, steps=500)
    fitted = fit_nodes(np.zeros((2, 3)), counts, items, fit)
    for axis in range(3):
        step = np.zeros((1, 3))
        step[0, axis] = 1e-4
        slope = node_losses(fitted + step, counts, items, fit) - node_losses(
            fitted - step, counts, items, fit
        )
        np.testing.assert_allclose(slope / 2e-4, 0, atol=1e-3)


def test_the_vector_of_a_child_is_at_least_as_good_as_that_of_its_parent(rows, grown):
    items = item_vectors(rows, 8, smoothing=5.0, seed=0)
    tree = grown(items=items)
    fit, counts = NodeFit(negatives=5.0, l2=0.01, steps=30), tree.counts.toarray()
    child = np.flatnonzero(tree.parent >= 0)
    own = node_losses(tree.vectors[child], counts[child], items, fit)
    parents = node_losses(tree.vectors[tree.parent[child]], counts[child], items, fit)
    assert (own <= parents + 1e-3).all()
    assert (own < parents - 1e-3).any()


def test_a_forest_is_a_function_of_its_seed(rows):
    config = FactCRSConfig(trees=3, depth=4)
    one, same, other = (grow_forest(rows, config, None, reach_score(30), s) for s in (0, 0, 1))
    for left, right in zip(one.trees, same.trees, strict=True):
        np.testing.assert_array_equal(left.attribute, right.attribute)
        np.testing.assert_array_equal(left.counts.toarray(), right.counts.toarray())
    assert any(
        len(left) != len(right) or (left.attribute != right.attribute).any()
        for left, right in zip(one.trees, other.trees, strict=True)
    )
    assert len({tuple(tree.attribute.tolist()) for tree in one.trees}) > 1


def test_a_tree_can_be_saved_as_json(grown, rows):
    tree = grown(items=item_vectors(rows, 4, smoothing=5.0, seed=0))
    loaded = Tree.from_json(json.loads(json.dumps(tree.to_json())))
    for name in ("attribute", "yes", "no", "vectors"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(tree, name))
    np.testing.assert_array_equal(loaded.counts.toarray(), tree.counts.toarray())
