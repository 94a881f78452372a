"""A person, here a list of answers, plays the user."""

import re

import numpy as np
import pytest

from recsim.chat.conversations import main
from recsim.conversation import ConversationProblem

SMALL = ["env.planted={num_items: 60, num_attributes: 8, users: 40, interactions: 6, per_user: 4}"]
SETTINGS = [*SMALL, "env.slate_size=3", "env.max_turns=4"]


def uncaring(question):
    """Care for nothing, want nothing, and leave."""
    if question.startswith("Another"):
        return "n"
    return "" if "Which one" in question else "?"


class Person:
    """Types what was prepared, then what it would say to anything."""

    def __init__(self, *prepared, otherwise=None):
        self.prepared, self.otherwise, self.asked = list(prepared), otherwise, []

    def __call__(self, question):
        self.asked.append(question)
        if self.prepared:
            return self.prepared.pop(0)
        if self.otherwise is None:
            raise EOFError
        return self.otherwise(question)


def chat(person, *arguments):
    return main(["conversation", *SETTINGS, *arguments], ask=person)


def test_a_conversation_to_the_end(capsys):
    person = Person(otherwise=uncaring)
    assert chat(person) == 0
    said = capsys.readouterr().out
    assert "I have 4 turns, and show 3 items" in said
    assert said.rstrip().endswith("I give up.")
    turns = [question for question in person.asked if question[0].isdigit()]
    assert [int(question.partition(".")[0]) for question in turns] == [1, 2, 3, 4]
    assert turns[-1].startswith("4. Which one is it?"), "the last turn is no question"
    shown = re.findall(r"^ +\d+ +(item \d+)", said, flags=re.MULTILINE)
    assert len(shown) == len(set(shown)) > 0


def test_every_question_says_why(capsys):
    person = Person(otherwise=uncaring)
    chat(person, "--agent", "conv_bayes")  # asks for attributes in all turns but the last
    said = capsys.readouterr().out
    for question in person.asked[:3]:
        name = question.partition(". ")[2].removesuffix("? ")
        assert f"Asked for '{name}'" in said


def test_an_item_is_chosen_by_number(capsys):
    person = Person("9", "x", "2", "n")
    assert chat(person, "--agent", "conv_popularity") == 0
    said = capsys.readouterr().out
    assert said.count("Please give a number from 1 to 3") == 2
    assert "Found after 1 turns." in said


def test_what_is_no_answer_is_asked_again(capsys):
    person = Person("maybe", "y")
    assert chat(person, "--agent", "conv_bayes") == 0, "the end of the input ends the chat"
    assert "Please say y, n or ?" in capsys.readouterr().out
    assert person.asked[0] == person.asked[1] != person.asked[2]


def test_names_are_no_markup(capsys):
    from dataclasses import replace

    from rich.console import Console

    import agents
    from recsim.chat.conversations import talk
    from recsim.conversation import planted_tastes

    data = planted_tastes(num_items=20, num_attributes=7, users=20, interactions=4)
    data = replace(data, attribute_names=tuple(f"[/{n}]" for n in "abcdefg"))
    problem = ConversationProblem(
        num_items=20,
        num_attributes=7,
        slate_size=3,
        max_turns=2,
        item_attributes=data.item_attributes,
        attribute_names=data.attribute_names,
        item_names=data.item_names,
    )
    agent = agents.make("conv_bayes", problem, questions=1)
    agent.fit(data)
    talk(agent, problem, Person(otherwise=uncaring), Console())
    said = capsys.readouterr().out
    assert "Asked for '[/" in said
    assert "([/" in said, "attributes of items"


def test_an_agent_that_practises_does_so_first(capsys):
    assert chat(Person("n"), "--agent", "conv_dqn", "agents.5.practice=1") == 0


def test_an_interrupt_ends_the_chat():
    def interrupt(question):
        raise KeyboardInterrupt

    assert chat(Person(otherwise=interrupt)) == 0


def test_another_conversation_begins_anew(capsys):
    person = Person("1", "y", "1", "n")
    assert chat(person, "--agent", "conv_popularity") == 0
    assert capsys.readouterr().out.count("Found after 1 turns.") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quickstart"], "a chat needs a scenario with conversations"),
        (["conversatio"], "Did you mean 'conversation'"),
        (["conversation", "--agent", "fact_cr"], "no agent is labelled 'fact_cr'. Did you mean"),
        (["conversation", "env.max_turn=3"], "Did you mean 'max_turns'"),
        (["conversation", "env.opening=free"], "env.opening: a chat is held with 'none' only"),
    ],
)
def test_mistakes_are_told(capsys, arguments, message):
    assert main(arguments, ask=Person()) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "Traceback" not in told.err


def test_the_agent_sees_what_an_environment_would_show():
    """Answers of a simulated user give the same turns in the environment and in the chat."""
    import gymnasium as gym

    import agents
    from recsim.chat.conversations import ConversationChat

    env = gym.make_vec("recsim:ConvRec-v0", num_envs=1, debug=True, max_turns=6, slate_size=2)
    problem = env.unwrapped.problem
    agent = agents.make("fact_crs", problem)
    agent.fit(env.unwrapped.training_data)
    obs, info = env.reset(seed=0, options={"index": [5]})
    held = ConversationChat(problem)
    agent.begin(1)
    while True:
        seen = {**obs, "action_mask": info["action_mask"]}
        for name, value in held.observation().items():
            np.testing.assert_array_equal(value, seen[name], err_msg=name)
        turn = agent.act(seen)
        asks = turn.ask >= 0
        if asks[0]:
            held.answer(int(turn.ask[0]), 1 if info["truth"][0, turn.ask[0]] else 2)
        else:
            held.reject(turn.slates[0].tolist())
        action = {
            "type": np.where(asks, 0, 1),
            "attribute": np.maximum(turn.ask, 0),
            "slate": np.where(asks[:, None], -1, turn.slates),
        }
        obs, _, terminated, truncated, info = env.step(action)
        if terminated[0] or truncated[0]:
            break
    assert held.over or terminated[0]
