"""Every agent is saved to one file, and what is loaded acts the same."""

import gymnasium
import numpy as np
import pandas as pd
import pytest
import torch

import agents
import recsim
from agents.baselines import RandomAgent
from agents.saving import load_agent, save_agent
from recsim.contracts.kinds import kind_of
from recsim.errors import AgentError, UserError
from recsim.files import load_state, save_state
from recsim.play.conversations import play_conversations
from recsim.play.critiquing import play_critiquing

PLANTED = {"num_items": 60, "users": 30, "interactions": 6}
ENVIRONMENTS = {
    "conversations": ("recsim:ConvRec-v0", {"planted": PLANTED, "slate_size": 5, "max_turns": 4}),
    "critiquing": (
        "recsim:CritiqueRec-v0",
        {"planted": {"users": 40, "num_items": 30, "num_aspects": 8, "reviews": 6}},
    ),
}


@pytest.fixture
def bench(make_problem, make_log, observe_users, make_feedback, quick):
    """Build an agent, fitted on a little data, and a function that lets an agent act."""

    def slates(name):
        problem = make_problem(num_items=9, num_candidates=6)
        agent = agents.make(name, problem, seed=3, **quick.get(name, {}))
        agent.fit(make_log(problem, 20))

        def act(agent):
            rng, decisions = np.random.default_rng(5), []
            agent.begin(6)
            for step in range(3):
                obs = observe_users(problem, 6, seed=step)
                obs["oracle_slate"] = np.tile([1, 0], (6, 1))
                decision = agent.act(obs)
                items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
                clicks = rng.random(items.shape) < 0.5
                agent.observe(make_feedback(items, clicks, watch=rng.random(6)))
                decisions.append(decision.slates)
            return pd.DataFrame(np.concatenate(decisions))

        return agent, act

    def others(name, kind):
        id_, arguments = ENVIRONMENTS[kind]
        env = gymnasium.make_vec(id_, num_envs=8, **arguments)
        agent = agents.make(name, env.unwrapped.problem, seed=3, **quick.get(name, {}))
        agent.fit(env.unwrapped.training_data)
        if kind == "conversations":
            return agent, lambda agent: play_conversations(env, agent, seed=0)
        return agent, lambda agent: pd.DataFrame(play_critiquing(env, agent, seed=0).ranks)

    def build(name):
        kind = kind_of(agents.load(name))
        return slates(name) if kind == "slates" else others(name, kind)

    return build


@pytest.mark.parametrize("name", agents.BUILTIN)
class TestEveryAgent:
    def test_a_loaded_agent_acts_as_the_saved_one(self, name, bench, tmp_path):
        agent, act = bench(name)
        path = tmp_path / "agent.pt"
        save_agent(agent, path)
        loaded = load_agent(path)
        assert type(loaded) is type(agent)
        pd.testing.assert_frame_equal(act(agent), act(loaded))
        save_agent(loaded, path)
        pd.testing.assert_frame_equal(act(loaded), act(load_agent(path)))

    def test_a_state_that_torch_saved_is_loaded(self, name, bench, quick, tmp_path):
        agent, act = bench(name)
        path = tmp_path / "state.pt"
        torch.save(agent.state_dict(), path)
        fresh = agents.make(name, agents.recipes.recipe_of(agent).problem, **quick.get(name, {}))
        fresh.load_state_dict(load_state(path))
        pd.testing.assert_frame_equal(act(agent), act(fresh))


def test_settings_problem_and_seed_are_kept(make_problem, tmp_path):
    problem, path = make_problem(), tmp_path / "agent.pt"
    save_agent(agents.make("slate_mf", problem, seed=7, loss="sampled", negatives=2), path)
    recipe = load_agent(path, device="cpu", history=3).recipe
    given = {"loss": "sampled", "negatives": 2, "device": "cpu", "history": 3}
    assert recipe.config.model_dump(exclude_unset=True) == given
    assert recipe.seed == 7
    assert recipe.problem.rewards == problem.rewards
    np.testing.assert_array_equal(recipe.problem.item_features, problem.item_features)
    with pytest.raises(UserError, match=r"agent 'slate_mf': config.histori: unknown key. Did you"):
        load_agent(path, histori=3)


def test_a_default_that_changed_does_not_change_a_saved_agent(make_problem, tmp_path):
    path = tmp_path / "agent.pt"
    save_agent(agents.make("epsilon_greedy", make_problem(), prior_strength=2), path)
    content = dict(load_state(path))
    content["all_settings"]["epsilon"] = 0.4  # as if that had been the default
    content["all_settings"]["gone"] = 1
    save_state(path, content)
    assert load_agent(path).recipe.config.epsilon == 0.4
    assert load_agent(path, epsilon=0.2).recipe.config.epsilon == 0.2


