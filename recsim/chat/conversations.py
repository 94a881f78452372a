"""A person holds a conversation with an agent that asks about attributes and shows items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from agents.recipes import recipe_of
from recsim.arrays import Bools
from recsim.chat.session import Session, Terminal, check_fixed, fitted
from recsim.contracts.conversations import ConversationAgent
from recsim.contracts.slates import Observation
from recsim.conversation import ConversationProblem
from recsim.errors import UserError, did_you_mean
from recsim.scenario.agents import AgentSpec
from recsim.trials.conversations import Conversations
from recsim.trials.seeds import TrialSeeds

YES, NO, UNKNOWN = 1, 2, 3  # values of the observation's ``answers``
_HISTORY = {YES: 1, NO: -1, UNKNOWN: 3}  # what the observation's ``history`` has for each
_REJECTED = -2  # and for a slate without the target
_WORDS = {"y": YES, "yes": YES, "n": NO, "no": NO, "?": UNKNOWN}
_NONE = ("", "n", "no", "none", "0")
_FIXED = {"question": "binary", "opening": "none", "free_recommendations": 0}
# Attributes listed beside the name of an item.
_LISTED = 5


@dataclass(frozen=True)
class Question:
    """The agent asks about an attribute.

    Attributes:
        attribute: Its name.
        number: Its number.
        reason: Why the agent asks, in words; empty if it does not say.
    """

    attribute: str
    number: int
    reason: str


@dataclass(frozen=True)
class Offer:
    """The agent shows items.

    Attributes:
        items: Their names.
        numbers: Their numbers.
        reason: Why the agent shows them, in words; empty if it does not say.
    """

    items: tuple[str, ...]
    numbers: tuple[int, ...]
    reason: str


class Conversation(Session):
    """One conversation; keeps the state that the environment would show to the agent.

    The agent must be in no other session meanwhile, see `Session.check_agent`. In code, answer
    `next_turn` by `reply` until the conversation is `over`; `hold` does so with a person at a
    terminal.

    Attributes:
        accepted: Name of the item that was accepted by `reply`, or None.

    Args:
        agent: Fitted.
        problem: Public facts; by default those that the agent was built for.
        unknown: Whether "I do not care" is an answer of its own; else it counts as a no.
    """

    def __init__(
        self,
        agent: ConversationAgent,
        problem: ConversationProblem | None = None,
        *,
        unknown: bool = False,
    ) -> None:
        if problem is None:
            problem = cast(ConversationProblem, recipe_of(agent).problem)
        self.agent, self.problem, self._unknown = agent, problem, unknown
        self.introduction = (
            f"Think of an item. I have {problem.max_turns} turns, and show {problem.slate_size} "
            "items at a time. Answer y, n, or ? if you do not care."
        )
        self.turns = 0
        self.answers = np.zeros(problem.num_attributes, dtype=np.int8)
        self.shown = np.full((1, problem.max_turns * problem.slate_size), -1)
        self.history = np.zeros((1, problem.max_turns), dtype=np.int8)
        self.accepted: str | None = None
        self._turn: Question | Offer | None = None
        agent.begin(1)
        self.hold_agent(agent)

    @property
    def over(self) -> bool:
        """Whether an item was accepted, or all turns are taken."""
        return self.accepted is not None or self.turns >= self.problem.max_turns

    def observation(self) -> Observation:
        """Return the agent's observation, for a batch of one."""
        mask = np.ones((1, self.problem.num_attributes + 1), dtype=np.int8)
        mask[0, :-1] = (self.answers == 0) & (self.turns < self.problem.max_turns - 1)
        left = int(self.candidates().sum())
        return {
            "answers": self.answers[None].copy(),
            "shown": self.shown.copy(),
            "history": self.history.copy(),
            "turn": np.array([[self.turns]]),
            "candidate_bin": np.array([[int(np.log2(left + 1))]]),
            "action_mask": mask,
        }

    def candidates(self) -> Bools:
        """Return which items have all confirmed attributes and were not shown, ``(I,)``."""
        left: Bools = np.all(self.problem.item_attributes[:, self.answers == YES], axis=1)
        left[self.shown[self.shown >= 0]] = False
        return left

    def answer(self, attribute: int, answer: int) -> None:
        """Record the answer to a question."""
        if answer == UNKNOWN and not self._unknown:
            answer = NO
        self.answers[attribute] = answer
        self._end_turn(_HISTORY[answer])

    def reject(self, items: list[int]) -> None:
        """Record that none of the items is the target."""
        start = int((self.shown >= 0).sum())
        self.shown[0, start : start + len(items)] = items
        self._end_turn(_REJECTED)

    def _end_turn(self, entry: int) -> None:
        self.history[0, self.turns] = entry
        self.turns += 1
        self._turn = None

    def next_turn(self) -> Question | Offer:
        """Return the agent's turn: a question, or items that it shows.

        Until it is answered by `reply`, it stays the same.

        Raises:
            UserError: If the conversation is over.
            AgentError: If the agent has begun another session since.
        """
        if self.over:
            raise UserError("The conversation is over.")
        self.check_agent(self.agent)
        if self._turn is None:
            turn = self.agent.act(self.observation())
            explain = getattr(self.agent, "explain", None)
            reason = "" if explain is None else explain(0)
            attribute = int(turn.ask[0])
            if attribute >= 0:
                name = self.problem.attribute_names[attribute]
                self._turn = Question(name, attribute, reason)
            else:
                items = tuple(item for item in turn.slates[0].tolist() if item >= 0)
                names = tuple(self.problem.item_names[item] for item in items)
                self._turn = Offer(names, items, reason)
        return self._turn

    def reply(self, answer: str | None) -> None:
        """Answer the agent's turn.

        Args:
            answer: To a question ``yes``, ``no`` or ``?`` (does not care); to items the name of the
                one that is accepted, or None if none is.

        Raises:
            UserError: If there is no such answer to this turn, or the conversation is over.
            AgentError: If the agent has begun another session since.
        """
        turn = self.next_turn()
        if isinstance(turn, Question):
            self.answer(turn.number, _answer(answer or ""))
        elif answer is None:
            self.reject(list(turn.numbers))
        elif answer in turn.items:
            self.accepted = answer
            self.turns += 1
        else:
            raise UserError(
                f"{answer!r} is none of the items shown.{did_you_mean(answer, turn.items)}"
            )

    def take_turn(self, terminal: Terminal) -> bool:
        """Let the agent ask or show; return whether the person accepted an item."""
        number, turn = self.turns + 1, self.next_turn()
        terminal.say(turn.reason, style="dim")
        if isinstance(turn, Question):
            self.answer(turn.number, terminal.ask(f"{number}. {turn.attribute}? ", _answer))
            return False
        for place, item in enumerate(turn.numbers, start=1):
            terminal.say(f"  {place:2d}  {self._describe(item)}")
        question = f"{number}. Which one is it? (number, or Enter for none) "
        if terminal.ask(question, lambda text: _accepts(text, len(turn.numbers))):
            return True
        self.reject(list(turn.numbers))
        return False

    def _describe(self, item: int) -> str:
        name, attributes = self.problem.item_names[item], self.problem.item_attributes[item]
        names = [self.problem.attribute_names[k] for k in np.flatnonzero(attributes)]
        if not names:
            return name
        more = ", ..." if len(names) > _LISTED else ""
        return f"{name} ({', '.join(names[:_LISTED])}{more})"


