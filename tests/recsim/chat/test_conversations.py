"""A person, here a list of answers, holds conversations."""

import copy
import re

import numpy as np
import pytest

import agents
from envs.conversation.env import ConvRecEnv
from recsim.chat.__main__ import main
from recsim.chat.conversations import Conversation, Offer, Question
from recsim.chat.session import Terminal
from recsim.conversation import ConversationProblem
from recsim.errors import AgentError, UserError

PLANTED = {"num_items": 60, "num_attributes": 8, "users": 40, "interactions": 6, "per_user": 4}
SMALL = ["env.planted={num_items: 60, num_attributes: 8, users: 40, interactions: 6, per_user: 4}"]
SETTINGS = [*SMALL, "env.slate_size=3", "env.max_turns=4"]


def indifferent(question):
    """Care about nothing, reject all items, and leave."""
    if question.startswith("Another"):
        return "n"
    return "" if "Which one" in question else "?"


class Person:
    """Types prepared answers, then what ``otherwise`` returns, or ends the input without it."""

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


def test_a_conversation_without_success(capsys):
    person = Person(otherwise=indifferent)
    assert chat(person) == 0
    output = capsys.readouterr().out
    assert "I have 4 turns, and show 3 items" in output
    assert output.rstrip().endswith("I give up.")
    turns = [question for question in person.asked if question[0].isdigit()]
    assert [int(question.partition(".")[0]) for question in turns] == [1, 2, 3, 4]
    assert turns[-1].startswith("4. Which one is it?"), "the last turn shows items"
    shown = re.findall(r"^ +\d+ +(item \d+)", output, flags=re.MULTILINE)
    assert len(shown) == len(set(shown)) > 0


def test_every_question_is_explained(capsys):
    person = Person(otherwise=indifferent)
    chat(person, "--agent", "conv_bayes")  # asks for attributes in all turns but the last
    output = capsys.readouterr().out
    for question in person.asked[:3]:
        name = question.partition(". ")[2].removesuffix("? ")
        assert f"Asked about '{name}'" in output


def test_an_item_is_chosen_by_number(capsys):
    person = Person("9", "x", "2", "n")
    assert chat(person, "--agent", "conv_popularity") == 0
    output = capsys.readouterr().out
    assert output.count("Please enter a number from 1 to 3") == 2
    assert "Found after 1 turn." in output


def test_a_question_is_repeated_after_an_unclear_answer(capsys):
    person = Person("maybe", "y")
    assert chat(person, "--agent", "conv_bayes") == 0, "the end of the input ends the chat"
    assert "Please answer y, n or ?" in capsys.readouterr().out
    assert person.asked[0] == person.asked[1] != person.asked[2]


def test_names_are_not_interpreted_as_markup(capsys):
    from dataclasses import replace

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
    Conversation(agent, problem).hold(Terminal(Person(otherwise=indifferent)))
    output = capsys.readouterr().out
    assert "Asked about '[/" in output
    assert "([/" in output, "attributes of items"


def test_an_agent_practises_first(capsys):
    assert chat(Person("n"), "--agent", "conv_dqn", "agents.5.practice=1") == 0


def test_an_interrupt_ends_the_chat():
    def interrupt(question):
        raise KeyboardInterrupt

    assert chat(Person(otherwise=interrupt)) == 0


