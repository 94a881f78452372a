"""A person criticises: one item at a time, and what it is recommended for, at the terminal."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from agents.critiquing.filtering import best_allowed
from recsim.contracts.critiquing import CritiquingAgent
from recsim.contracts.slates import Observation
from recsim.critiquing import AspectReviews, CritiquingProblem
from recsim.critiquing.seeker import after_critique
from recsim.errors import UserError, did_you_mean

__all__ = ["Visit", "user_number", "visit"]

Ask = Callable[[str], str]

_YES = ("y", "yes")
_JUST_NO = ("", "n", "no")
# What may stand before the aspect: "too heavy", "not so loud".
_BEFORE = re.compile(r"^(?:(?:it is|it's|its|not|no|too|so|less|the)\s+)+")


@dataclass(eq=False)
class Visit:
    """One session as an agent sees it, whoever criticises.

    Attributes:
        problem: The public facts.
        reviews: What users wrote in training.
        user: Who it is; -1 for somebody who is not known.
        mask_train: Whether what the user reviewed may not be shown.
    """

    problem: CritiquingProblem
    reviews: AspectReviews
    user: int = -1
    mask_train: bool = True

    def __post_init__(self) -> None:
        who = np.array([self.user])
        aspects = self.problem.num_aspects
        self._counts = np.zeros((1, aspects), dtype=np.int64)
        if self.user >= 0:
            self._counts = self.reviews.user_counts[who]
        self._preferences = self._counts.astype(np.float32)
        self.allowed = np.ones((1, self.problem.num_items), dtype=np.bool_)
        if self.mask_train:
            self.allowed &= ~self.reviews.taken(who)
        self.critiqued = np.zeros((1, aspects), dtype=np.int8)
        self.shown: list[int] = []

    @property
    def over(self) -> bool:
        """Whether all turns are taken, or nothing is left to show."""
        return len(self.shown) >= self.problem.max_turns or not self.allowed.any()

    def observation(self) -> Observation:
        """Return what the agent sees, for a batch of one."""
        shown = np.full((1, self.problem.max_turns), -1)
        shown[0, : len(self.shown)] = self.shown
        return {
            "user": np.array([[self.user]]),
            "preferences": self._preferences.copy(),
            "critiqued": self.critiqued.copy(),
            "shown": shown,
            "turn": np.array([[len(self.shown)]]),
            "action_mask": self.allowed.astype(np.int8),
        }

    def reject(self, item: int, aspects: list[int]) -> None:
        """Note that an item is not what was looked for, and what is wrong with it."""
        self.shown.append(item)
        self.allowed[0, item] = False
        bits = np.zeros((1, self.problem.num_aspects), dtype=np.bool_)
        bits[0, aspects] = True
        self.critiqued[bits] = -1
        self._preferences = after_critique(
            torch.from_numpy(self._preferences),
            torch.from_numpy(bits),
            torch.from_numpy(self._counts),
        ).numpy()


def visit(
    agent: CritiquingAgent,
    held: Visit,
    ask: Ask,
    console: Console,
    *,
    session: int,
    of_item: bool = False,
    several: bool = False,
) -> bool:
    """Hold one session.

    Args:
        agent: Fitted.
        held: The session, at its start.
        ask: Puts a question to the person and returns what was typed.
        console: Where the rest is said.
        session: Its number, for the agent.
        of_item: Whether an item is justified by what reviews mention, not by the agent.
        several: Whether several aspects may be criticised at a time, with commas between them.

    Returns:
        Whether an item was accepted.
    """
    problem = held.problem
    agent.begin(np.array([session]))
    console.print(
        f"Think of an item. I have {problem.max_turns} turns, and show one at a time. Say what is "
        "wrong, such as 'not' and one of the reasons; 'yes' to take it; Enter for just no; Ctrl-D "
        "to leave." + (" Commas between several reasons." if several else ""),
        highlight=False,
    )
    while not held.over:
        obs = held.observation()
        showing = agent.act(obs)
        item = int(best_allowed(showing.scores, obs["action_mask"])[0])
        why = problem.item_aspects[item] if of_item else showing.justification[0]
        number = len(held.shown) + 1
        line = f"{number}. {problem.item_names[item]}, for {_reasons(problem, why)}"
        console.print(line, highlight=False, markup=False)
        aspects = _said(ask, held, console, several)
        if aspects is None:
            console.print(f"Found after {number} turns.", highlight=False)
            return True
        held.reject(item, aspects)
    console.print("I give up.", highlight=False)
    return False


def user_number(reviews: AspectReviews, name: str | None) -> int:
    """Return the number of a user; -1 if none is named.

    Raises:
        UserError: Nobody has that name.
    """
    if name is None:
        return -1
    if name not in reviews.user_names:
        raise UserError(f"--user: no user is called {name!r}.{_near(name, reviews.user_names)}")
    return reviews.user_names.index(name)


def _reasons(problem: CritiquingProblem, why: NDArray[np.bool_]) -> str:
    return ", ".join(problem.aspect_names[k] for k in np.flatnonzero(why)) or "no reason"


def _said(ask: Ask, held: Visit, console: Console, several: bool) -> list[int] | None:
    """Return the aspects that the person criticises; None if they take the item."""
    while True:
        said = ask("What is wrong with it? ").strip()
        if said.lower() in _YES:
            return None
        if said.lower() in _JUST_NO:
            return []
        try:
            return [_aspect(held, one.strip()) for one in (said.split(",") if several else [said])]
        except UserError as error:
            console.print(str(error), highlight=False, markup=False)


def _aspect(held: Visit, said: str) -> int:
    """Return the aspect that somebody means.

    Raises:
        UserError: There is none, or it was criticised before.
    """
    numbers = {name.lower(): k for k, name in enumerate(held.problem.aspect_names)}
    word = said.lower()
    if word not in numbers:
        word = _BEFORE.sub("", word).rstrip(" .!")
    if word.removeprefix("aspect ") in numbers:  # of aspects whose names are numbers
        word = word.removeprefix("aspect ")
    if word not in numbers:
        near = _near(word, numbers) or " Say 'not' and one of the reasons, 'yes', or nothing."
        raise UserError(f"There is no aspect {word!r}.{near}")
    if held.critiqued[0, numbers[word]]:
        raise UserError(f"You said so of {word!r} before.")
    return numbers[word]


def _near(name: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest name, but no list, for there may be thousands."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return did_you_mean(name, near)
