from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.bandits.linear_features import Concat, Outer
from agents.shared.slates import top_slates
from recsim.errors import UserError
from recsim.problem import Problem


def joint(problem, interactions, user, item):
    """The joint feature vector of one user and one item, written out."""
    u = np.concatenate([[1.0], user])
    v = np.concatenate([[1.0], problem.item_features[item]])
    return np.kron(u, v) if interactions == "outer" else np.concatenate([u, v[1:]])


def rows_of(problem, log, interactions, target):
    """Design matrix and response of the regression, one row at a time."""
    features, response = [], []
    for m in range(len(log)):
        user = log.user_features[log.user[m]]
        seen = [k for k in range(log.slate.shape[1]) if log.slate[m, k] >= 0]
        vectors = [joint(problem, interactions, user, log.slate[m, k]) for k in seen]
        if target == "click":
            features += vectors
            response += [log.clicks[m, k] for k in seen]
        else:  # one observation per slate: the sum over its items
            features.append(np.sum(vectors, axis=0))
            response.append(log.feedback[target][m])
    return np.array(features), np.array(response)


@pytest.mark.parametrize("target", ["click", "watch"])
@pytest.mark.parametrize("interactions", ["outer", "concat"])
class TestAgainstRidgeRegression:
    def setup_case(self, make_problem, make_log, interactions, target):
        problem = make_problem(num_items=12, slate_size=3, num_candidates=7)
        log = make_log(problem, 40)
        log.slate[::5, 2] = -1
        features, response = rows_of(problem, log, interactions, target)
        square = features.T @ features + 0.7 * np.eye(features.shape[1])
        agent = agents.make(
            "linucb", problem, ridge=0.7, alpha=1.3, interactions=interactions, target=target
        )
        return problem, log, agent, square, features.T @ response

    def test_fit_solves_the_regression(
        self, interactions, target, make_problem, make_log, monkeypatch
    ):
        monkeypatch.setattr(
            "agents.bandits.linear._BLOCK", 100
        )  # several blocks even of this small log
        case = self.setup_case(make_problem, make_log, interactions, target)
        _, log, agent, square, moment = case
        assert agent.fit(log).rows == 40
        state = agent.state_dict()
        np.testing.assert_allclose(state["square"], square, atol=1e-10)
        np.testing.assert_allclose(state["moment"], moment, atol=1e-10)

    @pytest.mark.parametrize("limit", [0, 8])  # gathering features, and scoring the catalogue
    def test_slates_have_the_highest_bounds(
        self, interactions, target, limit, make_problem, make_log, observe_users, monkeypatch
    ):
        monkeypatch.setattr("agents.bandits.linear_features._WHOLE_CATALOGUE", limit)
        monkeypatch.setattr("agents.bandits.linear._BLOCK", 60)
        case = self.setup_case(make_problem, make_log, interactions, target)
        problem, log, agent, square, moment = case
        agent.fit(log)
        obs = observe_users(problem, 25)
        theta, inverse = np.linalg.solve(square, moment), np.linalg.inv(square)
        bounds = np.empty(obs["candidates"].shape)
        for b, c in np.ndindex(bounds.shape):
            x = joint(problem, interactions, obs["user_features"][b], obs["candidates"][b, c])
            bounds[b, c] = theta @ x + 1.3 * np.sqrt(x @ inverse @ x)
        np.testing.assert_array_equal(agent.act(obs).slates, top_slates(bounds, 3))

    def test_feedback_at_once_or_one_by_one_or_from_a_log_is_the_same(
        self, interactions, target, make_problem, make_log, make_feedback
    ):
        problem, log, fitted, *_ = self.setup_case(make_problem, make_log, interactions, target)
        fitted.fit(log)
        at_once, one_by_one = (
            agents.make("linucb", problem, ridge=0.7, interactions=interactions, target=target)
            for _ in range(2)
        )

        def hear(agent, rows):
            users = log.user_features[log.user[rows]]
            candidates = np.tile(np.arange(7), (len(users), 1))
            agent.act({"user_features": users, "candidates": candidates})
            watch = log.feedback["watch"][rows]
            agent.observe(make_feedback(log.slate[rows], log.clicks[rows], watch=watch))

        hear(at_once, slice(0, 40))
        for m in range(40):
            hear(one_by_one, slice(m, m + 1))
        for name, value in fitted.state_dict().items():
            np.testing.assert_allclose(at_once.state_dict()[name], value, atol=1e-10)
            np.testing.assert_allclose(one_by_one.state_dict()[name], value, atol=1e-10)


