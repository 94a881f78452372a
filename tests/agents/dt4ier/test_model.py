import numpy as np
import pytest
import torch

from agents.dt4ier.config import DT4IERConfig
from agents.dt4ier.encoders import ListEncoder
from agents.dt4ier.model import Model
from agents.dt4ier.reward_embed import LinearRewardEmbedding, MultiRewardEmbedding

SMALL = {"embed_dim": 16, "context": 5, "history": 4, "buckets": 8}


@pytest.fixture
def case(random_log, train):
    """A network after two training steps, and random trajectories of five steps."""
    return train(random_log(), steps=2, **SMALL)


def contexts(case, tokens, windows):
    with torch.no_grad():
        return case.model.contexts(tokens, windows.mask)


@torch.no_grad()
def change(case, step, part):
    """Return how much each context changes if a token is changed, ``(T,)``."""
    tokens, windows = case.tokens(case.data)
    changed = tokens.clone()
    # Not the same change in all entries: layer norm would remove it.
    changed[:, step, part] += torch.arange(tokens.shape[-1]) % 3 - 1.0
    difference = contexts(case, changed, windows) - contexts(case, tokens, windows)
    return difference.abs().amax(dim=(0, 2))


def test_a_slate_affects_only_later_contexts(case):
    changes = change(case, 2, part=2)
    assert (changes[:3] == 0).all()
    assert (changes[3:] > 0).all()


@pytest.mark.parametrize("part", [0, 1])
def test_returns_and_states_affect_contexts_from_their_step_on(case, part):
    changes = change(case, 2, part)
    assert (changes[:2] == 0).all()
    assert (changes[2:] > 0).all()


@pytest.mark.parametrize("kind", [MultiRewardEmbedding, LinearRewardEmbedding])
def test_different_returns_have_different_vectors(kind):
    torch.manual_seed(0)
    embedding = kind(2, 16, 8) if kind is MultiRewardEmbedding else kind(2, 16)
    rtg = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5], [1.0, 1.0]])
    vectors = embedding(rtg[None])[0].detach()
    assert vectors.shape == (4, 16)
    assert torch.pdist(vectors).min() > 1e-3


def test_soft_buckets_are_a_mixture():
    embedding = MultiRewardEmbedding(2, 3, 4)
    with torch.no_grad():
        embedding.free.weight.fill_(2.0)
        embedding.along.weight.zero_()
        embedding.along.bias.fill_(1.0)
    # All buckets have the same vector, and their weights sum to 1.
    torch.testing.assert_close(embedding(torch.rand(5, 2)), torch.full((5, 3), 3.0))


def test_without_returns_to_go_the_prompt_does_not_matter():
    model = Model(DT4IERConfig(**SMALL, rtg="zero"), 9, 0, 5)
    time = torch.zeros(2, dtype=torch.int64)
    one, other = model.reward_token(torch.tensor([[0.0, 0.0], [3.0, 1.0]]), time)
    assert torch.equal(one, other)


def test_the_vector_of_a_list_ignores_padding_and_other_lists():
    encoder = ListEncoder(9, 8, 0.0).eval()
    lists = torch.tensor([[1, 2, 0, 0, 0], [0, 0, 0, 0, 0], [3, 4, 5, 6, 7]])
    vectors = encoder(lists)
    torch.testing.assert_close(vectors[0], encoder(torch.tensor([[1, 2]]))[0])
    torch.testing.assert_close(vectors[1], encoder.empty)
    assert (vectors[0] != encoder(torch.tensor([[2, 1]]))[0]).any(), "order matters"


def test_contexts_ignore_other_users_and_padding(case):
    tokens, windows = case.tokens(case.data)
    whole = contexts(case, tokens, windows)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    shuffled = case.model.contexts(tokens[order], windows.mask[order])
    torch.testing.assert_close(shuffled, whole[order], atol=1e-5, rtol=0)
    alone = case.model.contexts(tokens[:2], windows.mask[:2])
    torch.testing.assert_close(alone, whole[:2], atol=1e-5, rtol=0)
    padded = torch.nn.functional.pad(tokens, (0, 0, 0, 0, 3, 0), value=7.0)  # three more steps
    mask = torch.nn.functional.pad(windows.mask, (3, 0))
    actual = case.model.contexts(padded, mask)[:, 3:]
    torch.testing.assert_close(actual, whole, atol=1e-5, rtol=0)


def test_number_of_parameters_by_hand():
    dim, items, horizon, buckets = 16, 9, 5, 8
    model = Model(DT4IERConfig(**SMALL), items, 0, horizon)
    table = (items + 3) * dim
    gru = 2 * (6 * dim * dim + 6 * dim)
    lists = table + gru + dim
    wide = 6 * dim * dim + 3 * dim * dim  # the first layer of the decoder reads 2D
    decoder = table + wide + 6 * dim + 6 * dim * dim + 6 * dim
    decoder += 2 * dim * dim + 2 * dim + (dim + 1) * (items + 3)
    reward = 2 * buckets + buckets**2 + 1 + 3 * dim + buckets * dim
    blocks = 2 * (12 * dim**2 + 13 * dim) + 2 * dim
    expected = 2 * lists + decoder + reward + blocks + horizon * dim
    assert sum(value.numel() for value in model.parameters()) == expected


def test_without_features_or_balancing_all_weights_are_equal(random_log, train):
    features = torch.zeros(3, 0)
    assert train(random_log(), steps=0, **SMALL).model.weights(features).tolist() == [[0.5] * 2] * 3
    single = Model(DT4IERConfig(**SMALL, rewards=1), 9, 0, 5)
    assert single.weights(features).tolist() == [[1.0]] * 3
    known = train(random_log(features=2, users=12), steps=0, balance_steps=200, **SMALL)
    weights = known.model.weights(known.data.features)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(12))
    assert weights.std(dim=0).min() > 0
    even = train(random_log(features=2), steps=0, balance=False, **SMALL)
    assert even.model.weights(torch.ones(1, 2)).tolist() == [[0.5, 0.5]]


def test_units_come_from_the_log(log_of, train):
    later = np.arange(20)[:, None] * np.ones((20, 1))
    log = log_of(np.zeros((20, 1, 1), dtype=int), 3, now=np.zeros((20, 1)), later=later)
    model = train(log, steps=0, **SMALL).model
    # The 95th percentile of 0 ... 19 is 18; a reward that is never earned has unit 1.
    assert model.start_rtg.tolist() == [0, 18]
    assert model.scale.tolist() == [1, 9]
    assert train(log, steps=0, scale="max", **SMALL).model.scale.tolist() == [1, 9.5]


def test_later_steps_share_the_last_vector():
    model = Model(DT4IERConfig(**SMALL), 9, 0, 5)
    vectors = model.time_token(torch.tensor([3, 4, 5, 600]))
    assert torch.equal(vectors[1], vectors[2])
    assert torch.equal(vectors[1], vectors[3])
    assert not torch.equal(vectors[0], vectors[1])


def test_states_encoded_together_give_the_same_loss(case):
    from agents.dt4ier.losses import Batch, sums

    starts = torch.arange(len(case.data))
    windows = case.data.windows(starts, 5)
    rtg = case.data.rtg[windows.rows] / 2
    with torch.no_grad():
        whole = sums(case.model, case.data, Batch(windows, rtg), 0.0)[0]
        each = 0.0
        for start in starts:
            one = case.data.windows(start[None], 5)
            each += sums(case.model, case.data, Batch(one, case.data.rtg[one.rows] / 2), 0.0)[0]
    torch.testing.assert_close(whole, each)
