"""A person, here a list of answers, criticises."""

import re

import gymnasium as gym
import numpy as np
import pytest

import agents
from recsim.chat.conversations import main
from recsim.chat.critiquing import Visit

SMALL = [
    "env.planted={users: 40, num_items: 60, num_aspects: 8, reviews: 6}",
    "env.max_turns=4",
]
ALL = "env.critiques=all"


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Keep lines whole."""
    monkeypatch.setenv("COLUMNS", "200")


class Person:
    """Types what was prepared, then just no, and then leaves."""

    def __init__(self, *prepared):
        self.prepared, self.asked = list(prepared), []

    def __call__(self, question):
        self.asked.append(question)
        return self.prepared.pop(0) if self.prepared else ""


def chat(person, *arguments):
    return main(["critiquing", *SMALL, *arguments], ask=person)


def shown(said):
    """Return the items shown, and for which aspects."""
    lines = re.findall(r"^\d+\. (item \d+), for (.*)$", said, flags=re.MULTILINE)
    return [item for item, _ in lines], [why.split(", ") for _, why in lines]


def test_a_session_to_the_end(capsys):
    person = Person()
    assert chat(person, "--agent", "critique_popularity") == 0
    said = capsys.readouterr().out
    items, reasons = shown(said)
    assert len(set(items)) == 4
    assert all(why[0].startswith("aspect") for why in reasons)
    assert said.rstrip().endswith("I give up.")
    assert person.asked == ["What is wrong with it? "] * 4 + ["Another one? (y or n) "]


@pytest.mark.parametrize(
    "words", ["aspect 3", "not aspect 3", "too Aspect 3", "it's not aspect 3!"]
)
def test_what_is_criticised_is_not_shown_again(capsys, words):
    chat(Person(words), "--agent", "popularity_filtered")
    _, reasons = shown(capsys.readouterr().out)
    assert len(reasons) == 4
    assert not any("aspect 3" in why for why in reasons[1:])
    chat(Person(), "--agent", "popularity_filtered")
    _, unheard = shown(capsys.readouterr().out)
    assert any("aspect 3" in why for why in unheard[1:]), "else nothing was heard"


def test_several_aspects_at_a_time(capsys):
    words = "too aspect 3, not Aspect 5,aspect 3"
    chat(Person(words), "--agent", "popularity_filtered", ALL)
    said = capsys.readouterr().out
    _, reasons = shown(said)
    assert "Commas between several reasons." in said
    assert len(reasons) == 4
    assert not any({"aspect 3", "aspect 5"} & set(why) for why in reasons[1:])
    chat(Person("aspect 3", "aspect 5, aspect 3"), "--agent", "critique_popularity", ALL)
    assert "You said so of 'aspect 3' before." in capsys.readouterr().out


def test_one_aspect_at_a_time_by_default(capsys):
    chat(Person("aspect 3, aspect 5"), "--agent", "critique_popularity")
    said = capsys.readouterr().out
    assert "There is no aspect 'aspect 3, aspect 5'." in said
    assert "Commas" not in said


def test_a_slip_of_the_pen_is_pointed_out(capsys):
    person = Person("not aspct 3", "weight", "aspect 3", "aspect 3", "yes", "n")
    assert chat(person, "--agent", "critique_popularity") == 0
    said = capsys.readouterr().out
    assert "There is no aspect 'aspct 3'. Did you mean 'aspect 3'?" in said
    assert "There is no aspect 'weight'. Say 'not' and one of the reasons" in said
    assert "You said so of 'aspect 3' before." in said
    assert "Found after 2 turns." in said
    assert len(shown(said)[0]) == 2


def test_another_session_begins_anew(capsys):
    chat(Person("yes", "y", "yes", "n"), "--agent", "critique_popularity")
    said = capsys.readouterr().out
    assert said.count("Found after 1 turns.") == 2
    items, _ = shown(said)
    assert items[0] == items[1]


def test_one_may_be_a_user_of_the_data(capsys):
    env = gym.make_vec(
        "recsim:CritiqueRec-v0",
        planted={"users": 40, "num_items": 60, "num_aspects": 8, "reviews": 6},
    )
    data = env.unwrapped.training_data
    popular = [f"item {n}" for n in np.argsort(-data.item_popularity, kind="stable")]
    taken = {f"item {n}" for n in np.flatnonzero(data.taken(np.array([7]))[0])}
    arguments = ["--agent", "critique_popularity", "env.max_turns=30"]
    chat(Person(), *arguments)
    assert shown(capsys.readouterr().out)[0] == popular[:30]
    chat(Person(), *arguments, "--user", "user 7")
    assert shown(capsys.readouterr().out)[0] == [n for n in popular if n not in taken][:30]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["critiquing", "--user", "user 3OO"], "no user is called 'user 3OO'. Did you mean 'user"),
        (["critiquing", "env.feedback=both"], "env.feedback: a chat is held with 'negative' only"),
        (["critiquing", "env.critiques=none"], "would hear nothing: use 'one' or 'all'"),
        (["critiquing", "--seed", "-1"], "--seed is -1; it must be 0 or more"),
        (["critiquing", "--agent", "critique_rando"], "Did you mean 'critique_random'"),
        (["critiquing", "--user", "user 3", "env.cold_start=true"], "nobody is known"),
        (["conversation", "--user", "user 3"], "only who criticises can be a user of the data"),
        (["quickstart"], "or with critiques, such as 'critiquing'"),
    ],
)
def test_mistakes_are_told(capsys, arguments, message):
    assert main(arguments, ask=Person()) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "Traceback" not in told.err


def test_names_are_no_markup(capsys):
    chat(Person("[/b]", "[red]"), "--agent", "critique_popularity")
    said = capsys.readouterr().out
    assert "There is no aspect '[/b]'." in said
    assert "There is no aspect '[red]'." in said


@pytest.mark.parametrize("cold", [False, True])
def test_the_agent_sees_what_an_environment_would_show(cold):
    """Critiques of a simulated user give the same sessions in the environment and in the chat."""
    env = gym.make_vec("recsim:CritiqueRec-v0", num_envs=1, max_turns=6, cold_start=cold)
    world = env.unwrapped
    agent = agents.make("critique_popularity", world.problem)
    agent.fit(world.training_data)
    obs, info = env.reset(seed=0, options={"index": [5]})
    held = Visit(world.problem, world.training_data, int(obs["user"][0, 0]))
    agent.begin(info["session"])
    while True:
        seen = {**obs, "action_mask": info["action_mask"]}
        for name, value in held.observation().items():
            np.testing.assert_array_equal(value, seen[name], err_msg=name)
        showing = agent.act(seen)
        obs, _, terminated, truncated, info = env.step(
            {"scores": showing.scores, "justification": showing.justification}
        )
        critiques = np.flatnonzero(info["critiques"][0]).tolist()
        held.reject(int(info["item"][0]), critiques)
        if terminated[0] or truncated[0]:
            break
    assert held.over
