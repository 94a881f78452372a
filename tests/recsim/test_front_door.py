"""The public names of ``recsim``, and comparisons from Python."""

import inspect
import re

import gymnasium
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest

import recsim
from recsim import AgentConfig, Decision, compare
from recsim.errors import AgentError, UserError
from recsim.files import read_csv
from recsim.run import run_scenario

WORLD = {"preset": "retention", "max_days": 4}


def vector_env():
    return gymnasium.make_vec("recsim:SlateRec-v0", num_envs=5, **WORLD)


class Untyped:
    """Shows the first candidates; written in a notebook, without a base class."""

    Config = AgentConfig
    privileged = False
    needs_log = False

    def __init__(self, config, problem, seed):
        self.problem = problem

    def fit(self, log):
        return recsim.FitReport(rows=0)

    def begin(self, batch_size):
        pass

    def act(self, obs):
        rows = len(obs["candidates"])
        return Decision(np.tile(np.arange(self.problem.slate_size), (rows, 1)))

    def propensities(self, obs, items):
        return (items == obs["candidates"][:, : items.shape[1]]).astype(float)

    def observe(self, feedback):
        pass

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Broken(Untyped):
    """Has a bug."""

    def act(self, obs):
        return obs["typo"]


@pytest.mark.parametrize("name", recsim.__all__)
def test_every_public_name_is_there_documented_and_on_a_page(name, root):
    value = getattr(recsim, name)
    assert inspect.getdoc(value)
    assert re.search(rf"`{name}\b", (root / "docs" / "python.md").read_text())


def test_nothing_else_is_public():
    assert list(recsim.__all__) == sorted(recsim.__all__)
    public = {name for name in dir(recsim) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(recsim, name))}
    assert public - modules - {"TYPE_CHECKING", "Any", "annotations"} == set(recsim.__all__)
    with pytest.raises(AttributeError, match="no attribute 'comparee'"):
        _ = recsim.comparee


def test_a_comparison_has_the_numbers_of_the_scenario(tmp_path):
    keys = {"training_log": {"users": 20}, "steps": 10, "axis": "day"}
    agents = ["random", {"name": "linucb", "label": "watch", "config": {"target": "watch"}}]
    result = compare(WORLD, agents, seeds=3, users=20, **keys)
    content = {"name": "s", "description": "d", "env": WORLD, "agents": agents, "seeds": 3}
    scenario = recsim.load_scenario({**content, "users": 20, **keys, "output": str(tmp_path)})
    run = run_scenario(scenario, workers=1)
    written = read_csv(run.folder.path / "summary.csv")
    pd.testing.assert_frame_equal(result.table, written, check_exact=True)
    assert result.table.set_index(["agent", "metric"])["mean"].notna()[
        "watch", "immediate_regret_per_step"
    ]
    assert set(result.differences["baseline"]) == {"random"}
    assert {"agent", "seed", "day", "cumulative_reward"} <= set(result.curves.columns)
    assert result.curves.groupby(["agent", "seed"]).ngroups == 6


def test_classes_and_instances_from_a_notebook_are_compared():
    instance = recsim.make_agent("random", vector_env().unwrapped.problem)
    result = compare(
        WORLD, {"own": Untyped, "instance": instance, "name": "random"}, seeds=2, users=10
    )
    assert list(result.table["agent"].unique()) == ["own", "instance", "name"]
    table = result.table.set_index(["agent", "metric"])["mean"]
    assert table["own", "coverage"] < table["name", "coverage"]


def test_an_instance_for_another_catalogue_is_refused():
    other = gymnasium.make("recsim:SlateRec-v0", world={"catalogue": {"num_items": 37}})
    agent = recsim.make_agent("random", other.unwrapped.problem)
    with pytest.raises(AgentError, match="whose number of items is 37; here it is 200"):
        compare("SlateRec-v0", {"other": agent}, seeds=1, users=5, steps=3)


def test_an_instance_is_the_same_in_every_trial():
    agent = recsim.make_agent("epsilon_greedy", vector_env().unwrapped.problem, epsilon=0.5)
    before = str(agent.state_dict())
    compare(WORLD, {"one": agent}, seeds=2, users=10, steps=5)
    assert str(agent.state_dict()) == before


def test_a_bug_in_an_agent_shows_its_traceback():
    with pytest.raises(KeyError, match="typo"):
        compare(WORLD, [Broken], seeds=1, users=5)


def test_pictures_and_a_report(tmp_path):
    result = compare("SlateRec-v0", ["random"], seeds=2, users=10, steps=5)
    assert isinstance(result.plot(), matplotlib.figure.Figure)
    assert isinstance(result.plot("front"), matplotlib.figure.Figure)
    path = result.report(tmp_path / "report.html")
    assert "data:image/png" in path.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(UserError, match="cannot be written to"):
        result.report(tmp_path / "nowhere" / "report.html")
    with pytest.raises(UserError, match="no picture 'frnt'; there are: curves, front"):
        result.plot("frnt")


