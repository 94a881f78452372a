"""Everything behind both faces of ``CritiqueRec-v0``: data, rules, spaces, actions, sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.critiquing.rules import Rules
from envs.critiquing.seeking import UNKNOWN, Bools, Floats, Ints, Sessions
from recsim.critiquing import AspectReviews, CritiquingProblem, planted_reviews, read_reviews
from recsim.errors import UserError, did_you_mean
from recsim.settings import keywords, validated

_ACTIONS = ("scores", "item")
_JUSTIFICATIONS = ("agent", "item")
_SPLITS = ("test", "valid")


class Setting:
    """B sessions, each about a review that is held out: its user looks for its item.

    Args:
        size: B.
        data: Reviews; else read from ``path``; else planted.
        path: See `recsim.critiquing.read_reviews`.
        reader: Arguments of that, for the path.
        planted: Arguments of `recsim.critiquing.planted_reviews`.
        split: ``test`` or ``valid``.
        action: ``scores`` or ``item``.
        justification: Whose: the ``agent``'s, or what train reviews of the ``item`` mention.
        debug: Whether info holds what a real system cannot know.
        rules: Fields of `Rules`.
    """

    def __init__(
        self,
        size: int,
        *,
        data: AspectReviews | None,
        path: str | None,
        reader: Mapping[str, Any] | None,
        planted: Mapping[str, Any] | None,
        split: str,
        action: str,
        justification: str,
        debug: bool,
        rules: Mapping[str, Any],
    ) -> None:
        if size < 1:
            raise UserError(f"num_envs is {size}; it must be at least 1.")
        for name, value, known in (
            ("action", action, _ACTIONS),
            ("justification", justification, _JUSTIFICATIONS),
            ("split", split, _SPLITS),
        ):
            if value not in known:
                raise UserError(f"{name} is {value!r}.{did_you_mean(str(value), known)}")
        self.rules = validated(Rules, dict(rules), "CritiqueRec-v0")
        self.reviews = _reviews(data, path, reader, planted)
        self.size, self.action, self.justification = size, action, justification
        self.debug = debug
        self.users, self.goals = _pairs(self.reviews, split)
        if self.rules.cold_start:
            self.users = np.full_like(self.users, -1)
        self.sessions = Sessions(self.reviews, self.rules, size)
        self.problem = CritiquingProblem(
            num_users=self.reviews.num_users,
            num_items=self.reviews.num_items,
            num_aspects=self.reviews.num_aspects,
            max_turns=self.rules.max_turns,
            item_aspects=self.sessions.item_aspects,
            aspect_names=self.reviews.aspect_names,
            item_names=self.reviews.item_names,
        )
        self._begun = 0
        self._seeded = False

    @property
    def training_data(self) -> AspectReviews:
        """What a recommender may learn from: the train and valid parts."""
        return self.reviews.select("train", "valid")

    @property
    def episode_users(self) -> Ints:
        """User of each pair that a session can be about, ``(N,)``."""
        return self.users

    def begin(self, rows: Ints, generator: np.random.Generator) -> None:
        """Begin new sessions in some rows, about drawn pairs."""
        pairs = generator.integers(len(self.goals), size=len(rows))
        # Numbers that no pair has, so that a pair drawn twice is not met with the same chances.
        most = len(self.goals) + (self.problem.num_users + 1) * self.problem.num_items
        numbers = most + self._begun + np.arange(len(rows))
        self._begun += len(rows)
        self.sessions.start(rows, numbers, self.users[pairs], self.goals[pairs])

    def restart(
        self, generator: np.random.Generator, options: Mapping[str, Any], seeded: bool
    ) -> None:
        """Begin all sessions anew; with a seed, their numbering and randomness too."""
        if seeded or not self._seeded:
            self.sessions.seed = int(generator.integers(2**31))
            self._begun, self._seeded = 0, True
        rows = np.arange(self.size)
        if not options:
            self.begin(rows, generator)
        elif set(options) == {"index"}:
            total = len(self.goals)
            pairs = self._chosen("index", options["index"], 0, total)
            self.sessions.start(rows, pairs, self.users[pairs], self.goals[pairs])
        elif set(options) == {"user", "goal"}:
            items = self.problem.num_items
            known = 0 if self.rules.cold_start else self.problem.num_users
            users = self._chosen("user", options["user"], -1, known)
            goals = self._chosen("goal", options["goal"], 0, items)
            if self.rules.mask_train and self.reviews.taken(users)[rows, goals].any():
                raise UserError("options['goal'] is an item that the user has reviewed already.")
            numbers = len(self.goals) + (users + 1) * items + goals
            self.sessions.start(rows, numbers, users, goals)
        else:
            raise UserError(f"reset: options are 'index', or 'user' and 'goal'; not {options}.")

    def step(self, action: Any) -> tuple[Floats, Bools, Bools]:
        """Take a turn; return reward, terminated and truncated, each ``(B,)``."""
        parts = self._parts(action)
        if self.action == "scores":
            items = self.sessions.best(self._scores(parts["scores"]))
        else:
            items = self._items(parts["item"])
            self.sessions.rank = np.full(self.size, UNKNOWN)
        bits = self.sessions.item_aspects[items]
        if self.justification == "agent":
            bits = self._bits(parts["justification"])
        terminated, truncated = self.sessions.take(items, bits)
        reward = np.where(self.sessions.success, 1.0, 0.0 - self.rules.step_cost)
        return reward, terminated, truncated

    def observe(self) -> dict[str, NDArray[Any]]:
        """Return what an agent sees, copies."""
        state = self.sessions
        return {
            "user": state.user[:, None].copy(),
            "preferences": state.preferences.copy(),
            "critiqued": state.critiqued.copy(),
            "shown": state.shown.copy(),
            "turn": state.turn[:, None].copy(),
        }

    def info(self) -> dict[str, NDArray[Any]]:
        """Return how the sessions stand."""
        state = self.sessions
        base_rank, base_turns = state.counterfactual()
        last = np.maximum(state.turn - 1, 0)
        told: dict[str, NDArray[Any]] = {
            "session": state.session.copy(),
            "success": state.success.copy(),
            "turn": state.turn.copy(),
            "item": state.shown[np.arange(self.size), last],
            "justification": state.justification.astype(np.int8),
            "critiques": state.latest.copy(),
            "gold_rank": state.rank.copy(),
            "base_gold_rank": base_rank,
            "base_turns": base_turns,
            "action_mask": self.masks().astype(np.int8),
        }
        if self.debug:
            told["goal"] = state.goal.copy()
            told["goal_aspects"] = state.item_aspects[state.goal].astype(np.int8)
        return told

    def masks(self) -> Bools:
        """Return which items may be shown, ``(B, I)``."""
        return self.sessions.allowed.copy()

    def describe(self, row: int) -> str:
        """Return the last turn of a session as text."""
        state, names = self.sessions, self.problem.aspect_names
        turn = int(state.turn[row])
        if not turn:
            return f"turn 0: user {state.user[row]}; nothing shown"
        item = int(state.shown[row, turn - 1])
        if item < 0:
            return f"turn {turn}: not allowed"
        why = ", ".join(names[k] for k in np.flatnonzero(state.justification[row])) or "nothing"
        said = [f"not {names[k]}" for k in np.flatnonzero(state.latest[row] < 0)]
        said += [f"{names[k]} is right" for k in np.flatnonzero(state.latest[row] > 0)]
        answer = "accepted" if state.success[row] else f"rejected: {', '.join(said) or 'just no'}"
        return f"turn {turn}: {self.problem.item_names[item]} for {why}; {answer}"

    def observation_space(self) -> spaces.Dict:
        """Observation of one session."""
        problem = self.problem
        aspects, turns = (problem.num_aspects,), problem.max_turns
        most = max(int(self.reviews.user_counts.max(initial=0)), 1)  # doubled by praise
        return spaces.Dict(
            {
                "user": spaces.Box(-1, problem.num_users - 1, (1,), np.int64),
                "preferences": spaces.Box(-1, 2 * most, aspects, np.float32),
                "critiqued": spaces.Box(-1, 1, aspects, np.int8),
                "shown": spaces.Box(-1, problem.num_items - 1, (turns,), np.int64),
                "turn": spaces.Box(0, turns, (1,), np.int64),
            }
        )

    def action_space(self) -> spaces.Space[Any]:
        """Action of one session."""
        shown: spaces.Space[Any] = spaces.Discrete(self.problem.num_items)
        if self.action == "scores":
            shown = spaces.Box(-np.inf, np.inf, (self.problem.num_items,), np.float32)
        if self.justification == "item":
            return shown
        return spaces.Dict(
            {
                self.action: shown,
                "justification": spaces.MultiBinary(self.problem.num_aspects),
            }
        )

    def _parts(self, action: Any) -> Mapping[str, Any]:
        if self.justification == "item":
            return {self.action: action}
        keys = {self.action, "justification"}
        if not isinstance(action, Mapping) or set(action) != keys:
            raise ValueError(f"An action is a mapping with the keys {sorted(keys)}.")
        return action

    def _scores(self, scores: Any) -> NDArray[np.floating]:
        found, want = np.asarray(scores), (self.size, self.problem.num_items)
        if found.shape != want or found.dtype.kind not in "iuf" or np.isnan(found).any():
            raise ValueError(f"Scores must be numbers of shape {want}, not {found!r}.")
        return found if found.dtype.kind == "f" else found.astype(np.float64)

    def _items(self, items: Any) -> Ints:
        found = np.asarray(items)
        if found.shape != (self.size,) or found.dtype.kind not in "iu":
            raise ValueError(f"Items must be {self.size} whole numbers, not {found!r}.")
        if ((found < 0) | (found >= self.problem.num_items)).any():
            raise ValueError(f"Items must lie in 0 ... {self.problem.num_items - 1}.")
        return found.astype(np.int64)

    def _bits(self, justification: Any) -> Bools:
        found, want = np.asarray(justification), (self.size, self.problem.num_aspects)
        if found.shape != want or not ((found == 0) | (found == 1)).all():
            raise ValueError(f"Justifications must be 0 and 1 of shape {want}, not {found!r}.")
        bits: Bools = found.astype(np.bool_)
        return bits

    def _chosen(self, name: str, given: Any, lowest: int, end: int) -> Ints:
        """Return an option as one number per session."""
        found = np.asarray(given).reshape(-1)
        whole = found.shape == (self.size,) and found.dtype.kind in "iu"
        if not whole or ((found < lowest) | (found >= end)).any():
            raise UserError(
                f"options[{name!r}] must hold {self.size} numbers, {lowest} ... {end - 1}."
            )
        return found.astype(np.int64)


def _pairs(reviews: AspectReviews, split: str) -> tuple[Ints, Ints]:
    """Return users and goals of a part, ``(N,)`` each, but for goals reviewed in training."""
    rows = reviews.rows(split)
    user, item = reviews.user[rows], reviews.item[rows]
    train = reviews.rows("train")
    known = reviews.user[train] * reviews.num_items + reviews.item[train]
    new = ~np.isin(user * reviews.num_items + item, known)
    if not new.any():
        raise UserError(f"split {split!r} has no review of an item that its user has not met.")
    return user[new], item[new]


def _reviews(
    data: AspectReviews | None,
    path: str | None,
    reader: Mapping[str, Any] | None,
    planted: Mapping[str, Any] | None,
) -> AspectReviews:
    if sum(value is not None for value in (data, path, planted)) > 1:
        raise UserError("give only one of 'data', 'path' and 'planted'.")
    if reader is not None and path is None:
        raise UserError("'reader' says how to read 'path': give that too.")
    if data is not None:
        if not isinstance(data, AspectReviews):
            raise UserError(f"'data' is {data!r}; it must be AspectReviews: a folder is a 'path'.")
        return data
    if path is not None:
        if not isinstance(path, str | Path):
            raise UserError(f"'path' is {path!r}; it must be the name of a file or a folder.")
        options = {} if reader is None else reader
        return read_reviews(path, **keywords(read_reviews, options, "reader", ["path"]))
    return planted_reviews(
        **keywords(planted_reviews, {} if planted is None else planted, "planted")
    )
