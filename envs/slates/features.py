"""Observations as features: history, user and candidates as one flat vector of bounded numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from gymnasium import spaces

from envs.world.backend import Array, Backend
from envs.world.bounds import Bounds, box
from recsim.arrays import Floats
from recsim.errors import EnvError
from recsim.problem import Problem

# A vector of this length takes 80 kB, and a rollout of 2048 steps that a learner keeps 160 MB.
MOST_NUMBERS = 20_000
# An unbounded count n of `time` becomes n / (n + HALF).
HALF = 10.0


class FeatureObservation:
    """Turns the observations of users into vectors ``(B, P)``, in named blocks.

    Args:
        problem: The public facts.
        bounds: Of the users' world.
        backend: Where the arrays live.
        history: Slates kept, H.
        slots: Whether items are chosen one at a time.
        max_steps: Limit of an episode, or None.
        max_days: Limit of an episode, or None.

    Attributes:
        layout: The numbers of each block, in their order: a slice of the vector. See
            `envs.slates.env.SlateRecEnv` for their content.

    Raises:
        EnvError: If the items have no features, or the vector would be longer than `MOST_NUMBERS`.
    """

    def __init__(
        self,
        problem: Problem,
        bounds: Bounds,
        backend: Backend,
        *,
        history: int,
        slots: bool,
        max_steps: int | None,
        max_days: int | None,
    ) -> None:
        self._backend, self._history, self._slots = backend, history, slots
        self._slate_size = problem.slate_size
        limits = bounds.time(max_steps, max_days)
        # A count n becomes n / (n + shift) without a limit, else n / limit.
        self._divisor = backend.asarray(np.array([limit or 1.0 for limit in limits]))
        self._unlimited = backend.asarray(np.array([limit is None for limit in limits]))
        blocks = dict(_blocks(problem, bounds, slots))
        ends = np.cumsum([rows.shape[1] for rows in blocks.values()]).tolist()
        starts = [0, *ends[:-1]]
        self.layout = {name: slice(*at) for name, *at in zip(blocks, starts, ends, strict=True)}
        _check_size(problem, self.layout)
        low, high = np.concatenate(list(blocks.values()), axis=1)
        self._space = box(low, high)
        self._low = backend.asarray(self._space.low)
        self._high = backend.asarray(self._space.high)
        self._features = backend.asarray(problem.item_features.astype(np.float32))

    def space(self) -> spaces.Box:
        """Return the space of one user's vector."""
        return spaces.Box(self._space.low, self._space.high, dtype=np.float32)

    def of(self, obs: Mapping[str, Array]) -> Array:
        """Return the vectors, float32 ``(B, P)``.

        Args:
            obs: Observations by name, ``(B, ...)`` each; see `envs.slates.spaces`.
        """
        xp = self._backend.xp
        items, candidates = obs["history_items"], obs["candidates"]
        shown, clicked = items >= 0, obs["history_clicks"] > 0
        parts = [
            obs["user_features"],
            self._time(obs["time"]),
            obs["feedback"],
            self._mean(items, clicked),
            self._mean(items, shown & ~clicked),
            self._rates(obs["history_length"], shown, clicked),
        ]
        # Whether a candidate is the item of a slot, (B, C, H * K).
        same = candidates[:, :, None] == items[:, None, :]
        columns = [
            self._take(candidates),
            self._count(same)[:, :, None] / self._history,
            self._count(same & clicked[:, None, :])[:, :, None] / self._history,
        ]
        if self._slots:
            partial = obs["partial_slate"]
            chosen = self._count(partial >= 0)[:, None]
            parts += [self._mean(partial, partial >= 0), chosen / self._slate_size]
            columns.append(self._float32(obs["action_mask"] == 0)[:, :, None])
        parts.append(xp.reshape(xp.concat(columns, axis=2), (len(candidates), -1)))
        vectors = xp.concat([self._float32(part) for part in parts], axis=1)
        # Means can leave the range by a rounding error.
        return xp.minimum(xp.maximum(vectors, self._low), self._high)

    def _time(self, time: Array) -> Array:
        """Return day, session and step between 0 and 1, ``(B, 3)``."""
        number = self._backend.as_float64(time)
        divisor = self._backend.xp.where(self._unlimited, number + HALF, self._divisor)
        return number / divisor

    def _rates(self, length: Array, shown: Array, clicked: Array) -> Array:
        """Return clicks per item shown, and the share of the history that is filled, ``(B, 2)``."""
        xp, number = self._backend.xp, self._count(shown)
        rate = self._count(clicked) / xp.maximum(number, xp.ones_like(number))
        filled = self._backend.as_float64(length)[:, 0] / self._history
        return xp.stack([rate, filled], axis=1)

    def _mean(self, items: Array, chosen: Array) -> Array:
        """Return the mean features of the chosen items, ``(B, D)``; zeros if there are none."""
        xp, number = self._backend.xp, self._count(chosen)
        # In float64, so that the order of the sum, which depends on the library, does not show.
        vectors = self._backend.as_float64(self._take(xp.where(chosen, items, 0)))
        weights = self._backend.as_float64(chosen)[:, :, None]
        return xp.sum(vectors * weights, axis=1) / xp.maximum(number, xp.ones_like(number))[:, None]

    def _take(self, items: Array) -> Array:
        """Return the features of items, ``(B, N, D)``."""
        rows = self._backend.take_rows(self._features, self._backend.xp.reshape(items, (-1,)))
        return self._backend.xp.reshape(rows, (*items.shape, rows.shape[1]))

    def _count(self, flags: Array) -> Array:
        """Return how many flags of the last axis are set, float64."""
        return self._backend.as_float64(self._backend.xp.sum(flags, axis=-1))

    def _float32(self, part: Array) -> Array:
        return self._backend.xp.astype(part, self._backend.xp.float32)


