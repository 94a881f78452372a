"""A person plays the user: ``python -m recsim.chat scenario.yaml``.

The scenario is one with conversations or with critiques; an agent of it is fitted on its data, and
asks or is criticised at the terminal.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from recsim.chat.critiquing import Visit, user_number, visit
from recsim.contracts.conversations import ConversationAgent
from recsim.contracts.slates import Observation
from recsim.conversation import ConversationProblem
from recsim.errors import UserError, did_you_mean
from recsim.scenario.building import kind_of_environment, make_agent, make_env
from recsim.scenario.files import load_scenario
from recsim.scenario.schema import AgentSpec, Scenario
from recsim.trials.conversations import practise_with
from recsim.trials.simulation import Seeds

__all__ = ["ConversationChat", "main", "talk"]

Ask = Callable[[str], str]
Hold = Callable[[Ask, Console], bool]

YES, NO, UNKNOWN = 1, 2, 3
_ASKED = {YES: 1, NO: -1, UNKNOWN: 3}
_HIT, _MISS = 2, -2
_WORDS = {"y": YES, "yes": YES, "n": NO, "no": NO, "?": UNKNOWN}
# Attributes of an item that are listed beside it.
_MOST_LISTED = 5
# What a person may answer is less than what a simulated user can be made to.
_PLAIN = {
    "question": "binary",
    "opening": "none",
    "free_recommendations": 0,
    "feedback": "negative",
}


class ConversationChat:
    """One conversation as an agent sees it, whoever answers.

    Args:
        problem: The public facts.
        unknown: Whether "I do not care" is an answer of its own; else it is a no.
    """

    def __init__(self, problem: ConversationProblem, *, unknown: bool = False) -> None:
        self.problem, self._unknown = problem, unknown
        self.answers = np.zeros(problem.num_attributes, dtype=np.int8)
        self.shown: list[int] = []
        self.history: list[int] = []

    @property
    def over(self) -> bool:
        """Whether all turns are taken."""
        return len(self.history) >= self.problem.max_turns

    def observation(self) -> Observation:
        """Return what the agent sees, for a batch of one."""
        problem, turn = self.problem, len(self.history)
        shown = np.full((1, problem.max_turns * problem.slate_size), -1)
        shown[0, : len(self.shown)] = self.shown
        history = np.zeros((1, problem.max_turns), dtype=np.int8)
        history[0, :turn] = self.history
        mask = np.ones((1, problem.num_attributes + 1), dtype=np.int8)
        mask[0, :-1] = (self.answers == 0) & (turn < problem.max_turns - 1)
        left = int(self.candidates().sum())
        return {
            "answers": self.answers[None].copy(),
            "shown": shown,
            "history": history,
            "turn": np.array([[turn]]),
            "candidate_bin": np.array([[int(np.log2(left + 1))]]),
            "action_mask": mask,
        }

    def candidates(self) -> NDArray[np.bool_]:
        """Return which items have all attributes that were said yes to and were not shown."""
        left: NDArray[np.bool_] = np.all(
            self.problem.item_attributes[:, self.answers == YES], axis=1
        )
        left[self.shown] = False
        return left

    def answer(self, attribute: int, said: int) -> None:
        """Note what was said to a question."""
        if said == UNKNOWN and not self._unknown:
            said = NO
        self.answers[attribute] = said
        self.history.append(_ASKED[said])

    def reject(self, items: Sequence[int]) -> None:
        """Note that none of the items was right."""
        self.shown += items
        self.history.append(_MISS)


def talk(
    agent: ConversationAgent,
    problem: ConversationProblem,
    ask: Ask,
    console: Console,
    *,
    unknown: bool = False,
) -> bool:
    """Hold one conversation.

    Args:
        agent: Fitted.
        problem: The public facts.
        ask: Puts a question to the person and returns what was typed.
        console: Where the rest is said.
        unknown: See `ConversationChat`.

    Returns:
        Whether an item was accepted.
    """
    held = ConversationChat(problem, unknown=unknown)
    agent.begin(1)
    console.print(
        f"Think of something. I have {problem.max_turns} turns, and show {problem.slate_size} "
        "items at a time. Answer y, n, or ? if you do not care.",
        highlight=False,
    )
    while not held.over:
        turn = agent.act(held.observation())
        number, attribute = len(held.history) + 1, int(turn.ask[0])
        explain = getattr(agent, "explain", None)
        why = "" if explain is None else explain(0)
        if attribute >= 0:
            console.print(why, style="dim", highlight=False, markup=False)
            said = _answer(ask, f"{number}. {problem.attribute_names[attribute]}? ", console)
            held.answer(attribute, said)
            continue
        items = [item for item in turn.slates[0].tolist() if item >= 0]
        console.print(why, style="dim", highlight=False, markup=False)
        for place, item in enumerate(items, start=1):
            line = f"  {place:2d}  {_described(problem, item)}"
            console.print(line, highlight=False, markup=False)
        if _accepted(
            ask, f"{number}. Which one is it? (number, or Enter for none) ", len(items), console
        ):
            console.print(f"Found after {number} turns.", highlight=False)
            return True
        held.reject(items)
    console.print("I give up.", highlight=False)
    return False


def _answer(ask: Ask, question: str, console: Console) -> int:
    while True:
        said = ask(question).strip().lower()
        if said in _WORDS:
            return _WORDS[said]
        console.print("Please say y, n or ?.", highlight=False)


def _accepted(ask: Ask, question: str, count: int, console: Console) -> bool:
    while True:
        said = ask(question).strip().lower()
        if said in ("", "n", "no", "none", "0"):
            return False
        if said.isdecimal() and 1 <= int(said) <= count:
            return True
        console.print(f"Please give a number from 1 to {count}, or nothing.", highlight=False)


def _described(problem: ConversationProblem, item: int) -> str:
    having = np.flatnonzero(problem.item_attributes[item])
    names = [problem.attribute_names[one] for one in having[:_MOST_LISTED]]
    more = ", ..." if len(having) > _MOST_LISTED else ""
    return (
        f"{problem.item_names[item]} ({', '.join(names)}{more})"
        if names
        else (problem.item_names[item])
    )


def chosen(scenario: Scenario, label: str | None) -> AgentSpec:
    """Return the agent that a person wants to talk to; by default the last of the scenario.

    Raises:
        UserError: There is no agent of that label.
    """
    if label is None:
        return scenario.agents[-1]
    for spec in scenario.agents:
        if spec.label == label:
            return spec
    known = [spec.label for spec in scenario.agents]
    raise UserError(f"--agent: no agent is labelled {label!r}.{did_you_mean(label, known)}")


def prepared(scenario: Scenario, label: str | None, seed: int, user: str | None) -> Hold:
    """Fit the agent of a scenario; return a function that holds one session after the other.

    Raises:
        UserError: The scenario has neither conversations nor critiques, or the agent, the seed, the
            user or the data are wrong.
    """
    kind = "slates" if scenario.env is None else kind_of_environment(scenario.env)
    if scenario.env is None or kind == "slates":
        raise UserError(
            "a chat needs a scenario with conversations, such as 'conversation', or with "
            "critiques, such as 'critiquing'."
        )
    if seed < 0:
        raise UserError(f"--seed is {seed}; it must be 0 or more.")
    spec = chosen(scenario, label)
    seeds, options = Seeds.of(seed), scenario.env.options
    for key, plain in _PLAIN.items():
        if options.get(key, plain) != plain:
            raise UserError(f"env.{key}: a chat is held with {plain!r} only.")
    if options.get("critiques") == "none":
        raise UserError("env.critiques: a chat with 'none' would hear nothing: use 'one' or 'all'.")
    if user is not None and kind != "critiquing":
        raise UserError("--user: only who criticises can be a user of the data.")
    if user is not None and options.get("cold_start"):
        raise UserError("--user: with env.cold_start nobody is known; leave out one of the two.")
    with contextlib.closing(make_env(scenario.env, 1)) as env:
        world: Any = env.unwrapped
        problem, data = world.problem, world.training_data
        who = user_number(data, user) if kind == "critiquing" else -1
        agent: Any = make_agent(spec, problem, seeds.agent)
        agent.fit(data)
    if kind == "critiquing":
        numbers = itertools.count()
        of_item = options.get("justification") == "item"
        several = options.get("critiques") == "all"
        mask = options.get("mask_train", True)
        return lambda ask, console: visit(
            agent,
            Visit(problem, data, who, mask),
            ask,
            console,
            session=next(numbers),
            of_item=of_item,
            several=several,
        )
    if spec.practice:
        practise_with(scenario, agent, seed=seeds.practice, rounds=spec.practice)
    unknown = options.get("answer_model") == "unknown"
    return lambda ask, console: talk(agent, problem, ask, console, unknown=unknown)


def main(arguments: Sequence[str] | None = None, ask: Ask | None = None) -> int:
    """Chat until the person has enough.

    Args:
        arguments: Of the command line.
        ask: In place of the terminal.

    Returns:
        0, or 2 after a mistake in what was given.
    """
    parser = argparse.ArgumentParser(
        prog="python -m recsim.chat",
        description="Play the user of an agent that asks or is criticised.",
    )
    parser.add_argument("scenario", help="a file, or the name of a packaged scenario")
    parser.add_argument("changes", nargs="*", metavar="key=value", help="changes to the scenario")
    parser.add_argument("--agent", metavar="LABEL", help="whom to talk to; the last by default")
    parser.add_argument(
        "--user", metavar="NAME", help="a user of the data; by default nobody known"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the agent")
    given = parser.parse_intermixed_args(arguments)
    console = Console()
    say: Ask = ask if ask is not None else (lambda question: console.input(question, markup=False))
    try:
        scenario = load_scenario(given.scenario, given.changes)
        hold = prepared(scenario, given.agent, given.seed, given.user)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            hold(say, console)
            if say("Another one? (y or n) ").strip().lower() not in ("y", "yes"):
                break
    return 0


if __name__ == "__main__":
    sys.exit(main())
