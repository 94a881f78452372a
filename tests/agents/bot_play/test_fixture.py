"""A session with two dimensions, three items and three aspects, computed by hand.

The justification consists of the aspects with a logit above 0, as if every uniform number were a
half. The model always shows item 0; the target is item 1.

==  =========  ===========  =================  =================  ========  ========  ========
t   c          z            scores             logits             CE        BCE       critique
==  =========  ===========  =================  =================  ========  ========  ========
0   [2, 0, 1]  [1.5, -.5]   [1.5, -.5, .5]     [5.5, -3.5, 1.5]   2.407606  3.578414  0
1   [0, 0, 1]  [.5, -.5]    [.5, -.5, 0]       [3.5, -2.5, .5]    1.680270  2.360906  2
2   [0, 0, 0]  [.5, 0]      [.5, 0, .25]       no loss
==  =========  ===========  =================  =================  ========  ========  ========
"""

import pytest
import torch
from torch.nn import functional

from agents.bot_play.fine_tuning import play_loss, turn_losses
from agents.bot_play.model import CritiquedModel
from agents.bot_play.play import PlayConfig, sessions
from agents.bot_play.tables import Tables
from agents.rel_mf.pairs import ClickedPairs

USER, TARGET = torch.tensor([0]), torch.tensor([1])
PLAY = PlayConfig(turns=3, discount=0.9)


@pytest.fixture
def model() -> CritiquedModel:
    model = CritiquedModel(torch.tensor([[2.0, 0.0, 1.0]]), 3, 2, torch.Generator())
    for parameter, value in (
        (model.users, [[0.5, 0.0]]),
        (model.items, [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]),
        (model.encoder[0].weight, [[0.5, 0.0, 0.0], [0.0, 0.5, -0.5]]),
        (model.encoder[0].bias, [0.0, 0.0]),
        (model.head[0].weight, [[2.0, -1.0], [-1.0, 2.0], [1.0, 1.0]]),
        (model.head[0].bias, [0.0, 0.0, -0.5]),
    ):
        parameter.data = torch.tensor(value)
    return model


@pytest.fixture
def tables() -> Tables:
    one = torch.zeros(1, dtype=torch.long)
    return Tables(
        users=one,
        items=one,
        mentioned=torch.ones(1, 3, dtype=torch.bool),
        user_counts=torch.tensor([[2.0, 0.0, 1.0]]),
        item_counts=torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 0]]),
        popularity=torch.tensor([2, 2, 1]),
        taken=ClickedPairs(one, one, 1, 3),
        valid_users=one,
        valid_items=one,
    )


def half() -> torch.Tensor:
    return torch.full((1, 3), 0.5)


def loss(model, tables, play=PLAY, **options) -> torch.Tensor:
    turns = sessions(model, tables, USER, TARGET, play, half, **options)
    return play_loss(turns, TARGET, tables.item_aspects[TARGET].float(), play)


def test_turns_by_hand(model, tables):
    play = PLAY.model_copy(update={"last_turn_loss": True})
    turns = list(sessions(model, tables, USER, TARGET, play, half))
    assert [t.preferences.tolist() for t in turns] == [[[2, 0, 1]], [[0, 0, 1]], [[0, 0, 0]]]
    assert [t.scores.tolist() for t in turns] == [
        [[1.5, -0.5, 0.5]],
        [[0.5, -0.5, 0.0]],
        [[0.5, 0.0, 0.25]],
    ]
    assert [t.items.tolist() for t in turns] == [[0], [0], [0]]
    assert [t.logits.tolist() for t in turns[:2]] == [[[5.5, -3.5, 1.5]], [[3.5, -2.5, 0.5]]]
    assert [t.critiques.nonzero()[:, 1].tolist() for t in turns] == [[0], [2], []]


def test_the_loss_by_hand(model, tables):
    torch.testing.assert_close(loss(model, tables), torch.tensor(9.623078))
    aspects = tables.item_aspects[TARGET].float()
    parts = []
    for turn in sessions(model, tables, USER, TARGET, PLAY, half):
        both = turn_losses(turn, TARGET, aspects, PLAY)
        ranking = turn_losses(
            turn, TARGET, aspects, PLAY.model_copy(update={"justification_weight": 0.0})
        )
        parts.append([ranking.item(), (both - ranking).item()])
    torch.testing.assert_close(
        torch.tensor(parts), torch.tensor([[2.407606, 3.578414], [1.680270, 2.360906]])
    )


def test_turns_are_weighted_by_the_inverse_of_their_number(model, tables):
    play = PlayConfig(turns=3, inverse=True)
    expected = 2.407606 + 3.578414 + 0.5 * (1.680270 + 2.360906)
    torch.testing.assert_close(loss(model, tables, play), torch.tensor(expected))


def test_all_critiques_of_a_turn_take_effect_at_once(model, tables):
    turns = list(sessions(model, tables, USER, TARGET, PlayConfig(turns=3, critiques="all"), half))
    assert turns[0].critiques.tolist() == [[True, False, True]]
    assert turns[1].preferences.tolist() == [[0, 0, 0]]
    assert turns[1].critiques.tolist() == [[False, False, False]], "no aspect is critiqued twice"


