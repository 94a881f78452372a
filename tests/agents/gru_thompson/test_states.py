import pytest
import torch

from agents.gru_thompson.states import MATRICES, preferences

USERS, STEPS, DIM = 3, 5, 4
KINDS = ("gru", "linear", "lingru", "markov")


@pytest.fixture
def weights(generator):
    drawn = {name: torch.randn(DIM, DIM, generator=generator) for name in MATRICES}
    return drawn | {"gamma": torch.tensor(0.7)}


@pytest.fixture
def start(generator):
    return torch.randn(USERS, DIM, generator=generator)


@pytest.fixture
def vectors(generator):
    return torch.randn(USERS, STEPS, DIM, generator=generator)


ALL = torch.ones(USERS, STEPS, dtype=torch.bool)


def test_the_recurrent_state_is_that_of_torch(weights, start, vectors):
    cell = torch.nn.GRU(DIM, DIM, bias=False, batch_first=True)
    with torch.no_grad():
        cell.weight_ih_l0.copy_(torch.cat([weights["ir"], weights["id"], weights["in"]]))
        cell.weight_hh_l0.copy_(torch.cat([weights["hr"], weights["hd"], weights["hn"]]))
        expected = cell(vectors, start[None])[0] @ weights["z"].T
    result = preferences("gru", weights, start, vectors, ALL)
    torch.testing.assert_close(result[:, 1:], expected)
    torch.testing.assert_close(result[:, 0], start @ weights["z"].T)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_click_the_preference_is_constant(kind, weights, start, vectors):
    result = preferences(kind, weights, start, vectors, ~ALL)
    torch.testing.assert_close(result, result[:, :1].expand(-1, STEPS + 1, -1))


def test_linear_by_hand_and_for_extreme_gamma(weights, start, vectors):
    result = preferences("linear", weights, start, vectors, ALL)
    torch.testing.assert_close(result[:, 1], 0.7 * start + 0.3 * vectors[:, 0])
    still = preferences("linear", {"gamma": torch.tensor(1.0)}, start, vectors, ALL)
    torch.testing.assert_close(still[:, -1], start)
    jumps = preferences("linear", {"gamma": torch.tensor(0.0)}, start, vectors, ALL)
    torch.testing.assert_close(jumps[:, 1:], vectors)
    torch.testing.assert_close(preferences("markov", {}, start, vectors, ALL), jumps)


def test_lingru_is_the_mean_of_both(weights, start, vectors):
    gru, linear = (preferences(k, weights, start, vectors, ALL) for k in ("gru", "linear"))
    result = preferences("lingru", weights, start, vectors, ALL)
    torch.testing.assert_close(result, (gru + linear) / 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [0, 2, 4])
def test_a_click_changes_only_later_preferences(kind, step, weights, start, vectors):
    before = preferences(kind, weights, start, vectors, ALL)
    changed = vectors.clone()
    changed[:, step] += 1
    after = preferences(kind, weights, start, changed, ALL)
    torch.testing.assert_close(after[:, : step + 1], before[:, : step + 1], rtol=0, atol=0)
    assert (after[:, step + 1] != before[:, step + 1]).any(dim=1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_several_samples_at_once(kind, weights, start, vectors, generator):
    shift = torch.randn(2, 1, 1, generator=generator)
    several = {name: value + shift for name, value in weights.items() if name != "gamma"}
    several["gamma"] = torch.tensor([0.2, 0.9])
    result = preferences(
        kind, several, start.expand(2, -1, -1), vectors.expand(2, -1, -1, -1), ALL.expand(2, -1, -1)
    )
    for draw in range(2):
        single = {name: value[draw] for name, value in several.items()}
        torch.testing.assert_close(result[draw], preferences(kind, single, start, vectors, ALL))
