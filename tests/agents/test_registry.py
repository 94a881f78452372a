import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint

import numpy as np
import pytest

import agents
from agents import baselines
from recsim.errors import AgentError, UserError

NAMES = [
    *("bert4rec", "cascade_ucb", "clone", "dt4ier", "ease", "epsilon_greedy", "gru4rec"),
    *("gru_thompson", "item_knn", "linucb"),
    *("mixture", "mnl_bandit", "oracle", "popularity", "ppo", "random", "rel_mf", "sasrec"),
    *("sequential_rules", "slate_mf", "slateq", "softmax", "transitions", "ts_mnl"),
]
IN_CONVERSATIONS = [
    "conv_abs_greedy",
    "conv_bayes",
    "conv_dqn",
    "conv_max_entropy",
    "conv_popularity",
    "fact_crs",
]
CRITICISED = [
    "bayes_critiquing",
    "bot_play",
    "ce_vae",
    "critique_popularity",
    "critique_random",
    "linear_critiquing",
]
EVERY_NAME = sorted([*NAMES, *IN_CONVERSATIONS, *CRITICISED])
HAVE_A_TARGET = {"epsilon_greedy", "linucb", "popularity", "softmax"}
# Agents whose propensities of single items are known only for slates of one item.
FOR_SINGLE_ITEMS = {"ppo", "softmax"}
# Agents with unknown propensities.
UNKNOWN = {"mixture", "mnl_bandit", "ts_mnl"}


THIRD_PARTY = '''
from agents.baselines import PopularityConfig, RandomAgent


class Theirs(RandomAgent):
    """An agent of another package.

    With more details.
    """

    Config = PopularityConfig
'''


@pytest.fixture
def entry_points(monkeypatch):
    """Pretend that other distributions declare agents: a list of (name, value)."""

    def declare(*declared):
        points = [EntryPoint(name, value, "recsim.agents") for name, value in declared]
        monkeypatch.setattr("recsim.registry.entry_points", lambda group: points)

    declare()
    return declare


def test_built_in_agents_work_without_an_installation(entry_points, make_problem, quick):
    described = agents.available()
    assert list(described) == EVERY_NAME
    assert all("cannot be imported" not in line and line for line in described.values())
    assert described["linucb"] == (
        "Shows the items with the highest upper confidence bound of a linear model."
    )
    for name in NAMES:
        assert isinstance(agents.make(name, make_problem(), **quick.get(name, {})), agents.Agent)


def test_an_installed_third_party_agent_is_found(tmp_path, monkeypatch, make_problem):
    information = tmp_path / "theirs-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[recsim.agents]\ntheirs = their_agent:Theirs\n")
    (tmp_path / "their_agent.py").write_text(THIRD_PARTY)
    monkeypatch.syspath_prepend(tmp_path)
    assert agents.available()["theirs"] == "An agent of another package."
    agent = agents.make("theirs", make_problem(), smoothing=2)
    assert type(agent).__name__ == "Theirs"
    with pytest.raises(UserError, match=r"agent 'theirs': config\.smooth: unknown key"):
        agents.make("theirs", make_problem(), smooth=2)


def test_declaring_a_built_in_agent_again_is_no_clash(entry_points):
    entry_points(*agents.BUILTIN.items())
    assert list(agents.available()) == EVERY_NAME
    assert agents.load("random") is baselines.RandomAgent


