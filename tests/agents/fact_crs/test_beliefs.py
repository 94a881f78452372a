"""Posteriors and what a question is worth, by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from agents.fact_crs.belief import Belief, probabilities
from agents.fact_crs.likelihood import Likelihood
from agents.fact_crs.lookahead import look_ahead


def likelihood(yes, counts, having, smoothing=5.0):
    return Likelihood(
        csr_array(np.array(yes, dtype=np.float32)),
        np.array(counts, dtype=float),
        np.array(having, dtype=bool),
        smoothing=smoothing,
        slip=1e-4,
    )


def test_two_items_by_hand():
    # n = (3, 1); only the first has the attribute, 2 of its 3 users said yes; p_f = 2 / 4.
    chances = likelihood([[2.0, 0.0]], [3, 1], [[True], [False]])
    found = chances.chances(np.array([0]))[0]
    assert found == pytest.approx([(2 + 2.5) / (3 + 5), 1e-4], rel=1e-6)
    assert found[0] == pytest.approx(0.5625)
    belief = Belief(chances, 3, 1)
    prior = probabilities(belief.scores)
    assert prior[0] == pytest.approx([0.75, 0.25])
    assert prior[0] @ found == pytest.approx(0.42190, abs=1e-5)
    belief.hear(np.array([0, 1]), np.array([[1], [2]], dtype=np.int8))
    posterior = probabilities(belief.scores)
    assert posterior[0, 0] == pytest.approx(0.99994, abs=1e-5)
    assert posterior[1, 0] == pytest.approx(0.56759, abs=1e-5)
    assert posterior[2] == pytest.approx([0.75, 0.25])
    belief.hear(np.array([0]), np.array([[1]], dtype=np.int8))
    assert probabilities(belief.scores)[0] == pytest.approx(posterior[0]), "heard once"
    belief.forget(np.array([0]))
    assert probabilities(belief.scores)[0] == pytest.approx([0.75, 0.25])


def test_nothing_left_has_no_probability():
    scores = np.array([[-np.inf, -np.inf], [0.0, -np.inf]])
    assert probabilities(scores).tolist() == [[0.0, 0.0], [1.0, 0.0]]


def halves():
    """Four items alike; the attribute is had by the first two, and always told."""
    yes = [[100.0, 100.0, 0.0, 0.0]]
    having = [[True], [True], [False], [False]]
    return likelihood(yes, [100] * 4, having, smoothing=1e-9)


def outlook(turns, cost, proposals=((0,),)):
    return look_ahead(
        np.full((1, 4), 0.25),
        halves(),
        np.array(proposals),
        np.array([turns]),
        slate_size=1,
        turn_cost=cost,
    )


def test_what_showing_gains():
    # Slates of one: each right with 1/4. Two turns: 1/2, at the cost of 1 + 3/4 turns.
    assert outlook(2, 0.1).show[0] == pytest.approx(0.5 - 0.1 * 1.75)
    assert outlook(1, 0.1).show[0] == pytest.approx(0.25 - 0.1)
    # Four slates are sure to succeed: 1 + 3/4 + 1/2 + 1/4 turns.
    assert outlook(4, 0.1).show[0] == pytest.approx(1 - 0.25)


def test_what_asking_gains():
    # After either answer one of two items is right: one turn is left of two, so 1/2; both turns are
    # taken for sure.
    found = outlook(2, 0.1)
    assert found.ask[0] == pytest.approx(0.5 - 0.2, abs=1e-3)
    assert found.question.tolist() == [0]
    # Of three turns two are left: sure to succeed; 1 + 1 + 1/2 turns. Showing: 3/4; 2.25 turns.
    found = outlook(3, 0.1)
    assert found.ask[0] == pytest.approx(1 - 0.25, abs=1e-3)
    assert found.show[0] == pytest.approx(0.75 - 0.225)


def test_where_there_is_no_question_nothing_is_asked():
    found = outlook(3, 0.1, proposals=((-1, -1),))
    assert found.question.tolist() == [-1]
    assert found.ask[0] == -np.inf


def test_a_question_proposed_twice_is_weighed_once():
    one, twice = outlook(3, 0.1), outlook(3, 0.1, proposals=((0, 0),))
    assert one.ask == twice.ask
    assert twice.source.tolist() == [0]


@pytest.mark.parametrize("certain", [False, True])
def test_all_predictions_at_once_are_those_of_each(certain):
    rng = np.random.default_rng(0)
    counts, having = rng.integers(1, 9, size=7), rng.random((7, 5)) < 0.4
    yes = (rng.random((5, 7)) * counts).astype(int) * having.T
    chances = Likelihood(
        csr_array(yes.astype(np.float32)),
        counts.astype(float),
        having,
        smoothing=2.0,
        slip=0.01,
        certain=certain,
    )
    belief = rng.dirichlet(np.ones(7), size=3)
    expected = belief @ chances.chances(np.arange(5)).T
    np.testing.assert_allclose(chances.predicted(belief), expected, rtol=1e-5)
