"""The oracle slate compared with all slates."""

import itertools

import array_api_compat.numpy as xp
import numpy as np
import pytest

from envs.world.backend import Backend
from envs.world.choice import Cascade, MultinomialLogit, PositionBased
from envs.world.oracle import best_slate, top_k
from envs.world.world import shown_slots

MODELS = [
    MultinomialLogit(no_click=0.5),
    MultinomialLogit(no_click=-2.0),
    Cascade(threshold=0.5, patience=0.8),
    Cascade(threshold=-1.0, patience=1.0),
    PositionBased(threshold=0.5, bias=0.7),
]
CANDIDATES, SLATE = 6, 3


def value(model, utility, payoff, slate):
    """Return the expected payoff of slates ``(B, K)`` of candidate indices."""
    click = model.probabilities(
        xp, np.take_along_axis(utility, slate, axis=1), shown_slots(Backend.make("numpy"), slate)
    )
    return (click * np.take_along_axis(payoff, slate, axis=1)).sum(axis=1)


def best_of_all(model, utility, payoff):
    """Return the largest value of all slates, including those with repeats (which show nothing)."""
    every = np.array(list(itertools.product(range(CANDIDATES), repeat=SLATE)))
    return max(value(model, utility, payoff, slate[None])[0] for slate in every)


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("kind", ["equal", "positive", "mixed", "negative"])
def test_no_slate_is_better(model, kind):
    rng = np.random.default_rng(3)
    utility = rng.normal(0, 1.5, (8, CANDIDATES)).astype(np.float32)
    payoff = {
        "equal": np.ones(utility.shape),
        "positive": rng.uniform(0.1, 3, utility.shape),
        "mixed": rng.normal(0.5, 1, utility.shape),
        "negative": -rng.uniform(0.1, 3, utility.shape),
    }[kind].astype(np.float32)
    slate = best_slate(xp, model, utility, payoff, SLATE)
    got = value(model, utility, payoff, slate)
    for row in range(len(utility)):
        best = best_of_all(model, utility[row : row + 1], payoff[row : row + 1])
        assert got[row] == pytest.approx(best, abs=2e-5)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_slate_as_long_as_the_candidates(model):
    utility = np.array([[0.0, 1.0, 2.0]], dtype=np.float32)
    slate = best_slate(xp, model, utility, np.ones_like(utility), 3)
    assert sorted(slate[0]) == [0, 1, 2]


def test_top_k_is_sorted():
    scores = np.array([[3.0, 9.0, 1.0, 7.0], [1.0, 2.0, 3.0, 4.0]])
    assert top_k(scores, 2).tolist() == [[1, 3], [3, 2]]
    assert top_k(scores, 4).tolist() == [[1, 3, 0, 2], [3, 2, 1, 0]]