def test_listing_agents_imports_none_of_them():
    script = (
        "import sys, agents; agents.available()\n"
        "print(*(name for name in sys.modules if name.startswith('agents.')))\n"
        "print(*{'torch', 'sklearn', 'scipy', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("agents.recipes\n\n", "")


def test_every_agent_knows_its_name():
    for name in EVERY_NAME:
        assert agents.load(name).name == name


def test_the_list_of_built_in_agents_stands_once(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert "recsim.agents" not in project.get("entry-points", {})


def test_two_agents_of_one_name_are_refused(entry_points, make_problem):
    entry_points(("random", "elsewhere:Agent"))
    with pytest.raises(UserError, match=r"'random' is declared twice, by agents.*and elsewhere"):
        agents.make("random", make_problem())


@pytest.mark.parametrize("value", ["no_such_module:Agent", "agents.baselines:NoSuchAgent"])
def test_a_broken_third_party_agent_does_not_hide_the_others(entry_points, value):
    entry_points(("broken", value))
    described = agents.available()
    assert "cannot be imported" in described["broken"]
    assert set(described) == {*EVERY_NAME, "broken"}
    with pytest.raises(UserError, match=f"'broken' .{value}. cannot be imported"):
        agents.load("broken")


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("linucbb", {}, "unknown agent 'linucbb'. Did you mean 'linucb'?"),
        ("zzz", {}, f"unknown agent 'zzz'. Known: {', '.join(EVERY_NAME)}."),
        (
            "linucb",
            {"alphaa": 1},
            "agent 'linucb': config.alphaa: unknown key. Did you mean 'alpha'?",
        ),
        (
            "linucb",
            {"alpha": "much"},
            "agent 'linucb': config.alpha: must be a valid number, not 'much'.",
        ),
        (
            "epsilon_greedy",
            {"epsilon": 1.5, "prior": 0},
            "agent 'epsilon_greedy': config.epsilon: must be less than or equal to 1, not 1.5.\n"
            "agent 'epsilon_greedy': config.prior: unknown key. Did you mean 'prior_mean'?",
        ),
        (
            "oracle",
            {"objective": "longterm"},
            "agent 'oracle': config.objective: must be 'immediate' or 'long_term', not 'longterm'. "
            "Did you mean 'long_term'?",
        ),
        ("popularity", {"target": "wach"}, "no reward is called 'wach'. Did you mean 'watch'?"),
    ],
)
def test_mistakes_are_named_in_one_message(entry_points, make_problem, name, config, message):
    with pytest.raises(AgentError) as caught:
        agents.make(name, make_problem(), **config)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1])
def test_infinite_and_negative_numbers_are_refused(value):
    with pytest.raises(UserError, match=r"config\.alpha"):
        agents.configure("linucb", alpha=value)


@pytest.mark.parametrize("seed", [1.7, "5", True, -1, None])
def test_a_seed_is_a_whole_number(make_problem, seed):
    with pytest.raises(UserError, match=f"agent 'random': seed is {seed!r}; it must be a whole"):
        agents.make("random", make_problem(), seed=seed)


def test_settings_are_frozen():
    config = agents.configure("linucb", alpha=2)
    with pytest.raises(ValueError, match="frozen"):
        config.alpha = 3.0  # type: ignore[attr-defined]


def test_exports_are_sorted_and_exist():
    assert agents.__all__ == sorted(agents.__all__)
    assert all(hasattr(agents, name) for name in agents.__all__)


# Properties of every agent of the contract.


def play(agent, problem, observe_users, make_feedback, steps):
    """Let an agent choose and learn; return its decisions."""
    rng = np.random.default_rng(5)
    decisions = []
    agent.begin(6)
    for step in range(steps):
        obs = observe_users(problem, 6, seed=step)
        obs["oracle_slate"] = np.tile([1, 0], (6, 1))
        decision = agent.act(obs)
        items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
        agent.observe(make_feedback(items, rng.random(items.shape) < 0.5, watch=rng.random(6)))
        decisions.append(decision)
    return decisions


def assert_same(one, other):
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left.slates, right.slates)
        np.testing.assert_array_equal(left.propensities, right.propensities)
        np.testing.assert_array_equal(left.slate_propensities, right.slate_propensities)