def start(
    scenario: Conversations, spec: AgentSpec, seed: int, user: str | None, world: Any
) -> Callable[[], Session]:
    """Fit an agent and let it practise; return a function that starts a conversation with it.

    Args:
        scenario: A scenario with conversations.
        spec: Entry of the agent in the scenario.
        seed: Seed of the agent.
        user: Must be None: a conversation is with an unknown user.
        world: The environment.

    Raises:
        UserError: If a setting is not supported in a chat, or the agent cannot be built.
    """
    check_fixed(scenario.env.options, _FIXED)
    if user is not None:
        raise UserError("--user: needs a scenario with critiques, such as 'critiquing'.")
    problem, agent = world.problem, fitted(spec, world, seed)
    if spec.practice:
        scenario.practise(agent, TrialSeeds.of(seed).practice, spec.practice)
    unknown = scenario.env.options.get("answer_model") == "unknown"
    return lambda: Conversation(agent, problem, unknown=unknown)


def _answer(text: str) -> int:
    if text.lower() not in _WORDS:
        raise UserError("Please answer y, n or ?.")
    return _WORDS[text.lower()]


def _accepts(text: str, count: int) -> bool:
    """Return whether the person chooses one of ``count`` items."""
    if text.lower() in _NONE:
        return False
    if text.isdecimal() and 1 <= int(text) <= count:
        return True
    raise UserError(f"Please enter a number from 1 to {count}, or nothing.")
