"""TS-MNL: the estimate, the draws, and what is learned."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

import agents
from agents.bandits.linear_features import Concat, Outer
from recsim.errors import UserError
from recsim.log import SlateLog


def joint(problem, interactions, user, item):
    """The joint feature vector of one user and one item, written out."""
    u = np.concatenate([[1.0], user])
    v = np.concatenate([[1.0], problem.item_features[item]])
    return np.kron(u, v) if interactions == "outer" else np.concatenate([u, v[1:]])


@pytest.mark.parametrize("limit", [0, 8])  # gathering features, and scoring the catalogue
@pytest.mark.parametrize(("interactions", "kind"), [("outer", Outer), ("concat", Concat)])
def test_utilities_of_a_shared_or_own_theta(interactions, kind, limit, make_problem, monkeypatch):
    monkeypatch.setattr("agents.bandits.linear_features._WHOLE_CATALOGUE", limit)
    problem = make_problem(num_items=6)
    rng = np.random.default_rng(0)
    features = kind(np.hstack([np.ones((6, 1)), problem.item_features]), 4)
    users, candidates = rng.normal(size=(5, 3)), rng.integers(6, size=(5, 3))
    with_one = np.hstack([np.ones((5, 1)), users])
    own = rng.normal(size=(5, features.size))
    for theta in (own, own[0]):
        expected = [
            [joint(problem, interactions, users[b], i) @ (theta[b] if theta.ndim == 2 else theta)]
            for b in range(5)
            for i in candidates[b]
        ]
        result = features.utilities(with_one, candidates, theta)
        np.testing.assert_allclose(result.ravel(), np.ravel(expected))


@pytest.mark.parametrize("interactions", ["outer", "concat"])
class TestEstimate:
    def case(self, make_problem, make_log, interactions):
        problem = make_problem(num_items=8, slate_size=3, users=2)
        log = make_log(problem, 60)
        log.slate[::5, 2] = -1
        log.clicks[::5, 2] = 0
        agent = agents.make("ts_mnl", problem, ridge=0.5, interactions=interactions)
        return problem, log, agent

    def objective(self, problem, log, interactions):
        """Return the negative log posterior as a function of theta, one slate at a time."""
        slates = []
        for m in range(len(log)):
            user = log.user_features[log.user[m]]
            seen = [k for k in range(3) if log.slate[m, k] >= 0]
            x = np.array([joint(problem, interactions, user, log.slate[m, k]) for k in seen])
            slates.append((x, log.clicks[m, seen].astype(float)))

        def value(theta):
            total = 0.25 * theta @ theta  # ridge / 2
            for x, clicks in slates:
                u = x @ theta
                total -= clicks @ u - max(clicks.sum(), 1) * np.log1p(np.exp(u).sum())
            return total

        return value

    def test_of_one_log_is_the_exact_maximum(
        self, interactions, make_problem, make_log, monkeypatch
    ):
        # several blocks even of this small log
        monkeypatch.setattr("agents.bandits.linear._BLOCK", 200)
        problem, log, agent = self.case(make_problem, make_log, interactions)
        report = agent.fit(log)
        value = self.objective(problem, log, interactions)
        state = agent.state_dict()
        best = minimize(value, np.zeros(len(state["theta"])), tol=1e-12)
        np.testing.assert_allclose(state["theta"], best.x, atol=2e-4)
        assert report.rows == 60
        assert report.losses[-1]["loss"] * 60 == pytest.approx(best.fun, abs=1e-6)

    def test_its_precision_is_the_curvature_there(self, interactions, make_problem, make_log):
        problem, log, agent = self.case(make_problem, make_log, interactions)
        agent.fit(log)
        value, state = self.objective(problem, log, interactions), agent.state_dict()
        theta, size, h = state["theta"], len(state["theta"]), 1e-3
        steps = h * np.eye(size)
        differences = np.array(
            [
                [
                    value(theta + a + b)
                    - value(theta + a - b)
                    - value(theta - a + b)
                    + value(theta - a - b)
                    for b in steps
                ]
                for a in steps
            ]
        )
        np.testing.assert_allclose(state["precision"], differences / (4 * h * h), atol=2e-4)

    def test_feedback_at_once_is_the_same_as_a_log(
        self, interactions, make_problem, make_log, make_feedback
    ):
        problem, log, fitted = self.case(make_problem, make_log, interactions)
        fitted.fit(log)
        online = agents.make("ts_mnl", problem, ridge=0.5, interactions=interactions)
        candidates = np.tile(np.arange(8), (61, 1))
        users = np.concatenate([log.user_features, np.ones((1, 2))])
        online.act({"user_features": users, "candidates": candidates})
        slates = np.concatenate([log.slate, [[0, 1, 2]]])
        clicks = np.concatenate([log.clicks, [[1, 0, 0]]])
        online.observe(make_feedback(slates, clicks, active=[True] * 60 + [False]))
        for name in ("theta", "precision"):
            np.testing.assert_allclose(online.state_dict()[name], fitted.state_dict()[name])

    def test_several_logs_add_up_approximately(self, interactions, make_problem, make_log):
        problem, _, once = self.case(make_problem, make_log, interactions)
        logs = [make_log(problem, 200, seed=seed) for seed in range(3)]
        pieces = agents.make("ts_mnl", problem, ridge=0.5, interactions=interactions)
        for log in logs:
            pieces.fit(log)
        once.fit(SlateLog.concat(logs))
        theta = once.state_dict()["theta"]
        deviation = np.sqrt(np.diag(np.linalg.inv(once.state_dict()["precision"])))
        # Far within what the data leave open.
        assert (np.abs(pieces.state_dict()["theta"] - theta) < 0.3 * deviation).all()


class TestDraws:
    USERS = 20_000

    def case(self, make_problem, make_log, users, **config):
        problem = make_problem(num_items=2, slate_size=1, users=0)
        agent = agents.make("ts_mnl", problem, **config)
        agent.fit(make_log(problem, 40))
        obs = {
            "candidates": np.tile([[0, 1]], (users, 1)),
            "user_features": np.zeros((users, 0), dtype=np.float32),
        }
        return problem, agent, obs

    @pytest.mark.parametrize("alpha", [0.5, 2.0])
    def test_have_the_covariance_of_the_posterior(self, alpha, make_problem, make_log):
        problem, agent, obs = self.case(make_problem, make_log, self.USERS, alpha=alpha)
        state = agent.state_dict()
        x = joint(problem, "outer", [], 0) - joint(problem, "outer", [], 1)
        mean = x @ state["theta"]
        deviation = alpha * math.sqrt(x @ np.linalg.solve(state["precision"], x))
        chance = 0.5 * math.erfc(-mean / deviation / math.sqrt(2))
        share = (agent.act(obs).slates == 0).mean()
        assert 0.02 < chance < 0.98
        assert share == pytest.approx(chance, abs=5 * math.sqrt(0.25 / self.USERS))

    def test_are_shared_by_the_batch_only_on_request(self, make_problem, make_log):
        for shared in (False, True):
            _, agent, obs = self.case(make_problem, make_log, 50, alpha=20.0, shared=shared)
            kinds = [len(set(agent.act(obs).slates.ravel().tolist())) for _ in range(20)]
            assert set(kinds) == ({1} if shared else {2})

    def test_the_maximum_of_several_draws_favours_uncertain_items(self, make_problem):
        """Item 1 has the larger features, so the prior knows its utility less well."""
        problem = make_problem(num_items=2, slate_size=1, users=0, items=1)
        problem = replace(problem, item_features=np.array([[0.0], [2.0]], dtype=np.float32))
        obs = {
            "candidates": np.tile([[0, 1]], (5000, 1)),
            "user_features": np.zeros((5000, 0), dtype=np.float32),
        }
        shares = [
            agents.make("ts_mnl", problem, draws=draws).act(obs).slates.mean()
            for draws in (1, 4, 16)
        ]
        assert shares[0] == pytest.approx(0.5, abs=0.04)
        assert shares[0] + 0.2 < shares[1]
        assert shares[1] + 0.02 < shares[2]

    def test_do_not_depend_on_the_blocks(self, make_problem, make_log, observe_users, monkeypatch):
        problem = make_problem(num_items=9, slate_size=3)
        slates = []
        for size in (2**22, 100):
            monkeypatch.setattr("agents.bandits.linear._BLOCK", size)
            agent = agents.make("ts_mnl", problem)
            agent.fit(make_log(problem, 20))
            slates.append(agent.act(observe_users(problem, 30)).slates)
        np.testing.assert_array_equal(*slates)


def test_feedback_must_follow_a_decision(make_problem, make_feedback):
    agent = agents.make("ts_mnl", make_problem())
    with pytest.raises(RuntimeError, match="must follow act"):
        agent.observe(make_feedback([[0, 1]], [[0, 0]]))


def test_misfits_are_refused(make_problem, make_log):
    agent = agents.make("ts_mnl", make_problem(users=3))
    with pytest.raises(UserError, match=r"'ts_mnl' expects 3 user features; the log has 2"):
        agent.fit(make_log(make_problem(users=2), 5))
    state = agents.make("ts_mnl", make_problem(users=2)).state_dict()
    with pytest.raises(UserError, match=r"'ts_mnl' .* has 9 joint features; here there are 12"):
        agent.load_state_dict(state)
    bare = replace(make_problem(num_items=600), item_features=np.zeros((600, 0), dtype=np.float32))
    with pytest.raises(UserError, match="'ts_mnl' needs features of the items"):
        agents.make("ts_mnl", bare)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_comes_close_to_the_oracle_where_tastes_differ(play_personal, seed):
    unaware, _ = play_personal("mnl_bandit", seed)
    result, best = play_personal("ts_mnl", seed)
    optimistic, _ = play_personal("ts_mnl", seed, draws=4)
    # The best single slate for all users is far below the best for each.
    assert unaware + 0.1 < min(result, optimistic)
    assert min(result, optimistic) > 0.95 * best
