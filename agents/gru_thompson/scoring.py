"""Distances between candidates and users under posterior samples, in batched products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.gru_thompson.model import Model
from agents.gru_thompson.posterior import take
from agents.gru_thompson.states import preferences
from agents.gru_thompson.training import all_distances

# Largest number of entries in the vectors of a block (32 MiB of float32).
_BLOCK = 2**23


@dataclass(frozen=True, eq=False)
class Users:
    """Clicks and candidates of B users.

    Attributes:
        clicks: Items clicked, in order, ``(B, W)``, padded with -1.
        candidates: Candidates, ``(B, C)``, or None for the whole catalogue in the order of ids.
    """

    clicks: Tensor
    candidates: Tensor | None

    def __len__(self) -> int:
        """Return B."""
        return len(self.clicks)

    def select(self, rows: slice) -> Users:
        """Return some of the users."""
        candidates = None if self.candidates is None else self.candidates[rows]
        return Users(self.clicks[rows], candidates)


class Scorer:
    """Squared distances of candidates under the posterior; smaller is better.

    Args:
        model: The posterior.
        temperature: Factor of the posterior deviations when sampling.
    """

    def __init__(self, model: Model, temperature: float = 1.0) -> None:
        self._model, self._temperature = model, temperature

    def at_mean(self, users: Users, generator: torch.Generator) -> Tensor:
        """Return the squared distances at the posterior means, ``(B, C)``."""
        (squares,) = Scorer(self._model, 0.0).shared(users, 1, generator)
        return squares

    def shared(
        self,
        users: Users,
        draws: int,
        generator: torch.Generator,
        *,
        same_noise: bool = False,
    ) -> Iterator[Tensor]:
        """Yield the squared distances ``(B, C)`` under samples that all users share.

        Cheap for a large catalogue, but correlates the exploration of the users in a batch.

        Args:
            users: The users.
            draws: Number of samples.
            generator: Random generator.
            same_noise: Whether users also share the noise of their initial states, so that the
                result for one user does not depend on the others.
        """
        model = self._model
        for _ in range(draws):
            drawn = model.globals(generator, temperature=self._temperature)
            table = model.items.draw(generator, temperature=self._temperature)  # (R, D)
            start = self._start(users, (), generator, same_noise=same_noise)  # (B, D)
            vectors = take(table, users.clicks.clamp_min(0))
            state = model.config.state
            last = preferences(state, drawn.weights, start, vectors, users.clicks >= 0)[:, -1]
            squares = all_distances(last, table)
            if users.candidates is not None:
                squares = squares.gather(1, users.candidates)
            yield squares

    def independent(self, users: Users, draws: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield blocks of squared distances ``(b, draws, C)`` under independent samples per user.

        An item that is both a candidate and in the user's history has the same sample in both.
        """
        size = max(1, self.draws_at_once(users) // draws)
        for begin in range(0, len(users), size):
            yield self._independent(users.select(slice(begin, begin + size)), draws, generator)

    def draws_at_once(self, users: Users) -> int:
        """Return how many samples `independent` should hold in memory at once, over all users."""
        model, width = self._model, users.clicks.shape[1]
        count = model.num_items if users.candidates is None else users.candidates.shape[1]
        dim = model.config.dim
        return max(1, _BLOCK // ((count + width + 7 * dim) * dim))

    @torch.no_grad()
    def _independent(self, users: Users, draws: int, generator: torch.Generator) -> Tensor:
        model, batch = self._model, len(users)
        candidates = users.candidates
        if candidates is None:
            candidates = torch.arange(model.num_items, device=users.clicks.device)[None]
        count = candidates.shape[1]
        listed = torch.cat([candidates.expand(batch, -1), users.clicks], dim=1)  # (b, C + W)
        table = model.items.draw(
            generator, rows=listed.clamp_min(0), size=(draws,), temperature=self._temperature
        )  # (draws, b, C + W, D)
        index = self._index(users, listed)  # (b, W)
        past = table.gather(2, index[None, :, :, None].expand(draws, -1, -1, table.shape[3]))
        drawn = model.globals(generator, size=(draws, batch), temperature=self._temperature)
        start = self._start(users, (draws,), generator)  # (draws, b, D)
        moved = (users.clicks >= 0)[:, None].expand(draws, -1, -1, -1)  # (draws, b, 1, W)
        last = preferences(
            model.config.state, drawn.weights, start[:, :, None], past[:, :, None], moved
        )[..., -1, :]  # (draws, b, 1, D)
        squares = table[:, :, :count].sub_(last).square_().sum(dim=3)
        return squares.transpose(0, 1)  # (draws, b, C) -> (b, draws, C)

    def _index(self, users: Users, listed: Tensor) -> Tensor:
        """Return the first index in ``listed`` of every clicked item, ``(b, W)``."""
        if users.candidates is None:
            return users.clicks.clamp_min(0)
        same = users.clicks[:, :, None] == listed[:, None, :]  # (b, W, C + W)
        return same.int().argmax(dim=2)

    def _start(
        self,
        users: Users,
        size: tuple[int, ...],
        generator: torch.Generator,
        *,
        same_noise: bool = False,
    ) -> Tensor:
        mean, deviation = self._model.start(users.clicks)
        shape = (*size, *mean.shape)
        if not self._temperature:
            return mean.expand(shape)
        drawn = shape[-1:] if same_noise else shape
        noise = torch.randn(drawn, generator=generator, device=mean.device)
        return mean + self._temperature * deviation * noise

    @torch.no_grad()
    def promising(self, users: Users, count: int, generator: torch.Generator) -> Tensor:
        """Return the indices of the candidates that are most likely to be near, ``(B, count)``.

        The criterion is the distance at the means minus twice the norm of the item's deviations,
        which is about the largest displacement of a sample of the item.

        Args:
            users: The users.
            count: Number of candidates to return, at most C.
            generator: Generator that determines the device; it is not advanced.
        """
        near = self.at_mean(users, generator).clamp_min_(0).sqrt_()  # (B, C)
        deviation = self._model.items.scale()  # (I, D)
        reach = 2 * self._temperature * deviation.square().sum(dim=1).sqrt()
        reach = reach[None] if users.candidates is None else reach[users.candidates]
        return near.sub_(reach).topk(count, dim=1, largest=False).indices
