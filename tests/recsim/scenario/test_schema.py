import pytest

from recsim.errors import ScenarioError
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.schema import training_log_of

SIMULATED = {"name": "s", "description": "d", "env": {"preset": "boredom"}, "agents": ["random"]}
LOGGED = {
    "name": "s",
    "description": "d",
    "data": {"reader": "table", "path": "log.csv"},
    "agents": ["random"],
}


def scenario(base=SIMULATED, **changes):
    return parse_scenario({**base, **changes})


def refused(match, base=SIMULATED, **changes):
    with pytest.raises(ScenarioError, match=match):
        scenario(base, **changes)


def test_a_number_of_seeds_means_the_first_ones():
    assert scenario(seeds=3).seeds == (0, 1, 2)
    assert scenario(seeds=[7, 3]).seeds == (7, 3)
    assert scenario().seeds == tuple(range(10))
    assert scenario(LOGGED).seeds == (0,)


@pytest.mark.parametrize("seeds", [0, -1, True, "3", [], [1, 1], [-1], [1.5], None, 10**9])
def test_seeds_that_make_no_sense_are_refused(seeds):
    refused("seeds", seeds=seeds)


def test_an_agent_can_be_just_a_name():
    agents = scenario(agents=["random", {"name": "linucb", "config": {"alpha": 2}}]).agents
    assert [(a.name, a.label, a.config) for a in agents] == [
        ("random", "random", {}),
        ("linucb", "linucb", {"alpha": 2}),
    ]


def test_one_agent_twice_needs_labels():
    refused("two agents are labelled 'random'", agents=["random", "random"])
    both = [{"name": "random"}, {"name": "random", "label": "again"}]
    assert [agent.label for agent in scenario(agents=both).agents] == ["random", "again"]
    # Labels name folders, which some file systems do not tell apart by case.
    refused("two agents", agents=["random", {"name": "linucb", "label": "Random"}])


@pytest.mark.parametrize("label", ["../up", "a/b", ".hidden", "", "a b", "x" * 81])
def test_what_names_a_folder_is_harmless(label):
    refused("label", agents=[{"name": "random", "label": label}])
    refused("name", name=label)


def test_exactly_one_of_env_and_data():
    refused("exactly one .* not .env. and .data.", data=LOGGED["data"])
    refused("exactly one .* not none", base={k: v for k, v in SIMULATED.items() if k != "env"})


@pytest.mark.parametrize(
    ("base", "key", "value"),
    [
        (SIMULATED, "estimators", ["ips"]),
        (SIMULATED, "clip", 5.0),
        (LOGGED, "users", 5),
        (LOGGED, "steps", 5),
        (LOGGED, "axis", "day"),
        (LOGGED, "metrics", ["x"]),
        (LOGGED, "learn", False),
        (LOGGED, "front", ["a", "b"]),
        (LOGGED, "rounds", 2),
        (LOGGED, "refit", True),
    ],
)
def test_a_key_without_effect_is_refused(base, key, value):
    refused(f"{key}: has no effect", base, **{key: value})


@pytest.mark.parametrize("key", ["users", "steps", "rounds"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "10", True, None])
def test_counts_are_positive_whole_numbers(key, value):
    refused(key, **{key: value})


def test_unknown_keys_are_refused_at_every_level():
    refused("usres: unknown key. Did you mean 'users'", usres=3)
    refused(
        "agents.0.confg: unknown key. Did you mean 'config'",
        agents=[{"name": "random", "confg": {}}],
    )
    refused("training_log.agnt: unknown key", training_log={"agnt": "random"})


def test_the_old_block_of_intervals_says_what_to_write():
    refused("write 'level: 0.9' in its place", bootstrap={"level": 0.9, "samples": 100})
    refused("are not resampled; remove it", bootstrap={"samples": 100})
    refused(
        "write 'interval: bootstrap', 'level: 0.9' and 'samples: 100' in its place",
        LOGGED,
        bootstrap={"level": 0.9, "samples": 100},
    )
    refused("write 'interval: bootstrap' in its place", LOGGED, bootstrap=True)
    refused(
        "samples: has no effect in a scenario of kind 'simulation', only in logs and accuracy",
        samples=100,
    )
    words = "only in simulation, conversations, critiquing, holdout and next_item: remove it"
    refused(f"kind 'logs', {words}", LOGGED, pairs="all")


def test_the_baseline_is_one_of_the_agents():
    three = {**SIMULATED, "agents": ["random", "popularity", "linucb"]}
    refused(r"label 'popularty'\. Did you mean 'popularity'\?$", three, baseline="popularty")
    refused(r"baseline: must be text, not 1\.", three, baseline=1)
    refused("'pairs: all' has no effect with one agent", agents=["random"], pairs="all")
    refused(r"axis: must be .* not 'dya'\. Did you mean 'day'\?", axis="dya")
    refused("'baseline' has no effect with 'pairs: all'", three, baseline="random", pairs="all")
    refused(
        r"baseline 'randmo' is none of the agents and policies\. Did you mean",
        LOGGED,
        baseline="randmo",
    )
    assert scenario(three, baseline="popularity").compared == [
        ("random", "popularity"),
        ("linucb", "popularity"),
    ]
    assert scenario(three, pairs="all").compared == [
        ("popularity", "random"),
        ("linucb", "random"),
        ("linucb", "popularity"),
    ]


