"""Named rewards beyond those of a world: columns of items, slates without a click, functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from envs.world.backend import Array, Backend
from envs.world.checked import shaped
from envs.world.config import REWARDS
from envs.world.contracts import Step, UserView
from envs.world.items import Items
from envs.world.registry import PARTS, kinds
from envs.world.state import Outcome
from recsim.arrays import Floats
from recsim.errors import EnvError, did_you_mean
from recsim.settings import limited

SKIP = "skip"


class Rewards:
    """The rewards that were named beyond those of a world.

    Args:
        weights: Weight of every further reward.
        sources: A column of the items ``(I,)``, a function or a `RewardPart`, by name; None for
            slates without a click.
        at_most_one: Whether a slate gets at most one click.
        items: The items.
        backend: Where the arrays live.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        sources: Mapping[str, Any],
        at_most_one: bool,
        items: Items,
        backend: Backend,
    ) -> None:
        self.names = tuple(sources)
        self._sources = sources
        self._at_most_one = at_most_one
        self._items, self._backend = items, backend
        columns = {name: found for name, found in sources.items() if _is_column(found)}
        self._columns = {name: backend.asarray(found) for name, found in columns.items()}
        gain = np.zeros(len(items), dtype=np.float32)
        for name, column in columns.items():
            gain += np.float32(weights[name]) * column
        skip = weights.get(SKIP, 0.0) if SKIP in sources and sources[SKIP] is None else 0.0
        self.constant = skip if at_most_one else 0.0
        self.gain = backend.asarray(gain - np.float32(self.constant))
        self.inexact = tuple(
            f"reward {name!r} is not known before the step"
            for name, found in sources.items()
            if weights[name] and callable(found)
        )
        if skip and not at_most_one:
            self.inexact += ("reward 'skip' depends on the whole slate where several are clicked",)

    @property
    def needs_users(self) -> bool:
        """Whether a function is called, which may read the users before the step."""
        return any(callable(found) for found in self._sources.values())

    def bounds(self, slate_size: int) -> Floats:
        """Return the lowest and highest value of each reward, ``(2, E)``."""
        clicks = 1 if self._at_most_one else slate_size
        found = []
        for source in self._sources.values():
            if source is None:
                found.append((0.0, 1.0))
            elif _is_column(source):
                ordered = np.sort(source.astype(np.float64))
                low = np.minimum(ordered[:clicks], 0).sum()
                high = np.maximum(ordered[-clicks:], 0).sum()
                slack = 1e-4 * max(-low, high)  # sums are rounded in float32
                found.append((low - slack, high + slack))
            else:
                found.append((-np.inf, np.inf))
        return np.array(found).reshape(-1, 2).T

    def after(self, outcome: Outcome, slate: Array, users: UserView | None, names: Any) -> Outcome:
        """Return an outcome with these rewards beside those of the world, ``names``.

        Raises:
            EnvError: If a function returns another shape, or a number that is not finite.
        """
        xp = self._backend.xp
        further = []
        for name, source in self._sources.items():
            if source is None:
                value = ~outcome.clicks.any(1)
            elif _is_column(source):
                column = self._backend.take_rows(self._columns[name], slate.reshape(-1))
                value = (column.reshape(slate.shape) * outcome.clicks).sum(1)
            else:
                assert users is not None
                own = {known: outcome.rewards[:, place] for place, known in enumerate(names)}
                step = Step(xp, slate, outcome.clicks, own, self._items, users, outcome.session_end)
                value = source(step)
                shaped(value, [(len(slate),)], f"reward {name!r}")
                value = xp.astype(value, xp.float32)
                if not bool(xp.isfinite(value).all()):
                    raise EnvError(f"reward {name!r} must be finite numbers.")
            further.append(xp.astype(value, xp.float32)[:, None])
        return outcome._replace(rewards=xp.concat([outcome.rewards, *further], axis=1))


def named_rewards(
    given: Mapping[str, Any], items: Items
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the weight of every reward, and where those that no world has by itself come from.

    Args:
        given: For each name a weight; or a function of `Step`, or a pair of weight and function.
        items: The items.

    Returns:
        Weights, and for further rewards the sources of `Rewards`.

    Raises:
        EnvError: If a name is unknown, or a value is anything else.
    """
    weights: dict[str, float] = {}
    sources: dict[str, Any] = {}
    for name, value in given.items():
        weight, function = _split(name, value)
        weights[name] = weight
        if function is None and name not in REWARDS:
            sources[name] = _source(name, items)
        elif function is not None:
            if name in (*REWARDS, SKIP):
                raise EnvError(f"rewards.{name}: a world has this reward already: rename yours.")
            sources[name] = function
    return weights, sources


def _split(name: str, value: Any) -> tuple[float, Callable[[Step], Array] | None]:
    weight, function = 1.0, value
    if isinstance(value, list | tuple) and len(value) == 2:
        weight, function = value
    elif not callable(value):
        weight, function = value, None
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not number or not (function is None or callable(function)) or inspect.isclass(function):
        raise EnvError(
            f"rewards.{name}: must be a number, the weight of a reward; from Python also a "
            f"function of the step, or a pair (weight, function); not {value!r}."
        )
    try:
        return limited(float(weight)), function
    except ValueError as error:
        raise EnvError(f"rewards.{name}: {error}.") from None


def _source(name: str, items: Items) -> Any:
    """Return the column, the part, or None for `SKIP`, that a name stands for."""
    if name == SKIP:
        return None
    if name in items.columns:
        return np.asarray(items.columns[name], dtype=np.float32)
    others = kinds("reward")
    if name in others:
        loaded = PARTS.load(f"reward.{name}")
        try:
            return loaded()
        except ValueError as error:
            raise EnvError(f"rewards.{name}: it has settings without defaults: {error}") from None
    known = [*REWARDS, SKIP, *items.columns, *others]
    raise EnvError(f"rewards: this world has no reward {name!r}.{did_you_mean(name, known)}")


def _is_column(source: Any) -> bool:
    return isinstance(source, np.ndarray)
