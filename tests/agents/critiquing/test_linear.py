"""Critiques of linear recommenders: what they are made of, identities, and that they help."""

import numpy as np
import pytest

import agents
from agents.bot_play import BotPlayAgent, BotPlayConfig
from agents.critiquing.bayes import BayesCritiquingAgent
from agents.critiquing.gaussian import criticised_mean
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
    """Settings of a recommender beneath."""
    return BASES[request.param]


def linear(problem, base, method, **settings):
    config = {"base": base, "method": method} | settings
    return agents.make("linear_critiquing", problem, seed=1, **config)


def order(scores):
    return np.argsort(-scores, axis=1, kind="stable")


@pytest.mark.parametrize("method", METHODS)
def test_before_any_critique_it_ranks_as_the_base(data, problem_of, observe, base, method):
    agent = linear(problem_of(data), base, method)
    agent.fit(data)
    alone = BotPlayAgent(
        validated(BotPlayConfig, base | {"fine_tuning": "none", "listens": False}, ""),
        problem_of(data),
        1,
    )
    alone.fit(data)
    obs = observe(data, 20, critiques=0)
    for one in (agent, alone):
        one.begin(np.arange(20))
    np.testing.assert_array_equal(agent.act(obs).scores, alone.act(obs).scores)


def test_uac_ranks_as_the_base_that_hears_critiques(data, problem_of, observe, base):
    agent = linear(problem_of(data), base, "uac")
    agent.fit(data)
    obs = observe(data, 20, critiques=3)
    agent.begin(np.arange(20))
    heard = agent._base.act(obs).scores
    np.testing.assert_allclose(agent.act(obs).scores, heard / 4, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_without_an_encoder_critiques_change_nothing(data, problem_of, observe, base, method):
    agent = linear(problem_of(data), base, method)
    agent.fit(data)
    for parameter in agent._base.model.encoder.parameters():
        parameter.data.zero_()
    agent.begin(np.arange(20))
    silent = agent.act(observe(data, 20, critiques=0)).scores
    obs = observe(data, 20, critiques=2)
    after = agent.act(obs).scores
    if method == "llc_sum_to_one":
        # A critique without any effect has coefficient 0: it outweighs a user who goes wrong.
        parted = (after == 0).all(axis=1)
        assert 0 < parted.sum() < 20
        np.testing.assert_array_equal(after[~parted], silent[~parted])
    else:
        np.testing.assert_array_equal(order(after), order(silent))


def test_critiques_that_weigh_nothing_are_lost_in_published_llc(data, problem_of, observe):
    obs = observe(data, 40, critiques=1)
    criticised = obs["critiqued"] < 0
    known = obs["user"][:, 0] >= 0
    wrote = (data.user_counts[obs["user"][:, 0]] * known[:, None])[criticised] > 0
    assert 0 < wrote.sum() < 40
    published = linear(problem_of(data), BASES["plrec"], "llc", least_weight=0.0)
    published.fit(data)
    ours = linear(problem_of(data), BASES["plrec"], "llc")
    ours.load_state_dict(published.state_dict())
    scores = []
    for agent in (published, ours):
        agent.begin(np.arange(40))
        scores.append(agent.act(obs).scores)
    before = published.users(obs) @ published.items.T
    np.testing.assert_allclose(scores[0][~wrote], before[~wrote], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(scores[0][wrote], scores[1][wrote])
    assert (scores[1][~wrote] != scores[0][~wrote]).any(axis=1).all()


def test_bayes_ranks_by_the_mean_of_its_belief(data, problem_of, observe, base):
    agent = agents.make("bayes_critiquing", problem_of(data), seed=1, base=base, draws=2)
    agent.fit(data)
    obs = observe(data, 10, critiques=2)
    agent.begin(np.arange(10))
    state = agent.state_dict()
    users = agent.users(obs)
    everybody = agent.users({"user": np.arange(data.num_users)[:, None]})
    assert state["variance"] == pytest.approx(everybody.var(axis=0).mean())
    mean = criticised_mean(
        users,
        state["variance"],
        state["directions"],
        obs["critiqued"],
        precision_no=1.0,
        precision_yes=100.0,
    )
    np.testing.assert_allclose(agent.act(obs).scores, mean @ agent.items.T, rtol=1e-5, atol=1e-7)


def test_bayes_with_precision_zero_hears_nothing(data, problem_of, observe, base):
    agent = agents.make("bayes_critiquing", problem_of(data), base=base, draws=1, precision_no=0.0)
    agent.fit(data)
    agent.begin(np.arange(10))
    silent = agent.act(observe(data, 10, critiques=0)).scores
    np.testing.assert_array_equal(agent.act(observe(data, 10, critiques=2)).scores, silent)


def test_critiques_help_to_find_the_target_and_the_filter_more(problem_of, success):
    rates = {key: [] for key in ("chance", "silent", "bayes", "uac", "llc", "filtered")}
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
        rates["silent"].append(success(bayes, data, critiques=False))
        for key, agent in {"bayes": bayes, **others}.items():
            rates[key].append(success(agent, data))
    found = {key: np.array(values) for key, values in rates.items()}
    # A share of 150 sessions has a standard error of 0.04 at most.
    assert min(found["silent"] - found["chance"]) > 0.2
    assert min(found["bayes"] - found["silent"]) > 0.12
    assert min(found["uac"] - found["silent"]) > 0.08
    assert min(found["filtered"] - found["llc"]) > 0.1


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
def test_settings_that_mean_nothing_are_refused(name, settings, message):
    with pytest.raises(UserError, match=message):
        agents.configure(name, **settings)


def test_the_base_is_not_fine_tuned_unless_asked_for():
    for kind in (LinearCritiquingAgent, BayesCritiquingAgent):
        assert kind.Config(base={"base": "plrec"}).base.fine_tuning == "none"
    asked = agents.configure("linear_critiquing", base={"fine_tuning": "control"})
    assert asked.base.fine_tuning == "control"
