"""The critiques of a simulated user: examples by hand, and properties of every rule."""

import numpy as np
import pytest
import torch

from recsim.critiquing.seeker import after_critique, critiquable, pick_aspect

USER = torch.tensor([[3, 0, 1, 0, 2]])  # reviews of the user that mention each aspect
POPULARITY = torch.tensor([10, 7, 9, 1, 4])
RULES = ("popular", "unpopular", "random", "different")


def aspects(*numbers, of=5):
    """One session's aspects as bits."""
    bits = torch.zeros((1, of), dtype=torch.bool)
    bits[0, list(numbers)] = True
    return bits


TARGET = aspects(0, 2)


def chosen(bits):
    return bits[0].nonzero().ravel().tolist()


def pick(rule, pool, **changes):
    given = {
        "popularity": POPULARITY,
        "shown_counts": torch.tensor([[0, 2, 0, 0, 5]]),
        "target_counts": torch.tensor([[4, 0, 6, 0, 0]]),
        "chance": torch.full((1, 5), 0.5),
    }
    return pick_aspect(rule, pool, **given | changes)


def test_two_turns_by_hand():
    shown, done = aspects(0, 1, 4), aspects()
    pool = critiquable(shown, TARGET, done)
    assert chosen(pool) == [1, 4]
    first = pick("popular", pool)
    assert chosen(first) == [1]
    preferences = after_critique(USER.float(), first, USER)
    assert preferences.tolist() == [[3, -1, 1, 0, 2]]
    # Aspect 1 is in the justification again, but was critiqued before.
    pool = critiquable(aspects(1, 3, 4), TARGET, done | first)
    assert chosen(pool) == [3, 4]
    second = pick("popular", pool)
    assert chosen(second) == [4]
    assert after_critique(preferences, second, USER).tolist() == [[3, -1, 1, 0, 0]]


@pytest.mark.parametrize(("rule", "aspect"), [("unpopular", 4), ("different", 4), ("popular", 1)])
def test_other_rules_pick_other_aspects(rule, aspect):
    assert chosen(pick(rule, aspects(1, 4))) == [aspect]


def test_all_aspects_of_the_pool_can_be_critiqued_at_once():
    pool = critiquable(aspects(0, 1, 4), TARGET, aspects())
    assert after_critique(USER.float(), pool, USER).tolist() == [[3, -1, 1, 0, 0]]


def test_there_is_no_critique_if_the_target_has_all_aspects_shown():
    pool = critiquable(aspects(0, 2), TARGET, aspects())
    assert chosen(pool) == []
    for rule in RULES:
        one = pick(rule, pool, noise=torch.tensor([True]))
        assert chosen(one) == []
        assert after_critique(USER.float(), one, USER).tolist() == USER.tolist()


def test_positive_critiques_are_of_aspects_that_the_target_has():
    pool = critiquable(aspects(0, 1, 4), TARGET, aspects(), positive=True)
    assert chosen(pool) == [0]
    assert chosen(critiquable(aspects(0, 1), TARGET, aspects(0), positive=True)) == []
    assert after_critique(USER.float(), pool, USER, positive=True).tolist() == [[6, 0, 1, 0, 2]]
    unseen = after_critique(USER.float(), aspects(1), USER, positive=True)
    assert unseen.tolist() == [[3, 1, 1, 0, 2]]


def test_different_subtracts_mentions_in_reviews_of_the_target():
    """5 - 4 of aspect 4 is less than 2 - 0 of aspect 1."""
    own = torch.tensor([[0, 0, 0, 0, 4]])
    assert chosen(pick("different", aspects(1, 4), target_counts=own)) == [1]


def test_ties_go_to_the_lower_id():
    same = torch.full((5,), 3)
    for rule in ("popular", "unpopular"):
        assert chosen(pick(rule, aspects(2, 3, 4), popularity=same)) == [2]
    assert chosen(pick("different", aspects(0, 3), target_counts=torch.zeros((1, 5)))) == [0]


def test_arguments_are_not_changed():
    pool, preferences = aspects(1, 4), USER.float()
    kept = pool.clone(), preferences.clone()
    after_critique(preferences, pick("random", pool), USER)
    assert torch.equal(pool, kept[0])
    assert torch.equal(preferences, kept[1])


@pytest.fixture
def many():
    """4,000 sessions of 6 aspects with random pools, some of them empty."""
    generator = torch.Generator().manual_seed(0)
    size = (4000, 6)
    return {
        "pool": torch.rand(size, generator=generator) < 0.4,
        "popularity": torch.tensor([5, 1, 4, 2, 3, 2]),
        "shown_counts": torch.randint(0, 9, size, generator=generator),
        "target_counts": torch.randint(0, 9, size, generator=generator),
        "chance": torch.rand(size, generator=generator),
    }


@pytest.mark.parametrize("rule", RULES)
def test_one_aspect_of_every_pool_that_is_not_empty_is_picked(rule, many):
    one = pick_aspect(rule, **many)
    assert not (one & ~many["pool"]).any()
    assert torch.equal(one.sum(dim=1), many["pool"].any(dim=1).long())
    assert not many["pool"].any(dim=1).all(), "there are empty pools among them"


def test_the_picked_aspect_has_the_highest_value_of_the_rule(many):
    value = (many["shown_counts"] - many["target_counts"]).double()
    best = torch.where(many["pool"], value, -torch.inf).amax(dim=1)
    one, some = pick_aspect("different", **many), many["pool"].any(dim=1)
    assert torch.equal(value[some][one[some]], best[some])


def test_a_random_pick_is_uniform():
    sessions = 30_000
    pool = aspects(0, 2, 3).expand(sessions, -1)
    counts = torch.zeros((sessions, 5))
    chance = np.random.default_rng(0).random((sessions, 5))
    one = pick_aspect(
        "random",
        pool,
        popularity=POPULARITY,
        shown_counts=counts,
        target_counts=counts,
        chance=torch.from_numpy(chance),
    )
    share = one.double().mean(dim=0)
    assert share[[1, 4]].tolist() == [0, 0]
    # Five standard errors of a share of one third.
    bound = 5 * (2 / 9 / sessions) ** 0.5
    torch.testing.assert_close(
        share[[0, 2, 3]], torch.full((3,), 1 / 3).double(), atol=bound, rtol=0
    )


def test_only_noisy_sessions_pick_at_random(many):
    noise = torch.arange(4000) % 2 == 0
    mixed = pick_aspect("popular", **many, noise=noise)
    assert torch.equal(mixed[noise], pick_aspect("random", **many)[noise])
    assert torch.equal(mixed[~noise], pick_aspect("popular", **many)[~noise])
    assert (mixed != pick_aspect("popular", **many)).any()


def test_a_session_does_not_depend_on_the_batch(many):
    all_sessions = pick_aspect("random", **many)
    some = torch.tensor([7, 3, 1999])
    alone = {name: value if name == "popularity" else value[some] for name, value in many.items()}
    assert torch.equal(pick_aspect("random", **alone), all_sessions[some])


def test_preferences_keep_their_type():
    for kind in (torch.float32, torch.float64):
        assert after_critique(USER.to(kind), aspects(1), USER).dtype == kind
