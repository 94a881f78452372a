import dataclasses

import numpy as np
import pytest
import torch

import agents
from recsim.errors import UserError
from recsim.estimators import evaluate
from recsim.log import SlateLog, read_log

QUICK = {"dim": 4, "batch_size": 256, "steps": 400, "learning_rate": 0.05}
METHODS = {
    "rel_mf": QUICK,
    "mf": {"method": "mf", **QUICK},
    "wmf": {"method": "wmf", "weight": 3, **QUICK},
    "wmf, unclicked": {"method": "wmf", "weight": 0.3, "weight_on": "unclicked", **QUICK},
    "expomf": {"method": "expomf", "dim": 4, "l2": 0.01},
    "non-negative": {"non_negative": True, **QUICK},
}


@pytest.fixture
def log_of(make_problem, make_log):
    """Build a log in which every user was shown every item, from a matrix of clicks."""

    def build(clicks) -> SlateLog:
        clicks = np.asarray(clicks, dtype=np.int8)
        users, items = clicks.shape
        problem = make_problem(num_items=items, slate_size=2, users=1)
        user, item = np.divmod(np.arange(clicks.size), items)
        slate = np.stack([item, np.full_like(item, -1)], axis=1)
        return make_log(
            problem,
            clicks.size,
            user=user,
            slate=slate,
            clicks=np.stack([clicks[user, item], np.zeros_like(user)], axis=1).astype(np.int8),
            user_features=np.arange(users, dtype=np.float32)[:, None],
        )

    return build


@pytest.fixture
def two_tastes(log_of):
    """Users 0 ... 19 click even items, users 20 ... 39 odd ones, with seven misses each."""
    rng = np.random.default_rng(0)
    taste = np.arange(40)[:, None] // 20 == np.arange(16) % 2
    return log_of(taste & (rng.random(taste.shape) < 0.8))


def obs_of(log, users, history=(), clicked=()):
    """Return the observation of some users, with the whole catalogue as candidates."""
    batch = len(users)
    return {
        "user": np.array(users),
        "user_features": np.array(users, dtype=np.float32)[:, None],
        "candidates": np.tile(np.arange(log.problem.num_items), (batch, 1)),
        "history_items": np.tile(np.array([*history, -1]), (batch, 1)),
        "history_clicks": np.tile(np.array([*clicked, 0]), (batch, 1)),
    }


@pytest.mark.parametrize("name", METHODS)
def test_users_are_shown_items_that_similar_users_click(two_tastes, name):
    agent = agents.make("rel_mf", two_tastes.problem, seed=1, **METHODS[name])
    report = agent.fit(two_tastes)
    assert report.rows == len(two_tastes)
    slates = agent.act(obs_of(two_tastes, [0, 7, 25, 39])).slates
    assert (slates % 2).tolist() == [[0, 0], [0, 0], [1, 1], [1, 1]]


def test_losses_fall(two_tastes):
    agent = agents.make("rel_mf", two_tastes.problem, seed=1, **QUICK)
    losses = [row["loss"] for row in agent.fit(two_tastes).losses]
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


def test_relevance_is_separated_from_exposure(log_of):
    # All items are equally relevant, but they are seen with different probabilities.
    rng = np.random.default_rng(2)
    theta = np.linspace(1.0, 0.2, 9)
    log = log_of((rng.random((400, 9)) < 0.6) & (rng.random((400, 9)) < theta))
    scores = {}
    for method in ("mf", "rel_mf"):
        extra = {"power": 1.0, "clip": 0.0} if method == "rel_mf" else {}
        agent = agents.make(
            "rel_mf", log.problem, method=method, dim=1, batch_size=1024, l2=1e-4, **extra
        )
        agent.fit(log)
        logits = agent.scores(obs_of(log, range(400)))
        scores[method] = (1 / (1 + np.exp(-logits))).mean(axis=0)  # (B, I) -> (I,)
    # Plain factorisation estimates the lowest relevance for the item seen least.
    assert scores["mf"][0] - scores["mf"][-1] > 0.3
    assert np.ptp(scores["rel_mf"]) < 0.1


def test_an_unknown_user_is_represented_by_their_clicks(two_tastes):
    agent = agents.make("rel_mf", two_tastes.problem, seed=1, **QUICK)
    agent.fit(two_tastes)
    even = obs_of(two_tastes, [999], history=[2, 3, 6], clicked=[1, 0, 1])
    odd = obs_of(two_tastes, [999], history=[2, 3, 7], clicked=[0, 1, 1])
    assert (agent.act(even).slates % 2 == 0).all()
    assert (agent.act(odd).slates % 2 == 1).all()
    del even["user"]  # simulations have no user ids
    assert (agent.act(even).slates % 2 == 0).all()


def test_the_same_id_with_other_features_is_an_unknown_user(two_tastes):
    agent = agents.make("rel_mf", two_tastes.problem, seed=1, **QUICK)
    agent.fit(two_tastes)
    obs = obs_of(two_tastes, [0], history=[3, 5], clicked=[1, 1])
    assert (agent.act(obs).slates % 2 == 0).all()
    obs["user_features"] = obs["user_features"] + 1
    assert (agent.act(obs).slates % 2 == 1).all()


def test_users_who_are_not_in_the_log_do_not_count(two_tastes):
    some = two_tastes.select((two_tastes.user >= 20) & (two_tastes.user % 2 == 0))
    agent = agents.make("rel_mf", some.problem, seed=1, **QUICK)
    agent.fit(some)
    assert (agent.act(obs_of(some, [20, 38])).slates % 2 == 1).all()
    # User 5 was not in the log, and is shown what all others like.
    assert (agent.act(obs_of(some, [5])).slates % 2 == 1).all()


