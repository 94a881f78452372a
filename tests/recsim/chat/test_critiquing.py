"""A person, here a list of answers, critiques items."""

import re

import gymnasium as gym
import numpy as np
import pytest

import agents
from recsim.chat.__main__ import main
from recsim.chat.critiquing import CritiquingSession

SMALL = "env.planted={users: 40, num_items: 60, num_aspects: 8, reviews: 6}"
ALL = "env.critiques=all"


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Avoid line breaks in the output."""
    monkeypatch.setenv("COLUMNS", "300")


class Person:
    """Types prepared answers, then only Enter."""

    def __init__(self, *prepared):
        self.prepared, self.asked = list(prepared), []

    def __call__(self, question):
        self.asked.append(question)
        return self.prepared.pop(0) if self.prepared else ""


def chat(person, *arguments, turns=4):
    return main(["critiquing", SMALL, f"env.max_turns={turns}", *arguments], ask=person)


def shown(output):
    """Return the items shown and their reasons."""
    lines = re.findall(r"^\d+\. (item \d+), for (.*)$", output, flags=re.MULTILINE)
    return [item for item, _ in lines], [why.split(", ") for _, why in lines]


def test_a_session_without_success(capsys):
    person = Person()
    assert chat(person, "--agent", "critique_popularity") == 0
    output = capsys.readouterr().out
    items, reasons = shown(output)
    assert len(set(items)) == 4
    assert all(why[0].startswith("aspect") for why in reasons)
    assert output.rstrip().endswith("I give up.")
    assert person.asked == ["What is wrong with it? "] * 4 + ["Another one? (y or n) "]


@pytest.mark.parametrize(
    "words", ["aspect 3", "not aspect 3", "too Aspect 3", "it's not aspect 3!"]
)
def test_items_with_a_critiqued_aspect_are_not_shown(capsys, words):
    chat(Person(words), "--agent", "popularity_filtered")
    _, reasons = shown(capsys.readouterr().out)
    assert len(reasons) == 4
    assert not any("aspect 3" in why for why in reasons[1:])
    chat(Person(), "--agent", "popularity_filtered")
    _, unfiltered = shown(capsys.readouterr().out)
    assert any("aspect 3" in why for why in unfiltered[1:]), "else the critique has no effect"


def test_several_aspects_at_a_time(capsys):
    words = "too aspect 3, not Aspect 5,aspect 3"
    chat(Person(words), "--agent", "popularity_filtered", ALL)
    output = capsys.readouterr().out
    _, reasons = shown(output)
    assert "Separate several reasons by commas." in output
    assert len(reasons) == 4
    assert not any({"aspect 3", "aspect 5"} & set(why) for why in reasons[1:])
    chat(Person("aspect 3", "aspect 5, aspect 3"), "--agent", "critique_popularity", ALL)
    assert "You have already critiqued 'aspect 3'." in capsys.readouterr().out


def test_one_aspect_at_a_time_by_default(capsys):
    chat(Person("aspect 3, aspect 5"), "--agent", "critique_popularity")
    output = capsys.readouterr().out
    assert "There is no aspect 'aspect 3, aspect 5'." in output
    assert "Commas" not in output


def test_typing_errors_are_reported(capsys):
    person = Person("not aspct 3", "weight", "aspect 3", "aspect 3", "yes", "n")
    assert chat(person, "--agent", "critique_popularity") == 0
    output = capsys.readouterr().out
    assert "There is no aspect 'aspct 3'. Did you mean 'aspect 3'?" in output
    assert "There is no aspect 'weight'. Say 'not' and one of the reasons" in output
    assert "You have already critiqued 'aspect 3'." in output
    assert "Found after 2 turns." in output
    assert len(shown(output)[0]) == 2


def test_another_session_starts_from_the_beginning(capsys):
    chat(Person("yes", "y", "yes", "n"), "--agent", "critique_popularity")
    output = capsys.readouterr().out
    assert output.count("Found after 1 turn.") == 2
    items, _ = shown(output)
    assert items[0] == items[1]


def test_a_person_can_play_a_user_of_the_data(capsys):
    env = gym.make_vec(
        "recsim:CritiqueRec-v0",
        planted={"users": 40, "num_items": 60, "num_aspects": 8, "reviews": 6},
    )
    data = env.unwrapped.training_data
    popular = [f"item {n}" for n in np.argsort(-data.item_popularity, kind="stable")]
    taken = {f"item {n}" for n in np.flatnonzero(data.taken(np.array([7]))[0])}
    arguments = ["--agent", "critique_popularity"]
    chat(Person(), *arguments, turns=30)
    assert shown(capsys.readouterr().out)[0] == popular[:30]
    chat(Person(), *arguments, "--user", "user 7", turns=30)
    assert shown(capsys.readouterr().out)[0] == [n for n in popular if n not in taken][:30]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["critiquing", "--user", "user 3OO"], "there is no user 'user 3OO'. Did you mean 'user"),
        (["critiquing", "env.feedback=both"], "env.feedback: must be 'negative' in a chat"),
        (["critiquing", "env.critiques=none"], "env.critiques: must be 'one' or 'all' in a chat"),
        (["critiquing", "--seed", "-1"], "--seed is -1; it must be 0 or more"),
        (["critiquing", "--agent", "critique_rando"], "Did you mean 'critique_random'"),
        (
            ["critiquing", "--user", "user 3", "env.cold_start=true"],
            "cannot be combined with env.cold_start",
        ),
        (["conversation", "--user", "user 3"], "--user: needs a scenario with critiques"),
        (["quickstart"], "or with critiques, such as 'critiquing'"),
    ],
)
def test_mistakes_of_the_user_are_reported(capsys, arguments, message):
    assert main(arguments, ask=Person()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_names_are_not_interpreted_as_markup(capsys):
    chat(Person("[/b]", "[red]"), "--agent", "critique_popularity")
    output = capsys.readouterr().out
    assert "There is no aspect '[/b]'." in output
    assert "There is no aspect '[red]'." in output


@pytest.mark.parametrize("cold", [False, True])
def test_the_agent_sees_what_an_environment_would_show(cold):
    """The critiques of a simulated user give the same session in the environment and the chat."""
    env = gym.make_vec("recsim:CritiqueRec-v0", num_envs=1, max_turns=6, cold_start=cold)
    world = env.unwrapped
    agent = agents.make("critique_popularity", world.problem)
    agent.fit(world.training_data)
    obs, info = env.reset(seed=0, options={"index": [5]})
    session = CritiquingSession(
        agent, world.problem, world.training_data, user=int(obs["user"][0, 0])
    )
    while True:
        expected = {**obs, "action_mask": info["action_mask"]}
        for name, value in session.observation().items():
            np.testing.assert_array_equal(value, expected[name], err_msg=name)
        showing = agent.act(expected)
        obs, _, terminated, truncated, info = env.step(
            {"scores": showing.scores, "justification": showing.justification}
        )
        critiques = np.flatnonzero(info["critiques"][0]).tolist()
        session.reject(int(info["item"][0]), critiques)
        if terminated[0] or truncated[0]:
            break
    assert session.over
