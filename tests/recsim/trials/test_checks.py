import re
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from recsim.errors import UserError, located
from recsim.scenario.data import check_same_problem
from recsim.scenario.environments import environment_presets, make_env, registered_environments
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.sources import EnvSpec

SIMULATED = {"name": "s", "description": "d", "env": {"preset": "retention"}, "agents": ["random"]}


def error_of(base=SIMULATED, source="", **changes):
    with pytest.raises(UserError) as caught, located(source):
        parse_scenario({**base, **changes}).check()
    return str(caught.value)


def env(**options):
    return {"preset": "retention", **options}


@pytest.mark.parametrize("preset", environment_presets())
def test_every_preset_passes(preset):
    agents = ["random", "linucb", "popularity", "epsilon_greedy", "oracle"]
    content = {**SIMULATED, "env": {"preset": preset}, "agents": agents, "training_log": {}}
    parse_scenario(content).check()


@pytest.mark.parametrize(
    ("name", "config", "learns"),
    [
        ("random", {}, False),
        ("popularity", {}, False),
        ("linucb", {}, True),
        ("epsilon_greedy", {}, True),
        ("mixture", {}, False),
        ("mixture", {"members": [{"name": "random"}, {"name": "linucb"}]}, True),
    ],
)
def test_practice_is_refused_for_agents_that_do_not_learn_online(name, config, learns):
    entry = {"name": name, "config": config, "practice": 2}
    content = {**SIMULATED, "agents": [entry], "training_log": {}}
    if learns:
        parse_scenario(content).check()
    else:
        message = f"agents: {name}: 'practice' has no effect: {name!r} does not learn online."
        assert message in error_of(content)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (env(preset="retenton"), "env: Unknown preset 'retenton'. Did you mean 'retention'?"),
        (env(max_day=3), "env.max_day: unknown key. Did you mean 'max_days'?"),
        (env(max_days="x"), "env.max_days: must be a valid integer, not 'x'."),
        (env(max_days=-1), "env.max_days: must be greater than or equal to 0, not -1."),
        (env(max_steps=2.5), "env.max_steps: must be a valid integer"),
        (env(history="x"), "env.history: must be a valid integer, not 'x'."),
        (env(slate_size=True), "env.slate_size: must be a valid integer, not True."),
        (env(slate_size=900), "env: slate_size is 900"),
        (env(world=3), "env.world: must be a block of 'key: value' lines, not 3."),
        (env(world={"choice": {"no_clik": 1}}), "no_clik: unknown key. Did you mean 'no_click'?"),
        (
            env(world={"choice": {"kind": "cascad"}}),
            "unknown kind 'cascad'. Did you mean 'cascade'?",
        ),
        (env(rewards={"clicks": 1}), "has no reward 'clicks'. Did you mean 'click'?"),
        (env(rewards={"click": "much"}), "env.rewards.click: must be a valid number"),
        (env(backend="jax"), "env.backend: must be 'numpy' or 'torch', not 'jax'."),
        ({"id": "SlateRec-v7"}, "env.id: unknown environment 'SlateRec-v7'. Did you mean"),
        ({"id": "nowhere:X-v0"}, "env.id: module 'nowhere' cannot be imported"),
        ({"id": "FrozenLake-v1"}, "has no vector environment"),
        ({"id": "CartPole-v1"}, "env.id: CartPole-v1 is not an environment for recommendation"),
        (env(history=10**11), "env: SlateRec-v0 needs more memory than there is"),
        (env(world={"catalogue": {"num_items": 10**9}}), "must be less than or equal to 10000000"),
        (env(action="slot"), "env.action: must be 'slate' in a scenario, not 'slot'."),
    ],
)
def test_mistakes_about_the_environment(options, message):
    assert message in error_of(env=options)


@pytest.mark.parametrize("users", [10**12, 10**30])
def test_more_users_than_fit_into_memory_are_refused(users):
    assert f"users: {users} at a time need at least" in error_of(users=users)
    log = {"training_log": {"users": users}}
    assert f"training_log: users: {users} at a time" in error_of(**log)


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        (["randm"], "agents: randm: unknown agent 'randm'. Did you mean 'random'?"),
        (
            [{"name": "linucb", "config": {"alfa": 1}}],
            "alfa: unknown key. Did you mean 'alpha'?",
        ),
        ([{"name": "linucb", "config": {"alpha": "big"}}], "config.alpha: must be a valid number"),
        ([{"name": "linucb", "config": {"target": "clck"}}], "clck"),
        (["popularity"], "must be fitted on a log: add e.g. 'training_log: {agent: random}'"),
    ],
)
def test_mistakes_about_agents(agents, message):
    assert message in error_of(agents=agents)


def test_an_oracle_needs_the_state():
    message = error_of(agents=["oracle"], env=env(reveal_state=False))
    assert message == "agents: oracle: 'oracle' needs env.reveal_state to be true."


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"agent": "randm"}, "training_log: agents: randm: unknown agent"),
        ({"agent": "popularity"}, "training_log: agent: 'popularity' must itself be fitted"),
        (
            {"agent": "softmax", "training_log": {"agent": "popularity"}},
            "training_log: training_log: agent: 'popularity' must itself be fitted on a log: give",
        ),
        (
            {"agent": "softmax", "training_log": {"share": 0.5}},
            "training_log: 'share' needs a scenario with 'data'",
        ),
        ({"data": {"reader": "svd", "path": "x"}}, "unknown reader 'svd'. Did you mean 'saved'?"),
        ({"data": {"reader": "saved", "path": "nope"}}, "training_log: data: "),
    ],
)
def test_mistakes_about_the_training_log(training, message):
    assert message in error_of(training_log=training)


