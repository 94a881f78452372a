"""The state of B conversations: questions, answers, slates, and the remaining candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.conversation import rules as R
from envs.conversation.rules import Rules
from recsim.arrays import Bools, Floats, Ints
from recsim.conversation import AttributeData
from recsim.draws import Draws, Purpose
from recsim.errors import EnvError
from recsim.metrics import conversation_gain

NOISE, OPENING, TARGETS = Purpose("noise"), Purpose("opening"), Purpose("targets")


class Turn(NamedTuple):
    """Outcome of one turn.

    Attributes:
        reward: ``(B,)``.
        success: Whether the user accepted, ``(B,)``.
        over: Whether the T-th turn has passed without success, ``(B,)``.
    """

    reward: Floats
    success: Bools
    over: Bools


@dataclass(eq=False)
class Conversations:
    """The state of B conversations; every method acts on all of them, or on given rows, at once.

    Attributes:
        data: Users, items and attributes.
        rules: The rules.
        episodes: Interactions that conversations can be about, ``(N,)`` rows of ``data``.
        size: B.
    """

    data: AttributeData
    rules: Rules
    episodes: Ints
    size: int

    def __post_init__(self) -> None:
        data, size, slates = self.data, self.size, self.rules.most_slates
        if self.rules.slate_size > data.num_items:
            raise EnvError(
                f"slate_size is {self.rules.slate_size}; there are {data.num_items} items."
            )
        if self.rules.question == "enumerated" and data.classes is None:
            raise EnvError(
                "question is 'enumerated', but the attributes of this data have no classes."
            )
        self._having = np.ascontiguousarray(data.item_attributes.T)  # (F, I)
        self.episode = np.zeros(size, dtype=np.int64)
        self.user = np.zeros(size, dtype=np.int64)
        self.targets = np.full((size, self.rules.acceptable), -1)  # (B, M), the drawn one first
        self.answers = np.zeros((size, data.num_attributes), dtype=np.int8)
        self.shown = np.full((size, slates * self.rules.slate_size), -1)
        self.history = np.zeros((size, self.rules.max_turns), dtype=np.int8)
        self.turn = np.zeros(size, dtype=np.int64)
        self.free = np.zeros(size, dtype=np.int64)  # slates shown without a turn passing
        self.questions = np.zeros(size, dtype=np.int64)
        self.recommendations = np.zeros(size, dtype=np.int64)
        self.items_shown = np.zeros(size, dtype=np.int64)
        self.rank = np.zeros(size, dtype=np.int64)  # 1 for the first place; 0 before success
        self.candidates = np.ones((size, data.num_items), dtype=np.bool_)
        self._theirs = self._items_of_users() if self.rules.acceptable > 1 else self.targets[:0]
        flips = (size, data.num_attributes) if self.rules.noise else (size, 0)
        self._flip = np.zeros(flips, dtype=np.bool_)

    def start(self, rows: Ints, numbers: Ints, keys: NDArray[np.uint64]) -> None:
        """Begin new conversations.

        Args:
            rows: Rows to begin them in, ``(N,)``.
            numbers: Numbers of their interactions, places in ``episodes``, ``(N,)``.
            keys: Keys of their random numbers, ``(N,)``.
        """
        drawn = self.episodes[numbers]
        self.episode[rows] = numbers
        self.user[rows] = self.data.user[drawn]
        self.targets[rows] = -1
        self.targets[rows, 0] = self.data.item[drawn]
        for column in (self.answers, self.history, self.turn, self.questions, self.rank):
            column[rows] = 0
        for column in (self.recommendations, self.items_shown, self.free):
            column[rows] = 0
        self.shown[rows] = -1
        self.candidates[rows] = True
        draws = Draws(keys, double=True)
        if self.rules.acceptable > 1:
            self._add_targets(rows, draws)
        if self.rules.noise:
            self._flip[rows] = draws.uniform(NOISE, self._flip.shape[1]) < self.rules.noise
        if self.rules.opening != "none":
            self._open(rows, draws)

    def take(
        self,
        asked: Bools,
        slates: Ints,
        asking: Bools,
        free: Bools | None = None,
        idle: Bools | None = None,
    ) -> Turn:
        """Take one turn.

        Args:
            asked: Attributes asked for, ``(B, F)``; ignored where a slate is shown.
            slates: Item ids, -1 where a slot is empty, ``(B, K)``; ignored where the agent asks.
            asking: Whether the agent asks, ``(B,)``; otherwise it shows its slate.
            free: Whether it shows the slate without a turn passing, ``(B,)``; see
                `Rules.free_recommendations`.
            idle: Whether the conversation is over, ``(B,)``; its slate is empty, and its turn has
                no meaning.

        Raises:
            ValueError: If an action is illegal and the rules say to raise.
        """
        earns, count = self.rules.rewards, self.size
        asked = asked & asking[:, None]
        wrong = self._wrong(asked, slates, asking)
        if wrong.any() and self.rules.illegal == "raise":
            raise ValueError(self._complaint(int(np.argmax(wrong)), asked, slates, asking))
        reward = np.where(wrong, earns.illegal, 0.0)
        event = np.where(wrong, R.ILLEGAL, 0).astype(np.int8)

        ask = np.flatnonzero(asking & ~wrong)
        if ask.size:
            event[ask] = self._answer(ask, asked[ask])
            reward[ask] = np.where(event[ask] == R.ASKED_YES, earns.ask_yes, earns.ask_no)
            self.questions[ask] += 1
        success = np.zeros(count, dtype=np.bool_)
        show = np.flatnonzero(~(asking | wrong) if idle is None else ~(asking | wrong | idle))
        if show.size:
            hit = self._show(show, slates[show])
            success[show] = hit
            event[show] = np.where(hit, R.HIT, R.MISS)
            reward[show] = np.where(hit, earns.accept, earns.reject)
        self.history[np.arange(count), np.minimum(self.turn, self.rules.max_turns - 1)] = event
        paid = np.ones(count, dtype=np.bool_)
        if free is not None:
            paid = wrong | asking | ~free | (self.free >= self.rules.free_recommendations)
            self.free += ~paid
        self.turn += paid
        over = ~success & (self.turn >= self.rules.max_turns)
        return Turn(np.where(over, earns.out_of_turns, reward), success, over)

    def truth(self, rows: Ints) -> Bools:
        """Return which attributes are answered with yes, ``(N, F)``, if there is no noise."""
        targets = self.targets[rows]
        has = np.zeros((len(rows), self.data.num_attributes), dtype=np.bool_)
        for column in range(targets.shape[1]):
            real = targets[:, column] >= 0
            has[real] |= self.data.item_attributes[targets[real, column]]
        if self.rules.answer_model == "item":
            return has
        return has & self.data.user_attributes[self.user[rows]]

    def legal_attributes(self) -> Bools:
        """Return which attributes may be asked for, ``(B, F)``."""
        legal: Bools = self.answers == R.UNASKED
        if self.rules.mask_certain:
            left = self.candidates.sum(axis=1, keepdims=True)
            having = self.candidates.astype(np.float32) @ self.data.item_attributes.astype(
                np.float32
            )
            legal &= (having > 0) & (having < left)
        early: Bools = self.turn < self.rules.max_turns - 1
        return legal & early[:, None]

    def gain(self) -> Floats:
        """Return the discounted gain of each conversation so far, ``(B,)``."""
        return conversation_gain(self.turn, self.rank)

    def _items_of_users(self) -> Ints:
        """Return the items that each user took in these episodes, ``(U, W)``, padded with -1."""
        user, item = self.data.user[self.episodes], self.data.item[self.episodes]
        order = np.argsort(user, kind="stable")
        user, item = user[order], item[order]
        place = np.arange(len(user)) - np.searchsorted(user, user)
        table = np.full((self.data.num_users, int(place.max(initial=0)) + 1), -1)
        table[user, place] = item
        return table

    def _add_targets(self, rows: Ints, draws: Draws) -> None:
        """Draw further items that the users would accept."""
        drawn = self.targets[rows, :1]  # (N, 1)
        theirs = self._theirs[self.user[rows]]  # (N, W)
        of_items = self.data.item_attributes
        alike = (of_items[theirs] & of_items[drawn]).any(axis=2)  # (N, W, F) -> (N, W)
        alike &= (theirs >= 0) & (theirs != drawn)
        key = np.where(alike, draws.uniform(TARGETS, theirs.shape[1]), -1.0)
        best = np.argsort(-key, axis=1)[:, : self.rules.acceptable - 1]
        chosen = np.where(
            np.take_along_axis(alike, best, axis=1), np.take_along_axis(theirs, best, axis=1), -1
        )
        self.targets[rows, 1 : 1 + chosen.shape[1]] = chosen

    def _open(self, rows: Ints, draws: Draws) -> None:
        """Let users name one of the attributes that they answer with yes."""
        chance = draws.uniform(OPENING, self.data.num_attributes)
        key = np.where(self.truth(rows), chance, -1.0)  # (N, F)
        first = np.argmax(key, axis=1)
        some = key[np.arange(len(rows)), first] >= 0
        opening = np.zeros(key.shape, dtype=np.bool_)
        opening[np.flatnonzero(some), first[some]] = True
        self._learn(rows, opening, np.zeros_like(opening), np.zeros_like(opening))
        if self.rules.opening == "costs_turn":
            self.history[rows, 0] = np.where(some, R.ASKED_YES, 0)
            self.turn[rows] += 1

    def _answer(self, rows: Ints, asked: Bools) -> NDArray[np.int8]:
        """Answer questions, ``(N, F)``; return the entries of the history, ``(N,)``."""
        yes = self.truth(rows)
        if self.rules.noise:
            yes = yes ^ self._flip[rows]
        unknown = np.zeros_like(yes)
        if self.rules.answer_model == "unknown":
            has = self.data.item_attributes[np.maximum(self.targets[rows], 0)]  # (N, M, F)
            has = (has & (self.targets[rows] >= 0)[:, :, None]).any(axis=1)
            unknown = has & ~self.data.user_attributes[self.user[rows]] & ~yes
        self._learn(rows, asked & yes, asked & ~yes & ~unknown, asked & unknown)
        some, none = (asked & yes).any(axis=1), ~(asked & unknown).any(axis=1)
        return np.select([some, none], [R.ASKED_YES, R.ASKED_NO], R.ASKED_UNKNOWN).astype(np.int8)

    def _learn(self, rows: Ints, yes: Bools, no: Bools, unknown: Bools) -> None:
        """Store answers, and drop the candidates and targets that a yes rules out."""
        answers = self.answers[rows]
        answers[yes], answers[no], answers[unknown] = R.YES, R.NO, R.UNKNOWN
        self.answers[rows] = answers
        row, attribute = np.nonzero(yes)
        place = np.arange(len(row)) - np.searchsorted(row, row)  # number of the yes in its row
        for number in range(int(place.max(initial=-1)) + 1):
            now = place == number
            at, having = rows[row[now]], attribute[now]
            self.candidates[at] &= self._having[having]
            if self.rules.acceptable > 1 and not self.rules.noise:
                fits = self.data.item_attributes[self.targets[at], having[:, None]]  # (n, M)
                self.targets[at] = np.where(fits, self.targets[at], -1)

    def _show(self, rows: Ints, slates: Ints) -> Bools:
        """Show slates, ``(N, K)``; return whether the users accept, ``(N,)``."""
        width = slates.shape[1]
        at = self.recommendations[rows][:, None] * width + np.arange(width)
        self.shown[rows[:, None], at] = slates
        self.recommendations[rows] += 1
        self.items_shown[rows] += (slates >= 0).sum(axis=1)
        wanted = (slates[:, :, None] == self.targets[rows][:, None, :]).any(axis=2)  # (N, K)
        wanted &= slates >= 0
        hit: Bools = wanted.any(axis=1)
        self.rank[rows] = np.where(hit, np.argmax(wanted, axis=1) + 1, 0)
        row, slot = np.nonzero(slates >= 0)
        self.candidates[rows[row], slates[row, slot]] = False
        return hit

    def _wrong(self, asked: Bools, slates: Ints, asking: Bools) -> Bools:
        """Return which actions are illegal, ``(B,)``."""
        again = (asked & (self.answers != R.UNASKED)).any(axis=1)
        nothing = asking & ~asked.any(axis=1)
        late = asking & (self.turn >= self.rules.max_turns - 1)
        wrong: Bools = again | nothing | late | (~asking & self._repeats(slates))
        return wrong

    def _repeats(self, slates: Ints) -> Bools:
        """Return which slates hold an item twice, or one that was shown before, ``(B,)``."""
        filled = slates >= 0
        ordered = np.sort(np.where(filled, slates, -1 - np.arange(slates.shape[1])), axis=1)
        twice: Bools = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        if not (self.recommendations > 0).any():
            return twice
        before = (slates[:, :, None] == self.shown[:, None, :]) & filled[:, :, None]
        again: Bools = before.any(axis=(1, 2))
        return twice | again

    def _complaint(self, row: int, asked: Bools, slates: Ints, asking: Bools) -> str:
        """Return what is wrong with the action of a row."""
        if not asking[row]:
            return (
                f"The slate of conversation {row}, {slates[row].tolist()}, holds an item twice, or "
                "one that was shown before."
            )
        if self.turn[row] >= self.rules.max_turns - 1:
            return f"Conversation {row} asks on its last turn; only a slate can succeed there."
        old = np.flatnonzero(asked[row] & (self.answers[row] != R.UNASKED))
        if old.size:
            return f"Conversation {row} asks again for attribute {int(old[0])}."
        return f"Conversation {row} asks for no attribute."
