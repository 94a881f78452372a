import numpy as np
import pytest

import agents
from recsim.errors import UserError


def test_random_propensities_are_exact(make_problem, observe_users):
    problem = make_problem(num_items=9, slate_size=3, num_candidates=5)
    decision = agents.make("random", problem).act(observe_users(problem, 4))
    np.testing.assert_allclose(decision.propensities, np.full((4, 3), 1 / 5))
    np.testing.assert_allclose(decision.slate_propensities, np.full(4, 1 / 60))


def test_random_shows_only_candidates(make_problem):
    problem = make_problem(num_items=4, slate_size=2, num_candidates=2)
    obs = {"candidates": np.array([[0, 1], [2, 3]]), "user_features": np.zeros((2, 3))}
    asked = np.array([[0, 2], [3, -1]])
    np.testing.assert_array_equal(
        agents.make("random", problem).propensities(obs, asked), [[0.5, 0], [0.5, 1]]
    )


def test_different_seeds_draw_differently(make_problem, observe_users):
    problem = make_problem(num_items=9)
    obs = observe_users(problem, 50)
    one, other = (agents.make("random", problem, seed=seed).act(obs) for seed in (0, 1))
    assert (one.slates != other.slates).any()


def everything(problem, batch=1):
    candidates = np.tile(np.arange(problem.num_items), (batch, 1))
    return {"candidates": candidates, "user_features": np.zeros((batch, 3), dtype=np.float32)}


def test_popularity_ranks_by_the_smoothed_mean_per_impression(make_problem, make_log):
    problem = make_problem(num_items=4, slate_size=4, num_candidates=4)
    # Item 0: 2 clicks in 3 impressions. Item 1: 1 in 1. Item 2: 0 in 3. Item 3: never shown.
    slate = np.array([[0, 1, 2, -1], [0, 2, -1, -1], [2, 0, -1, -1]])
    clicks = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=np.int8)
    log = make_log(problem, 3, slate=slate, clicks=clicks)

    def order(smoothing=None, **settings):
        settings |= {} if smoothing is None else {"smoothing": smoothing}
        agent = agents.make("popularity", problem, **settings)
        assert agent.fit(log).rows == 3
        return agent.act(everything(problem)).slates.tolist()

    # Overall mean m = 3/7; the click at padding does not count.
    # smoothing 1: (2+m)/4 = .607, (1+m)/2 = .714, m/4 = .107, m = .429
    assert order(1) == [[1, 0, 3, 2]]
    # smoothing 20: (2+20m)/23 = .460, (1+20m)/21 = .456, 20m/23 = .373, .429
    assert order(20) == [[0, 1, 3, 2]]
    assert order(rank_by="total") == [[0, 1, 2, 3]]
    with pytest.raises(UserError, match="'smoothing' has no effect with rank_by 'total'"):
        order(20, rank_by="total")


def test_popularity_ranks_what_was_seen_below_all_others(make_problem, make_log):
    problem = make_problem(num_items=4, slate_size=4, num_candidates=4)
    slate = np.array([[0, 1, 2, 3]])
    log = make_log(problem, 1, slate=slate, clicks=np.array([[1, 1, 1, 0]], dtype=np.int8))
    obs = everything(problem, batch=2) | {
        "history_items": np.array([[0, 1], [-1, -1]]),
        "history_clicks": np.array([[0, 1], [0, 0]], dtype=np.int8),
    }

    def order(**settings):
        agent = agents.make("popularity", problem, rank_by="total", **settings)
        agent.fit(log)
        return agent.act(obs).slates.tolist()

    assert order() == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert order(exclude_seen=True) == [[0, 2, 3, 1], [0, 1, 2, 3]]
    assert order(exclude_seen=True, events="shown") == [[2, 3, 0, 1], [0, 1, 2, 3]]
    with pytest.raises(UserError, match="'events' has no effect with exclude_seen False"):
        order(events="shown")


def test_popularity_shares_the_reward_of_a_slate_by_its_items(make_problem, make_log):
    problem = make_problem(num_items=3, slate_size=3, num_candidates=3)
    # Shares: 3 to item 2 alone; 2 each to items 0 and 1; so 2 leads with 3 per impression.
    log = make_log(
        problem,
        2,
        slate=np.array([[2, -1, -1], [1, 0, -1]]),
        feedback={"click": np.zeros(2), "watch": np.array([3.0, 4.0])},
    )
    agent = agents.make("popularity", problem, target="watch", smoothing=1e-9)
    agent.fit(log)
    assert agent.act(everything(problem)).slates.tolist() == [[2, 0, 1]]
    np.testing.assert_allclose(agent.state_dict()["sums"], [2, 2, 3])
    scalar = agents.make("popularity", problem, target="reward")
    scalar.fit(log)  # the watch minutes weigh 0.5 in the scalar reward
    np.testing.assert_allclose(scalar.state_dict()["sums"], [1, 1, 1.5])