def test_bounds_by_hand():
    """One user feature u, no item features: x = (1, u). Clicks 1 at u = 2 and 0 at u = 0.

    A = I + (1,2)(1,2)^T + (1,0)(1,0)^T = [[3, 2], [2, 5]] and b = (1, 2), so
    A^-1 = [[5, -2], [-2, 3]]/11 and theta = (1/11, 4/11).
    At u = 1: mean 5/11, variance (5 - 4 + 3)/11 = 4/11.
    """
    for features in (Outer(np.ones((3, 1)), 2), Concat(np.ones((3, 1)), 2)):
        users = np.array([[1.0, 2.0], [1.0, 0.0]])
        square, moment = features.sums(users, np.ones((2, 1, 1)), np.array([[1.0], [0.0]]))
        np.testing.assert_allclose(square + np.eye(2), [[3, 2], [2, 5]])
        np.testing.assert_allclose(moment, [1, 2])
        inverse = np.array([[5, -2], [-2, 3]]) / 11
        mean, variance = features.moments(
            np.array([[1.0, 1.0]]), np.array([[0, 2]]), inverse @ moment, inverse
        )
        np.testing.assert_allclose(mean, [[5 / 11, 5 / 11]])
        np.testing.assert_allclose(variance, [[4 / 11, 4 / 11]])


def two_items(**config):
    """Two items with features 1 and 0, one slot, no user features: x = (1, f)."""
    problem = Problem(
        num_items=2,
        item_features=np.array([[1.0], [0.0]], dtype=np.float32),
    )
    agent = agents.make("linucb", problem, **config)
    agent.begin(1)
    return agent, {"candidates": np.array([[1, 0]]), "user_features": np.zeros((1, 0))}


@pytest.mark.parametrize(("alpha", "first"), [(0.0, 0), (0.393, 0), (0.394, 1)])
def test_alpha_weighs_uncertainty(make_feedback, alpha, first):
    # Item 0 (x = (1, 1)) shown nine times with three clicks: A = [[10, 9], [9, 10]], b = (3, 3).
    # A^-1 = [[10, -9], [-9, 10]]/19, theta = (3/19, 3/19).
    # Item 0: mean 6/19, variance 2/19. Item 1 (x = (1, 0)): mean 3/19, variance 10/19.
    # Item 1 leads from alpha = (3/19) / (sqrt(10/19) - sqrt(2/19)) = 0.3937.
    agent, obs = two_items(alpha=alpha, ridge=1)
    for step in range(9):
        agent.act(obs)
        agent.observe(make_feedback([[0]], [[int(step < 3)]]))
    items = np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)
    assert items.tolist() == [[first]]


def test_inactive_rows_are_ignored(make_problem, make_log, observe_users, make_feedback):
    problem = make_problem(num_items=6)
    one, other = (agents.make("linucb", problem) for _ in range(2))
    obs = observe_users(problem, 4)
    slates = one.act(obs).slates
    other.act(obs)
    items = np.take_along_axis(obs["candidates"], slates, axis=1)
    active = np.array([True, False, True, False])
    clicks = np.ones(items.shape, dtype=int)
    one.observe(make_feedback(items, clicks, active=active))
    other.observe(make_feedback(items, clicks * active[:, None], active=active))
    np.testing.assert_array_equal(one.state_dict()["moment"], other.state_dict()["moment"])
    third = agents.make("linucb", problem)
    third.act({name: value[active] for name, value in obs.items()})
    third.observe(make_feedback(items[active], clicks[active]))
    np.testing.assert_allclose(one.state_dict()["square"], third.state_dict()["square"])


def test_propensities_do_not_affect_learning(make_problem, observe_users, make_feedback):
    problem = make_problem(num_items=6)
    one, other = (agents.make("linucb", problem) for _ in range(2))
    obs = observe_users(problem, 4)
    items = np.take_along_axis(obs["candidates"], one.act(obs).slates, axis=1)
    other.act(obs)
    other.propensities(observe_users(problem, 9, seed=3), np.zeros((9, 2), dtype=int))
    for agent in (one, other):
        agent.observe(make_feedback(items, np.ones(items.shape)))
    np.testing.assert_array_equal(one.state_dict()["moment"], other.state_dict()["moment"])


