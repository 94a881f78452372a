"""Rankings of aspects, and the fall of critiqued items, computed by hand for two sessions."""

import gymnasium as gym
import numpy as np
import pytest

import recsim  # noqa: F401  (registers the environments)
from recsim.contracts.critiquing import Showing
from recsim.critiquing import AspectReviews
from recsim.play.critiquing import critique_metrics, play_critiquing

# Train reviews of items 0 ... 4 mention aspects 0; 0 and 1; 1; 2; 3. Users 0 and 1 have reviewed
# item 4 and look for items 1 and 3.
ROWS = [
    (2, 0, 0, (0,)),
    (2, 1, 0, (0, 1)),
    (2, 2, 0, (1,)),
    (2, 3, 0, (2,)),
    (0, 4, 0, (3,)),
    (1, 4, 0, (3,)),
    (0, 1, 2, (0,)),
    (1, 3, 2, (0,)),
]
ASPECTS = np.array([0.1, 0.9, 0.5, 0.3])


class Shower:
    """Ranks items 0, 1, 2 ... and justifies them by aspect 0; if it is critiqued, item 1 falls."""

    def __init__(self, uses_critiques=True, aspects=ASPECTS):
        self.uses_critiques, self.aspects = uses_critiques, aspects

    def begin(self, sessions):
        pass

    def act(self, obs):
        size = len(obs["user"])
        scores = np.tile(-np.arange(5.0), (size, 1))
        if self.uses_critiques:
            scores[:, 1] += 10.0 * obs["critiqued"][:, 0]
        why = np.tile(np.arange(4) == 0, (size, 1))
        if self.aspects is None:
            return Showing(scores, why)
        later = obs["turn"] * np.arange(4)  # aspects of later turns do not count
        return Showing(scores, why, self.aspects + later)


@pytest.fixture
def play():
    def run(agent, size=2, **settings):
        bits = np.zeros((len(ROWS), 4), dtype=bool)
        for row, (*_, aspects) in zip(bits, ROWS, strict=True):
            row[list(aspects)] = True
        user, item, part = (np.array(of) for of in list(zip(*ROWS, strict=True))[:3])
        reviews = AspectReviews(
            user=user,
            item=item,
            part=part.astype(np.int8),
            aspects=bits,
            aspect_names=tuple("abcd"),
            item_names=tuple("vwxyz"),
            user_names=tuple("xyz"),
        )
        env = gym.make_vec(
            "recsim:CritiqueRec-v0", num_envs=size, data=reviews, max_turns=3, **settings
        )
        return play_critiquing(env, agent, seed=0)

    return run


@pytest.mark.parametrize("size", [1, 2, 3])
def test_rankings_of_the_first_turn_by_hand(play, size):
    """The ranking is 1, 2, 3, 0; the goals have aspects 0, 1 and 2; the item shown first has 0."""
    result = play(Shower(), size)
    np.testing.assert_allclose(result.aspects, [ASPECTS, ASPECTS], rtol=1e-6)
    numbers = critique_metrics(result)
    for n in (5, 10, 20):
        values = {name: numbers[f"justification_{name}@{n}"] for name in ("recall", "precision")}
        assert values == pytest.approx({"recall": 1, "precision": (2 / n + 1 / n) / 2})
        assert numbers[f"justification_map@{n}"] == pytest.approx(((1 + 2 / 4) / 2 + 1 / 2) / 2)
        best = (1 + 1 / np.log2(5)) / (1 + 1 / np.log2(3)), 1 / np.log2(3)
        assert numbers[f"justification_ndcg@{n}"] == pytest.approx(sum(best) / 2)
        assert numbers[f"justification_of_item_map@{n}"] == pytest.approx(1 / 4)
        assert numbers[f"justification_of_item_ndcg@{n}"] == pytest.approx(1 / np.log2(5))
        assert numbers[f"justification_of_item_precision@{n}"] == pytest.approx(1 / n)


@pytest.mark.parametrize(
    ("agent", "settings"), [(Shower(aspects=None), {}), (Shower(), {"justification": "item"})]
)
def test_without_a_ranking_of_aspects_its_metrics_are_missing(play, agent, settings):
    result = play(agent, **settings)
    assert result.aspects is None
    numbers = critique_metrics(result)
    assert not any(name.startswith("justification_ndcg@") for name in numbers)
    assert not any(name.startswith("justification_of_item_precision@") for name in numbers)
    assert np.isfinite(numbers["justification_precision"])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_items_with_a_critiqued_aspect_fall(play, size):
    """User 1 critiques aspect 0 of item 0; items 1, 2, 3 remain, of which item 1 has it.

    The shares at places 1 ... 5 are 1, 1/2, 1/3, 1/4, 1/5 before, and 0, 0, 1/3, 1/4, 1/5 after.
    User 0 has no critique.
    """
    result = play(Shower(), size)
    np.testing.assert_allclose(result.sessions["f_map@5"], [np.nan, (1 + 1 / 2) / 5])
    numbers = critique_metrics(result)
    assert numbers["f_map@5"] == numbers["f_map@20"] == pytest.approx(0.3)
    unaffected = play(Shower(uses_critiques=False), size)
    assert unaffected.sessions["f_map@5"].tolist()[1] == 0
    assert np.isnan(critique_metrics(play(Shower(), critiques="none"))["f_map@5"])