def test_a_training_log_of_another_catalogue(tmp_path, random_log):
    random_log(items=7, slots=2).save(tmp_path / "log")
    data = {"reader": "saved", "path": str(tmp_path / "log")}
    message = error_of(training_log={"data": data})
    assert message == "training_log: the log has number of items 7, where the agents need 200."


def test_a_training_log_of_another_catalogue_of_the_same_size():
    def problem(**catalogue):
        made = make_env(EnvSpec(**env(world={"catalogue": catalogue})), 2)
        return made.unwrapped.problem

    wanted = problem()
    check_same_problem(problem(), wanted)
    with pytest.raises(UserError, match=r"the features of 200 of its 200 items differ, .*item 0"):
        check_same_problem(problem(seed=5), wanted)
    fewer = replace(wanted, item_features=wanted.item_features[:, :3])
    with pytest.raises(UserError, match="the log has 3 item features, where the agents need 9"):
        check_same_problem(fewer, wanted)
    groups = wanted.item_groups.copy()
    groups[3] += 1
    with pytest.raises(UserError, match=r"the groups of 1 of its 200 items differ, .*item 3"):
        check_same_problem(replace(wanted, item_groups=groups), wanted)
    featureless = np.zeros((200, 0), dtype=np.float32)
    check_same_problem(replace(wanted, item_features=featureless), wanted)
    names = [f"item {number}" for number in range(wanted.num_items)]
    named = replace(wanted, item_names=names)
    check_same_problem(named, wanted)
    with pytest.raises(UserError, match="item 0 is 'item 0' in one and 'other' in the other"):
        check_same_problem(named, replace(wanted, item_names=["other", *names[1:]]))


def test_mistakes_about_metrics():
    assert error_of(metrics=["reward_per_stp"]) == (
        "metrics: unknown metric 'reward_per_stp'. Did you mean 'reward_per_step'?"
    )
    message = error_of(metrics=["return_per_user"], env={"preset": "boredom"})
    assert message.startswith("metrics: this world has no retention, so there is no 'return_per_u")
    assert "There are: early_reward_per_step, reward_per_step, " in message
    assert error_of(metrics=["last_round_gini"]).startswith("metrics: unknown metric 'last_round_g")
    good = {"metrics": ["last_round_gini", "first_round_reward_per_step"], "rounds": 2}
    parse_scenario(SIMULATED | good).check()
    assert error_of(front=["reward_per_step", "joy"]).startswith("front: unknown metric 'joy'.")


def test_keys_of_other_kinds_may_be_null():
    nulls = {"data": None, "holdout": None, "benchmark": None}
    assert parse_scenario({**SIMULATED, **nulls}) == parse_scenario(SIMULATED)
    data = {"data": {"reader": "saved", "path": "x"}, "env": None, "holdout": None}
    assert parse_scenario({**SIMULATED, **data}).kind == "logs"
    assert error_of(nothing=None).startswith("nothing: unknown key.")


def test_the_file_is_named():
    assert error_of(source="s.yaml", agents=["randm"]).startswith("s.yaml: agents: randm: ")


def test_the_state_is_revealed_unless_the_scenario_says_no():
    for spec, expected in (({}, True), ({"reveal_state": False}, False)):
        made = make_env(EnvSpec.model_validate(spec), 2)
        assert ("oracle_slate" in made.reset(seed=0)[1]) is expected


def test_an_environment_of_another_package(monkeypatch):
    def make(num_envs, depth: int = 1):
        made = make_env(EnvSpec(), num_envs)
        made.depth = depth
        return made

    spec = gymnasium.envs.registration.EnvSpec(id="Other-v0", vector_entry_point=make)
    monkeypatch.setitem(gymnasium.registry, "Other-v0", spec)
    assert make_env(EnvSpec.model_validate({"id": "Other-v0", "depth": 4}), 2).depth == 4
    with pytest.raises(UserError, match=re.escape("env.dept: unknown key. Did you mean 'depth'?")):
        make_env(EnvSpec.model_validate({"id": "Other-v0", "dept": 4}), 2)
    with pytest.raises(UserError, match=re.escape("env.depth: must be a valid integer, not 2.5.")):
        make_env(EnvSpec.model_validate({"id": "Other-v0", "depth": 2.5}), 2)


def test_an_environment_of_another_package_that_accepts_any_keyword(monkeypatch):
    def make(num_envs, **settings):
        made = make_env(EnvSpec(), num_envs)
        made.settings = settings
        return made

    spec = gymnasium.envs.registration.EnvSpec(id="Other-v0", vector_entry_point=make)
    monkeypatch.setitem(gymnasium.registry, "Other-v0", spec)
    assert make_env(EnvSpec.model_validate({"id": "Other-v0", "a": 1}), 2).settings == {"a": 1}


def test_environments_are_listed_with_one_line():
    assert registered_environments()["SlateRec-v0"].endswith(".")