def test_the_slate_has_the_highest_scores_and_propensity_one(two_tastes):
    agent = agents.make("rel_mf", two_tastes.problem, **QUICK)
    agent.fit(two_tastes)
    obs = obs_of(two_tastes, [0, 39])
    obs["candidates"] = np.array([[5, 2, 9, 4], [8, 3, 1, 0]])
    decision = agent.act(obs)
    best = np.argsort(-agent.scores(obs), axis=1)[:, :2]
    assert decision.slates.tolist() == best.tolist()
    assert (decision.propensities == 1).all()
    assert (decision.slate_propensities == 1).all()
    items = np.take_along_axis(obs["candidates"], best, axis=1)
    assert agent.propensities(obs, items).tolist() == [[1, 1], [1, 1]]
    assert agent.propensities(obs, items[:, ::-1]).tolist() == [[0, 0], [0, 0]]


def test_equal_scores_go_to_the_candidate_listed_first(two_tastes):
    agent = agents.make("rel_mf", two_tastes.problem, **QUICK)
    agent.fit(two_tastes)
    state = agent.state_dict()
    state["audience"]["items"][:] = 1.0
    agent.load_state_dict(state)
    assert agent.act(obs_of(two_tastes, [0, 39])).slates.tolist() == [[0, 1], [0, 1]]


def test_fitting_does_not_change_the_log_and_depends_on_the_seed(two_tastes):
    before = [two_tastes.clicks.copy(), two_tastes.slate.copy(), two_tastes.user.copy()]

    def scores(seed):
        agent = agents.make("rel_mf", two_tastes.problem, seed=seed, **QUICK)
        agent.fit(two_tastes)
        return agent.scores(obs_of(two_tastes, [0]))

    assert np.array_equal(scores(1), scores(1))
    assert not np.array_equal(scores(1), scores(2))
    for old, array in zip(
        before, (two_tastes.clicks, two_tastes.slate, two_tastes.user), strict=True
    ):
        assert np.array_equal(old, array)


def test_items_without_clicks_are_supported(log_of):
    clicks = np.zeros((6, 5))
    clicks[:, 1] = 1
    log = log_of(clicks)
    agent = agents.make("rel_mf", log.problem, clip=0.0, **QUICK)
    agent.fit(log)
    assert np.isfinite(agent.scores(obs_of(log, [0]))).all()
    assert agent.act(obs_of(log, [3])).slates[0, 0] == 1


def test_unsuitable_logs_are_refused(two_tastes):
    agent = agents.make("rel_mf", two_tastes.problem)
    with pytest.raises(UserError, match=r"must be fitted on a log before it can act"):
        agent.act(obs_of(two_tastes, [0]))
    rows = len(two_tastes)
    anonymous = dataclasses.replace(two_tastes, anonymous=True, user=np.arange(rows))
    with pytest.raises(UserError, match=r"does not know its users: it is anonymous"):
        agent.fit(anonymous)
    with pytest.raises(UserError, match=r"learns from clicks, but the log has none"):
        agent.fit(dataclasses.replace(two_tastes, clicks=np.zeros_like(two_tastes.clicks)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"method": "mf", "clip": 0.1},
            r"'clip' has no effect with method 'mf', only with 'rel",
        ),
        ({"weight": 2}, r"'weight' has no effect with method 'rel_mf', only with 'wmf'"),
        (
            {"method": "expomf", "steps": 5},
            r"'steps' has no effect .*'rel_mf' or 'mf' or",
        ),
        ({"method": "expomf", "l2": 0}, r"'l2' must be above 0 for 'expomf'"),
        ({"clip": 1.5}, r"config\.clip: must be"),
        ({"method": "relmf"}, r"config\.method: must be 'rel_mf', 'mf'"),
        ({"dims": 5}, r"config\.dims: unknown key\. Did you mean 'dim'"),
    ],
)
def test_wrong_settings_are_refused(config, message):
    with pytest.raises(UserError, match=message):
        agents.configure("rel_mf", **config)


def test_a_missing_device_is_refused(make_problem):
    with pytest.raises(UserError, match=r"no device 'nowhere' here"):
        agents.make("rel_mf", make_problem(), device="nowhere")


def test_a_state_of_another_catalogue_is_refused(two_tastes, make_problem):
    agent = agents.make("rel_mf", two_tastes.problem, **QUICK)
    agent.fit(two_tastes)
    with pytest.raises(UserError, match=r"it has 16 items; there are 9"):
        agents.make("rel_mf", make_problem(num_items=9)).load_state_dict(agent.state_dict())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", METHODS)
def test_a_gpu_learns_the_same(two_tastes, name):
    agent = agents.make("rel_mf", two_tastes.problem, device="cuda", **METHODS[name])
    agent.fit(two_tastes)
    slates = agent.act(obs_of(two_tastes, [0, 39])).slates
    assert (slates % 2).tolist() == [[0, 0], [1, 1]]
    fresh = agents.make("rel_mf", two_tastes.problem, device="cuda", **METHODS[name])
    fresh.load_state_dict(agent.state_dict())
    assert np.array_equal(fresh.act(obs_of(two_tastes, [0, 39])).slates, slates)


def test_on_random_coats_it_beats_chance(data_dir):
    train = read_log("coat", path=data_dir / "coat")
    test = read_log("coat", path=data_dir / "coat", split="test")
    agent = agents.make("rel_mf", test.problem, seed=0, steps=300, batch_size=1024)
    agent.fit(train)
    (value,) = evaluate(test, agent, ["ips"], samples=200)
    # 18.5 % of random coats are liked; the standard error over 290 users is near 0.03.
    assert value.value > test.reward.mean() + 0.08
    assert value.ess == pytest.approx(290)
