"""``SlateReplay-v0``: a log as an environment; an action that was not logged has no outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import Field

from envs.actions import alone, whole_numbers
from envs.episodes import checked_seed
from envs.faces import checked_render_mode
from envs.settings import EnvSettings
from envs.world.bounds import box
from recsim.arrays import Floats, Ints
from recsim.errors import EnvError, did_you_mean
from recsim.log import SlateLog, read_log
from recsim.problem import Problem


class SlateReplaySettings(EnvSettings):
    """Settings of ``SlateReplay-v0``.

    Attributes:
        reader: Name of the reader of the log.
        path: Path of the log.
        options: Further settings of the reader.
        episodes: Rows that make up an episode, see `SlateReplayEnv`.
        shuffle: Whether episodes come in random order.
        max_steps: Rows after which an episode is truncated; None for no limit.
        history: Slates kept in the observation, H.
    """

    env_id: ClassVar[str] = "SlateReplay-v0"

    reader: str | None = None
    path: str | None = None
    options: Mapping[str, Any] | None = None
    episodes: Literal["auto", "session", "user", "log"] = "auto"
    shuffle: bool = False
    max_steps: int | None = Field(None, ge=1)
    history: int = Field(5, ge=0)


class SlateReplayEnv(gym.Env[dict[str, Any], Ints]):
    """The users of a log, whose reactions are known only where the agent shows the logged slate.

    ## Description
    At each step the agent gets one row of a log: a user, and the items that could be shown. If it
    shows the logged slate, the step *matches* and returns the logged reward. If it shows any other
    slate, the user's reaction is unknown: the reward is 0, and ``info`` reveals nothing of the
    reaction to the logged slate. Where rows follow from each other (in a session, or in all rows of
    a user) the episode then ends, because the next rows of the log are consequences of the logged
    slate. Where rows are independent (in an anonymous log, or with ``episodes="log"``) the next row
    follows, matched or not.

    With logged propensities and independent rows, the mean of ``info["importance_weight"]`` times
    reward is an unbiased estimate of the agent's reward per step, provided that every slate of the
    agent has a positive probability in the log. In episodes of several steps, the sum over steps of
    the product of the weights so far times reward is an unbiased estimate of the reward of an
    episode. In a uniformly random log of independent rows the mean reward of the matched steps
    alone is unbiased too: the replay method of Li et al. 2011, "Unbiased Offline Evaluation of
    Contextual-bandit-based News Article Recommendation Algorithms", arXiv 1003.5956. For agents
    that know their propensities, `recsim.estimators` uses every row, not only the matched ones.

    ## Action Space
    ``MultiDiscrete([C] * K)``: indices into ``obs["candidates"]``. As in ``SlateRec-v0``, an item
    that is repeated in a slate is shown once and its later slots stay empty (-1). The step matches
    if the resulting slate equals the logged one, position by position.

    ## Observation Space
    A flat ``Dict``:

    | key | shape | content |
    |---|---|---|
    | ``user_features`` | (F,) | what the system knew of the user; left out where F is 0 |
    | ``history_items`` | (H*K,) | last H slates of the episode, oldest first, padded with -1 |
    | ``history_clicks`` | (H*K,) | 1 where the item was clicked |
    | ``history_length`` | (1,) | slates in the history, at most H |
    | ``feedback`` | (R,) | named rewards of the last step |
    | ``candidates`` | (C,) | item ids that may be shown |
    | ``time`` | (3,) | day, session of the user, step of the session (see below) |
    | ``position`` | (K,) | positions on the page, where the log has them |

    Independent rows have no history and no feedback, since the row before belongs to another user.
    With ``episodes="log"`` on a log of returning users (one that is not anonymous), ``time`` is 0,
    as it would reveal how users reacted to the logged slates. Item features and groups are public
    too: ``env.unwrapped.problem``.

    ## Rewards
    The logged reward, the weighted sum of the log's named rewards, if the step matches; else 0.

    ``info`` holds ``episode`` (its number), ``matched``, the agent's ``items`` (K,), the ``row`` of
    the log, and what was logged there: ``logged_items`` (K,) and, where known,
    ``logged_propensities`` (K,) and ``logged_slate_propensity``. ``importance_weight`` is 1 /
    propensity of the logged slate if the step matched, else 0; it is left out where that propensity
    is unknown. ``rewards`` (by name) and ``clicks`` (K,) are 0 unless the step matched. A reset has
    the same entries, of which only ``episode`` means something: ``items`` and ``row`` are -1, and
    nothing matched.

    ## Starting State
    The first row of the next episode, in the order of the log; after a reset with a seed, that of
    the first episode. With ``shuffle`` the episodes come in random order.
    ``options={"episode": n}`` chooses an episode.

    ## Episode End
    Terminated after the last row of the episode and, where rows follow from each other, after the
    first step that does not match; the returned observation then repeats the context of that row.
    Truncated after ``max_steps`` rows.

    ## Arguments
    * ``reader``, ``path``, ``options``: the log, as in `recsim.log.read_log`, e.g.
      ``gymnasium.make("recsim:SlateReplay-v0", reader="open_bandit", path="obd",
      options={"campaign": "women"})``; ``reader="saved"`` reads a log that `SlateLog.save` wrote.
    * ``log``: the log itself, in place of these three. For ``SlateReplayEnv(log=log)`` only, as
      `gymnasium.make` would copy it repeatedly.
    * ``episodes``: an episode is one ``"session"`` of a user, all rows of a ``"user"``, or the
      whole ``"log"``, whose rows are then independent contexts. ``"auto"``: the session, or the
      whole log if it is anonymous.
    * ``shuffle``: random order of the episodes; of the rows, where the log is one episode.
    * ``max_steps``: rows after which an episode is truncated; None for no limit. The next episode
      does not continue from there: together with one long episode, use ``shuffle``.
    * ``history``: H.

    ## Vectorized environment
    There is no vector face: ``gymnasium.make_vec("recsim:SlateReplay-v0", ...)`` runs copies.

    ## Version History
    * v0: Initial version. From release 0.2.0 on, a change of numbers is a new version.
    """

    Settings = SlateReplaySettings
    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as gymnasium.Env has it

    def __init__(
        self, *, log: SlateLog | None = None, render_mode: None = None, **settings: Any
    ) -> None:
        checked = self.Settings.of(settings)
        source = (checked.reader, checked.path, checked.options)
        if log is None:
            if checked.reader is None or checked.path is None:
                raise EnvError("SlateReplay-v0 needs reader and path, e.g. reader='saved'.")
            log = read_log(checked.reader, path=checked.path, **(checked.options or {}))
        elif source != (None, None, None):
            raise EnvError("Give SlateReplay-v0 a log, or reader and path, not both.")
        if len(log) == 0:
            raise EnvError("There is nothing to replay: the log has no rows.")
        self.log = log
        self.render_mode = checked_render_mode(render_mode, self.metadata["render_modes"])
        self.max_steps = checked.max_steps
        self.history = checked.history
        self.shuffle = checked.shuffle
        self._episodes = _grouped(log, checked.episodes)
        self._independent = log.anonymous or checked.episodes == "log"
        self._timeless = self._independent and not log.anonymous
        self._reward = log.reward
        self._inverse = _inverse_propensity(log)
        self._queue: list[int] = []
        self._rows: Ints | None = None
        self._step = self._episode = 0
        self.observation_space = self._space()
        self.action_space = spaces.MultiDiscrete(
            [log.problem.num_candidates] * log.problem.slate_size
        )

    @property
    def problem(self) -> Problem:
        """The public facts: catalogue, slate size, reward names and weights."""
        return self.log.problem

    @property
    def num_episodes(self) -> int:
        """Episodes in the log."""
        return len(self._episodes)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Go to the first row of an episode.

        Raises:
            EnvError: If the episode does not exist, an option is unknown, or the seed is not a
                whole number.
        """
        super().reset(seed=None if seed is None else checked_seed(seed))
        if seed is not None:
            self._queue = []
        episode = self._choose(options or {})
        rows = self._episodes[episode]
        if self.shuffle and self.num_episodes == 1:
            rows = self.np_random.permutation(rows)
        self._rows, self._step = rows, 0
        width = self.history * self.problem.slate_size
        self._items = np.full(width, -1, dtype=np.int64)
        self._clicks = np.zeros(width, dtype=np.int8)
        self._length = 0
        self._feedback = np.zeros(len(self.problem.rewards), dtype=np.float32)
        self._episode = episode
        return self._observe(int(rows[0])), self._info(None, np.full_like(self.log.slate[0], -1))

    def step(
        self, action: Ints
    ) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Show a slate to the user of the row.

        Raises:
            ValueError: If the action has the wrong shape or type, or an index that is not a
                candidate.
            gymnasium.error.ResetNeeded: If no episode has begun, or it is over.
        """
        if self._rows is None:
            raise gym.error.ResetNeeded("Call reset before the next step: no episode is running.")
        row = int(self._rows[self._step])
        items = self._shown(row, action)
        info = self._info(row, items)
        matched = info["matched"]
        if matched and not self._independent:
            self._remember(row)
        self._step += 1
        unknown = not matched and not self._independent
        terminated = unknown or self._step == len(self._rows)
        truncated = not terminated and self._step == self.max_steps
        obs = self._observe(row if terminated else int(self._rows[self._step]))
        if terminated or truncated:
            self._rows = None
        return obs, float(self._reward[row]) if matched else 0.0, terminated, truncated, info

    def _info(self, row: int | None, items: Ints) -> dict[str, Any]:
        """Return the info of a step, or that of a reset, where the row is None.

        Args:
            row: Row of the log.
            items: What was shown, ``(K,)``.
        """
        log = self.log
        matched = row is not None and bool(np.array_equal(items, log.slate[row]))

        def logged(column: NDArray[Any], known: bool = True) -> NDArray[Any]:
            return column[row].copy() if known and row is not None else np.zeros_like(column[0])

        info: dict[str, Any] = {
            "episode": self._episode,
            "matched": matched,
            "items": items,
            "row": -1 if row is None else row,
            "logged_items": items.copy() if row is None else log.slate[row].copy(),
            "rewards": {
                name: float(logged(column, matched)) for name, column in log.feedback.items()
            },
            "clicks": logged(log.clicks, matched),
        }
        if log.propensity is not None:
            info["logged_propensities"] = logged(log.propensity)
        if log.slate_propensity is not None:
            info["logged_slate_propensity"] = float(logged(log.slate_propensity))
        if self._inverse is not None:
            info["importance_weight"] = float(logged(self._inverse, matched))
        return info

    def _choose(self, options: Mapping[str, Any]) -> int:
        """Return the number of the episode to play."""
        for name in options:
            if name != "episode":
                raise EnvError(f"reset has no option {name!r}.{did_you_mean(name, ['episode'])}")
        if "episode" in options:
            episode = options["episode"]
            whole = isinstance(episode, int | np.integer) and not isinstance(episode, bool)
            if not whole or not 0 <= episode < self.num_episodes:
                raise EnvError(
                    f"There is no episode {episode!r}: the log has 0 ... {self.num_episodes - 1}."
                )
            return int(episode)
        if not self._queue:
            order = np.arange(self.num_episodes)
            if self.shuffle:
                order = self.np_random.permutation(order)
            self._queue = order[::-1].tolist()
        return self._queue.pop()

    def _candidates(self, row: int) -> Ints:
        """Return a new array of the item ids that may be shown, ``(C,)``."""
        if self.log.candidates is None:
            return np.arange(self.problem.num_items)
        offered: Ints = self.log.candidates[row].copy()
        return offered

    def _shown(self, row: int, action: Any) -> Ints:
        """Return the items that the action shows, -1 for repeats, ``(K,)``."""
        shape, offered = (1, self.problem.slate_size), self.problem.num_candidates
        note = ", indices of candidates"
        chosen = whole_numbers(alone(action), shape, 0, offered, "The action", note=note)[0]
        items = self._candidates(row)[chosen]
        earlier = np.tril(items[:, None] == items[None, :], k=-1)  # (K, K)
        return np.where(earlier.any(axis=1), -1, items)

    def _remember(self, row: int) -> None:
        size = self.problem.slate_size
        if self.history:
            self._items = np.concatenate([self._items[size:], self.log.slate[row]])
            self._clicks = np.concatenate([self._clicks[size:], self.log.clicks[row]])
            self._length = min(self._length + 1, self.history)
        rewards = [self.log.feedback[name][row] for name in self.problem.rewards]
        self._feedback = np.array(rewards, dtype=np.float32)

    def _observe(self, row: int) -> dict[str, NDArray[Any]]:
        log = self.log
        obs: dict[str, NDArray[Any]] = {
            "history_items": self._items.copy(),
            "history_clicks": self._clicks.copy(),
            "history_length": np.array([self._length]),
            "feedback": self._feedback.copy(),
            "candidates": self._candidates(row),
            "time": np.zeros(3, dtype=np.int64)
            if self._timeless
            else np.array([log.day[row], log.session[row], log.step[row]]),
        }
        if self.problem.user_feature_dim:
            obs["user_features"] = log.user_features[log.user[row]].copy()
        if log.position is not None:
            obs["position"] = log.position[row].copy()
        return obs

    def _space(self) -> spaces.Dict:
        log, problem = self.log, self.problem
        width, last = self.history * problem.slate_size, max(problem.num_items - 1, 1)
        time = np.stack([log.day, log.session, log.step])  # (3, M)
        rewards = np.stack([log.feedback[name] for name in problem.rewards])  # (R, M)
        keys: dict[str, spaces.Space[Any]] = {
            "history_items": spaces.Box(-1, last, (width,), np.int64),
            "history_clicks": spaces.Box(0, 1, (width,), np.int8),
            "history_length": spaces.Box(0, self.history, (1,), np.int64),
            "feedback": _range(rewards, np.float32),
            "candidates": spaces.Box(0, last, (problem.num_candidates,), np.int64),
            "time": _range(time),
        }
        if problem.user_feature_dim:
            keys["user_features"] = _range(log.user_features.T, np.float32)
        if log.position is not None:
            keys["position"] = _range(log.position.T)
        return spaces.Dict(keys)


def _range(values: NDArray[Any], dtype: Any = np.int64) -> spaces.Box:
    """Return a space for columns ``(D, M)`` and for 0."""
    return box(np.minimum(values.min(axis=1), 0), np.maximum(values.max(axis=1), 0), dtype)


def _grouped(log: SlateLog, episodes: str) -> list[Ints]:
    """Return the rows of every episode in the order of the log; episodes sorted by first row."""
    if episodes == "log" or (episodes == "auto" and log.anonymous):
        return [np.arange(len(log))]
    keys = log.user if episodes == "user" else np.stack([log.user, log.session])
    _, first, group = np.unique(keys, axis=-1, return_index=True, return_inverse=True)
    rows = np.argsort(group, kind="stable")
    pieces = np.split(rows, np.cumsum(np.bincount(group))[:-1])
    return [pieces[number] for number in np.argsort(first)]


def _inverse_propensity(log: SlateLog) -> Floats | None:
    """Return 1 / propensity of each logged slate, ``(M,)``, or None if it is unknown."""
    if log.slate_propensity is not None:
        return 1.0 / log.slate_propensity
    if log.propensity is not None and log.problem.slate_size == 1:
        inverse: Floats = 1.0 / log.propensity[:, 0]
        return inverse
    return None
