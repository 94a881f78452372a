"""Thompson sampling for the MNL bandit: epochs, counts, draws, and what is learned."""

import math
from itertools import pairwise

import numpy as np
import pytest

import agents
from agents.bandits.mnl_bandit import against_nothing, gaussian
from agents.shared.targets import Outcomes
from recsim.errors import UserError


def shown(agent, obs):
    """Let the agent act and return the items of its slates."""
    return np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)


def test_only_choices_against_nothing_count():
    # Row 0: a click; row 1: nothing; row 2: two clicks; row 3: one item and padding, nothing.
    items = np.array([[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, -1, -1]])
    clicks = np.array([[0, 1, 0], [0, 0, 0], [1, 0, 1], [0, 0, 0]], dtype=float)
    kept = against_nothing(Outcomes(items, clicks))
    assert kept.items.tolist() == [[-1, 1, -1], [2, 1, 0], [1, -1, 2], [2, -1, -1]]


@pytest.mark.parametrize("posterior", ["beta", "gaussian"])
class TestEpochs:
    def test_of_one_user_by_hand(self, posterior, make_problem, make_feedback, observe_users):
        """The first slot is clicked, then the second, the first again, then none: one epoch."""
        problem = make_problem(num_items=20, slate_size=2)
        agent = agents.make("mnl_bandit", problem, posterior=posterior)
        agent.begin(1)
        slates = []
        for step, clicks in enumerate([[1, 0], [0, 1], [1, 0], [0, 0]]):
            slates.append(shown(agent, observe_users(problem, 1, seed=step)))  # in any order
            agent.observe(make_feedback(slates[-1], [clicks]))
        assert all((slate == slates[0]).all() for slate in slates)
        first, second = slates[0][0]
        state = agent.state_dict()
        # Clicks 2 and 1, one end each: three and two choices against nothing.
        assert state["sums"][[first, second]].tolist() == [2, 1]
        assert state["impressions"][[first, second]].tolist() == [3, 2]
        assert state["impressions"].sum() == 5
        assert state["running"].tolist() == [[-1, -1]]

    def test_every_row_has_its_own(self, posterior, make_problem, make_feedback, observe_users):
        problem = make_problem(num_items=60, slate_size=2, num_candidates=50)
        agent = agents.make("mnl_bandit", problem, posterior=posterior)
        agent.begin(100)
        obs = observe_users(problem, 100)
        before = shown(agent, obs)
        clicks = np.zeros((100, 2))
        clicks[:60, 1] = 1
        feedback = make_feedback(before, clicks)
        feedback.done[:20] = True
        agent.observe(feedback)
        obs["candidates"] = obs["candidates"][:, ::-1].copy()
        obs["candidates"][20:40] = (
            np.where(  # the first item is out of stock
                obs["candidates"][20:40] == before[20:40, :1], 1000, obs["candidates"][20:40]
            )
            % 1000
        )
        same = (shown(agent, obs) == before).all(axis=1)
        assert same[40:60].all()  # clicked: the epoch goes on
        for others in (same[:20], same[20:40], same[60:]):  # done, not offered, nothing clicked
            assert others.mean() < 0.7

    def test_end_with_begin_and_without_feedback(
        self, posterior, make_problem, make_feedback, observe_users
    ):
        problem = make_problem(num_items=200, slate_size=3)
        agent = agents.make("mnl_bandit", problem, posterior=posterior, seed=3)
        obs = observe_users(problem, 40)
        first = shown(agent, obs)
        agent.observe(make_feedback(first, np.ones((40, 3))))
        slates = [shown(agent, obs) for _ in range(2)]  # the first goes on, the second is new
        agent.observe(make_feedback(slates[1], np.ones((40, 3))))
        agent.begin(40)
        slates.append(shown(agent, obs))
        np.testing.assert_array_equal(slates[0], first)
        for before, after in pairwise(slates):
            assert (before != after).any(axis=1).mean() > 0.5

    def test_are_saved(self, posterior, make_problem, make_feedback, observe_users):
        problem = make_problem(num_items=50, slate_size=3)
        agent = agents.make("mnl_bandit", problem, posterior=posterior)
        obs = observe_users(problem, 10)
        before = shown(agent, obs)
        agent.observe(make_feedback(before, np.ones((10, 3))))
        fresh = agents.make("mnl_bandit", problem, posterior=posterior, seed=9)
        fresh.load_state_dict(agent.state_dict())
        np.testing.assert_array_equal(shown(fresh, obs), before)


