"""Properties of all these agents."""

import numpy as np
import pytest

import agents
from recsim.contracts.kinds import kind_of
from recsim.errors import AgentError
from recsim.files import load_state, save_state

LINEAR = {"base": {"bpr": {"dim": 4, "epochs": 2}}}
CLOSED_FORM = {"base": {"base": "plrec", "plrec": {"dim": 6}}}
# Name, settings.
BASELINES: dict[str, tuple[str, dict]] = {
    "bayes": ("bayes_critiquing", LINEAR | {"draws": 2}),
    "bayes of plrec": ("bayes_critiquing", CLOSED_FORM | {"draws": 2}),
    "ce_vae": ("ce_vae", {"dim": 6, "epochs": 5}),
    "popularity": ("critique_popularity", {}),
    "random": ("critique_random", {}),
    **{
        method: ("linear_critiquing", base | {"method": method})
        for method, base in (
            ("uac", LINEAR),
            ("bac", CLOSED_FORM),
            ("llc", CLOSED_FORM),
            ("llc_sum_to_one", LINEAR),
        )
    },
}


@pytest.mark.parametrize("case", BASELINES)
class TestEveryBaseline:
    @pytest.fixture
    def fitted(self, case, data, problem_of):
        name, defaults = BASELINES[case]

        def build(seed=1, fit=True, **settings):
            agent = agents.make(name, problem_of(data), seed=seed, **defaults | settings)
            if fit:
                agent.fit(data)
            return agent

        return build

    def test_it_scores_all_items_and_justifies_one(self, case, fitted, data, observe):
        agent = fitted()
        assert kind_of(type(agent)) == "critiquing"
        assert agent.name == BASELINES[case][0]
        for critiques in (0, 1, 4):
            obs = observe(data, 9, critiques)
            agent.begin(np.arange(9))
            showing = agent.act(obs)
            assert showing.scores.shape == (9, data.num_items)
            assert np.isfinite(showing.scores).all()
            assert showing.justification.shape == (9, data.num_aspects)
            assert showing.justification.dtype == np.bool_
            assert showing.justification.any()
            if case == "random":
                assert showing.aspects is None
                continue
            assert showing.aspects.shape == (9, data.num_aspects)
            assert not np.isnan(showing.aspects).any()

    def test_a_session_does_not_depend_on_the_others(self, case, fitted, data, observe):
        agent, obs = fitted(), observe(data, 12)
        agent.begin(np.arange(12) + 5)
        together = agent.act(obs)
        for rows in ([3], [11, 0, 7]):
            agent.begin(np.array(rows) + 5)
            single = agent.act({key: value[rows] for key, value in obs.items()})
            np.testing.assert_allclose(single.scores, together.scores[rows], rtol=1e-5, atol=1e-7)
            np.testing.assert_array_equal(single.justification, together.justification[rows])

    def test_same_seed_same_numbers(self, case, fitted, data, observe):
        showings = []
        for _ in range(2):
            agent = fitted()
            agent.begin(np.arange(6))
            showings.append(agent.act(observe(data, 6)))
        np.testing.assert_array_equal(showings[0].scores, showings[1].scores)
        np.testing.assert_array_equal(showings[0].justification, showings[1].justification)

    def test_a_loaded_agent_acts_like_the_saved_one(self, case, fitted, data, observe, tmp_path):
        agent, fresh, obs = fitted(), fitted(seed=2, fit=False), observe(data, 6)
        state = agent.state_dict()
        save_state(tmp_path / "agent.pt", state)
        agent.begin(np.arange(6))
        before, kept = agent.act(obs), repr(state)
        fresh.load_state_dict(load_state(tmp_path / "agent.pt"))
        fresh.begin(np.arange(6))
        after = fresh.act(obs)
        np.testing.assert_array_equal(before.scores, after.scores)
        np.testing.assert_array_equal(before.justification, after.justification)
        agent.fit(data.select("train"))
        assert repr(state) == kept, "a saved state does not change with the agent"

    def test_an_unfitted_agent_can_be_saved(self, case, fitted):
        fresh = fitted(fit=False)
        fresh.load_state_dict(fitted(fit=False).state_dict())

    def test_it_must_be_fitted(self, case, fitted, data, observe):
        if case == "random":
            return
        with pytest.raises(
            AgentError, match=f"'{BASELINES[case][0]}' must be fitted before it can act"
        ):
            fitted(fit=False).act(observe(data, 2))

    def test_the_filter_lowers_items_with_a_critiqued_aspect(self, case, fitted, data, observe):
        obs = observe(data, 6, critiques=1)
        agent = fitted(aspect_filter=True)
        agent.begin(np.arange(6))
        scores = agent.act(obs).scores
        out = (obs["critiqued"] < 0).astype(int) @ data.item_aspects.T > 0
        assert np.isfinite(scores).all()
        for row in range(6):
            assert scores[row, out[row]].max() < scores[row, ~out[row]].min()
