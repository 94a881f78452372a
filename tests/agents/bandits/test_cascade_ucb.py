"""CascadeUCB1 and CascadeKL-UCB: what is counted, the bounds, and what is learned."""

import math

import numpy as np
import pytest

import agents
from agents.bandits.cascade_ucb import examined, kl_ucb, largest_mean, ucb1
from agents.shared.targets import Outcomes
from recsim.errors import UserError

# The user of row 0 stops at item 1; row 1 has no click; row 2 stops at item 1, its first.
SLATES = [[0, 1, 2], [2, 1, 0], [1, 0, 2]]
CLICKS = [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
LOOKS_PER_ITEM, CLICKS_PER_ITEM = [2, 3, 1], [0, 2, 0]


def test_all_up_to_the_first_click_are_examined():
    seen = examined(Outcomes(np.array(SLATES), np.array(CLICKS, dtype=float)))
    assert seen.items.tolist() == [[0, 1, -1], [2, 1, 0], [1, -1, -1]]


@pytest.mark.parametrize("bound", ["ucb1", "kl"])
class TestCounts:
    def test_of_feedback(self, bound, make_problem, make_feedback):
        agent = agents.make("cascade_ucb", make_problem(num_items=3, slate_size=3), bound=bound)
        slates, clicks = [*SLATES, [2, 0, 1]], [*CLICKS, [1, 1, 1]]
        agent.observe(make_feedback(slates, clicks, active=[True, True, True, False]))
        state = agent.state_dict()
        assert state["impressions"].tolist() == LOOKS_PER_ITEM
        assert state["sums"].tolist() == CLICKS_PER_ITEM
        assert state["rounds"] == 3

    def test_of_a_log_and_feedback_add_up(self, bound, make_problem, make_log, make_feedback):
        problem = make_problem(num_items=3, slate_size=3)
        log = make_log(problem, 2, slate=np.array(SLATES[:2]), clicks=np.array(CLICKS[:2]))
        agent = agents.make("cascade_ucb", problem, bound=bound)
        assert agent.fit(log).rows == 2
        agent.observe(make_feedback(SLATES[2:], CLICKS[2:]))
        assert agent.state_dict()["impressions"].tolist() == LOOKS_PER_ITEM
        assert agent.state_dict()["rounds"] == 3

    def test_slots_are_read_in_the_order_of_their_positions(self, bound, make_problem, make_log):
        problem = make_problem(num_items=3, slate_size=3)
        log = make_log(
            problem,
            1,
            slate=np.array([[2, 0, 1]]),
            clicks=np.array([[0, 0, 1]]),
            position=np.array([[2, 0, 1]]),
        )
        agent = agents.make("cascade_ucb", problem, bound=bound)
        agent.fit(log)
        assert agent.state_dict()["impressions"].tolist() == [1, 1, 0]

    def test_padding_and_empty_slates_do_not_count(self, bound, make_problem, make_log):
        problem = make_problem(num_items=3, slate_size=3)
        slates = np.array([[0, -1, -1], [-1, -1, -1]])
        log = make_log(problem, 2, slate=slates, clicks=np.zeros((2, 3), dtype=np.int8))
        agent = agents.make("cascade_ucb", problem, bound=bound)
        agent.fit(log)
        assert agent.state_dict()["impressions"].tolist() == [1, 0, 0]
        assert agent.state_dict()["rounds"] == 1


class TestBounds:
    def test_ucb1_by_hand(self):
        bounds = ucb1(np.array([1.0, 0.0]), np.array([4.0, 0.0]), 100)
        assert bounds.tolist() == [0.25 + math.sqrt(1.5 * math.log(100) / 4), math.inf]

    def test_kl_ucb_by_hand(self):
        # Never clicked in n looks: KL(0 || q) = -ln(1 - q), so q = 1 - exp(-level).
        level = (math.log(100) + 3 * math.log(math.log(100))) / 20
        bounds = kl_ucb(np.array([0.0, 20.0, 0.0]), np.array([20.0, 20.0, 0.0]), 100)
        np.testing.assert_allclose(bounds[:2], [1 - math.exp(-level), 1.0], rtol=1e-10)
        assert bounds[2] == math.inf

    def test_of_one_half_in_closed_form(self):
        # KL(1/2 || q) = -ln(4 q (1 - q)) / 2, so q = (1 + sqrt(1 - exp(-2 level))) / 2.
        level = np.array([0.0, 0.01, 0.3, 2.0])
        result = largest_mean(np.full(4, 0.5), level)
        np.testing.assert_allclose(result, (1 + np.sqrt(1 - np.exp(-2 * level))) / 2, rtol=1e-10)

    def test_against_a_fine_grid(self):
        rng = np.random.default_rng(0)
        mean, level = rng.uniform(0.01, 0.99, 50), rng.exponential(0.3, 50)
        grid = np.linspace(1e-6, 1 - 1e-6, 20_001)
        p = mean[:, None]
        distance = p * np.log(p / grid) + (1 - p) * np.log((1 - p) / (1 - grid))  # (50, grid)
        largest = np.where(distance <= level[:, None], grid, 0.0).max(axis=1)
        assert np.abs(largest_mean(mean, level) - largest).max() < 1e-4

    def test_the_divergence_gives_the_tighter_bound(self):
        # Pinsker: KL(p || q) >= 2 (p - q)^2.
        rng = np.random.default_rng(1)
        mean, level = rng.random(100), rng.exponential(1.0, 100)
        assert (largest_mean(mean, level) <= mean + np.sqrt(level / 2) + 1e-10).all()

    @pytest.mark.parametrize("bound", [ucb1, kl_ucb])
    def test_without_rounds_or_examinations(self, bound):
        assert bound(np.zeros(3), np.zeros(3), 0).tolist() == [math.inf] * 3
        assert bound(np.array([1.0]), np.array([2.0]), 1).tolist() == [0.5]


@pytest.mark.parametrize("bound", ["ucb1", "kl"])
def test_new_items_come_first_then_the_highest_bounds(bound, make_problem, make_feedback):
    problem = make_problem(num_items=4, slate_size=3)
    agent = agents.make("cascade_ucb", problem, bound=bound)
    # Item 0 was never clicked, item 1 always, item 2 half the time; item 3 was not seen.
    for first, clicks in ((0, [0, 0, 0]), (1, [1, 0, 0]), (2, [0, 0, 0]), (2, [1, 0, 0])):
        agent.observe(make_feedback([[first, -1, -1]] * 10, [clicks] * 10))
    obs = {"candidates": np.array([[0, 1, 2, 3], [3, 2, 1, 0]])}
    decision = agent.act(obs)
    items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
    assert items.tolist() == [[3, 1, 2]] * 2
    assert decision.propensities.tolist() == [[1, 1, 1]] * 2
    asked = np.array([[3, 0, 2], [3, 1, -1]])
    assert agent.propensities(obs, asked).tolist() == [[1, 0, 1], [1, 1, 1]]


def test_a_loaded_agent_has_the_same_bounds(make_problem, make_log, observe_users):
    problem = make_problem(num_items=30, slate_size=5)
    agent, fresh = (agents.make("cascade_ucb", problem) for _ in range(2))
    agent.fit(make_log(problem, 400))
    fresh.load_state_dict(agent.state_dict())
    assert fresh.state_dict()["rounds"] == 400
    obs = observe_users(problem, 3)
    np.testing.assert_array_equal(agent.act(obs).slates, fresh.act(obs).slates)


def test_counts_of_another_catalogue_are_refused(make_problem):
    state = agents.make("cascade_ucb", make_problem(num_items=4)).state_dict()
    with pytest.raises(UserError, match=r"has \(4,\) items, this catalogue \(5,\)"):
        agents.make("cascade_ucb", make_problem(num_items=5)).load_state_dict(state)


def test_an_unknown_bound_is_refused(make_problem):
    with pytest.raises(UserError, match=r"config\.bound: must be 'ucb1' or 'kl'"):
        agents.make("cascade_ucb", make_problem(), bound="klucb")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_comes_close_to_the_oracle_of_a_cascade_world(play_alike, seed):
    choice = {"kind": "cascade", "threshold": 3.0, "patience": 1.0}
    chance, _ = play_alike("random", choice, seed)
    loose, best = play_alike("cascade_ucb", choice, seed, bound="ucb1")
    tight, _ = play_alike("cascade_ucb", choice, seed, bound="kl")
    way = best - chance
    # ucb1 explores longer: about 0.6 of the way from chance to the oracle, kl about 0.8.
    assert loose > chance + 0.4 * way
    assert tight > loose + 0.1 * way
    assert tight > chance + 0.7 * way
