"""Every addition can be switched on, is off by default, and is what its setting says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import agents
from agents.sequential.additions import intent_contrast, meta_contrast
from agents.sequential.additions.base import next_states
from agents.sequential.additions.intent_contrast import IntentContrast
from agents.sequential.additions.long_query import LongQueryBlock
from agents.sequential.additions.meta_contrast import MetaContrast
from agents.sequential.additions.reasoning import diversity
from agents.sequential.sequences import Sequences, Windows
from agents.shared.transformer import Block
from recsim.errors import UserError

ITEMS = 30
QUICK = {"dim": 16, "steps": 6, "max_length": 8, "batch_size": 8, "evaluate_every": 3}
SWITCHES = {
    "erl": {"reasoning": "erl"},
    "prl": {"reasoning": "prl"},
    "meta": {"contrast": "meta"},
    "intent": {"contrast": "intent", "clusters": 4},
    "long_query": {"long_query": 3},
    "distil": {"distil_transitions": 0.1},
    "metadata": {"item_inputs": "metadata"},
    "both": {"item_inputs": "both"},
    "attention_table": {"attention_table": True},
}


@pytest.fixture
def log(make_sequences):
    """Return a log of 25 users with 3 to 14 events, whose items have features and groups."""
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, ITEMS, rng.integers(3, 15)) for _ in range(25)]
    log = make_sequences(sequences, ITEMS)
    features = rng.normal(size=(ITEMS, 4)).astype(np.float32)
    features[:, :2] = features[:, :2] > 0
    groups = rng.integers(0, 3, ITEMS)
    return replace(log, problem=replace(log.problem, item_features=features, item_groups=groups))


def fitted(log, **settings):
    agent = agents.make("sasrec", log.problem, seed=3, **(QUICK | settings))
    agent.fit(log)
    return agent


def scores(agent):
    histories = np.random.default_rng(1).integers(-1, ITEMS, (10, 6))
    obs = {
        "history_items": histories,
        "history_clicks": (histories >= 0).astype(np.int8),
        "candidates": np.tile(np.arange(ITEMS), (10, 1)),
    }
    return agent.scores(obs)


@pytest.mark.parametrize("settings", SWITCHES.values(), ids=SWITCHES)
def test_an_addition_changes_scores_and_is_saved(log, settings):
    agent = fitted(log, **settings)
    assert np.isfinite(scores(agent)).all()
    assert not np.allclose(scores(agent), scores(fitted(log)))
    np.testing.assert_array_equal(scores(agent), scores(fitted(log, **settings)))
    copy = agents.make("sasrec", log.problem, seed=3, **(QUICK | settings))
    copy.load_state_dict(agent.state_dict())
    np.testing.assert_array_equal(scores(agent), scores(copy))


@pytest.mark.parametrize(
    "settings",
    [
        {"reasoning": "erl", "reasoning_steps": 0},
        {"reasoning": "prl", "reasoning_steps": 0},
        {"contrast": "intent", "contrast_weights": (0.0, 0.0), "clusters": 4},
        {"distil_transitions": 0.0, "long_query": 0, "attention_table": False},
    ],
)
@pytest.mark.parametrize("loss", ["cross_entropy", "sampled"])
def test_an_addition_of_no_size_gives_the_numbers_of_the_control(log, settings, loss):
    own = scores(fitted(log, loss=loss, **settings))
    np.testing.assert_array_equal(own, scores(fitted(log, loss=loss)))


@pytest.mark.parametrize("name", ["erl", "prl", "intent", "distil"])
def test_an_addition_to_the_loss_does_not_change_the_batches(log, monkeypatch, name):
    drawn = []
    draw = Windows.draw

    def noted(self, count):
        drawn.append(draw(self, count))
        return drawn[-1]

    monkeypatch.setattr(Windows, "draw", noted)
    fitted(log)
    own = list(drawn)
    drawn.clear()
    fitted(log, **SWITCHES[name])
    for one, other in zip(own, drawn, strict=True):
        torch.testing.assert_close(one, other)


def test_no_steps_of_reasoning_predict_as_the_encoder_does(log):
    agent = fitted(log, reasoning="prl")
    model = agent.model
    tokens = torch.tensor([[31, 1, 2, 3, 0], [31, 4, 0, 0, 0]])
    own = model.states(tokens)[torch.arange(2), torch.tensor([3, 1])]
    model._config = model._config.model_copy(update={"reasoning_steps": 0})
    torch.testing.assert_close(model.next_states(tokens), own)


def test_the_number_of_steps_does_not_change_the_number_of_parameters(log):
    sizes = {
        sum(
            value.numel()
            for value in fitted(log, reasoning="erl", reasoning_steps=k).model.parameters()
        )
        for k in (1, 4)
    }
    assert len(sizes) == 1


def test_steps_with_kept_keys_equal_steps_that_read_everything_again(log):
    model = fitted(log, reasoning="erl").model
    encoder = model.encoder
    tokens = torch.tensor([[31, 5, 6, 7]])
    vectors = model.embedding(tokens) + encoder.position(torch.arange(3, -1, -1))
    cache = []
    last = model._states(tokens, cache=cache)[:, -1]
    steps = model._reason(last, cache, torch.ones(1, 4, dtype=torch.bool))
    for step in range(2):
        token = model._reasoner.norm(steps[:, step] + model._reasoner.position[step])
        vectors = torch.cat([vectors, token[:, None]], dim=1)
        states = vectors
        for block in encoder.blocks:
            states = block(states, None)
        torch.testing.assert_close(encoder.norm(states)[:, -1], steps[:, step + 1])
    assert diversity(model.score_all(steps[0])[None]) > 0


def test_reasoning_about_a_prefix_does_not_see_later_events(log):
    model = fitted(log, reasoning="erl").model
    visible = torch.tensor([[True, True, False, False]])

    def steps(tokens):
        cache = []
        states = model._states(torch.tensor([tokens]), cache=cache)
        return model._reason(states[:, 1], cache, visible)

    torch.testing.assert_close(steps([31, 5, 6, 7]), steps([31, 5, 9, 1]))


def test_a_divergence_by_hand():
    certain = torch.tensor([[[0.0, 0.0], [np.log(3.0), 0.0]]])
    half = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
    other = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    assert diversity(certain).item() == pytest.approx((half + other) / 2, rel=1e-5)


def test_a_long_query_of_one_event_is_an_ordinary_block():
    torch.manual_seed(0)
    block = LongQueryBlock(8, 2, 0.0, 0.0, events=1)
    ordinary = Block(8, 2, 0.0, 0.0)
    ordinary.load_state_dict(block.state_dict())
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(block(x, None), ordinary(x, None))


def test_the_two_steps_of_meta_contrast_change_one_part_each(log):
    model = fitted(log).model
    own = [value.clone() for value in model.parameters()]
    model.zero_grad(set_to_none=True)
    addition = MetaContrast(model, (0.03, 0.1), dim=16, learning_rate=0.01)
    networks = [value.clone() for value in addition._networks.parameters()]
    tokens = torch.tensor([[31, 1, 2, 3, 4], [5, 6, 7, 8, 9], [31, 9, 8, 0, 0]])
    addition.between(tokens)
    assert all(torch.equal(a, b) for a, b in zip(own, model.parameters(), strict=True))
    assert all(value.grad is None for value in model.parameters())
    changed = [
        not torch.equal(a, b)
        for a, b in zip(networks, addition._networks.parameters(), strict=True)
    ]
    assert all(changed)
    addition.loss(tokens).backward()
    assert model.encoder.blocks[0].qkv.weight.grad is not None
    assert not any(value.requires_grad for value in addition._networks.parameters())


def test_meta_contrast_sees_two_views_of_each_input_and_not_the_last_event(log, monkeypatch):
    monkeypatch.setattr(meta_contrast, "random_views", lambda tokens, start, mask: tokens)
    addition = MetaContrast(fitted(log).model, (0.03, 0.1), dim=16, learning_rate=0.01)
    views = addition._views(torch.tensor([[31, 1, 2, 3], [5, 6, 7, 0], [31, 9, 0, 0]]))
    assert views.tolist() == 2 * [[31, 1, 2], [5, 6, 0]]  # the third has no event but the last


def test_intent_contrast_pairs_what_came_before_the_same_item(log):
    model, sequences = fitted(log).model, Sequences.of(log, "clicked")
    addition = IntentContrast(model, sequences, (0.3, 0.1), clusters=4, length=8, seed=0)
    user, item = sequences.items()
    prefixes = addition._before(torch.arange(len(addition._event)))
    row = 0
    for number in range(len(sequences.user)):
        own = item[user == number]
        for place in range(1, len(own)):  # not before the first event
            before = [ITEMS + 1, *(own[:place] + 1)][-8:]
            assert prefixes[row].tolist() == before + [0] * (8 - len(before))
            assert addition._item[row] == own[place]
            row += 1
    assert row == len(prefixes)


def test_centres_follow_the_model(log, monkeypatch):
    monkeypatch.setattr(intent_contrast, "_REFRESH", 2)
    model, sequences = fitted(log).model, Sequences.of(log, "clicked")
    addition = IntentContrast(model, sequences, (0.3, 0.1), clusters=4, length=8, seed=0)
    tokens = torch.ones(6, 9, dtype=torch.int64)
    centres = []
    for _ in range(4):
        addition.loss(tokens)
        centres.append(addition._centres)
        with torch.no_grad():
            model.embedding.table.weight.mul_(1.1)
    assert centres[0] is None  # the states of an untrained model are not clustered
    assert centres[2] is centres[1]
    assert not torch.allclose(centres[3], centres[1])


@pytest.mark.parametrize("contrast", ["meta", "intent"])
def test_users_with_one_event_have_nothing_to_contrast(make_sequences, contrast):
    log = make_sequences([[0], [1], [2]], 3)
    agent = agents.make("sasrec", log.problem, contrast=contrast, held_out=0, **QUICK)
    assert np.isfinite(agent.fit(log).losses[-1]["loss"])


def test_states_of_rows_of_different_lengths_stay_in_order(log):
    model = fitted(log).model
    tokens = torch.zeros(3, 9, dtype=torch.int64)
    tokens[0], tokens[1, :2], tokens[2, :6] = 3, 5, 7
    states = next_states(model, tokens)
    for row in range(3):
        part = tokens[row : row + 1, : int((tokens[row] > 0).sum())]
        torch.testing.assert_close(states[row : row + 1], model.next_states(part))


def test_the_prefix_of_an_event_is_what_came_before(log):
    sequences = Sequences.of(log, "clicked")
    place, begin = sequences.places()
    user, item = sequences.items()
    np.testing.assert_array_equal(sequences.tokens[place] - 1, item)
    np.testing.assert_array_equal(begin, sequences.begin[user])


def test_items_with_equal_features_and_without_events_tie_exactly(make_sequences):
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(7, 4)).astype(np.float32)
    items = 97  # not a multiple of the width of a processor's registers
    log = make_sequences([rng.integers(0, 7, 8) for _ in range(10)], items)
    kind = np.arange(items) % 7
    log = replace(log, problem=replace(log.problem, item_features=kinds[kind]))
    agent = fitted(log, item_inputs="metadata")
    for users in (1, 2, 5):
        histories = rng.integers(0, 7, (users, 6))
        obs = {
            "history_items": histories,
            "history_clicks": np.ones_like(histories, dtype=np.int8),
            "candidates": np.tile(np.arange(items), (users, 1)),
        }
        ranked = agent.scores(obs)[:, 7:]  # items without events
        np.testing.assert_array_equal(ranked, ranked[:, kind[7:]])
        assert len(np.unique(ranked[0])) == 7


def test_metadata_needs_features_and_is_declared(log, make_sequences):
    assert "item_features" in fitted(log, item_inputs="both").reads
    assert "item_ids" not in fitted(log, item_inputs="metadata").reads
    plain = make_sequences([[0, 1, 2]], 3)
    with pytest.raises(UserError, match="features of items"):
        agents.make("sasrec", plain.problem, item_inputs="metadata")


def test_encoders_cannot_be_combined(log):
    with pytest.raises(UserError, match="reasoning and long_query cannot be combined"):
        agents.make("sasrec", log.problem, reasoning="erl", long_query=2)
