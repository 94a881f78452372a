import re

import pytest

from recsim.errors import UserError
from recsim.scenario.files import find_scenario, load_scenario, packaged_scenarios

GOOD = """\
name: demo
description: A demonstration.
env:
  preset: retention
  world: {drift: {rate: 1e-3}}
agents:
  - random
  - name: linucb
    config: {alpha: 0.5}
seeds: 2
"""


@pytest.fixture
def file(tmp_path):
    def write(text=GOOD):
        path = tmp_path / "demo.yaml"
        path.write_text(text)
        return path

    return write


def error_of(*arguments):
    with pytest.raises(UserError) as caught:
        load_scenario(*arguments)
    return str(caught.value)


def test_numbers_are_numbers(file):
    assert load_scenario(file()).env.options["world"] == {"drift": {"rate": 0.001}}


def test_overrides(file):
    scenario = load_scenario(
        file(),
        [
            "users=10",
            "seeds=[4,5]",
            "env.world.drift.rate=1e-4",
            "env.max_days=3",
            "agents.1.config.alpha=2",
            "agents.0.label=dice",
            "question=a=b",
        ],
    )
    assert scenario.users == 10
    assert scenario.seeds == (4, 5)
    assert scenario.env.options["world"] == {"drift": {"rate": 0.0001}}
    assert scenario.env.options["max_days"] == 3
    assert scenario.agents[1].config == {"alpha": 2}
    assert scenario.agents[0].label == "dice"
    assert scenario.question == "a=b"


def test_a_block_is_merged_and_a_list_replaces(file):
    path = file()
    before = load_scenario(path)
    after = load_scenario(path, ["env={max_days: 3}", "seeds=[7]"])
    assert after.env.options == {**before.env.options, "max_days": 3}
    assert after.seeds == (7,)


def test_agents_can_be_replaced(file):
    assert [a.name for a in load_scenario(file(), ["agents=[oracle]"]).agents] == ["oracle"]


@pytest.mark.parametrize("override", ["users", "=3", "a..b=1", ""])
def test_a_malformed_override_says_what_one_looks_like(file, override):
    message = error_of(file(), [override])
    assert f"{override!r} is not of the form key=value" in message


def test_an_override_with_a_malformed_value(file):
    assert "override 'users=[1': the value is not valid YAML" in error_of(file(), ["users=[1"])


def test_an_override_of_an_agent_that_is_not_there(file):
    for entry in ("7", "x", "-1"):
        override = f"agents.{entry}.name=y"
        message = error_of(file(), [override])
        assert message.startswith(f"override {override!r}: 'agents' has no entry ")
        assert message.endswith(": its entries are numbered from 0 to 1.")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("users=3", "users=4"),
        ("seeds=2", "seeds=2"),
        ("agents.0.label=x", "agents=[random]"),
        ("env={max_days: 3}", "env={max_days: 4}"),
    ],
)
def test_an_override_that_would_replace_another_one_is_refused(file, first, second):
    message = error_of(file(), [first, second])
    assert f"override {second!r} replaces the override {first!r} before it" in message


def test_a_replaced_list_can_be_changed_by_later_overrides(file):
    changed = load_scenario(file(), ["agents=[random, oracle]", "agents.1.label=best"])
    assert [agent.label for agent in changed.agents] == ["random", "best"]


def test_blocks_of_two_overrides_are_merged(file):
    options = load_scenario(file(), ["env={max_days: 3}", "env={history: 5}"]).env.options
    assert (options["max_days"], options["history"]) == (3, 5)


def test_the_message_of_an_unknown_key_has_file_line_path_and_near_match(file):
    path = file(GOOD + "stps: 3\n")
    assert error_of(path) == f"{path}:11: stps: unknown key. Did you mean 'steps'?"
    path = file(GOOD.replace("config:", "confg:"))
    assert error_of(path) == f"{path}:9: agents.1.confg: unknown key. Did you mean 'config'?"


def test_all_mistakes_are_reported_together(file):
    path = file(GOOD.replace("seeds: 2", "seeds: two\naxis: week\nusers: '3'"))
    assert error_of(path).splitlines() == [
        f"{path}:10: seeds: must be a number of seeds or a list of seeds.",
        f"{path}:12: users: must be a valid integer, not '3'.",
        f"{path}:11: axis: must be 'step', 'day' or 'round', not 'week'.",
    ]


def test_a_mistake_on_the_command_line_is_reported_as_such(file):
    assert error_of(file(), ["usrs=3"]) == (
        "command line: usrs: unknown key. Did you mean 'users'?"
    )
    assert error_of(file(), ["level=2"]).startswith("command line: level: ")
    path = file()
    path.write_text(GOOD + "stps: 3\n")
    assert error_of(path, ["users=3"]).startswith(f"{path}:11: stps")


def test_a_missing_key_is_reported(file):
    path = file(GOOD.replace("name: demo\n", ""))
    assert error_of(path) == f"{path}: name: is missing."


def test_a_misspelt_required_key_is_reported_once(file):
    path = file(GOOD.replace("name: demo", "nam: demo"))
    assert error_of(path) == f"{path}:1: nam: unknown key. Did you mean 'name'?"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("name: [1", r":(2:1|1:9)", "not valid YAML"),
        ("name: a\nname: b", ":2:1", "duplicate key"),
        ("name: a\n\tb: c", ":2:1", r"tab|\\t"),
        ("just words", "", "a list of 'key: value' lines"),
        ("- a\n- b", "", "a list of 'key: value' lines"),
        ("", "", "the file is empty; a scenario is a list of 'key: value' lines"),
        ("# name: x\n---\n", "", "the file is empty"),
    ],
)
def test_invalid_yaml_is_reported_with_its_position(file, text, where, what):
    path = file(text)
    message = error_of(path)
    # Two versions of the parser differ in where a list ends that is not closed.
    assert re.match(f"{re.escape(str(path))}{where}: ", message)
    assert re.search(what, message)


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not a text file" in error_of(path)


def test_an_environment_variable_that_is_not_set(file, monkeypatch):
    monkeypatch.delenv("RECSIM_TEST_PLACE", raising=False)
    path = file(GOOD.replace("preset: retention", "preset: ${oc.env:RECSIM_TEST_PLACE}"))
    message = error_of(path)
    assert "env.preset: Environment variable 'RECSIM_TEST_PLACE' not found" in message
    assert "env.preset=... on the command line" in message
    assert load_scenario(path, ["env.preset=boredom"]).env.options["preset"] == "boredom"
    monkeypatch.setenv("RECSIM_TEST_PLACE", "boredom")
    assert load_scenario(path).env.options["preset"] == "boredom"


def test_scenarios_are_found_by_name():
    assert find_scenario("quickstart") == packaged_scenarios()["quickstart"]


def test_a_misspelt_name_of_a_scenario():
    assert error_of("quikstart") == "unknown scenario 'quikstart'. Did you mean 'quickstart'?"


def test_a_file_that_does_not_exist(tmp_path):
    assert "does not exist. Did you mean 'quickstart'?" in error_of(tmp_path / "quickstar.yaml")
    assert "is a folder" in error_of(f"{tmp_path}/")


@pytest.mark.parametrize("name", sorted(packaged_scenarios()))
def test_packaged_scenarios_have_a_question(name, monkeypatch):
    monkeypatch.setenv("RECSIM_DATA", "data")
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.description.endswith(".")
    assert scenario.question.endswith(("?", "."))
