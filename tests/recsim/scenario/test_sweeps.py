import copy

import pytest

from recsim.errors import ScenarioError, UserError
from recsim.scenario.files import load_scenario
from recsim.scenario.schema import Scenario
from recsim.scenario.sweeps import Sweep, load

BASE = {
    "name": "alpha",
    "description": "How much exploration?",
    "env": {"preset": "retention", "max_days": 3},
    "agents": ["random", {"name": "linucb", "label": "lin"}],
    "seeds": 2,
    "users": 5,
    "steps": 4,
}
GRID = {"agents.lin.config.alpha": [0.1, 1.0], "users": [5, 10]}


def sweep_of(**spec):
    return load({**BASE, "sweep": spec})


def test_a_scenario_without_a_sweep_is_a_scenario():
    assert isinstance(load(BASE), Scenario)
    assert load(BASE) == load_scenario(BASE)


def test_a_grid_has_every_combination():
    sweep = sweep_of(grid=GRID)
    assert isinstance(sweep, Sweep)
    sweep.check()
    points = list(sweep.grid())
    assert [list(point.values()) for point in points] == [[0.1, 5], [0.1, 10], [1.0, 5], [1.0, 10]]
    assert sweep.size == 4
    scenarios = [sweep.scenario(point) for point in points]
    assert [scenario.users for scenario in scenarios] == [5, 10, 5, 10]
    assert [scenario.agents[1].config["alpha"] for scenario in scenarios] == [0.1, 0.1, 1.0, 1.0]
    assert len({scenario.digest() for scenario in scenarios}) == 4
    assert sweep.content == BASE, "points do not change the scenario"


def test_a_point_is_the_scenario_with_its_values():
    changed = copy.deepcopy(BASE)
    changed["agents"][1]["config"] = {"alpha": 0.1}
    sweep = sweep_of(grid={"agents.lin.config.alpha": [0.1]})
    assert sweep.scenario({"agents.lin.config.alpha": 0.1}).digest() == load(changed).digest()


def test_agents_are_found_by_position_too():
    sweep = sweep_of(grid={"agents.1.config.alpha": [0.1]})
    assert sweep.scenario(next(sweep.grid())).agents[1].config == {"alpha": 0.1}
    # An agent without settings is a name.
    sweep = sweep_of(grid={"agents.random.label": ["chance"]})
    assert sweep.scenario(next(sweep.grid())).agents[0].label == "chance"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "give 'grid' or 'optuna'"),
        ({"grid": {}}, r"grid"),
        ({"gird": {"users": [1]}}, "unknown key. Did you mean 'grid'"),
        ({"grid": {"users": []}}, "'users' has no values"),
        ({"grid": {"users": [5, 5]}}, "'users' lists 5 twice"),
        ({"grid": {"users": 5}}, "users"),
        ({"grid": {"user": [5]}}, "user: unknown key. Did you mean 'users'"),
        ({"grid": {"users": [5, -1]}}, r"sweep, users=-1: users"),
        ({"grid": {"agents.linn.config.alpha": [1.0]}}, "no entry 'linn'.*Did you mean 'lin'"),
        ({"grid": {"agents.7.config.alpha": [1.0]}}, "numbered from 0 to 1"),
        ({"grid": {"agents.lin.config.alfa": [1.0]}}, "alfa: unknown key. Did you mean 'alpha'"),
        ({"grid": {"users.more": [1]}}, "'users' has no keys, it is 5"),
        ({"grid": {"output": ["a", "b"]}}, "'output' cannot be swept"),
        ({"grid": {"seeds": [1, 2]}}, "'seeds' cannot be swept"),
        ({"grid": {"users": [5], "steps": [4, 4.0]}}, "steps"),
        ({"grid": {"env.preset": ["retention", "retenton"]}}, "Did you mean 'retention'"),
        ({"grid": GRID, "select": {"metric": "reward_per_user"}}, "select.agent: is missing"),
        (
            {"grid": GRID, "select": {"metric": "reward_per_user", "agent": "li"}},
            "no agent has the label 'li'. Did you mean 'lin'",
        ),
        (
            {"grid": GRID, "select": {"metric": "reward_per_usr", "agent": "lin"}},
            r"select\.metric.*reward_per_usr.*Did you mean 'reward_per_user'",
        ),
        ({"optuna": {"space": {"users": [1, 2]}, "trials": 2}}, "'optuna' needs 'select'"),
        (
            {
                "optuna": {"space": {"users": {"low": 5, "high": 5}}, "trials": 2},
                "select": {"metric": "reward_per_user", "agent": "lin"},
            },
            "low must be below high",
        ),
    ],
)
def test_a_wrong_sweep_is_refused_before_anything_runs(spec, message):
    with pytest.raises(UserError, match=message):
        sweep_of(**spec).check()


def test_points_that_compute_the_same_are_refused():
    with pytest.raises(ScenarioError, match=r"agents=\['random'\] and agents=.* compute the same"):
        sweep_of(grid={"agents": [["random"], [{"name": "random"}]]}).check()


def test_the_file_is_named(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: a\ndescription: b\nenv: {preset: retention}\nagents: [random]\nusers: 5\n"
        "sweep: {grid: {usrs: [1]}}\n"
    )
    with pytest.raises(ScenarioError, match=rf"{path}: sweep, usrs=1: usrs: unknown key"):
        load(path).check()
    with pytest.raises(ScenarioError, match="this file is a sweep"):
        load_scenario(path)
    assert load(path, ["sweep.grid={users: [1, 2]}"]).size == 2
