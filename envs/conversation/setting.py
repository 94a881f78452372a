"""Everything behind both faces of ``ConvRec-v0``: data, rules, spaces, actions, observations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.conversation import rules as R
from envs.conversation.conversations import Bools, Conversations, Floats, Ints
from envs.conversation.rules import Rules
from recsim.conversation import (
    AttributeData,
    ConversationProblem,
    planted_codes,
    planted_tastes,
    read_attributes,
)
from recsim.conversation.ranking import first_allowed, unshown
from recsim.errors import UserError, did_you_mean
from recsim.settings import keywords, validated

RankFunction = Callable[[dict[str, NDArray[Any]]], Ints]

_SAMPLERS = ("uniform_user", "each")
_PLANTED: dict[str, Callable[..., AttributeData]] = {
    "tastes": planted_tastes,
    "codes": planted_codes,
}

_EVENTS = {
    0: "nothing to open with",
    R.ASKED_YES: "asked, yes",
    R.ASKED_NO: "asked, no",
    R.ASKED_UNKNOWN: "asked, does not care",
    R.HIT: "accepted",
    R.MISS: "rejected",
    R.ILLEGAL: "not allowed",
}


class Setting:
    """B conversations about the episodes of a part of some data.

    Args:
        size: B.
        data: The data; else read from ``path`` or planted.
        path: Folder in one of the layouts of `recsim.conversation.read_attributes`.
        targets: Which interactions count, see there.
        planted: ``kind`` (``tastes`` or ``codes``) and arguments of `recsim.conversation.planted`.
        split: ``train``, ``valid`` or ``test``.
        sampler: ``uniform_user``: a uniform user, then one of the user's interactions; ``each``:
            every interaction in turn.
        action: ``slate`` or ``discrete``.
        rank_fn: Ranks for the ``discrete`` action.
        debug: Whether info holds what a real system cannot know.
        rules: Fields of `Rules`.
    """

    def __init__(
        self,
        size: int,
        *,
        data: AttributeData | None,
        path: str | None,
        targets: str,
        planted: Mapping[str, Any] | None,
        split: str,
        sampler: str,
        action: str,
        rank_fn: RankFunction | None,
        debug: bool,
        rules: Mapping[str, Any],
    ) -> None:
        if size < 1:
            raise UserError(f"num_envs is {size}; it must be at least 1.")
        if action not in ("slate", "discrete"):
            raise UserError(f"action is {action!r}.{did_you_mean(action, ['slate', 'discrete'])}")
        if sampler not in _SAMPLERS:
            raise UserError(f"sampler is {sampler!r}.{did_you_mean(sampler, _SAMPLERS)}")
        self.rules = validated(Rules, dict(rules), "ConvRec-v0")
        self.data = _data(data, path, targets, planted)
        self.size, self.action, self.sampler, self.debug = size, action, sampler, debug
        episodes = self.data.rows(split)
        if not len(episodes):
            raise UserError(f"split {split!r} has no interactions.")
        self.conversations = Conversations(self.data, self.rules, episodes, size)
        self.problem = ConversationProblem(
            num_items=self.data.num_items,
            num_attributes=self.data.num_attributes,
            slate_size=self.rules.slate_size,
            max_turns=self.rules.max_turns,
            item_attributes=self.data.item_attributes,
            attribute_names=self.data.attribute_names,
            item_names=self.data.item_names,
            yes_filters=not self.rules.noise,
            no_filters=self.rules.answer_model != "user_and_item" and not self.rules.noise,
            free_recommendations=self.rules.free_recommendations,
        )
        self._ranking = np.argsort(-self.data.counts("train"), kind="stable")
        self._rank_fn = rank_fn
        users = self.data.user[episodes]
        self._order = np.argsort(users, kind="stable")
        _, self._first, self._each = np.unique(
            users[self._order], return_index=True, return_counts=True
        )
        self._next = self._begun = 0

    @property
    def training_data(self) -> AttributeData:
        """What a recommender may learn from: the train and valid parts."""
        return self.data.select("train", "valid")

    @property
    def episode_users(self) -> Ints:
        """User of each interaction that an episode can be about, ``(N,)``."""
        return self.data.user[self.conversations.episodes]

    @property
    def questions(self) -> int:
        """Number of different questions: attributes, or classes if enumerated."""
        if self.rules.question == "enumerated":
            assert self.data.classes is not None
            return int(self.data.classes.shape[1])
        return self.data.num_attributes

    def begin(
        self, rows: Ints, generator: np.random.Generator, numbers: Ints | None = None
    ) -> None:
        """Begin new conversations in some rows, about the given episodes or drawn ones."""
        count, total = len(rows), len(self.conversations.episodes)
        if numbers is not None:
            if numbers.shape != (count,) or ((numbers < 0) | (numbers >= total)).any():
                raise UserError(
                    f"options['index'] must hold {count} numbers of episodes, 0 ... {total - 1}."
                )
            streams = numbers
        elif self.sampler == "each":
            streams = numbers = (self._next + np.arange(count)) % total
            self._next = (self._next + count) % total
        else:
            user = generator.integers(len(self._each), size=count)
            place = (generator.random(count) * self._each[user]).astype(np.int64)
            numbers = self._order[self._first[user] + place]
            streams = total + self._begun + np.arange(count)
        self._begun += count
        self.conversations.start(rows, numbers, streams)

    def restart(
        self, generator: np.random.Generator, options: Mapping[str, Any], seeded: bool
    ) -> None:
        """Begin all conversations anew; with a seed, their numbering and randomness too."""
        unknown = set(options) - {"index"}
        if unknown:
            raise UserError(f"reset: unknown option {min(unknown)!r}; there is 'index'.")
        numbers = np.asarray(options["index"], dtype=np.int64).reshape(-1) if options else None
        if seeded:
            self.conversations.seed = int(generator.integers(2**31))
            self._next = self._begun = 0
        self.begin(np.arange(self.size), generator, numbers)

    def step(self, action: Any) -> tuple[Floats, Bools, Bools]:
        """Take a turn; return reward, terminated and truncated, each ``(B,)``."""
        free = None
        if self.action == "discrete":
            asked, slates, asking = self._from_discrete(np.asarray(action))
        else:
            asked, slates, asking, free = self._from_parts(action)
        turn = self.conversations.take(asked, slates, asking, free)
        return turn.reward, turn.success, turn.over

    def observe(self) -> dict[str, NDArray[Any]]:
        """Return what an agent sees, copies."""
        state = self.conversations
        left = state.candidates.sum(axis=1)
        return {
            "answers": state.answers.copy(),
            "shown": state.shown.copy(),
            "history": state.history.copy(),
            "turn": state.turn[:, None].copy(),
            "candidate_bin": np.floor(np.log2(left + 1)).astype(np.int64)[:, None],
        }

    def info(self) -> dict[str, NDArray[Any]]:
        """Return how the conversations stand."""
        state = self.conversations
        told: dict[str, NDArray[Any]] = {
            "success": state.rank > 0,
            "rank": state.rank.copy(),
            "turn": state.turn.copy(),
            "n_questions": state.questions.copy(),
            "n_recs": state.recommendations.copy(),
            "items_shown": state.items_shown.copy(),
            "hdcg": state.gain(),
            "index": state.episode.copy(),
            "action_mask": self.masks().astype(np.int8),
        }
        if self.debug:
            told["user"], told["target"] = state.user.copy(), state.targets[:, 0].copy()
            told["truth"] = state.truth(np.arange(self.size)).astype(np.int8)
            told["candidates"] = state.candidates.astype(np.int8)
        return told

    def masks(self) -> Bools:
        """Return which questions, and in the last column showing, are allowed, ``(B, Q + 1)``."""
        legal = self.conversations.legal_attributes()
        if self.rules.question == "enumerated":
            assert self.data.classes is not None
            # A class may be asked for while nothing of it is answered.
            asked = (self.conversations.answers != R.UNASKED).astype(np.float32)
            known = asked @ self.data.classes.astype(np.float32) > 0
            early = self.conversations.turn < self.rules.max_turns - 1
            legal = ~known & early[:, None] & self.data.classes.any(axis=0)
        return np.concatenate([legal, np.ones((self.size, 1), dtype=np.bool_)], axis=1)

    def describe(self, row: int) -> str:
        """Return the last turn of a conversation as text."""
        state, names = self.conversations, self.data.attribute_names
        turn = int(state.turn[row])
        yes = [names[n] for n in np.flatnonzero(state.answers[row] == R.YES)]
        known = f"yes to {', '.join(yes) or 'nothing'}"
        left = int(state.candidates[row].sum())
        if not turn:
            return f"turn 0: {known}; {left} candidates"
        event = _EVENTS[int(state.history[row, turn - 1])]
        if state.rank[row]:
            event += f" at rank {state.rank[row]}"
        return f"turn {turn}: {event}; {known}; {left} candidates"

    def observation_space(self) -> spaces.Dict:
        """Observation of one conversation."""
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
        """Action of one conversation."""
        if self.action == "discrete":
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

    def _from_discrete(self, action: Ints) -> tuple[Bools, Ints, Bools]:
        count = self.questions
        if action.shape != (self.size,) or action.dtype.kind not in "iu":
            raise ValueError(f"Actions must be {self.size} whole numbers, not {action!r}.")
        if ((action < 0) | (action > count)).any():
            raise ValueError(f"Actions must lie in 0 ... {count}, not {action.tolist()}.")
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
                slates = _slates(self._rank_fn(self.observe()), self)
        return asked, slates, asking

    @property
    def _kinds(self) -> int:
        """Types of actions: ask, show, and where that is allowed, show free of charge."""
        return 3 if self.rules.free_recommendations else 2

    def _from_parts(self, action: Any) -> tuple[Bools, Ints, Bools, Bools]:
        keys = {"type", "attribute", "slate"}
        if not isinstance(action, Mapping) or set(action) != keys:
            raise ValueError(f"An action is a mapping with the keys {sorted(keys)}.")
        kind = np.asarray(action["type"]).reshape(self.size)
        question = np.asarray(action["attribute"]).reshape(self.size, -1)
        if ((kind < 0) | (kind >= self._kinds)).any():
            raise ValueError(
                "action['type'] must be 0, to ask, or 1, to show a slate; 2, to show one free of "
                "charge, needs free_recommendations."
            )
        return self._asked(question), _slates(action["slate"], self), kind == 0, kind == 2

    def _asked(self, question: Ints) -> Bools:
        """Return the attributes that questions are about, ``(B, m)`` to ``(B, F)``."""
        if ((question < -1) | (question >= self.questions)).any():
            raise ValueError(
                f"action['attribute'] must lie in 0 ... {self.questions - 1}, or be -1 for none."
            )
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
        """Return further attributes to ask for: those nearest to halving the candidates."""
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
        """Return the most popular candidates, others where there are too few, ``(B, K)``."""
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


def _slates(slates: Any, setting: Setting) -> Ints:
    """Return slates as int64 ``(B, K)``.

    Raises:
        ValueError: They have another shape or hold what is no item.
    """
    want = (setting.size, setting.rules.slate_size)
    found = np.array(slates).reshape(want[0], -1)
    if found.shape != want or found.dtype.kind not in "iu":
        raise ValueError(f"Slates must be whole numbers of shape {want}, not {np.shape(slates)}.")
    if ((found < -1) | (found >= setting.data.num_items)).any():
        raise ValueError(f"Slates must hold items 0 ... {setting.data.num_items - 1}, or -1.")
    return found.astype(np.int64)


def _data(
    data: AttributeData | None,
    path: str | None,
    targets: str,
    planted: Mapping[str, Any] | None,
) -> AttributeData:
    given = [value is not None for value in (data, path, planted)]
    if sum(given) > 1:
        raise UserError("give only one of 'data', 'path' and 'planted'.")
    if data is not None:
        return data
    if path is not None:
        return read_attributes(path, targets=targets)
    settings = dict(planted or {})
    kind = settings.pop("kind", "tastes")
    if kind not in _PLANTED:
        raise UserError(f"planted.kind is {kind!r}.{did_you_mean(str(kind), _PLANTED)}")
    make = _PLANTED[kind]
    return make(**keywords(make, settings, "planted"))