def test_a_log_counts_like_feedback(make_problem, make_log, make_feedback):
    problem = make_problem(num_items=6, slate_size=3)
    log = make_log(problem, 50)
    assert (log.clicks.sum(axis=1) > 1).any()
    fitted, online = (agents.make("mnl_bandit", problem) for _ in range(2))
    assert fitted.fit(log).rows == 50
    online.observe(make_feedback(log.slate, log.clicks))
    for name in ("sums", "impressions"):
        np.testing.assert_array_equal(fitted.state_dict()[name], online.state_dict()[name])
    assert fitted.state_dict()["sums"].sum() == log.clicks.sum()


class TestDraws:
    USERS = 20_000

    def share_of_item_0(self, make_problem, make_feedback, **config):
        """How often item 0, of which nothing is known, beats item 1, which was clicked once."""
        problem = make_problem(num_items=2, slate_size=1)
        agent = agents.make("mnl_bandit", problem, **config)
        agent.observe(make_feedback([[1]], [[1]]))
        obs = {"candidates": np.tile([[0, 1]], (self.USERS, 1))}
        return (agent.act(obs).slates == 0).mean()

    def test_of_the_beta_posterior(self, make_problem, make_feedback):
        # 1 / (1 + v) is uniform for item 0 and Beta(1, 2) for item 1, with mean 1/3: that of item 0
        # is the smaller one, and its v the larger, with probability 1/3.
        share = self.share_of_item_0(make_problem, make_feedback)
        assert share == pytest.approx(1 / 3, abs=5 * math.sqrt(2 / 9 / self.USERS))

    @pytest.mark.parametrize("draws", [1, 2])
    def test_of_the_gaussian(self, draws, make_problem, make_feedback):
        # Item 0: mean 1, deviation sqrt 2. Item 1: mean 2, deviation sqrt 6. Item 0 wins where
        # 1 + z sqrt 2 > 2 + z sqrt 6, so z < -0.966; all draws must be below it.
        bound = -1 / (math.sqrt(6) - math.sqrt(2))
        chance = (0.5 * math.erfc(-bound / math.sqrt(2))) ** draws
        share = self.share_of_item_0(make_problem, make_feedback, posterior="gaussian", draws=draws)
        assert share == pytest.approx(chance, abs=5 * math.sqrt(chance / self.USERS))

    def test_mean_and_deviation_by_hand(self):
        mean, deviation = gaussian(np.array([3.0, 0.0]), np.array([1.0, 0.0]))
        assert mean.tolist() == [2, 1]
        np.testing.assert_allclose(deviation, [math.sqrt(3), math.sqrt(2)])


def test_draws_concentrate_at_the_true_values(make_problem, make_feedback):
    """Clicks by the logit itself: the counts' ratio is v, whatever else was shown."""
    rng = np.random.default_rng(0)
    values = np.array([0.2, 0.5, 1.0, 2.0])
    agent = agents.make("mnl_bandit", make_problem(num_items=4, slate_size=2))
    agent.begin(4000)
    obs = {"candidates": np.tile(np.arange(4), (4000, 1))}
    for _ in range(30):
        items = shown(agent, obs)
        weights = np.concatenate([values[items], np.ones((4000, 1))], axis=1).cumsum(axis=1)
        choice = (weights < rng.random((4000, 1)) * weights[:, -1:]).sum(axis=1)
        agent.observe(make_feedback(items, choice[:, None] == [0, 1]))
    state = agent.state_dict()
    ends = state["impressions"] - state["sums"]
    result = (1 + state["sums"]) / (1 + ends)
    error = np.sqrt(result * (result + 1) / (1 + ends))
    assert (np.abs(result - values) < 4 * error).all()
    assert error[-2:].max() < 0.05  # the good items are known well


def test_propensities_are_unknown(make_problem, observe_users):
    problem = make_problem()
    agent = agents.make("mnl_bandit", problem)
    obs = observe_users(problem, 3)
    assert agent.act(obs).propensities is None
    assert agent.propensities(obs, np.zeros((3, 2), dtype=np.int64)) is None


def test_draws_are_refused_where_they_have_no_effect(make_problem):
    message = "'draws' has no effect with posterior 'beta', only with 'gaussian': remove it"
    with pytest.raises(UserError, match=message):
        agents.make("mnl_bandit", make_problem(), draws=3)


def test_counts_of_another_catalogue_are_refused(make_problem):
    state = agents.make("mnl_bandit", make_problem(num_items=4)).state_dict()
    with pytest.raises(UserError, match=r"has \(4,\) items, this catalogue \(5,\)"):
        agents.make("mnl_bandit", make_problem(num_items=5)).load_state_dict(state)


@pytest.mark.parametrize("posterior", ["beta", "gaussian"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_comes_close_to_the_oracle_of_a_logit_world(play_alike, posterior, seed):
    choice = {"kind": "multinomial_logit", "no_click": 3.0}
    chance, _ = play_alike("random", choice, seed)
    result, best = play_alike("mnl_bandit", choice, seed, posterior=posterior)
    assert result > chance + 0.8 * (best - chance)