def test_the_last_turn_can_have_a_loss(model, tables):
    longer = loss(model, tables, PlayConfig(turns=2, last_turn_loss=True))
    torch.testing.assert_close(longer, torch.tensor(9.623078))
    first = loss(model, tables, PlayConfig(turns=1, last_turn_loss=True))
    torch.testing.assert_close(first, torch.tensor(2.407606 + 3.578414))


def test_a_single_loss_is_plain_cross_entropy_before_any_critique(model, tables):
    play = PlayConfig(turns=2, justification_weight=0.0)
    counts = model.first_preferences(USER)
    plain = functional.cross_entropy(model.scores(model.latent(USER, counts)), TARGET)
    assert loss(model, tables, play).item() == plain.item()
    assert loss(model, tables, play, listens=False).item() == plain.item()


def test_the_control_has_no_critiques(model, tables):
    turns = list(sessions(model, tables, USER, TARGET, PLAY, half, listens=False))
    assert not any(turn.critiques.any() for turn in turns)
    expected = 1.9 * (2.407606 + 3.578414)
    torch.testing.assert_close(loss(model, tables, listens=False), torch.tensor(expected))


def test_shown_items_are_excluded_except_for_the_target(model, tables):
    play = PlayConfig(turns=4, remove_shown=True)
    turns = list(sessions(model, tables, USER, TARGET, play, half))
    assert [turn.items.tolist() for turn in turns] == [[0], [2], [1]]
    assert torch.isinf(turns[2].scores).tolist() == [[True, False, True]]
    longer = PlayConfig(turns=6, remove_shown=True)
    last = list(sessions(model, tables, USER, TARGET, longer, half))[-1]
    assert last.items.tolist() == [1]
    assert torch.isfinite(last.scores[0, 1])
    assert torch.isfinite(loss(model, tables, longer))


def test_a_session_ends_when_the_target_is_shown(model, tables):
    active = {
        stop: [
            bool(turn.active)
            for turn in sessions(
                model,
                tables,
                USER,
                TARGET,
                PlayConfig(turns=5, remove_shown=True, early_stop=stop),
                half,
            )
        ]
        for stop in (False, True)
    }
    assert active == {False: [True] * 4, True: [True, True, True, False]}
    stopped = loss(model, tables, PlayConfig(turns=5, remove_shown=True, early_stop=True))
    torch.testing.assert_close(stopped, loss(model, tables, PlayConfig(turns=4, remove_shown=True)))


def test_there_is_no_critique_when_the_target_is_shown(model, tables):
    model.head[0].bias.data = torch.tensor([0.0, 9.0, -0.5])  # aspect 1 too, which item 0 lacks
    turns = list(sessions(model, tables, USER, torch.tensor([0]), PlayConfig(turns=3), half))
    assert [turn.items.tolist() for turn in turns] == [[0], [0]]
    assert not any(turn.critiques.any() for turn in turns)


def test_the_loss_relative_to_the_best_other_items_by_hand(model, tables):
    # Scores at turn 0 are 1.5 and .5 for the others and -.5 for the target: softplus of 2 and 1.
    best = loss(model, tables, PlayConfig(turns=2, loss="bpr", top=1, justification_weight=0.0))
    torch.testing.assert_close(best, torch.tensor(2.126928))
    both = loss(model, tables, PlayConfig(turns=2, loss="bpr", top=9, justification_weight=0.0))
    torch.testing.assert_close(both, torch.tensor((2.126928 + 1.313262) / 2))


def test_gradients_reach_all_weights_at_every_turn_but_not_the_preferences(model, tables):
    play = PlayConfig(turns=4)
    aspects = tables.item_aspects[TARGET].float()
    for number in range(play.losses):
        turns = list(sessions(model, tables, USER, TARGET, play, half))
        model.zero_grad()
        turn_losses(turns[number], TARGET, aspects, play).sum().backward()
        grads = {name: p.grad.abs().sum().item() for name, p in model.named_parameters()}
        assert all(value > 0 for name, value in grads.items() if name != "encoder.0.weight")
        # The gradient of the encoder's weights has the factor c, which can be 0, as at turn 2.
        nonzero = turns[number].preferences[0] != 0
        assert (model.encoder[0].weight.grad.abs().sum(dim=0) > 0).tolist() == nonzero.tolist()
        assert not turns[number].preferences.requires_grad
        assert turns[number].preferences.grad_fn is None


def test_a_critique_of_an_unmentioned_aspect_trains_its_encoding(model, tables):
    model.head[0].bias.data = torch.tensor([0.0, 9.0, -0.5])  # aspect 1 is in the justification
    other = torch.tensor([0])  # an item with aspects 0 and 2
    model.items.data[0] = -9.0
    turns = list(sessions(model, tables, USER, other, PlayConfig(turns=3), half))
    assert turns[1].preferences[0, 1] == -1
    aspects = tables.item_aspects[other].float()
    turn_losses(turns[1], other, aspects, PLAY).sum().backward()
    assert model.encoder[0].weight.grad[:, 1].abs().sum() > 0