def _blocks(problem: Problem, bounds: Bounds, slots: bool) -> Iterator[tuple[str, Floats]]:
    """Yield the name of each block and its lowest and highest numbers, ``(2, N)``."""
    features = problem.item_features.astype(np.float64)
    items = np.stack([features.min(axis=0), features.max(axis=0)])  # (2, D)
    mean = np.stack([np.minimum(items[0], 0), np.maximum(items[1], 0)])  # 0 if there are no items
    share = np.array([[0.0], [1.0]])
    yield "user", np.asarray(bounds.features, dtype=np.float64)
    yield "time", np.repeat(share, 3, axis=1)
    yield "feedback", np.asarray(bounds.rewards, dtype=np.float64)
    yield "clicked", mean
    yield "not_clicked", mean
    yield "rates", np.repeat(share, 2, axis=1)
    if slots:
        yield "slate", np.concatenate([mean, share], axis=1)
    columns = [items, share, share, *[share] * slots]
    yield "candidates", np.tile(np.concatenate(columns, axis=1), (1, problem.num_candidates))


def _check_size(problem: Problem, layout: Mapping[str, slice]) -> None:
    """Refuse items without features, and vectors that are too long.

    Raises:
        EnvError: Says how many candidates there may be.
    """
    setting = "observation is 'features'"
    if not problem.item_features.shape[1]:
        raise EnvError(f"{setting}, but the items have no features; use observation='ids'.")
    block, offered = layout["candidates"], problem.num_candidates
    if block.stop <= MOST_NUMBERS:
        return
    width = (block.stop - block.start) // offered
    most = (MOST_NUMBERS - block.start) // width
    what = f"{setting}, which lists {width} numbers for each of {offered} candidates"
    if most < problem.slate_size:
        raise EnvError(
            f"{what}: {block.stop} in all, of at most {MOST_NUMBERS}. Give the items fewer "
            "features, or use observation='ids'."
        )
    raise EnvError(
        f"{what}: {block.stop} in all, of at most {MOST_NUMBERS}. Set num_candidates to at most "
        f"{most}: as many items are then drawn at each step."
    )
