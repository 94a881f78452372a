"""The state of B sessions: items shown, aspects criticised, and the rank of the goal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from envs.critiquing.rules import Rules
from recsim.arrays import Bools, Ints
from recsim.critiquing import AspectReviews
from recsim.critiquing.seeker import after_critique, critiquable, pick_aspect
from recsim.draws import Draws, Purpose
from recsim.errors import EnvError

PICK, NOISE, MISTAKE = Purpose("pick"), Purpose("noise"), Purpose("mistake")
UNKNOWN = -1  # in place of a rank or a number of turns


@dataclass(eq=False)
class Sessions:
    """The state of B sessions; every method acts on all of them, or on given rows, at once.

    Attributes:
        reviews: Users, items and aspects; all counts are those of its train part.
        rules: The rules.
        size: B.
    """

    reviews: AspectReviews
    rules: Rules
    size: int

    def __post_init__(self) -> None:
        size, items, aspects = self.size, self.reviews.num_items, self.reviews.num_aspects
        if items < 2:
            raise EnvError("there must be at least 2 items: the goal, and another one to show.")
        self.item_aspects = self.reviews.item_aspects  # (I, K)
        self._item_counts = self.reviews.item_counts
        self._popularity = torch.from_numpy(self.reviews.aspect_popularity)
        self.session = np.zeros(size, dtype=np.int64)
        self.user = np.full(size, -1)
        self.goal = np.zeros(size, dtype=np.int64)
        self.counts = np.zeros((size, aspects), dtype=np.int64)  # c at first
        self.preferences = np.zeros((size, aspects), dtype=np.float32)  # c
        self.critiqued = np.zeros((size, aspects), dtype=np.int8)
        self.latest = np.zeros((size, aspects), dtype=np.int8)  # critiques of the last turn
        self.justification = np.zeros((size, aspects), dtype=np.bool_)
        self.shown = np.full((size, self.rules.max_turns), -1)
        self.turn = np.zeros(size, dtype=np.int64)
        self.allowed = np.ones((size, items), dtype=np.bool_)
        self.success = np.zeros(size, dtype=np.bool_)
        self.annoyed = np.zeros(size, dtype=np.int64)
        self.rank = np.full(size, UNKNOWN)
        self.first_rank = np.full(size, UNKNOWN)
        self._draws = Draws(np.zeros(size, dtype=np.uint64), double=True)

    def start(
        self, rows: Ints, numbers: Ints, users: Ints, goals: Ints, keys: NDArray[np.uint64]
    ) -> None:
        """Begin new sessions.

        Args:
            rows: Rows to begin them in, ``(N,)``.
            numbers: Numbers of the sessions, ``(N,)``.
            users: ``(N,)``; -1 for an unknown user.
            goals: Items that the users look for, ``(N,)``.
            keys: Keys of the sessions' random numbers, ``(N,)``.
        """
        self._draws.put(rows, keys)
        self.session[rows], self.user[rows], self.goal[rows] = numbers, users, goals
        known = users >= 0
        self.counts[rows] = np.where(
            known[:, None], self.reviews.user_counts[np.maximum(users, 0)], 0
        )
        self.preferences[rows] = self.counts[rows]
        for column in (self.critiqued, self.latest, self.justification, self.turn, self.annoyed):
            column[rows] = 0
        for column in (self.shown, self.rank, self.first_rank):
            column[rows] = -1
        self.success[rows] = False
        self.allowed[rows] = True
        if self.rules.mask_train:
            self.allowed[rows] = ~self.reviews.taken(users)

    def best(self, scores: NDArray[np.floating]) -> Ints:
        """Return the best item that may be shown, ``(B,)``, and store the rank of the goal.

        Ties go to the item with the lower number.

        Args:
            scores: ``(B, I)``.
        """
        lowest = np.finfo(scores.dtype).min
        scores = np.where(self.allowed, np.maximum(scores, lowest), -np.inf)
        of_goal = np.take_along_axis(scores, self.goal[:, None], axis=1)
        earlier = np.arange(scores.shape[1]) < self.goal[:, None]
        self.rank = ((scores > of_goal) | ((scores == of_goal) & earlier)).sum(axis=1)
        self.first_rank = np.where(self.turn == 0, self.rank, self.first_rank)
        items: Ints = scores.argmax(axis=1)
        return items

    def take(
        self, items: Ints, justification: Bools, idle: Bools | None = None
    ) -> tuple[Bools, Bools]:
        """Show an item in every session, and let the users criticise it.

        Args:
            items: ``(B,)``.
            justification: Aspects that it is shown for, ``(B, K)``.
            idle: Whether the session is over, ``(B,)``; its turn has no meaning.

        Returns:
            Whether the user accepted the item or left, and whether the turns are used up, ``(B,)``
            each.

        Raises:
            ValueError: If an item may not be shown and the rules say to raise.
        """
        every = np.arange(self.size)
        legal = self.allowed[every, items]
        wrong = ~legal if idle is None else ~(legal | idle)
        if wrong.any() and self.rules.illegal == "raise":
            row = int(np.argmax(wrong))
            raise ValueError(
                f"session {row}: item {items[row]} was shown before, or the user has reviewed it "
                "already: see info['action_mask']."
            )
        self._draws.advance()
        self.success = legal & (items == self.goal)
        self.rank = np.where(self.success, 0, self.rank)
        last = self.rules.max_turns - 1  # only idle sessions are past it
        self.shown[every, np.minimum(self.turn, last)] = np.where(legal, items, -1)
        self.justification = justification & legal[:, None]
        self.allowed[every, items] &= ~legal
        if self.rules.patience is not None:
            again = self.item_aspects[items] & (self.critiqued < 0)
            self.annoyed += legal & ~self.success & again.any(axis=1)
        left = np.zeros(self.size, dtype=np.bool_)
        if self.rules.patience is not None:
            left = self.annoyed >= self.rules.patience
        self.turn += 1
        over = ~self.success & ~left & (self.turn >= self.rules.max_turns)
        self._criticise(items, legal & ~(self.success | left | over))
        return self.success | left, over

    def counterfactual(self) -> tuple[Ints, Ints]:
        """Return when the goal would be shown if critiques were ignored.

        Then only the rejected items are removed from the ranking of the first turn.

        Returns:
            Rank of the goal at the last turn, and turns until it is shown, at most T, ``(B,)``
            each; -1 where no ranking is known.
        """
        known = self.first_rank >= 0
        rank = np.maximum(self.first_rank - np.maximum(self.turn - 1, 0), 0)
        turns = np.minimum(self.first_rank + 1, self.rules.max_turns)
        return np.where(known, rank, UNKNOWN), np.where(known, turns, UNKNOWN)

    def _criticise(self, items: Ints, speaking: Bools) -> None:
        """Let users criticise, and update their preferences.

        Args:
            items: Items shown, ``(B,)``.
            speaking: Whether there are critiques in this session, ``(B,)``.
        """
        rules = self.rules
        self.latest = np.zeros_like(self.latest)
        if rules.critiques == "none":
            return
        shown, goal, done = (
            torch.from_numpy(bits)
            for bits in (self.justification, self.item_aspects[self.goal], self.critiqued != 0)
        )
        pools = {
            "negative": critiquable(shown, goal, done),
            "positive": critiquable(shown, goal, done, positive=True),
            "both": shown & ~done,
        }
        pool = pools[rules.feedback]
        if rules.allow_arbitrary:
            others = (goal if rules.feedback == "positive" else ~goal) & ~done
            pool = torch.where(pool.any(dim=1, keepdim=True), pool, others)
        mistaken = torch.zeros(self.size, dtype=torch.bool)
        if rules.mistakes:
            mistaken = self._chance(MISTAKE, 1)[:, 0] < rules.mistakes
            pool = torch.where(mistaken[:, None], pools["both"], pool)
        pool &= torch.from_numpy(speaking)[:, None]
        chosen = pool if rules.critiques == "all" else self._picked(pool, items)
        praised = chosen & goal & ~mistaken[:, None]
        rejected = chosen & ~praised
        counts = torch.from_numpy(self.counts)
        preferences = after_critique(torch.from_numpy(self.preferences), rejected, counts)
        self.preferences = after_critique(preferences, praised, counts, positive=True).numpy()
        self.latest = (praised.to(torch.int8) - rejected.to(torch.int8)).numpy()
        self.critiqued = self.critiqued + self.latest

    def _picked(self, pool: torch.Tensor, items: Ints) -> torch.Tensor:
        rules = self.rules
        noise = None
        if rules.noise:
            noise = self._chance(NOISE, 1)[:, 0] < rules.noise
        return pick_aspect(
            rules.seeker,
            pool,
            popularity=self._popularity,
            shown_counts=torch.from_numpy(self._item_counts[items]),
            target_counts=torch.from_numpy(self._item_counts[self.goal]),
            chance=self._chance(PICK, pool.shape[1]),
            noise=noise,
        )

    def _chance(self, purpose: Purpose, width: int) -> torch.Tensor:
        return torch.from_numpy(self._draws.uniform(purpose, width))
