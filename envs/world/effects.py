"""The own dynamics of a world: their columns of the item table, their state and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.world.backend import Array, Backend
from envs.world.checked import called, shaped
from envs.world.contracts import DynamicsPart
from envs.world.items import Items
from envs.world.state import State
from recsim.draws import Draws
from recsim.errors import EnvError, did_you_mean


@dataclass(frozen=True, eq=False)
class _Effect:
    """One part.

    Attributes:
        part: The part.
        label: Its kind, numbered if a world has several of the kind.
        columns: Place of each of its columns in the item table.
        flat: Columns that are ``(I,)``.
    """

    part: DynamicsPart
    label: str
    columns: Mapping[str, slice]
    flat: frozenset[str]


class Effects:
    """The own dynamics of a world.

    Args:
        parts: In the order in which they act.
        items: The items.
        backend: Where the arrays live.
        first: Columns of the item table before those of these parts.
        room: Largest sum of their effects on a utility.

    Attributes:
        table: Their columns of the item table, ``(I, n)``.
    """

    def __init__(
        self,
        parts: Sequence[DynamicsPart],
        items: Items,
        backend: Backend,
        first: int,
        room: float,
    ) -> None:
        self._backend = backend
        self._first, self._room, self._dim = first, room, items.dim
        self._effects: list[_Effect] = []
        blocks: list[NDArray[np.float32]] = [np.zeros((len(items), 0), dtype=np.float32)]
        place = first
        for number, part in enumerate(parts):
            label = called(part)
            if label in [called(other) for other in parts[:number]]:
                label = f"{label}_{number + 1}"
            columns, flat = {}, set()
            for name, values in part.item_columns(items).items():
                what = f"dynamics {label!r}: column {name!r}"
                block = np.asarray(values, dtype=np.float32)
                shaped(block, [(len(items),), (len(items), -1)], what)
                if not np.isfinite(block).all():
                    raise EnvError(f"{what} holds a number that is not finite.")
                if block.ndim == 1:
                    flat.add(name)
                    block = block[:, None]
                columns[name] = slice(place, place + block.shape[1])
                place += block.shape[1]
                blocks.append(block)
            self._effects.append(_Effect(part, label, columns, frozenset(flat)))
        self.table = np.hstack(blocks)
        largest = np.abs(self.table).max(axis=0, initial=0)
        self._largest = backend.asarray(largest.astype(np.float32))

    def start(self, state: State, draws: Draws) -> None:
        """Draw the own state of new users."""
        for effect in self._effects:
            found = effect.part.start(self._backend.xp, draws, state.view(self._dim))
            for name, values in found.items():
                shape = len(state.clock)
                what = f"dynamics {effect.label!r}: the state {name!r}"
                shaped(values, [(shape,), (shape, -1)], what)
                # A copy: rows of the state are overwritten, and draws may be used again.
                copied = self._backend.xp.asarray(values, copy=True)
                state.own[f"{effect.label}.{name}"] = copied

    def weigh(self, state: State) -> None:
        """Set the weights of all columns for the next slate.

        Raises:
            EnvError: If a column is unknown, weights have another shape, or an effect is not finite
                or too large; names the part.
        """
        num, weights = len(state.clock), state.weights
        for effect in self._effects:
            found = effect.part.weigh(self._backend.xp, state.view(self._dim, effect.label))
            for name, values in found.items():
                if name not in effect.columns:
                    near = did_you_mean(name, effect.columns)
                    raise EnvError(f"dynamics {effect.label!r}: there is no column {name!r}.{near}")
                place = effect.columns[name]
                width = place.stop - place.start
                flat = name in effect.flat
                what = f"dynamics {effect.label!r}: the weight of {name!r}"
                shaped(values, [(num,) if flat else (num, width)], what)
                weights[:, place] = values[:, None] if flat else values
            for name in effect.columns.keys() - found.keys():
                weights[:, effect.columns[name]] = 0
        size = abs(weights[:, self._first :]) @ self._largest
        # Not "larger than": NaN compares with nothing.
        if not bool((size <= self._room).all()):
            labels = ", ".join(repr(effect.label) for effect in self._effects)
            raise EnvError(
                f"dynamics {labels}: effects on utilities reach {float(size.max()):g}; they must "
                f"be finite and at most {self._room:g}, or exponentials overflow."
            )

    def after_step(self, state: State, draws: Draws, consumed: Array) -> None:
        """Change own states after a slate; ``consumed`` ``(B, D)`` is summed over clicks."""
        for effect in self._effects:
            parts = {
                name: consumed[:, place.start] if name in effect.flat else consumed[:, place]
                for name, place in effect.columns.items()
            }
            view = state.view(self._dim, effect.label)
            found = effect.part.after_step(self._backend.xp, draws, view, parts)
            self._put(state, effect, found, None)

    def after_session(self, state: State, draws: Draws, gap: Array) -> None:
        """Change own states of the users who return after ``gap`` days, ``(B,)``; 0 for others."""
        for effect in self._effects:
            view = state.view(self._dim, effect.label)
            found = effect.part.after_session(self._backend.xp, draws, view, gap)
            self._put(state, effect, found, gap > 0)

    def _put(
        self, state: State, effect: _Effect, found: Mapping[str, Any], where: Array | None
    ) -> None:
        for name, values in found.items():
            key = f"{effect.label}.{name}"
            if key not in state.own:
                known = [own.partition(".")[2] for own in state.own if own.startswith(effect.label)]
                near = did_you_mean(name, known)
                raise EnvError(f"dynamics {effect.label!r}: 'start' has no state {name!r}.{near}")
            old = state.own[key]
            shaped(values, [tuple(old.shape)], f"dynamics {effect.label!r}: the state {name!r}")
            if where is not None:
                rows = where if len(old.shape) == 1 else where[:, None]
                values = self._backend.xp.where(rows, values, old)
            state.own[key] = self._backend.xp.astype(values, old.dtype)