@pytest.mark.parametrize("target", ["click", "watch", "reward"])
@pytest.mark.parametrize("name", NAMES)
class TestEveryAgent:
    @pytest.fixture(autouse=True)
    def settings(self, name, target, quick):
        self.config = {"target": target} if name in HAVE_A_TARGET else quick.get(name, {})

    def make(self, name, target, problem, log, seed=1):
        agent = agents.make(name, problem, seed=seed, **self.config)
        agent.fit(log)
        return agent

    def test_same_seed_same_decisions(
        self, name, target, make_problem, make_log, observe_users, make_feedback
    ):
        problem = make_problem(num_items=9, num_candidates=6)
        runs = [
            play(
                self.make(name, target, problem, make_log(problem, 20)),
                problem,
                observe_users,
                make_feedback,
                steps=5,
            )
            for _ in range(2)
        ]
        assert_same(*runs)

    def test_a_new_agent_continues_from_the_saved_state(
        self, name, target, make_problem, make_log, observe_users, make_feedback, tmp_path
    ):
        from recsim.files import load_state, save_state

        problem = make_problem(num_items=9, num_candidates=6)
        agent = self.make(name, target, problem, make_log(problem, 20))
        play(agent, problem, observe_users, make_feedback, steps=3)
        save_state(tmp_path / "agent.pt", agent.state_dict())
        fresh = agents.make(name, problem, seed=2, **self.config)
        fresh.load_state_dict(load_state(tmp_path / "agent.pt"))
        rest = [play(a, problem, observe_users, make_feedback, steps=4) for a in (agent, fresh)]
        assert_same(*rest)

    def test_a_saved_state_does_not_change_with_the_agent(
        self, name, target, make_problem, make_log, observe_users, make_feedback
    ):
        problem = make_problem(num_items=9, num_candidates=6)
        agent = self.make(name, target, problem, make_log(problem, 20))
        state = agent.state_dict()
        before = repr(state)
        agent.fit(make_log(problem, 20, seed=1))
        play(agent, problem, observe_users, make_feedback, steps=3)
        assert repr(state) == before

    def test_slates_hold_distinct_candidates(
        self, name, target, make_problem, make_log, observe_users, make_feedback
    ):
        problem = make_problem(num_items=9, num_candidates=6)
        agent = self.make(name, target, problem, make_log(problem, 20))
        for decision in play(agent, problem, observe_users, make_feedback, steps=4):
            assert decision.slates.shape == (6, 2)
            assert decision.slates.dtype == np.int64
            assert (decision.slates >= 0).all()
            assert (decision.slates < 6).all()
            assert (decision.slates[:, 0] != decision.slates[:, 1]).all()

    def test_propensities_on_a_log_are_those_of_the_decision(
        self, name, target, make_problem, make_log, observe_users
    ):
        slots = 1 if name in FOR_SINGLE_ITEMS else 2
        problem = make_problem(num_items=9, num_candidates=6, slate_size=slots)
        agent = self.make(name, target, problem, make_log(problem, 20))
        obs = observe_users(problem, 30)
        obs["oracle_slate"] = np.tile([1, 0], (30, 1))[:, :slots]
        agent.begin(30)
        decision = agent.act(obs)
        items = np.take_along_axis(obs["candidates"], decision.slates, axis=1)
        if name in UNKNOWN:
            assert agent.propensities(obs, items) is decision.propensities is None
            return
        np.testing.assert_allclose(agent.propensities(obs, items), decision.propensities)

    def test_propensities_sum_to_one_over_the_items_of_a_position(
        self, name, target, make_problem, make_log, observe_users
    ):
        if name in UNKNOWN:
            pytest.skip("unknown propensities have no sum")
        slots = 1 if name in FOR_SINGLE_ITEMS else 2
        problem = make_problem(num_items=9, num_candidates=6, slate_size=slots)
        agent = self.make(name, target, problem, make_log(problem, 20))
        obs = observe_users(problem, 4)
        obs["oracle_slate"] = np.tile([1, 0], (4, 1))[:, :slots]
        total = sum(agent.propensities(obs, np.full((4, slots), item)) for item in range(9))
        np.testing.assert_allclose(total, 1)
        padding = agent.propensities(obs, np.full((4, slots), -1))
        np.testing.assert_array_equal(padding, 1)


def test_the_agent_of_the_documentation_works(root, make_problem, observe_users):
    text = (root / "docs" / "agents.md").read_text(encoding="utf-8")
    source = text.partition("# my_agents/newest.py\n")[2].partition("```")[0]
    names: dict = {}
    exec(compile(source, "docs/agents.md", "exec"), names)  # our own text
    problem = make_problem(num_items=9)
    agent = agents.make(names["NewestAgent"], problem)
    assert isinstance(agent, agents.Agent)
    obs = observe_users(problem, 3)
    items = np.take_along_axis(obs["candidates"], agent.act(obs).slates, axis=1)
    assert items.tolist() == [[8, 7]] * 3
    np.testing.assert_array_equal(agent.propensities(obs, items), np.ones((3, 2)))
