"""B sessions, what an agent observes of them, and what its actions mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.actions import ignored, mapping, numbers, whole_numbers
from envs.critiquing.seeking import UNKNOWN, Sessions
from envs.critiquing.settings import CritiqueRecSettings
from envs.faces import Arrays
from envs.sessions import SessionSimulation
from recsim.arrays import Bools, Floats, Ints
from recsim.critiquing import AspectReviews, CritiquingProblem, planted_reviews, read_reviews
from recsim.draws import Draws, Purpose
from recsim.errors import EnvError
from recsim.settings import keywords

PAIR = Purpose("pair")


class CritiquingSimulation(SessionSimulation):
    """B sessions, each about a held-out review: its user looks for its item.

    Args:
        size: B.
        settings: The rules, and what the sessions are about.
        data: Reviews, in place of those of the settings.
    """

    reset_options: ClassVar[frozenset[str]] = frozenset({"index", "user", "goal"})

    def __init__(
        self, size: int, settings: CritiqueRecSettings, data: AspectReviews | None = None
    ) -> None:
        super().__init__(size)
        self.rules = settings
        self.reviews = _reviews(settings, data)
        self.users, self.goals = _pairs(self.reviews, settings.split)
        if settings.cold_start:
            self.users = np.full_like(self.users, -1)
        self.sessions = Sessions(self.reviews, settings, size)
        self.problem = CritiquingProblem(
            num_users=self.reviews.num_users,
            num_items=self.reviews.num_items,
            num_aspects=self.reviews.num_aspects,
            max_turns=settings.max_turns,
            item_aspects=self.sessions.item_aspects,
            aspect_names=self.reviews.aspect_names,
            item_names=self.reviews.item_names,
        )

    @property
    def training_data(self) -> AspectReviews:
        """The data that a recommender may learn from: the train and valid parts."""
        return self.reviews.select("train", "valid")

    @property
    def episode_users(self) -> Ints:
        """User of each pair that a session can be about, ``(N,)``."""
        return self.users

    def begin(self, rows: Ints | None, options: Mapping[str, Any]) -> None:
        """Begin new sessions; see `Simulation.begin`.

        Args:
            rows: Rows to begin them in; None for all.
            options: ``index``: numbers of the pairs of user and goal, ``(B,)``; or ``user`` and
                ``goal``, ``(B,)`` each; or nothing, for drawn pairs. The random numbers of a
                session about a given pair depend on the seed and the pair only.
        """
        rows = np.arange(self.size) if rows is None else rows
        if not options:
            self._begin_drawn(rows)
        elif set(options) == {"index"}:
            pairs = self._option(options, "index", 0, len(self.goals))[rows]
            self._start(rows, pairs, self.users[pairs], self.goals[pairs])
        elif set(options) == {"user", "goal"}:
            items = self.problem.num_items
            known = 0 if self.rules.cold_start else self.problem.num_users
            users = self._option(options, "user", -1, known)[rows]
            goals = self._option(options, "goal", 0, items)[rows]
            taken = self.reviews.taken(users)[np.arange(len(rows)), goals]
            if self.rules.mask_train and taken.any():
                raise EnvError("options['goal'] is an item that the user has reviewed already.")
            numbers = len(self.goals) + (users + 1) * items + goals
            self._start(rows, numbers, users, goals)
        else:
            raise EnvError(f"reset: options are 'index', or 'user' and 'goal'; not {options}.")

    def _begin_drawn(self, rows: Ints) -> None:
        """Begin new sessions in some rows, about drawn pairs."""
        keys = self.episodes.keys(rows)
        chance = Draws(keys, double=True).uniform(PAIR, 1)[:, 0]
        pairs = (chance * len(self.goals)).astype(np.int64)
        # Numbers that no given pair has, so that a pair drawn twice gets other random numbers.
        most = len(self.goals) + (self.problem.num_users + 1) * self.problem.num_items
        numbers = most + self.episodes.users[rows] + (self.episodes.episode[rows] << 32)
        self.sessions.start(rows, numbers, self.users[pairs], self.goals[pairs], keys)

    def _start(self, rows: Ints, numbers: Ints, users: Ints, goals: Ints) -> None:
        """Begin sessions about given pairs."""
        keys = self.episodes.keys_about(rows, numbers)
        self.sessions.start(rows, numbers, users, goals, keys)

    def step(self, action: Any, idle: Bools | None = None) -> tuple[Floats, Bools, Bools]:
        """Take a turn; return reward, terminated and truncated, each ``(B,)``."""
        parts = self._parts(action, idle)
        if self.rules.action == "scores":
            items = self.sessions.best(self._scores(parts["scores"]))
        else:
            shape, count = (self.size,), self.problem.num_items
            items = whole_numbers(parts["item"], shape, 0, count, self._name("item"))
            self.sessions.rank = np.full(self.size, UNKNOWN)
        bits = self.sessions.item_aspects[items]
        if self.rules.justification == "agent":
            bits = self._bits(parts["justification"])
        terminated, truncated = self.sessions.take(items, bits, idle)
        reward = np.where(self.sessions.success, 1.0, 0.0 - self.rules.step_cost)
        return reward, terminated, truncated

    def observe(self) -> Arrays:
        """Return the observation of every session, copies."""
        state = self.sessions
        return {
            "user": state.user[:, None].copy(),
            "preferences": state.preferences.copy(),
            "critiqued": state.critiqued.copy(),
            "shown": state.shown.copy(),
            "turn": state.turn[:, None].copy(),
        }

    def info(self) -> dict[str, Any]:
        """Return the last turn of the sessions, and which items may be shown next."""
        state = self.sessions
        base_rank, base_turns = state.counterfactual()
        last = np.maximum(state.turn - 1, 0)
        info = {
            "session": state.session.copy(),
            "success": state.success.copy(),
            "turn": state.turn.copy(),
            "item": state.shown[np.arange(self.size), last],
            "justification": state.justification.astype(np.int8),
            "critiques": state.latest.copy(),
            "gold_rank": state.rank.copy(),
            "base_gold_rank": base_rank,
            "base_turns": base_turns,
        }
        info |= self.outlook()
        if self.rules.debug:
            info["goal"] = state.goal.copy()
            info["goal_aspects"] = state.item_aspects[state.goal].astype(np.int8)
        return info

    def masks(self) -> Bools:
        """Return which items may be shown, ``(B, I)``."""
        return self.sessions.allowed.copy()

    def describe(self) -> str:
        """Return the last turn of the first session as text."""
        state, names = self.sessions, self.problem.aspect_names
        turn = int(state.turn[0])
        if not turn:
            return f"turn 0: user {state.user[0]}; nothing shown"
        item = int(state.shown[0, turn - 1])
        if item < 0:
            return f"turn {turn}: not allowed"
        why = ", ".join(names[k] for k in np.flatnonzero(state.justification[0])) or "nothing"
        critiques = [f"not {names[k]}" for k in np.flatnonzero(state.latest[0] < 0)]
        critiques += [f"{names[k]} is right" for k in np.flatnonzero(state.latest[0] > 0)]
        answer = f"rejected: {', '.join(critiques) or 'just no'}"
        if state.success[0]:
            answer = "accepted"
        return f"turn {turn}: {self.problem.item_names[item]} for {why}; {answer}"

    def observation_space(self) -> spaces.Dict:
        """Return the observation space of one session."""
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
        """Return the action space of one session."""
        shown: spaces.Space[Any] = spaces.Discrete(self.problem.num_items)
        if self.rules.action == "scores":
            shown = spaces.Box(-np.inf, np.inf, (self.problem.num_items,), np.float32)
        if self.rules.justification == "item":
            return shown
        return spaces.Dict(
            {
                self.rules.action: shown,
                "justification": spaces.MultiBinary(self.problem.num_aspects),
            }
        )

    def _parts(self, action: Any, idle: Bools | None) -> dict[str, Any]:
        """Return the parts of an action, with zeros in idle rows."""
        parts: Mapping[str, Any] = {self.rules.action: action}
        if self.rules.justification == "agent":
            parts = mapping(action, {self.rules.action, "justification"})
        return {name: ignored(part, idle, 0) for name, part in parts.items()}

    def _name(self, part: str) -> str:
        """Return the name of a part of an action in messages."""
        return "The action" if self.rules.justification == "item" else f"action[{part!r}]"

    def _scores(self, scores: Any) -> NDArray[np.floating]:
        want, name = (self.size, self.problem.num_items), self._name("scores")
        array = numbers(scores, want, name, "iuf", "numbers")
        if np.isnan(array).any():
            row = int(np.argmax(np.isnan(array).any(axis=1)))
            raise ValueError(f"{name} of user {row} has NaN; scores must be numbers.")
        return array if array.dtype.kind == "f" else array.astype(np.float64)

    def _bits(self, justification: Any) -> Bools:
        want, name = (self.size, self.problem.num_aspects), "action['justification']"
        array = numbers(justification, want, name, "biuf", "numbers")
        wrong = ((array != 0) & (array != 1)).any(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"{name} of user {row} is {array[row].tolist()}; every entry must be 0 or 1."
            )
        bits: Bools = array.astype(np.bool_)
        return bits

    def _option(self, options: Mapping[str, Any], name: str, low: int, end: int) -> Ints:
        """Return an option of ``reset`` as one number per session."""
        values = np.asarray(options[name]).reshape(-1)
        where = f"options[{name!r}]"
        return whole_numbers(values, (self.size,), low, end, where, error=EnvError)


def _pairs(reviews: AspectReviews, split: str) -> tuple[Ints, Ints]:
    """Return users and goals of a part, ``(N,)`` each, without goals reviewed in training."""
    rows = reviews.rows(split)
    user, item = reviews.user[rows], reviews.item[rows]
    train = reviews.rows("train")
    known = reviews.user[train] * reviews.num_items + reviews.item[train]
    new = ~np.isin(user * reviews.num_items + item, known)
    if not new.any():
        raise EnvError(
            f"split {split!r} has no review of an item that its user has not reviewed in training."
        )
    return user[new], item[new]


def _reviews(settings: CritiqueRecSettings, data: AspectReviews | None) -> AspectReviews:
    """Return the reviews that are given, read or planted."""
    settings.check_data(data, AspectReviews)
    if data is not None:
        return data
    if settings.path is not None:
        options = keywords(read_reviews, settings.reader or {}, "reader", ["path"])
        return read_reviews(settings.path, **options)
    return planted_reviews(**keywords(planted_reviews, settings.planted or {}, "planted"))
