"""Posteriors and gains of questions, by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from agents.shared.item_posterior import Belief, Likelihood, probabilities
from agents.shared.lookahead import look_ahead


def likelihood(yes, counts, having, smoothing=5.0):
    return Likelihood(
        csr_array(np.array(yes, dtype=np.float32)),
        np.array(counts, dtype=float),
        np.array(having, dtype=bool),
        smoothing=smoothing,
        slip=1e-4,
    )


def test_two_items_by_hand():
    # n = (3, 1); only the first item has the attribute, 2 of its 3 users say yes; p_f = 2 / 4.
    chances = likelihood([[2.0, 0.0]], [3, 1], [[True], [False]])
    yes = chances.chances(np.array([0]))[0]
    assert yes == pytest.approx([(2 + 2.5) / (3 + 5), 1e-4], rel=1e-6)
    assert yes[0] == pytest.approx(0.5625)
    belief = Belief(chances, 3, 1)
    prior = probabilities(belief.scores)
    assert prior[0] == pytest.approx([0.75, 0.25])
    assert prior[0] @ yes == pytest.approx(0.42190, abs=1e-5)
    belief.update(np.array([0, 1]), np.array([[1], [2]], dtype=np.int8))
    posterior = probabilities(belief.scores)
    assert posterior[0, 0] == pytest.approx(0.99994, abs=1e-5)
    assert posterior[1, 0] == pytest.approx(0.56759, abs=1e-5)
    assert posterior[2] == pytest.approx([0.75, 0.25])
    belief.update(np.array([0]), np.array([[1]], dtype=np.int8))
    assert probabilities(belief.scores)[0] == pytest.approx(posterior[0]), "counts only once"
    belief.reset(np.array([0]))
    assert probabilities(belief.scores)[0] == pytest.approx([0.75, 0.25])


def test_probabilities_are_0_if_no_item_is_left():
    scores = np.array([[-np.inf, -np.inf], [0.0, -np.inf]])
    assert probabilities(scores).tolist() == [[0.0, 0.0], [1.0, 0.0]]


def halves():
    """Four equally popular items; the first two have the attribute, and answers are certain."""
    yes = [[100.0, 100.0, 0.0, 0.0]]
    having = [[True], [True], [False], [False]]
    return likelihood(yes, [100] * 4, having, smoothing=1e-9)


def gains(turns, cost, proposals=((0,),)):
    return look_ahead(
        np.full((1, 4), 0.25),
        halves(),
        np.array(proposals),
        np.array([turns]),
        slate_size=1,
        turn_cost=cost,
    )


def test_gain_of_showing():
    # Slates of one item, each right with 1/4. Two turns: success 1/2, expected turns 1 + 3/4.
    assert gains(2, 0.1).show[0] == pytest.approx(0.5 - 0.1 * 1.75)
    assert gains(1, 0.1).show[0] == pytest.approx(0.25 - 0.1)
    # Four slates always succeed, in 1 + 3/4 + 1/2 + 1/4 turns.
    assert gains(4, 0.1).show[0] == pytest.approx(1 - 0.25)


def test_gain_of_asking():
    # After either answer, one of two items is right. With one turn left of two: success 1/2, and
    # both turns are always taken.
    two = gains(2, 0.1)
    assert two.ask[0] == pytest.approx(0.5 - 0.2, abs=1e-3)
    assert two.question.tolist() == [0]
    # With two turns left of three: always a success, in 1 + 1 + 1/2 turns. Showing: 3/4, in 2.25.
    three = gains(3, 0.1)
    assert three.ask[0] == pytest.approx(1 - 0.25, abs=1e-3)
    assert three.show[0] == pytest.approx(0.75 - 0.225)


def test_without_a_proposal_there_is_no_question():
    none = gains(3, 0.1, proposals=((-1, -1),))
    assert none.question.tolist() == [-1]
    assert none.ask[0] == -np.inf


def test_a_question_proposed_twice_counts_once():
    one, twice = gains(3, 0.1), gains(3, 0.1, proposals=((0, 0),))
    assert one.ask == twice.ask
    assert twice.source.tolist() == [0]


@pytest.mark.parametrize("certain", [False, True])
def test_predictions_of_all_attributes_agree_with_single_ones(certain):
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