def test_another_conversation_starts_from_the_beginning(capsys):
    person = Person("1", "y", "1", "n")
    assert chat(person, "--agent", "conv_popularity") == 0
    assert capsys.readouterr().out.count("Found after 1 turn.") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quickstart"], "a chat needs a scenario with conversations"),
        (["conversatio"], "Did you mean 'conversation'"),
        (["conversation", "--agent", "fact_cr"], "no agent is labelled 'fact_cr'. Did you mean"),
        (["conversation", "env.max_turn=3"], "Did you mean 'max_turns'"),
        (["conversation", "env.opening=free"], "env.opening: must be 'none' in a chat"),
    ],
)
def test_mistakes_of_the_user_are_reported(capsys, arguments, message):
    assert main(arguments, ask=Person()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("error", [KeyError("typo"), EOFError("damaged file")])
def test_a_bug_of_the_agent_is_raised(monkeypatch, error):
    def act(self, obs):
        raise error

    monkeypatch.setattr(agents.load("conv_popularity"), "act", act)
    with pytest.raises(type(error), match=str(error.args[0])):
        chat(Person("y"), "--agent", "conv_popularity")


def test_a_mistake_of_the_user_during_a_session_is_reported(monkeypatch, capsys):
    def act(self, obs):
        raise UserError("the device is gone.")

    monkeypatch.setattr(agents.load("conv_popularity"), "act", act)
    assert chat(Person("y"), "--agent", "conv_popularity") == 2
    assert "error: the device is gone." in capsys.readouterr().err


def test_the_agent_sees_what_an_environment_would_show():
    """The answers of a simulated user give the same turns in the environment and in the chat."""
    import gymnasium as gym

    env = gym.make_vec("recsim:ConvRec-v0", num_envs=1, debug=True, max_turns=6, slate_size=2)
    problem = env.unwrapped.problem
    agent = agents.make("fact_crs", problem)
    agent.fit(env.unwrapped.training_data)
    obs, info = env.reset(seed=0, options={"index": [5]})
    session = Conversation(agent, problem)
    while True:
        expected = {**obs, "action_mask": info["action_mask"]}
        for name, value in session.observation().items():
            np.testing.assert_array_equal(value, expected[name], err_msg=name)
        turn = agent.act(expected)
        asks = turn.ask >= 0
        if asks[0]:
            session.answer(int(turn.ask[0]), 1 if info["truth"][0, turn.ask[0]] else 2)
        else:
            session.reject(turn.slates[0].tolist())
        action = {
            "type": np.where(asks, 0, 1),
            "attribute": np.maximum(turn.ask, 0),
            "slate": np.where(asks[:, None], -1, turn.slates),
        }
        obs, _, terminated, truncated, info = env.step(action)
        if terminated[0] or truncated[0]:
            break
    assert session.over or terminated[0]


def small_agent(name="conv_bayes"):
    env = ConvRecEnv(planted=PLANTED, slate_size=3, max_turns=4)
    agent = agents.make(name, env.problem)
    agent.fit(env.training_data)
    return agent


def test_a_conversation_in_code():
    conversation = Conversation(small_agent())
    turns = []
    while not conversation.over:
        turn = conversation.next_turn()
        assert conversation.next_turn() is turn, "asked twice, it is the same turn"
        turns.append(turn)
        conversation.reply("?" if isinstance(turn, Question) else None)
    assert len(turns) == conversation.turns == 4
    assert conversation.accepted is None
    assert isinstance(turns[-1], Offer)
    with pytest.raises(UserError, match="is over"):
        conversation.next_turn()


def test_an_item_is_accepted_by_its_name():
    conversation = Conversation(small_agent())
    while isinstance(turn := conversation.next_turn(), Question):
        with pytest.raises(UserError, match="answer y, n or"):
            conversation.reply(None)
        conversation.reply("no")
    with pytest.raises(
        UserError, match=rf"none of the items shown\. Did you mean '{turn.items[0]}"
    ):
        conversation.reply(turn.items[0] + "x")
    conversation.reply(turn.items[0])
    assert conversation.over
    assert conversation.accepted == turn.items[0]


@pytest.mark.parametrize("answered", [True, False])
def test_an_agent_holds_one_conversation(answered):
    agent = small_agent()
    first = Conversation(agent)
    if answered:
        first.next_turn()
    second = Conversation(agent)
    with pytest.raises(AgentError, match=r"begun another session since.*copy\.deepcopy"):
        first.next_turn()
    with pytest.raises(AgentError, match="begun another session since"):
        first.reply("no")
    second.next_turn()
    copied = Conversation(copy.deepcopy(agent))
    copied.next_turn()
    second.next_turn()
