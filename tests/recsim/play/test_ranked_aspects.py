"""Rankings of aspects, and how far what is criticised falls, in two sessions worked by hand."""

import gymnasium as gym
import numpy as np
import pytest

import recsim  # noqa: F401  (registers the environments)
from recsim.contracts.critiquing import Showing
from recsim.critiquing import AspectReviews
from recsim.play.critiquing import criticise, critique_metrics

# Train reviews say of items 0 ... 4: aspects 0; 0 and 1; 1; 2; 3. The last one is known to users 0
# and 1, who look for items 1 and 3.
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
    """Ranks items 0, 1, 2 ..., and justifies them by aspect 0; item 1 sinks where that is wrong."""

    def __init__(self, listens=True, aspects=ASPECTS):
        self.listens, self.aspects = listens, aspects

    def begin(self, sessions):
        pass

    def act(self, obs):
        size = len(obs["user"])
        scores = np.tile(-np.arange(5.0), (size, 1))
        if self.listens:
            scores[:, 1] += 10.0 * obs["critiqued"][:, 0]
        why = np.tile(np.arange(4) == 0, (size, 1))
        if self.aspects is None:
            return Showing(scores, why)
        later = obs["turn"] * np.arange(4)  # what is thought later does not count
        return Showing(scores, why, self.aspects + later)


@pytest.fixture
def judge():
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
        return criticise(env, agent, seed=0)

    return run


@pytest.mark.parametrize("size", [1, 2, 3])
def test_rankings_of_the_first_turn_by_hand(judge, size):
    """Aspects are ranked 1, 2, 3, 0; wanted are 0 and 1, and 2; the item shown first has 0."""
    result = judge(Shower(), size)
    np.testing.assert_allclose(result.aspects, [ASPECTS, ASPECTS], rtol=1e-6)
    numbers = critique_metrics(result)
    for n in (5, 10, 20):
        found = {name: numbers[f"justification_{name}@{n}"] for name in ("recall", "precision")}
        assert found == pytest.approx({"recall": 1, "precision": (2 / n + 1 / n) / 2})
        assert numbers[f"justification_map@{n}"] == pytest.approx(((1 + 2 / 4) / 2 + 1 / 2) / 2)
        best = (1 + 1 / np.log2(5)) / (1 + 1 / np.log2(3)), 1 / np.log2(3)
        assert numbers[f"justification_ndcg@{n}"] == pytest.approx(sum(best) / 2)
        assert numbers[f"justification_of_item_map@{n}"] == pytest.approx(1 / 4)
        assert numbers[f"justification_of_item_ndcg@{n}"] == pytest.approx(1 / np.log2(5))
        assert numbers[f"justification_of_item_precision@{n}"] == pytest.approx(1 / n)


@pytest.mark.parametrize(
    ("agent", "settings"), [(Shower(aspects=None), {}), (Shower(), {"justification": "item"})]
)
def test_who_ranks_no_aspects_is_not_judged_by_that(judge, agent, settings):
    result = judge(agent, **settings)
    assert result.aspects is None
    numbers = critique_metrics(result)
    assert not any(name.startswith("justification_ndcg@") for name in numbers)
    assert not any(name.startswith("justification_of_item_precision@") for name in numbers)
    assert np.isfinite(numbers["justification_precision"])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_is_criticised_falls(judge, size):
    """User 1 criticises aspect 0 of item 0; left are items 1, 2, 3, of which item 1 has it.

    The shares of places 1 ... 5 are 1, 1/2, 1/3, 1/4, 1/5 before, and 0, 0, 1/3, 1/4, 1/5 after.
    User 0 has nothing to criticise.
    """
    result = judge(Shower(), size)
    np.testing.assert_allclose(result.sessions["f_map@5"], [np.nan, (1 + 1 / 2) / 5])
    numbers = critique_metrics(result)
    assert numbers["f_map@5"] == numbers["f_map@20"] == pytest.approx(0.3)
    deaf = judge(Shower(listens=False), size)
    assert deaf.sessions["f_map@5"].tolist()[1] == 0
    assert np.isnan(critique_metrics(judge(Shower(), critiques="none"))["f_map@5"])
