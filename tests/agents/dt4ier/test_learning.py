"""Learning tests on logs whose solution is known."""

import numpy as np
import pytest
import torch

from agents.dt4ier.data import trajectories

SMALL = {"embed_dim": 32, "context": 4, "history": 6, "balance": False}


def recall(decoded, data):
    """Return the fraction of the logged items that were decoded, for full slates."""
    target = data.slates.view(decoded.shape)
    return (decoded[..., None] == target[..., None, :]).any(dim=-1).float().mean()


def random_slates(users, rng):
    return np.argsort(rng.random((users, 4, 50)), axis=2)[:, :, :4]


def test_random_slates_cannot_be_predicted(log_of, train):
    rng = np.random.default_rng(0)
    logs = [
        log_of(random_slates(n, rng), 50, now=rng.random((n, 4)), later=rng.random((n, 4)))
        for n in (1500, 400)
    ]
    case = train(logs[0], steps=150, learning_rate=3e-3, **SMALL)
    unseen = trajectories(logs[1], case.config.reward_names)
    # A model that knows that items do not repeat reaches the mean of ln 50 ... ln 47, i.e. 3.88.
    assert case.cross_entropy(unseen) >= np.log(50) - 0.1
    # The hits of a slate are hypergeometric: 4 draws out of 50 items with 4 hits among them.
    chance, slates = 4 / 50, 1600
    deviation = np.sqrt(4 * chance * (1 - chance) * (46 / 49) / slates) / 4
    assert recall(case.decoded(unseen), unseen) <= chance + 3 * deviation


def two_classes(users, rng, log_of):
    """Return slates of bait (items 0-24) or of quality (25-49), at random for each session."""
    quality = rng.random((users, 4)) < 0.5
    keys = rng.random((users, 4, 25))
    slates = np.argsort(keys, axis=2)[:, :, :4] + 25 * quality[:, :, None]
    now, later = np.where(quality, 0.4, 1.0), np.where(quality, 1.0, 0.2)
    return log_of(slates, 50, now=now, later=later)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["buckets", "linear"])
def test_the_prompt_decides_what_is_shown(log_of, train, encoder):
    rng = np.random.default_rng(1)
    settings = {"embed_dim": 64, "dropout": 0.1, "reward_encoder": encoder}
    case = train(two_classes(8000, rng, log_of), steps=700, **SMALL | settings)
    data = trajectories(two_classes(400, rng, log_of), case.config.reward_names)
    own = data.rtg.view(400, 4, 2) / 2
    is_quality = (data.slates.view(400, 4, 4) > 25).all(dim=2)
    decoded = (case.decoded(data)[:, -1] > 25).float().mean(dim=1)
    assert ((decoded > 0.5) == is_quality[:, -1]).float().mean() > 0.99
    for pair, expected in (((0.4, 1.0), 1.0), ((1.0, 0.2), 0.0)):
        # The last return-to-go is the target reward; earlier ones are shifted by the same amount.
        rtg = own - own[:, -1:] + torch.tensor(pair) / 2
        share = (case.decoded(data, rtg)[:, -1] > 25).float().mean()
        assert float(share) == pytest.approx(expected, abs=0.01)


def test_behaviour_cloning_ignores_the_prompt(log_of, train):
    rng = np.random.default_rng(1)
    case = train(two_classes(200, rng, log_of), steps=20, rtg="zero", **SMALL)
    data = case.data
    rtg = data.rtg.view(200, 4, 2)
    assert torch.equal(case.decoded(data, rtg), case.decoded(data, 3 * rtg + 1))


def test_slates_that_are_a_function_of_the_state_are_learned_exactly(log_of, train):
    rng = np.random.default_rng(2)
    users, slots, items = 32, 3, 20
    slates = np.zeros((users, 4, slots), dtype=int)
    clicks = np.zeros_like(slates)
    last = np.zeros(users, dtype=int)
    for step in range(4):
        slates[:, step] = (last[:, None] * 3 + np.arange(1, slots + 1)) % items
        chosen = rng.integers(slots, size=users)
        clicks[np.arange(users), step, chosen] = 1
        last = slates[np.arange(users), step, chosen]
    still = {"dropout": 0.0, "list_dropout": 0.0, "alpha": 0.0, "weight_decay": 0.0}
    settings = SMALL | still | {"learning_rate": 5e-3, "batch_size": 32}
    case = train(log_of(slates, items, clicks=clicks), steps=200, **settings)
    assert case.cross_entropy(case.data) < 0.05
    assert recall(case.decoded(case.data), case.data) > 0.99


def test_features_of_new_users_are_used(log_of, train):
    rng = np.random.default_rng(3)

    def one_slate_each(users):
        """Show items 0-9 to one kind of user and 10-19 to the other, without clicks."""
        kind = rng.integers(2, size=users)
        slates = np.argsort(rng.random((users, 1, 10)), axis=2)[:, :, :3]
        slates += 10 * kind[:, None, None]
        # Units far from 1; the scale is learned from the training users.
        features = np.stack([5 + 0.01 * kind, np.ones(users)], axis=1)
        return log_of(slates, 20, clicks=np.zeros_like(slates), features=features)

    logs = one_slate_each(200), one_slate_each(50)
    settings = SMALL | {"learning_rate": 5e-3, "alpha": 0.0}
    with_features = train(logs[0], steps=60, **settings)
    without = train(logs[0], steps=60, user_features=False, **settings)
    unseen = trajectories(logs[1], with_features.config.reward_names)
    of_kind = unseen.features[:, 0] > 5.005
    shown = with_features.decoded(unseen)[:, -1] > 10
    assert (shown == of_kind[:, None]).float().mean() > 0.99
    # Knowing the kind of user halves the possible items, which saves ln 2 for the first item.
    assert with_features.cross_entropy(unseen) < without.cross_entropy(unseen) - 0.1
    assert torch.equal(*(without.decoded(unseen)[:, -1][rows][0] for rows in (of_kind, ~of_kind)))