def test_free_keys_of_env_and_data_are_their_options():
    assert scenario().env.options == {"preset": "boredom"}
    data = scenario(LOGGED, data={"reader": "r", "path": "p", "campaign": "men"}).data
    assert data.options == {"campaign": "men"}


def test_a_training_log_has_one_source():
    source = {"reader": "saved", "path": "log"}
    refused("'data' cannot be combined with other keys", training_log={"data": source, "users": 3})
    both = {"share": 0.5, "agent": "random"}
    refused("'share' cannot be combined with other keys", LOGGED, training_log=both)
    refused("'share' needs a scenario with 'data'", training_log={"share": 0.5})
    refused("no simulated users", LOGGED, training_log={"agent": "random"})
    own = [{"name": "linucb", "training_log": {"share": 0.5}}]
    refused("all agents are evaluated on the same rows", LOGGED, agents=own)


def test_the_training_log_of_an_agent_goes_before_that_of_the_scenario():
    own = {"name": "linucb", "training_log": {"users": 7}}
    s = scenario(training_log={"users": 5}, agents=["random", own])
    assert [training_log_of(s, agent).users for agent in s.agents] == [5, 7]


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_a_share_lies_between_0_and_1(share):
    refused("share", LOGGED, training_log={"share": share})


def test_rows_of_the_log_cannot_be_taken_by_agents():
    named = [{"name": "random", "label": "Reference"}]
    refused("is reserved for a row of the log", LOGGED, agents=named)
    assert scenario(agents=named).agents[0].label == "Reference"


def test_each_needs_values():
    refused("lists no values", LOGGED, data={**LOGGED["data"], "each": {"campaign": []}})
    refused("lists a value twice", LOGGED, data={**LOGGED["data"], "each": {"c": [1, 1]}})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training_log": {"agent": "random", "users": 5}, "axis": "day", "front": ["a", "b"]},
        {"env": {"preset": "retention", "world": {"drift": None}}, "metrics": ["m"]},
        {"agents": [{"name": "a", "config": {"x": None}, "training_log": {"seed": 3}}]},
    ],
)
def test_the_resolved_scenario_is_the_same_scenario(changes):
    s = scenario(**changes)
    again = parse_scenario(s.resolved())
    assert again.digest() == s.digest()
    assert again.resolved() == s.resolved()


def test_the_resolved_log_scenario_is_the_same_scenario():
    data = {"reader": "r", "path": "p", "x": None, "each": {"c": [1, 2]}, "reference": {"d": None}}
    for training in (None, {"share": 0.5}, {"data": data}):
        s = scenario(LOGGED, data=data, training_log=training)
        again = parse_scenario(s.resolved())
        assert again.resolved() == s.resolved()


def test_options_that_are_null_on_purpose_survive():
    world = {"drift": None, "fatigue": {"weight": 1.0}}
    assert scenario(env={"world": world}).resolved()["env"]["world"] == world


def test_the_digest_stands_for_what_is_computed():
    base = scenario().digest()
    assert len(base) == 8
    same = scenario(output="elsewhere", description="other words", question="why?")
    assert same.digest() == base
    for change in ({"users": 9}, {"seeds": 2}, {"agents": ["linucb"]}, {"learn": False}):
        assert scenario(**change).digest() != base


def test_a_description_is_one_line():
    refused("one line", description="two\nlines")
    assert scenario(description="folded \n").description == "folded"


def test_keys_of_rounds_need_rounds():
    refused("'refit' has no effect with one round", refit=False)
    refused("'refit' has no effect with one round", rounds=1, refit=True)
    refused("'round' needs 'rounds' of 2 or more", axis="round")
    assert scenario(rounds=2, refit=False).axis == "round"
    assert scenario(rounds=2, axis="step").axis == "step"
    assert scenario().axis == "step"


def test_practice_needs_users():
    own = [{"name": "linucb", "practice": 3}]
    assert scenario(agents=own).agents[0].practice == 3
    refused("'practice' has no effect in a scenario of kind 'logs'", LOGGED, agents=own)
    for value in (-1, 1.5, True):
        refused("practice", agents=[{"name": "linucb", "practice": value}])


def test_one_round_and_no_practice_leave_the_digest_as_it_was():
    plain = scenario(rounds=1, agents=[{"name": "random", "practice": 0}])
    assert not {"rounds", "refit"} & plain.resolved().keys()
    assert "practice" not in plain.resolved()["agents"][0]
    assert plain.digest() == scenario().digest()
    several = scenario(rounds=3, agents=[{"name": "random", "practice": 2}])
    assert parse_scenario(several.resolved()) == several
    others = [scenario(rounds=3), scenario(rounds=4), scenario(rounds=3, refit=False), several]
    assert len({s.digest() for s in others}) == 4
