"""Critiques of linear recommenders: identities, and improved success."""

import numpy as np
import pytest

import agents
from agents.bot_play import BotPlayAgent, BotPlayConfig
from agents.critiquing.bayes import BayesCritiquingAgent
from agents.critiquing.gaussian import critiqued_mean
from agents.critiquing.linear import LinearCritiquingAgent
from recsim.critiquing import planted_reviews
from recsim.errors import UserError
from recsim.settings import validated

METHODS = ("uac", "bac", "llc", "llc_sum_to_one")
BASES = {
    "bpr": {"base": "bpr", "bpr": {"dim": 4, "epochs": 3}},
    "plrec": {"base": "plrec", "plrec": {"dim": 6}},
}


@pytest.fixture(scope="module", params=BASES)
def base(request):
    """Settings of a base recommender."""
    return BASES[request.param]


def linear(problem, base, method, **settings):
    config = {"base": base, "method": method} | settings
    return agents.make("linear_critiquing", problem, seed=1, **config)


def order(scores):
    return np.argsort(-scores, axis=1, kind="stable")


@pytest.mark.parametrize("method", METHODS)
def test_before_any_critique_it_ranks_like_the_base(data, problem_of, observe, base, method):
    agent = linear(problem_of(data), base, method)
    agent.fit(data)
    recommender = BotPlayAgent(
        validated(BotPlayConfig, base | {"fine_tuning": "none", "listens": False}, ""),
        problem_of(data),
        1,
    )
    recommender.fit(data)
    obs = observe(data, 20, critiques=0)
    for one in (agent, recommender):
        one.begin(np.arange(20))
    np.testing.assert_array_equal(agent.act(obs).scores, recommender.act(obs).scores)


def test_uac_ranks_like_the_base_with_critiques(data, problem_of, observe, base):
    agent = linear(problem_of(data), base, "uac")
    agent.fit(data)
    obs = observe(data, 20, critiques=3)
    agent.begin(np.arange(20))
    scores = agent._base.act(obs).scores
    np.testing.assert_allclose(agent.act(obs).scores, scores / 4, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_with_a_zero_encoder_critiques_change_nothing(data, problem_of, observe, base, method):
    agent = linear(problem_of(data), base, method)
    agent.fit(data)
    for parameter in agent._base.model.encoder.parameters():
        parameter.data.zero_()
    agent.begin(np.arange(20))
    before = agent.act(observe(data, 20, critiques=0)).scores
    obs = observe(data, 20, critiques=2)
    after = agent.act(obs).scores
    if method == "llc_sum_to_one":
        # A critique without effect has coefficient 0, which is better than a positive one of the
        # user.
        replaced = (after == 0).all(axis=1)
        assert 0 < replaced.sum() < 20
        np.testing.assert_array_equal(after[~replaced], before[~replaced])
    else:
        np.testing.assert_array_equal(order(after), order(before))


def test_critiques_of_unmentioned_aspects_have_no_effect_in_published_llc(
    data, problem_of, observe
):
    obs = observe(data, 40, critiques=1)
    critiqued = obs["critiqued"] < 0
    known = obs["user"][:, 0] >= 0
    mentioned = (data.user_counts[obs["user"][:, 0]] * known[:, None])[critiqued] > 0
    assert 0 < mentioned.sum() < 40
    published = linear(problem_of(data), BASES["plrec"], "llc", least_weight=0.0)
    published.fit(data)
    ours = linear(problem_of(data), BASES["plrec"], "llc")
    ours.load_state_dict(published.state_dict())
    scores = []
    for agent in (published, ours):
        agent.begin(np.arange(40))
        scores.append(agent.act(obs).scores)
    before = published.users(obs) @ published.items.T
    np.testing.assert_allclose(scores[0][~mentioned], before[~mentioned], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(scores[0][mentioned], scores[1][mentioned])
    assert (scores[1][~mentioned] != scores[0][~mentioned]).any(axis=1).all()


def test_bayes_ranks_by_the_mean_of_the_belief(data, problem_of, observe, base):
    agent = agents.make("bayes_critiquing", problem_of(data), seed=1, base=base, draws=2)
    agent.fit(data)
    obs = observe(data, 10, critiques=2)
    agent.begin(np.arange(10))
    state = agent.state_dict()
    users = agent.users(obs)
    all_users = agent.users({"user": np.arange(data.num_users)[:, None]})
    assert state["variance"] == pytest.approx(all_users.var(axis=0).mean())
    mean = critiqued_mean(
        users,
        state["variance"],
        state["directions"],
        obs["critiqued"],
        precision_no=1.0,
        precision_yes=100.0,
    )
    np.testing.assert_allclose(agent.act(obs).scores, mean @ agent.items.T, rtol=1e-5, atol=1e-7)


def test_bayes_with_precision_zero_ignores_critiques(data, problem_of, observe, base):
    agent = agents.make("bayes_critiquing", problem_of(data), base=base, draws=1, precision_no=0.0)
    agent.fit(data)
    agent.begin(np.arange(10))
    before = agent.act(observe(data, 10, critiques=0)).scores
    np.testing.assert_array_equal(agent.act(observe(data, 10, critiques=2)).scores, before)


def test_critiques_improve_success_and_the_filter_does_even_more(problem_of, success):
    rates = {key: [] for key in ("chance", "without", "bayes", "uac", "llc", "filtered")}
    base = {"base": "plrec"}
    for seed in range(3):
        data = planted_reviews(users=150, num_items=100, seed=seed)
        problem = problem_of(data)
        bayes = agents.make("bayes_critiquing", problem, seed=seed, base=base, draws=5)
        bayes.fit(data)
        others = {
            "uac": linear(problem, base, "uac"),
            "llc": linear(problem, base, "llc"),
            "filtered": linear(problem, base, "llc", aspect_filter=True),
        }
        for agent in others.values():
            agent.load_state_dict(bayes.state_dict())
        rates["chance"].append(success(agents.make("critique_random", problem), data))
        rates["without"].append(success(bayes, data, critiques=False))
        for key, agent in {"bayes": bayes, **others}.items():
            rates[key].append(success(agent, data))
    rates = {key: np.array(values) for key, values in rates.items()}
    # The standard error of a rate over 150 sessions is at most 0.04.
    assert min(rates["without"] - rates["chance"]) > 0.2
    assert min(rates["bayes"] - rates["without"]) > 0.12
    assert min(rates["uac"] - rates["without"]) > 0.08
    assert min(rates["filtered"] - rates["llc"]) > 0.1


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("linear_critiquing", {"base": {"bpr": {"enc_layers": 1}}}, "enc_layers must be 0"),
        ("linear_critiquing", {"method": "bac", "top": 3}, "'top' has no effect with method 'bac'"),
        ("linear_critiquing", {"method": "llc_sum_to_one", "bound": 3.0}, "'bound' has no effect"),
        ("bayes_critiquing", {"base": {"aspect_filter": True}}, "'aspect_filter' has no effect"),
        ("bayes_critiquing", {"variance": 0.0}, "variance"),
        ("linear_critiquing", {"method": "lcc"}, "method"),
    ],
)
def test_settings_without_effect_are_rejected(name, settings, message):
    with pytest.raises(UserError, match=message):
        agents.configure(name, **settings)


def test_the_base_is_not_fine_tuned_by_default():
    for kind in (LinearCritiquingAgent, BayesCritiquingAgent):
        assert kind.Config(base={"base": "plrec"}).base.fine_tuning == "none"
    config = agents.configure("linear_critiquing", base={"fine_tuning": "control"})
    assert config.base.fine_tuning == "control"
