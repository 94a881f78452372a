"""B conversations, what an agent observes of them, and what its actions mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.actions import ignored, mapping, whole_numbers
from envs.conversation import rules as R
from envs.conversation.conversations import Conversations
from envs.conversation.settings import ConvRecSettings
from envs.faces import Arrays
from envs.sessions import SessionSimulation
from recsim.arrays import Bools, Floats, Ints
from recsim.conversation import (
    AttributeData,
    ConversationProblem,
    planted_codes,
    planted_tastes,
    read_attributes,
)
from recsim.conversation.ranking import first_allowed, unshown
from recsim.draws import Draws, Purpose
from recsim.errors import EnvError, did_you_mean
from recsim.settings import keywords

RankFunction = Callable[[dict[str, NDArray[Any]]], Ints]

_PLANTED: dict[str, Callable[..., AttributeData]] = {
    "tastes": planted_tastes,
    "codes": planted_codes,
}

INTERACTION = Purpose("interaction")

_EVENTS = {
    0: "no attribute to open with",
    R.ASKED_YES: "asked, yes",
    R.ASKED_NO: "asked, no",
    R.ASKED_UNKNOWN: "asked, does not care",
    R.HIT: "accepted",
    R.MISS: "rejected",
    R.ILLEGAL: "not allowed",
}


class ConversationSimulation(SessionSimulation):
    """B conversations about the interactions of a part of some data.

    Args:
        size: B.
        settings: The rules, and what the conversations are about.
        data: The data, in place of those of the settings.
        rank_fn: Ranks items for the ``discrete`` action; None for the most popular candidates.
    """

    reset_options: ClassVar[frozenset[str]] = frozenset({"index"})

    def __init__(
        self,
        size: int,
        settings: ConvRecSettings,
        data: AttributeData | None = None,
        rank_fn: RankFunction | None = None,
    ) -> None:
        super().__init__(size)
        self.rules = settings
        self.data = _data(settings, data)
        episodes = self.data.rows(settings.split)
        if not len(episodes):
            raise EnvError(f"split {settings.split!r} has no interactions.")
        self.conversations = Conversations(self.data, settings, episodes, size)
        self.problem = ConversationProblem(
            num_items=self.data.num_items,
            num_attributes=self.data.num_attributes,
            slate_size=settings.slate_size,
            max_turns=settings.max_turns,
            item_attributes=self.data.item_attributes,
            attribute_names=self.data.attribute_names,
            item_names=self.data.item_names,
            yes_filters=not settings.noise,
            no_filters=settings.answer_model != "user_and_item" and not settings.noise,
            free_recommendations=settings.free_recommendations,
        )
        self._ranking = np.argsort(-self.data.counts("train"), kind="stable")
        self._rank_fn = rank_fn
        users = self.data.user[episodes]
        self._order = np.argsort(users, kind="stable")
        _, self._first, self._each = np.unique(
            users[self._order], return_index=True, return_counts=True
        )

    @property
    def training_data(self) -> AttributeData:
        """The data that a recommender may learn from: the train and valid parts."""
        return self.data.select("train", "valid")

    @property
    def episode_users(self) -> Ints:
        """User of each interaction that a conversation can be about, ``(N,)``."""
        return self.data.user[self.conversations.episodes]

    @property
    def questions(self) -> int:
        """Number of questions to choose from: attributes, or classes if enumerated."""
        if self.rules.question == "enumerated":
            assert self.data.classes is not None
            return int(self.data.classes.shape[1])
        return self.data.num_attributes

    def begin(self, rows: Ints | None, options: Mapping[str, Any]) -> None:
        """Begin new conversations; see `Simulation.begin`.

        Args:
            rows: Rows to begin them in; None for all.
            options: ``index``: numbers of the interactions that they are about, ``(B,)``. The
                random numbers of such a conversation depend on the seed and this number only.
                Without it, the sampler chooses the interactions.
        """
        rows = np.arange(self.size) if rows is None else rows
        total = len(self.conversations.episodes)
        if options:
            given = np.asarray(options["index"]).reshape(-1)
            where, shape = "options['index']", (self.size,)
            numbers = whole_numbers(given, shape, 0, total, where, error=EnvError)[rows]
            keys = self.episodes.keys_about(rows, numbers)
        elif self.rules.sampler == "each":
            numbers = self.episodes.places(rows) % total
            keys = self.episodes.keys_about(rows, numbers)
        else:
            keys = self.episodes.keys(rows)
            chance = Draws(keys, double=True).uniform(INTERACTION, 2)
            user = (chance[:, 0] * len(self._each)).astype(np.int64)
            place = (chance[:, 1] * self._each[user]).astype(np.int64)
            numbers = self._order[self._first[user] + place]
        self.conversations.start(rows, numbers, keys)

    def step(self, action: Any, idle: Bools | None = None) -> tuple[Floats, Bools, Bools]:
        """Take a turn; return reward, terminated and truncated, each ``(B,)``."""
        free = None
        if self.rules.action == "discrete":
            asked, slates, asking = self._from_discrete(action, idle)
        else:
            asked, slates, asking, free = self._from_parts(action, idle)
        if idle is not None:
            slates = np.where(idle[:, None], -1, slates)
        turn = self.conversations.take(asked, slates, asking, free, idle)
        return turn.reward, turn.success, turn.over

    def observe(self) -> Arrays:
        """Return the observation of every conversation, copies."""
        state = self.conversations
        left = state.candidates.sum(axis=1)
        return {
            "answers": state.answers.copy(),
            "shown": state.shown.copy(),
            "history": state.history.copy(),
            "turn": state.turn[:, None].copy(),
            "candidate_bin": np.floor(np.log2(left + 1)).astype(np.int64)[:, None],
        }

    def info(self) -> dict[str, Any]:
        """Return the state of the conversations."""
        state = self.conversations
        info = {
            "success": state.rank > 0,
            "rank": state.rank.copy(),
            "turn": state.turn.copy(),
            "n_questions": state.questions.copy(),
            "n_recs": state.recommendations.copy(),
            "items_shown": state.items_shown.copy(),
            "hdcg": state.gain(),
            "index": state.episode.copy(),
        }
        info |= self.outlook()
        if self.rules.debug:
            info["user"], info["target"] = state.user.copy(), state.targets[:, 0].copy()
            info["truth"] = state.truth(np.arange(self.size)).astype(np.int8)
            info["candidates"] = state.candidates.astype(np.int8)
        return info

    def masks(self) -> Bools:
        """Return which questions are allowed, ``(B, Q + 1)``; the last column is for a slate."""
        legal = self.conversations.legal_attributes()
        if self.rules.question == "enumerated":
            assert self.data.classes is not None
            # A class may be asked for as long as none of its attributes is answered.
            asked = (self.conversations.answers != R.UNASKED).astype(np.float32)
            known = asked @ self.data.classes.astype(np.float32) > 0
            early = self.conversations.turn < self.rules.max_turns - 1
            legal = ~known & early[:, None] & self.data.classes.any(axis=0)
        return np.concatenate([legal, np.ones((self.size, 1), dtype=np.bool_)], axis=1)

    def describe(self) -> str:
        """Return the last turn of the first conversation as text."""
        state, names = self.conversations, self.data.attribute_names
        turn = int(state.turn[0])
        yes = [names[n] for n in np.flatnonzero(state.answers[0] == R.YES)]
        known = f"yes to {', '.join(yes) or 'nothing'}"
        left = int(state.candidates[0].sum())
        if not turn:
            return f"turn 0: {known}; {left} candidates"
        event = _EVENTS[int(state.history[0, turn - 1])]
        if state.rank[0]:
            event += f" at rank {state.rank[0]}"
        return f"turn {turn}: {event}; {known}; {left} candidates"

    def observation_space(self) -> spaces.Dict:
        """Return the observation space of one conversation."""
        items, turns = self.data.num_items, self.rules.max_turns
        slots = self.rules.most_slates * self.rules.slate_size
        bins = math.floor(math.log2(items + 1))
        return spaces.Dict(
            {
                "answers": spaces.Box(0, 3, (self.data.num_attributes,), np.int8),
                "shown": spaces.Box(-1, items - 1, (slots,), np.int64),
                "history": spaces.Box(-3, 3, (turns,), np.int8),
                "turn": spaces.Box(0, turns, (1,), np.int64),
                "candidate_bin": spaces.Box(0, bins, (1,), np.int64),
            }
        )

    def action_space(self) -> spaces.Discrete | spaces.Dict:
        """Return the action space of one conversation."""
        if self.rules.action == "discrete":
            return spaces.Discrete(self.questions + 1)
        slate = self.rules.slate_size
        attribute: spaces.Space[Any] = spaces.Discrete(self.questions)
        if self.rules.question == "multi_choice":
            sizes = np.full(self.rules.choices, self.questions + 1)
            attribute = spaces.MultiDiscrete(sizes, start=np.full(self.rules.choices, -1))
        return spaces.Dict(
            {
                "type": spaces.Discrete(self._kinds),
                "attribute": attribute,
                "slate": spaces.MultiDiscrete(
                    np.full(slate, self.data.num_items + 1), start=np.full(slate, -1)
                ),
            }
        )

    def _from_discrete(self, action: Any, idle: Bools | None) -> tuple[Bools, Ints, Bools]:
        """Return attributes asked for, ``(B, F)``, slates, ``(B, K)``, and which rows ask."""
        count = self.questions
        action = ignored(action, idle, count)
        action = whole_numbers(action, (self.size,), 0, count + 1, "The action")
        asking = action < count
        question = np.where(asking, action, 0)
        asked = self._asked(question[:, None])
        if self.rules.question == "multi_choice":
            asked |= self._companions(asked)
        slates = np.full((self.size, self.rules.slate_size), -1)
        if not asking.all():
            if self._rank_fn is None:
                slates = self._popular()
            else:
                slates = self._slates(self._rank_fn(self.observe()), "The slate of rank_fn")
        return asked, slates, asking

    @property
    def _kinds(self) -> int:
        """Number of action types: ask, show and, where that is allowed, show without a turn."""
        return 3 if self.rules.free_recommendations else 2

    def _from_parts(self, action: Any, idle: Bools | None) -> tuple[Bools, Ints, Bools, Bools]:
        parts = mapping(action, {"type", "attribute", "slate"})
        note = ": 0 to ask, 1 to show a slate; 2, to show one without a turn passing"
        if not self.rules.free_recommendations:
            note += ", needs free_recommendations"
        kind = ignored(parts["type"], idle, 1)
        kind = whole_numbers(kind, (self.size,), 0, self._kinds, "action['type']", note=note)
        question = ignored(parts["attribute"], idle, -1)
        shape = self._question_shape(np.shape(question))
        question = whole_numbers(question, shape, -1, self.questions, "action['attribute']")
        asked = self._asked(question.reshape(self.size, -1))
        slates = self._slates(ignored(parts["slate"], idle, -1), "action['slate']")
        return asked, slates, kind == 0, kind == 2

    def _question_shape(self, given: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of questions, ``(B,)`` or ``(B, m)``; m may be below ``choices``."""
        most = self.rules.choices if self.rules.question == "multi_choice" else 1
        if len(given) == 2 and given[1] <= most:
            return (self.size, given[1])
        return (self.size,) if most == 1 or len(given) == 1 else (self.size, most)

    def _slates(self, slates: Any, name: str) -> Ints:
        """Return slates as int64 ``(B, K)``."""
        want = (self.size, self.rules.slate_size)
        return whole_numbers(slates, want, -1, self.data.num_items, name)

    def _asked(self, question: Ints) -> Bools:
        """Return the attributes that questions are about, ``(B, m)`` to ``(B, F)``."""
        chosen = np.zeros((self.size, self.questions), dtype=np.bool_)
        row, column = np.nonzero(question >= 0)
        chosen[row, question[row, column]] = True
        if self.rules.question != "enumerated":
            return chosen
        assert self.data.classes is not None
        wanted: Bools = chosen.astype(np.float32) @ self.data.classes.T.astype(np.float32) > 0
        unasked: Bools = self.conversations.answers == R.UNASKED
        return wanted & unasked

    def _companions(self, asked: Bools) -> Bools:
        """Return further attributes to ask for: those that come nearest to halving the candidates.

        Args:
            asked: The attributes that the questions are about already, ``(B, F)``.
        """
        state = self.conversations
        having = state.candidates.astype(np.float32) @ self.data.item_attributes.astype(np.float32)
        share = having / np.maximum(state.candidates.sum(axis=1, keepdims=True), 1)
        key = np.abs(share - 0.5) + (asked | (state.answers != R.UNASKED))  # (B, F)
        best = np.argsort(key, axis=1, kind="stable")[:, : self.rules.choices - 1]
        chosen = np.zeros_like(asked)
        np.put_along_axis(chosen, best, True, axis=1)
        free: Bools = key < 1
        return chosen & free

    def _popular(self) -> Ints:
        """Return the most popular candidates, then other items if those are few, ``(B, K)``."""
        size, state = self.rules.slate_size, self.conversations
        slates = first_allowed(self._ranking, state.candidates, size)
        short = np.flatnonzero(slates[:, -1] < 0)
        if short.size:
            others = unshown(state.shown[short], self.data.num_items) & ~state.candidates[short]
            both = np.concatenate(
                [slates[short], first_allowed(self._ranking, others, size)], axis=1
            )  # (N, 2K)
            real_first = np.argsort(both < 0, axis=1, kind="stable")[:, :size]
            slates[short] = np.take_along_axis(both, real_first, axis=1)
        return slates


def _data(settings: ConvRecSettings, data: AttributeData | None) -> AttributeData:
    """Return the data that are given, read or planted."""
    settings.check_data(data, AttributeData)
    if data is not None:
        return data
    if settings.path is not None:
        return read_attributes(settings.path, targets=settings.targets)
    planted = dict(settings.planted or {})
    kind = planted.pop("kind", "tastes")
    if kind not in _PLANTED:
        raise EnvError(f"planted.kind is {kind!r}.{did_you_mean(str(kind), _PLANTED)}")
    make = _PLANTED[kind]
    return make(**keywords(make, planted, "planted"))