def test_auto_multiplies_features_only_while_they_are_few(make_problem):
    def size(users, items, interactions="auto"):
        problem = make_problem(users=users, items=items)
        return len(agents.make("linucb", problem, interactions=interactions).state_dict()["moment"])

    assert size(8, 8) == 81
    assert size(31, 15) == 512
    assert size(32, 15) == 33 + 15
    assert size(32, 15, "outer") == 33 * 16
    assert size(8, 8, "concat") == 17


def test_a_log_with_other_user_features_is_refused(make_problem, make_log):
    agent = agents.make("linucb", make_problem(users=3))
    log = make_log(make_problem(users=3), 5, user_features=np.zeros((5, 2), dtype=np.float32))
    with pytest.raises(UserError, match=r"expects 3 user features; the log has 2"):
        agent.fit(log)


def test_user_features_of_a_log_are_optional_if_the_problem_has_none(make_problem, make_log):
    problem = make_problem(users=0)
    log = make_log(problem, 5, user_features=np.zeros((0, 0), dtype=np.float32))
    assert agents.make("linucb", problem).fit(log).rows == 5


def test_feedback_without_a_decision_is_refused(make_problem, make_feedback):
    with pytest.raises(RuntimeError, match="act"):
        agents.make("linucb", make_problem()).observe(make_feedback([[0, 1]], [[0, 0]]))


class PlantedBandit:
    """Users in two camps who like opposite items, and a few items that all like a little."""

    users, steps = 32, 60

    def __init__(self) -> None:
        rng = np.random.default_rng(11)
        taste = rng.normal(size=(40, 3))
        self.problem = Problem(
            num_items=40,
            slate_size=3,
            num_candidates=20,
            user_feature_dim=2,
            item_features=taste.astype(np.float32),
        )
        self.taste = taste

    def clicks_per_item(self, name, seed, make_feedback, **config):
        """Mean click rate of the last half of the run."""
        rng = np.random.default_rng([seed, 99])
        agent = agents.make(name, self.problem, seed=seed, **config)
        agent.begin(self.users)
        rates = []
        for _ in range(self.steps):
            camp = rng.choice([-1.0, 1.0], self.users)
            noise = rng.normal(size=self.users)
            candidates = np.argsort(rng.random((self.users, 40)), axis=1)[:, :20]
            obs = {"user_features": np.stack([camp, noise], 1), "candidates": candidates}
            items = np.take_along_axis(candidates, agent.act(obs).slates, axis=1)
            logit = 1.5 * camp[:, None] * self.taste[items, 0] + self.taste[items, 1] - 1.5
            clicks = rng.random(items.shape) < 1 / (1 + np.exp(-logit))
            agent.observe(make_feedback(items, clicks))
            rates.append(clicks.mean())
        return np.mean(rates[self.steps // 2 :])


def test_online_learning_on_a_planted_bandit(make_feedback):
    bandit, seeds = PlantedBandit(), range(5)
    rate = {
        name: np.array([bandit.clicks_per_item(name, seed, make_feedback) for seed in seeds])
        for name in ("random", "epsilon_greedy", "linucb")
    }

    def clearly_better(one, other):
        gain = rate[one] - rate[other]
        return gain.mean() > 6 * gain.std(ddof=1) / np.sqrt(len(seeds)) and gain.min() > 0

    # The per-item means find what all users like; only the joint model finds what each camp likes.
    assert clearly_better("epsilon_greedy", "random")
    assert clearly_better("linucb", "epsilon_greedy")


def test_without_interactions_the_ranking_is_not_personal(make_feedback):
    bandit = PlantedBandit()
    personal = bandit.clicks_per_item("linucb", 0, make_feedback, interactions="outer")
    common = bandit.clicks_per_item("linucb", 0, make_feedback, interactions="concat")
    assert personal > common + 0.1


def test_items_without_features_get_a_column_each(make_problem, observe_users, make_log):
    problem = make_problem(num_items=6, slate_size=1, users=0, items=0)
    agent = agents.make("linucb", problem, alpha=0.0)
    log = make_log(problem, 400)
    clicks = (log.slate == 4).astype(np.int8)  # item 4 is always clicked, the others never
    agent.fit(replace(log, clicks=clicks, feedback={**log.feedback, "click": clicks[:, 0]}))
    obs = observe_users(problem, 3)
    chosen = np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)
    assert chosen.tolist() == [[4]] * 3
    with pytest.raises(UserError, match="'linucb' needs features of the items"):
        agents.make("linucb", make_problem(num_items=600, slate_size=1, items=0))
