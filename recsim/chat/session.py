"""A session of a person with an agent: its terminal and its turns, whatever the kind of agent."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rich.console import Console

from recsim.errors import AgentError, UserError
from recsim.scenario.agents import AgentSpec
from recsim.trials.seeds import TrialSeeds

Ask = Callable[[str], str]
"""Prints a question and returns the line that the person types."""
T = TypeVar("T")


# The session that an agent is in; agents keep one conversation, that with which they began last.
_HELD: weakref.WeakKeyDictionary[Any, weakref.ref[Session]] = weakref.WeakKeyDictionary()


class InputEnded(Exception):
    """The person has closed the input."""


class Terminal:
    """Where a person reads and types.

    Args:
        ask: Used in place of the keyboard, for tests.
    """

    def __init__(self, ask: Ask | None = None) -> None:
        self._console = Console()
        self._ask: Ask = ask or (lambda question: self._console.input(question, markup=False))

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line."""
        self._console.print(text, style=style, highlight=False, markup=False)

    def ask(self, question: str, parse: Callable[[str], T]) -> T:
        """Ask a question until the answer can be parsed.

        Args:
            question: Printed before the answer.
            parse: Turns the answer, without spaces at its ends, into the result; raises `UserError`
                with a hint if it cannot.

        Raises:
            InputEnded: If there is no more input.
        """
        while True:
            try:
                answer = self._ask(question).strip()
            except EOFError:
                raise InputEnded from None
            try:
                return parse(answer)
            except UserError as error:
                self.say(str(error))


class Session(ABC):
    """One session with a fitted agent; a person answers in place of the environment's user.

    Attributes:
        introduction: Printed at the start.
        turns: Turns taken so far.
    """

    introduction: str
    turns: int

    def hold_agent(self, agent: Any) -> None:
        """Note that an agent is in this session from now on, and in no other."""
        _HELD[agent] = weakref.ref(self)

    def check_agent(self, agent: Any) -> None:
        """Check that an agent has not begun another session since this one.

        Raises:
            AgentError: If it has: it would mix what two users said.
        """
        held = _HELD.get(agent)
        if held is None or held() is not self:
            raise AgentError(
                f"agent {getattr(agent, 'name', type(agent).__name__)!r} has begun another session "
                "since, and an agent remembers one: give every session an agent of its own, "
                "copy.deepcopy(agent)."
            )

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether no turn is left."""

    @abstractmethod
    def take_turn(self, terminal: Terminal) -> bool:
        """Let the agent act and the person answer; return whether they accepted an item."""

    def hold(self, terminal: Terminal) -> bool:
        """Take turns until the person accepts an item or no turn is left.

        Returns:
            Whether an item was accepted.
        """
        terminal.say(self.introduction)
        while not self.over:
            if self.take_turn(terminal):
                turns = self.turns + 1
                terminal.say(f"Found after {turns} {'turn' if turns == 1 else 'turns'}.")
                return True
        terminal.say("I give up.")
        return False


def fitted(spec: AgentSpec, world: Any, seed: int) -> Any:
    """Return an agent of a scenario, fitted on the training data of an environment.

    Raises:
        UserError: If the agent or one of its settings is wrong.
    """
    agent: Any = spec.build(world.problem, TrialSeeds.of(seed).agent)
    agent.fit(world.training_data)
    return agent


def check_fixed(options: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    """Refuse settings of the environment that a chat does not support.

    Args:
        options: Settings of the environment.
        fixed: The only supported value of each key.

    Raises:
        UserError: If another value is set.
    """
    for key, value in fixed.items():
        if options.get(key, value) != value:
            raise UserError(f"env.{key}: must be {value!r} in a chat.")
