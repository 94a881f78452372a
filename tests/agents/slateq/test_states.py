import numpy as np
import pytest
import torch

from agents.slateq.network import Heads, Scorer
from agents.slateq.states import States, read_states, size_of_known, states_of_log


def make_scorer(num_items=4, columns=2, known=3, **settings) -> Scorer:
    generator = torch.Generator().manual_seed(0)
    return Scorer(
        torch.randn(num_items, columns, generator=generator),
        torch.randn(10, known, generator=generator),
        **{"dim": 2, "hidden": 5, "decay": 0.6, "generator": generator} | settings,
    )


def test_a_state_is_read_from_an_observation(make_problem):
    problem = make_problem(users=2)
    obs = {
        "user_features": np.array([[0.5, -1.0]], dtype=np.float32),
        "candidates": np.arange(4)[None],
        "history_items": np.array([[-1, -1, 0, 1, 2, 3]]),
        "history_clicks": np.array([[0, 0, 0, 1, 1, 0]]),
        "feedback": np.array([[1.0, 2.5]]),
        "time": np.array([[7, 1, 3]]),
    }
    states = read_states(obs, problem, 5, "cpu")
    expected = [0.5, -1.0, 1.0, 2.5, np.log(2), np.log(4), 2.0]
    np.testing.assert_allclose(states.known[0], expected, rtol=1e-6)
    assert states.known.shape == (1, size_of_known(problem))
    assert states.items.tolist() == [[1, 2]]
    assert states.age.tolist() == [[1, 0]]
    short = read_states(obs, problem, 1, "cpu")
    assert short.items.tolist() == [[2]]
    bare = {name: obs[name] for name in ("user_features", "candidates")}
    np.testing.assert_allclose(read_states(bare, problem, 5, "cpu").known[0, 2:], 0)


def test_a_log_has_the_states_of_its_observations(sequences, monkeypatch):
    log = sequences()
    whole = states_of_log(log, 3, "cpu")
    seen = read_states(log.observations(history_slates=3), log.problem, 3, "cpu")
    monkeypatch.setattr("agents.shared.clicked._BLOCK", 25)  # four rows at a time
    for states in (seen, states_of_log(log, 3, "cpu")):
        for name in ("known", "items", "age"):
            torch.testing.assert_close(getattr(states, name), getattr(whole, name))


def test_clicks_are_discounted_exponentially():
    scorer = make_scorer()
    with torch.no_grad():
        # Keep only the sums over the past, unchanged.
        scorer.layer.weight.zero_()
        scorer.layer.weight[:5, 3:] = torch.eye(5)
        scorer.layer.bias.fill_(100.0)
        states = States(torch.zeros(1, 3), torch.tensor([[2, 1, -1]]), torch.tensor([[1, 0, 0]]))
        hidden = torch.relu(scorer.layer(_input(scorer, states))) - 100
    table = scorer.table().detach()
    weight = 0.8  # sqrt(1 - .36)
    expected = weight * (0.6 * table[2] + table[1])
    torch.testing.assert_close(hidden[0, :4], expected, atol=1e-4, rtol=0)
    assert hidden[0, 4].item() == pytest.approx(weight * 1.6, abs=1e-4)


def _input(scorer, states):
    caught = []
    handle = scorer.layer.register_forward_hook(lambda _, inputs, __: caught.append(inputs[0]))
    scorer(states)
    handle.remove()
    return caught[0]


def test_scores_by_hand():
    scorer = make_scorer()
    heads = Heads(torch.tensor([[1.0, 0.0, 2.0, -1.0]]), torch.tensor([0.5]), torch.zeros(1))
    z = scorer.table().detach()
    expected = 0.5 + z[:, 0] + 2 * z[:, 2] - z[:, 3]
    torch.testing.assert_close(scorer.scores(heads, None)[0].detach(), expected)
    some = scorer.scores(heads, torch.tensor([[3, 0, -1]]))[0].detach()
    torch.testing.assert_close(some[:2], expected[[3, 0]])


def test_features_that_are_constant_in_the_log_have_no_effect():
    generator = torch.Generator().manual_seed(0)
    known = torch.tensor([[1.0, 3.0], [2.0, 3.0]])
    scorer = Scorer(torch.zeros(4, 0), known, dim=2, hidden=3, decay=0.5, generator=generator)
    nothing = torch.full((1, 0), -1)
    here, there = (
        scorer(States(torch.tensor([[1.0, value]]), nothing, nothing)) for value in (3.0, 1e6)
    )
    torch.testing.assert_close(here.weights, there.weights)


def test_scores_start_near_a_given_value():
    scorer = make_scorer()
    before = scorer.heads.bias.detach().clone()
    scorer.start_at(7.0)
    assert scorer.heads.bias.tolist() == [*before[:-2].tolist(), 7.0, 7.0]
