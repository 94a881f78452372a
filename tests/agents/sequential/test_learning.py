"""What the agents learn, against the strongest cheap baselines."""

import numpy as np
import pytest
import torch

import agents

ITEMS = 12
COUNTING = ["popularity", "transitions", "sequential_rules", "item_knn", "ease"]
SMALL = {"dim": 32, "layers": 1, "dropout": 0.0, "learning_rate": 0.01, "init_std": 0.1}
SMALL |= {"evaluate_every": 50, "patience": 100}


def chain(seed, users, gap, length=12):
    """Sequences in which an item is followed by one other, nine times out of ten, ``gap`` later.

    The other times, and at first, items come by a popularity of their own.
    """
    follower = np.random.default_rng(100).permutation(ITEMS)
    popularity = np.random.default_rng(200).dirichlet(np.full(ITEMS, 3.0))
    rng = np.random.default_rng(seed)
    drawn = rng.choice(ITEMS, (users, length), p=popularity)
    for step in range(gap, length):
        goes_on = rng.random(users) < 0.9
        drawn[:, step] = np.where(goes_on, follower[drawn[:, step - gap]], drawn[:, step])
    return drawn, follower


def observe(histories):
    return {
        "history_items": histories,
        "history_clicks": np.ones(histories.shape, dtype=np.int8),
        "candidates": np.tile(np.arange(ITEMS), (len(histories), 1)),
    }


def fitted(log, name, **settings):
    agent = agents.make(name, log.problem, seed=0, **settings)
    agent.fit(log)
    return agent


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sasrec", {"steps": 80}),
        ("sasrec", {"steps": 80, "loss": "sampled", "negatives": 8}),
        ("sasrec", {"steps": 120, "loss": "gbce", "negatives": 6}),
        ("sasrec", {"steps": 120, "loss": "bce", "negatives": 1}),
        ("bert4rec", {"steps": 250}),
        ("gru4rec", {"steps": 80}),
        ("gru4rec", {"steps": 80, "loss": "bpr", "negatives": 8}),
        ("gru4rec", {"steps": 80, "loss": "top1_max", "negatives": 8}),
    ],
)
def test_the_one_successor_of_an_item_is_learned(make_sequences, name, settings):
    sequences, follower = chain(0, users=150, gap=1)
    histories = chain(1, users=300, gap=1)[0][:, :8]
    agent = fitted(make_sequences(sequences, ITEMS), name, **SMALL, **settings)
    found = agent.scores(observe(histories)).argmax(axis=1)
    assert (found == follower[histories[:, -1]]).mean() > 0.85


@pytest.mark.parametrize(("name", "steps"), [("sasrec", 150), ("bert4rec", 300), ("gru4rec", 150)])
def test_two_interleaved_chains_are_learned_where_counting_fails(make_sequences, name, steps):
    """The next item follows from the last but one, which counts of transitions cannot express."""
    sequences, follower = chain(0, users=200, gap=2)
    histories = chain(1, users=300, gap=2)[0][:, :8]
    wanted = follower[histories[:, -2]]
    log = make_sequences(sequences, ITEMS)

    def hits(agent, shown):
        return (agent.scores(observe(shown)).argmax(axis=1) == wanted).mean()

    cheap = [hits(fitted(log, rival), histories) for rival in COUNTING]
    agent = fitted(log, name, **SMALL, steps=steps)
    assert hits(agent, histories) > max(cheap) + 0.3, (hits(agent, histories), cheap)
    # Order matters: the same events in another order tell less.
    shuffled = np.random.default_rng(0).permuted(histories, axis=1)
    assert hits(agent, shuffled) < 0.5


@pytest.mark.parametrize(
    ("name", "settings"),
    [("sasrec", {}), ("gru4rec", {}), ("bert4rec", {"steps": 400, "next_share": 1.0})],
)
def test_ten_sequences_are_memorised(make_sequences, name, settings):
    sequences = np.random.default_rng(0).integers(0, ITEMS, (10, 8))
    settings = {"steps": 150, "held_out": 0.0, "max_length": 8, **settings}
    agent = fitted(make_sequences(sequences, ITEMS), name, **SMALL, **settings)
    tokens = torch.as_tensor(np.pad(sequences + 1, ((0, 0), (1, 0)), constant_values=ITEMS + 1))
    with torch.no_grad():
        scores = agent.model.score_all(agent.model.next_states(tokens[:, :-1]))
        target = torch.as_tensor(sequences[:, -1])
        assert torch.nn.functional.cross_entropy(scores, target).item() < 0.1
