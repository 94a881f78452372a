"""Distances of candidates from users under draws of the posterior, in batched products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.gru_thompson.model import Globals, Model
from agents.gru_thompson.posterior import take
from agents.gru_thompson.states import preferences
from agents.gru_thompson.training import all_distances

# Numbers that the vectors of a block may hold (32 MiB of float32).
_BLOCK = 2**23


@dataclass(frozen=True, eq=False)
class Users:
    """What is known of B users, and what they can be shown.

    Attributes:
        clicks: Items clicked, in their order, ``(B, W)``; -1 at the end where there are fewer.
        others: Slates without a click, ``(B,)``.
        candidates: Items on offer, ``(B, C)``, or None for the catalogue in the order of the ids.
    """

    clicks: Tensor
    others: Tensor
    candidates: Tensor | None

    def __len__(self) -> int:
        """Return B."""
        return len(self.clicks)

    def select(self, rows: slice) -> Users:
        """Return some of the users."""
        offered = None if self.candidates is None else self.candidates[rows]
        return Users(self.clicks[rows], self.others[rows], offered)


class Scorer:
    """Squared distances of candidates under the posterior; the smaller, the better.

    Args:
        model: The posterior.
        temperature: Factor of the posterior's deviations when drawing.
    """

    def __init__(self, model: Model, temperature: float = 1.0) -> None:
        self._model, self._temperature = model, temperature

    def at_mean(self, users: Users, generator: torch.Generator) -> Tensor:
        """Return the squared distances at the posterior's means, ``(B, C)``."""
        (squares,) = Scorer(self._model, 0.0).shared(users, 1, generator)
        return squares

    def shared(
        self,
        users: Users,
        draws: int,
        generator: torch.Generator,
        *,
        alike: bool = False,
    ) -> Iterator[Tensor]:
        """Yield the squared distances ``(B, C)`` of draws that all users share.

        Cheap where the catalogue is large, but users of one batch explore alike.

        Args:
            users: The users.
            draws: How many.
            generator: Source of the noise.
            alike: Whether users share the noise of their initial states too, so that what is told
                of one does not depend on the others.
        """
        model = self._model
        for _ in range(draws):
            drawn = model.globals(generator, temperature=self._temperature)
            table = model.items.draw(generator, temperature=self._temperature)  # (R, D)
            start = self._start(users, (), generator, alike=alike)  # (B, D)
            vectors = take(table, model.rows(users.clicks))
            state = model.config.state
            last = preferences(state, drawn.weights, start, vectors, users.clicks >= 0)[:, -1]
            squares = all_distances(last, table[-model.num_items :])
            if users.candidates is not None:
                squares = squares.gather(1, users.candidates)
            yield squares

    def apart(
        self, users: Users, draws: int, generator: torch.Generator
    ) -> Iterator[tuple[slice, Tensor]]:
        """Yield rows and their squared distances ``(b, draws, C)``, all drawn anew for each user.

        An item that a user has clicked is one and the same draw as a candidate and in the history.
        """
        size = max(1, self.draws_at_once(users) // draws)
        for begin in range(0, len(users), size):
            rows = slice(begin, begin + size)
            yield rows, self._apart(users.select(rows), draws, generator)

    def draws_at_once(self, users: Users) -> int:
        """Return how many draws for one user `apart` should hold at a time, over all users."""
        model, width = self._model, users.clicks.shape[1]
        count = model.num_items if users.candidates is None else users.candidates.shape[1]
        dim = model.config.dim
        return max(1, _BLOCK // ((count + width + 7 * dim) * dim))

    @torch.no_grad()
    def _apart(self, users: Users, draws: int, generator: torch.Generator) -> Tensor:
        model, batch = self._model, len(users)
        offered = users.candidates
        if offered is None:
            offered = torch.arange(model.num_items, device=users.clicks.device)[None]
        count = offered.shape[1]
        listed = torch.cat([offered.expand(batch, -1), users.clicks], dim=1)  # (b, C + W)
        rows = model.rows(listed)
        table = model.items.draw(
            generator, rows=rows, size=(draws,), temperature=self._temperature
        )  # (draws, b, C + W, D)
        place = self._places(users, listed)  # (b, W)
        past = table.gather(2, place[None, :, :, None].expand(draws, -1, -1, table.shape[3]))
        drawn = self._globals((draws, batch), generator)
        start = self._start(users, (draws,), generator)  # (draws, b, D)
        moved = (users.clicks >= 0)[:, None].expand(draws, -1, -1, -1)  # (draws, b, 1, W)
        last = preferences(
            model.config.state, drawn.weights, start[:, :, None], past[:, :, None], moved
        )[..., -1, :]  # (draws, b, 1, D)
        squares = table[:, :, :count].sub_(last).square_().sum(dim=3)
        return squares.transpose(0, 1)  # (draws, b, C) -> (b, draws, C)

    def _places(self, users: Users, listed: Tensor) -> Tensor:
        """Return where in ``listed`` the one draw of every clicked item stands, ``(b, W)``."""
        if users.candidates is None:
            return users.clicks.clamp_min(0)
        same = users.clicks[:, :, None] == listed[:, None, :]  # (b, W, C + W)
        return same.int().argmax(dim=2)

    def _globals(self, size: tuple[int, ...], generator: torch.Generator) -> Globals:
        return self._model.globals(generator, size=size, temperature=self._temperature)

    def _start(
        self,
        users: Users,
        size: tuple[int, ...],
        generator: torch.Generator,
        *,
        alike: bool = False,
    ) -> Tensor:
        mean, deviation = self._model.start(users.clicks, users.others)
        shape = (*size, *mean.shape)
        if not self._temperature:
            return mean.expand(shape)
        drawn = shape[-1:] if alike else shape
        noise = torch.randn(drawn, generator=generator, device=mean.device)
        return mean + self._temperature * deviation * noise

    @torch.no_grad()
    def promising(self, users: Users, count: int, generator: torch.Generator) -> Tensor:
        """Return the candidates that could come out near, as their places, ``(B, count)``.

        Judged by the distance at the means less twice the length of the item's vector of
        deviations, which is about as far as a draw of the item goes.

        Args:
            users: The users.
            count: Candidates wanted, at most C.
            generator: Of the device; nothing is drawn from it.
        """
        near = self.at_mean(users, generator).clamp_min_(0).sqrt_()  # (B, C)
        deviation = self._model.items.scale()[-self._model.num_items :]  # (I, D)
        reach = 2 * self._temperature * deviation.square().sum(dim=1).sqrt()
        reach = reach[None] if users.candidates is None else reach[users.candidates]
        return near.sub_(reach).topk(count, dim=1, largest=False).indices