def test_popularity_credits_clicks_with_the_return_to_go_by_hand(make_problem, make_log):
    problem = make_problem(num_items=4, slate_size=2)
    # User 0 earns 3, then 1; user 1 earns 0, then 0. To go: 4, 1, 0, 0; day means: 2, .5.
    log = make_log(
        problem,
        4,
        user=np.array([0, 1, 0, 1]),
        day=np.array([0, 0, 5, 5]),
        slate=np.array([[0, 1], [2, 3], [1, 2], [3, -1]]),
        clicks=np.array([[1, 0], [1, 1], [1, 1], [0, 1]], dtype=np.int8),
        feedback={"click": np.zeros(4), "watch": np.array([3.0, 0.0, 1.0, 0.0])},
    )
    settings = {"target": "to_go", "long": "watch"}
    agent = agents.make("popularity", problem, credit="clicked", smoothing=1, **settings)
    agent.fit(log)
    state = agent.state_dict()
    # Clicked: item 0 on day 0 (2), item 1 on day 5 (.5), item 2 on both (-2, .5), item 3 (-2).
    np.testing.assert_allclose(state["sums"], [2, 0.5, -1.5, -2])
    np.testing.assert_allclose(state["impressions"], [1, 1, 2, 1])
    # With one click at 0: 1, .25, -.5, -1.
    assert agent.act(everything(problem)).slates.tolist() == [[0, 1]]
    shown = agents.make("popularity", problem, **settings)
    shown.fit(log)  # the items of a slate share: 1, 1 + .25, -1 + .25, -1 - .5
    np.testing.assert_allclose(shown.state_dict()["sums"], [1, 1.25, -0.75, -1.5])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"long": "watch"}, "'long' has no effect with target 'click', only with 'to_go'"),
        ({"credit": "clicked"}, "'credit: clicked' needs a target other than the click"),
        ({"target": "to_go"}, "no reward is called 'return'"),
    ],
)
def test_settings_of_popularity_without_effect(make_problem, settings, message):
    with pytest.raises(UserError, match=message):
        agents.make("popularity", make_problem(), **settings)


def test_returns_to_go_need_users(make_problem, make_log):
    problem = make_problem()
    agent = agents.make("popularity", problem, target="to_go", long="watch")
    with pytest.raises(UserError, match=r"does not identify its users: .* another 'target'"):
        agent.fit(make_log(problem, 3, anonymous=True))


def test_popularity_from_two_logs_is_popularity_from_both(make_problem, make_log):
    problem = make_problem(num_items=6)
    whole = make_log(problem, 30)
    once, twice = (agents.make("popularity", problem) for _ in range(2))
    once.fit(whole)
    twice.fit(whole.select(slice(0, 11)))
    twice.fit(whole.select(slice(11, 30)))
    for name, value in once.state_dict().items():
        np.testing.assert_allclose(twice.state_dict()[name], value)


def test_popularity_must_be_fitted(make_problem, observe_users):
    problem = make_problem()
    with pytest.raises(UserError, match=r"fitted on a log .*training_log"):
        agents.make("popularity", problem).act(observe_users(problem, 2))


def test_a_log_without_the_target_is_refused(make_problem, make_log):
    problem = make_problem()
    log = make_log(problem, 3, feedback={"watched": np.ones(3)})
    with pytest.raises(UserError, match=r"no feedback column 'watch'. Did you mean 'watched'?"):
        agents.make("popularity", problem, target="watch").fit(log)


@pytest.mark.parametrize("name", ["popularity", "epsilon_greedy", "linucb"])
def test_the_state_of_another_problem_is_refused(name, make_problem, make_log):
    small, large = make_problem(num_items=4), make_problem(num_items=5, items=3)
    agent = agents.make(name, small)
    agent.fit(make_log(small, 5))
    with pytest.raises(UserError, match="saved agent state"):
        agents.make(name, large).load_state_dict(agent.state_dict())


def test_oracle_shows_the_slate_of_its_objective(make_problem, observe_users):
    problem = make_problem()
    obs = observe_users(problem, 2)
    obs |= {"oracle_slate": np.array([[1, 0], [3, 2]]), "long_term_slate": np.array([[2, 3]] * 2)}
    immediate = agents.make("oracle", problem).act(obs)
    assert immediate.slates.tolist() == [[1, 0], [3, 2]]
    assert immediate.slate_propensities.tolist() == [1, 1]
    long_term = agents.make("oracle", problem, objective="long_term").act(obs)
    assert long_term.slates.tolist() == [[2, 3], [2, 3]]


def test_oracle_needs_a_simulation(make_problem, observe_users):
    problem = make_problem()
    with pytest.raises(UserError, match=r"'oracle_slate'.*reveal_state=True"):
        agents.make("oracle", problem).act(observe_users(problem, 2))