class Mine(RandomAgent):
    """Nobody registered it."""


class Bare:
    """Inherits nothing."""

    Config = agents.AgentConfig
    privileged = needs_log = False

    def __init__(self, config, problem, seed):
        self.number = seed

    def fit(self, log):
        """Do nothing."""

    def begin(self, batch_size):
        """Do nothing."""

    def act(self, obs):
        """Do nothing."""

    def propensities(self, obs, items):
        """Do nothing."""

    def observe(self, feedback):
        """Do nothing."""

    def state_dict(self):
        """Return a number."""
        return {"number": self.number}

    def load_state_dict(self, state):
        """Restore a number."""
        self.number = state["number"]


@pytest.mark.parametrize("own", [Mine, Bare])
def test_an_agent_of_a_class_of_ones_own_is_loaded_by_giving_the_class(own, make_problem, tmp_path):
    path = tmp_path / "agent.pt"
    save_agent(agents.make(own, make_problem(), seed=4), path)
    assert type(load_agent(path, own)) is own
    message = f"has an agent of the class .*{own.__name__}, which is not registered: give"
    with pytest.raises(AgentError, match=message):
        load_agent(path)


def test_an_agent_that_was_built_by_hand(make_problem, tmp_path):
    path = tmp_path / "agent.pt"
    save_agent(RandomAgent(RandomAgent.Config(), make_problem(), 4), path)
    assert load_state(path)["agent"] == "random"
    with pytest.raises(AgentError, match="the settings of this Bare are unknown: build it"):
        save_agent(Bare(None, None, 0), path)


def test_a_state_that_is_not_safe_is_refused(make_problem, tmp_path):
    agent = agents.make(Bare, make_problem())
    agent.number = {1, 2}
    with pytest.raises(
        AgentError, match=r"'Bare' cannot be saved: state\['state'\]\['numb.* a set"
    ):
        save_agent(agent, tmp_path / "agent.pt")
    assert not list(tmp_path.iterdir())
    with pytest.raises(AgentError, match=r"nowhere.agent\.pt cannot be written: No such file"):
        save_agent(agents.make(Bare, make_problem()), tmp_path / "nowhere" / "agent.pt")


@pytest.fixture
def saved(make_problem, make_log, tmp_path):
    """Save a fitted agent; return the file."""
    problem = make_problem()
    agent = agents.make("popularity", problem)
    agent.fit(make_log(problem, 9))
    save_agent(agent, tmp_path / "agent.pt")
    return tmp_path / "agent.pt"


def test_a_damaged_file_is_refused(saved):
    content = saved.read_bytes()
    counts = load_state(saved)["state"]["impressions"]
    flipped = bytearray(content)
    flipped[content.index(counts.tobytes()) + 6] ^= 1
    for wrong in (b"", b"text", content[: len(content) // 2], bytes(flipped)):
        saved.write_bytes(wrong)
        with pytest.raises(AgentError, match=r"agent\.pt is damaged|no saved state"):
            load_agent(saved)
    with pytest.raises(AgentError, match=r"none\.pt cannot be read: No such file"):
        load_agent(saved.with_name("none.pt"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"version": 2, "slaterec": "9.1"},
            r"has format 2, written by SlateRec 9\.1; this is",
        ),
        ({"format": "other"}, r"was not saved by save_agent\. If it holds the state of an agent"),
        ({"agent": "gone"}, r"has an agent that is not installed: unknown agent 'gone'"),
        ({"problem": {"num_items": 3}}, "is not a complete saved agent: .*missing"),
        ({"kind": "other"}, "is not a complete saved agent: 'other'"),
        ({"seed": None}, "is not a complete saved agent"),
        (
            {"state": {}},
            "saved agent state: it has no 'impressions', so ",
        ),
        (
            {"kind": "slates", "agent": "fact_crs"},
            "'fact_crs' holds conversations with",
        ),
    ],
)
def test_what_is_not_a_saved_agent_of_today_is_refused(saved, change, message):
    save_state(saved, {**load_state(saved), **change})
    with pytest.raises(AgentError, match=message):
        load_agent(saved)


def test_a_file_says_what_wrote_it(saved):
    assert torch.load(saved, weights_only=True)["slaterec"] == recsim.__version__


def test_code_in_a_file_is_not_run(saved):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"format": "slaterec-agent", "evil": Evil()}, saved)
    with pytest.raises(AgentError, match="is refused: it holds other objects than tensors"):
        load_agent(saved)
    torch.save([1, 2], saved)
    with pytest.raises(AgentError, match="holds no saved state but a list"):
        load_agent(saved)