def test_agents_are_evaluated_on_a_log_in_memory(random_log):
    log = random_log(rows=200, slots=1)
    result = compare(log, ["random", "popularity"], training_log={"share": 0.5})
    ips = result.table[result.table["estimator"] == "ips"].set_index("agent")
    assert set(ips.index) == {"random", "popularity"}
    assert set(ips["n"]) == {100}
    assert result.curves.empty
    assert set(result.differences["baseline"]) == {"logged"}
    result = compare(log, ["random", "popularity"], training_log={"share": 0.5}, baseline="random")
    found = result.differences.set_index(["agent", "baseline", "estimator"])["difference"]
    assert found["popularity", "random", "ips"] == pytest.approx(
        ips.loc["popularity", "value"] - ips.loc["random", "value"]
    )


def test_a_log_in_memory_trains_agents():
    env = vector_env()
    agent = recsim.make_agent("random", env.unwrapped.problem)
    log = recsim.rollout(env, agent, seed=1, max_steps=5, record=True).to_log()
    result = compare(WORLD, ["popularity"], training_log=log, seeds=1, users=5, steps=3)
    assert len(result.table)


def test_a_whole_scenario_as_a_mapping():
    content = {
        "name": "talks",
        "description": "d",
        "env": {"id": "ConvRec-v0", "planted": {"users": 20, "num_items": 30}},
        "agents": ["conv_popularity"],
        "seeds": 1,
    }
    assert "success_rate" in set(compare(content).table["metric"])


class NoAgent:
    """Lacks everything."""


@pytest.mark.parametrize("seeds", [np.int64(2), range(2), np.arange(2), (0, 1)])
def test_seeds_may_be_any_integers(seeds):
    result = compare(WORLD, ["random"], seeds=seeds, users=np.int64(5), steps=2)
    assert result.scenario.seeds == (0, 1)


def test_agents_are_scored_on_held_out_users_of_a_log_in_memory(random_log):
    log = random_log(rows=200, slots=2)
    result = compare(log, ["random", "popularity"], holdout={"cutoffs": [2]}, seeds=2)
    assert "hit_rate@2" in set(result.table["metric"])
    assert list(result.summary.figures) == ["metrics"]


def test_run_scenario_accepts_the_name_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = "name: s\ndescription: d\nenv: {preset: boredom}\nagents: [random]\nseeds: 1\n"
    (tmp_path / "s.yaml").write_text(content + "users: 3\nsteps: 2\n")
    assert run_scenario("s.yaml", workers=1).failed == []
    with pytest.raises(UserError, match="Did you mean 'quickstart'"):
        run_scenario("quikstart")


@pytest.mark.parametrize(
    ("source", "agents", "message"),
    [
        (3, ["random"], "not int"),
        (WORLD, None, "agents must be a list"),
        (WORLD, Untyped, "agents must be a list"),
        (WORLD, {"a b": "random"}, "agents: a b.label: must be letters, digits"),
        (WORLD, {3: Untyped}, "agents: 3.label: must be text, not 3"),
        (WORLD, [{"name": "random", "confg": {}}], "confg: unknown key. Did you mean 'config'"),
        (WORLD, [NoAgent], "agents: NoAgent: agent 'NoAgent' .* 'Config' must be a pydantic model"),
        (WORLD, [NoAgent()], "agents: NoAgent: agent 'NoAgent' .* 'act' must be a method"),
        ({"id": "ConvRec-v0"}, [Untyped(None, None, 0)], "recommends slates to users"),
        ({"id": "ConvRec-v0"}, [Untyped], "recommends slates to users"),
        (WORLD, "random", r"agents must be a list, such as \['random'\]"),
        (WORLD, ["randm"], "Did you mean 'random'"),
        (WORLD, ["random", "random"], "two agents are labelled 'random'"),
        ({"preset": "retenton"}, ["random"], "Did you mean 'retention'"),
    ],
)
def test_mistakes_raise_one_message(source, agents, message):
    with pytest.raises(UserError, match=message):
        compare(source, agents)


def test_an_agent_is_built_for_a_problem():
    with pytest.raises(UserError, match="not for a SlateRecVectorEnv"):
        recsim.make_agent("random", vector_env().unwrapped)


def test_what_is_available():
    sections = recsim.available()
    assert "random" in sections["agents"]
    assert "SlateRec-v0" in sections["environments"]
    assert recsim.available("trials")["simulation"]
    with pytest.raises(UserError, match="Did you mean 'agents'"):
        recsim.available("agent")
