"""A person critiques the items that an agent shows one at a time with their reasons."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from agents.critiquing.filtering import best_allowed
from recsim.arrays import Bools
from recsim.chat.session import Session, Terminal, check_fixed, fitted
from recsim.contracts.critiquing import CritiquingAgent
from recsim.contracts.slates import Observation
from recsim.critiquing import AspectReviews, CritiquingProblem
from recsim.critiquing.seeker import after_critique
from recsim.errors import UserError, did_you_mean
from recsim.scenario.agents import AgentSpec
from recsim.trials.critiquing import Critiquing

_YES = ("y", "yes")
_NO_REASON = ("", "n", "no")
_FIXED = {"feedback": "negative"}
# Words before the aspect: "too heavy", "not so loud".
_BEFORE = re.compile(r"^(?:(?:it is|it's|its|not|no|too|so|less|the)\s+)+")


class CritiquingSession(Session):
    """One session; keeps the state that the environment would show to the agent.

    Args:
        agent: Fitted.
        problem: Public facts.
        reviews: Reviews of the train part.
        number: Number of the session, for the agent.
        user: Number of the user; -1 for an unknown one.
        mask_train: Whether items that the user reviewed may not be shown.
        of_item: Whether items are justified by the aspects that their reviews mention, in place of
            the agent's justification.
        several: Whether the person may critique several aspects per turn, separated by commas.
    """

    def __init__(
        self,
        agent: CritiquingAgent,
        problem: CritiquingProblem,
        reviews: AspectReviews,
        *,
        number: int = 0,
        user: int = -1,
        mask_train: bool = True,
        of_item: bool = False,
        several: bool = False,
    ) -> None:
        self.agent, self.problem, self.user = agent, problem, user
        self._of_item, self._several = of_item, several
        self.introduction = (
            f"Think of an item. I have {problem.max_turns} turns, and show one at a time. Say what "
            "is wrong, such as 'not' and one of the reasons; 'yes' to take it; Enter for just no; "
            "Ctrl-D to leave." + (" Separate several reasons by commas." if several else "")
        )
        self.turns = 0
        users, shape = np.array([user]), (1, problem.num_aspects)
        self._counts = reviews.user_counts[users] if user >= 0 else np.zeros(shape, dtype=np.int64)
        self._preferences = self._counts.astype(np.float32)
        self.allowed = np.ones((1, problem.num_items), dtype=np.bool_)
        if mask_train:
            self.allowed &= ~reviews.taken(users)
        self.critiqued = np.zeros(shape, dtype=np.int8)
        self.shown = np.full((1, problem.max_turns), -1)
        agent.begin(np.array([number]))
        self.hold_agent(agent)

    @property
    def over(self) -> bool:
        """Whether all turns are taken, or no item is left to show."""
        return self.turns >= self.problem.max_turns or not self.allowed.any()

    def observation(self) -> Observation:
        """Return the agent's observation, for a batch of one."""
        return {
            "user": np.array([[self.user]]),
            "preferences": self._preferences.copy(),
            "critiqued": self.critiqued.copy(),
            "shown": self.shown.copy(),
            "turn": np.array([[self.turns]]),
            "action_mask": self.allowed.astype(np.int8),
        }

    def reject(self, item: int, aspects: list[int]) -> None:
        """Record that an item is not the goal, and its critiqued aspects."""
        self.shown[0, self.turns] = item
        self.turns += 1
        self.allowed[0, item] = False
        bits = np.zeros(self.critiqued.shape, dtype=np.bool_)
        bits[0, aspects] = True
        self.critiqued[bits] = -1
        self._preferences = after_critique(
            torch.from_numpy(self._preferences),
            torch.from_numpy(bits),
            torch.from_numpy(self._counts),
        ).numpy()

    def take_turn(self, terminal: Terminal) -> bool:
        """Let the agent show an item; return whether the person accepted it."""
        self.check_agent(self.agent)
        obs, problem = self.observation(), self.problem
        showing = self.agent.act(obs)
        item = int(best_allowed(showing.scores, obs["action_mask"])[0])
        why: Bools = problem.item_aspects[item] if self._of_item else showing.justification[0]
        reasons = ", ".join(problem.aspect_names[k] for k in np.flatnonzero(why)) or "no reason"
        terminal.say(f"{self.turns + 1}. {problem.item_names[item]}, for {reasons}")
        aspects = terminal.ask("What is wrong with it? ", self._aspects)
        if aspects is None:
            return True
        self.reject(item, aspects)
        return False

    def _aspects(self, answer: str) -> list[int] | None:
        """Return the aspects that the person critiques; None if they accept the item."""
        if answer.lower() in _YES:
            return None
        if answer.lower() in _NO_REASON:
            return []
        parts = answer.split(",") if self._several else [answer]
        return [self._aspect(part.strip()) for part in parts]

    def _aspect(self, text: str) -> int:
        """Return the aspect that a person names.

        Raises:
            UserError: If there is no such aspect, or it was already critiqued.
        """
        numbers = {name.lower(): k for k, name in enumerate(self.problem.aspect_names)}
        word = text.lower()
        if word not in numbers:
            word = _BEFORE.sub("", word).rstrip(" .!")
        if word.removeprefix("aspect ") in numbers:  # names of aspects may be numbers
            word = word.removeprefix("aspect ")
        if word not in numbers:
            near = _near(word, numbers) or " Say 'not' and one of the reasons, 'yes', or nothing."
            raise UserError(f"There is no aspect {word!r}.{near}")
        if self.critiqued[0, numbers[word]]:
            raise UserError(f"You have already critiqued {word!r}.")
        return numbers[word]


def start(
    scenario: Critiquing, spec: AgentSpec, seed: int, user: str | None, world: Any
) -> Callable[[], Session]:
    """Fit an agent; return a function that starts a session with it.

    Args:
        scenario: A scenario with critiques.
        spec: Entry of the agent in the scenario.
        seed: Seed of the agent.
        user: Name of a user of the data; None for an unknown user.
        world: The environment.

    Raises:
        UserError: If a setting is not supported in a chat, there is no such user, or the
            agent cannot be built.
    """
    options = scenario.env.options
    problem, reviews = world.problem, world.training_data
    check_fixed(options, _FIXED)
    if options.get("critiques") == "none":
        raise UserError("env.critiques: must be 'one' or 'all' in a chat, not 'none'.")
    number = -1
    if user is not None:
        if options.get("cold_start"):
            raise UserError(
                "--user: cannot be combined with env.cold_start, under which all users are unknown."
            )
        if user not in reviews.user_names:
            raise UserError(f"--user: there is no user {user!r}.{_near(user, reviews.user_names)}")
        number = reviews.user_names.index(user)
    agent, count = fitted(spec, world, seed), itertools.count()
    return lambda: CritiquingSession(
        agent,
        problem,
        reviews,
        number=next(count),
        user=number,
        mask_train=options.get("mask_train", True),
        of_item=options.get("justification") == "item",
        several=options.get("critiques") == "all",
    )


def _near(name: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest name, but no list of all names, which may be thousands."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return did_you_mean(name, near)
