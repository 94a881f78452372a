r"""What the network is trained on.

.. math:: \text{CE} + \alpha \cdot \text{mean}\; \omega\, \cos(E^+, E^-)

CE is the cross-entropy per item shown. :math:`E^+` is the mean vector of a slate's slots at its
return-to-go R, and :math:`E^-` the same at the return-to-go that it would have had with the rewards
of a session that earned little, :math:`R - w r + w r^-`. The weight :math:`\omega` is one minus the
mean of the low rewards, as shares of the largest. Gradients flow through both sides: the term keeps
the decoder from writing the same whatever it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from agents.dt4ier.data import PAD, Trajectories, Windows
from agents.dt4ier.model import Model


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows, what they are prompted with and what they are contrasted with.

    Attributes:
        windows: B windows with N steps.
        rtg: Weighted returns-to-go, ``(N, R)``.
        low_rtg: What they would be with low rewards, ``(N, R)``, or None.
        omega: Weight of each contrast, 0 where the two do not differ, ``(N,)``, or None.
    """

    windows: Windows
    rtg: Tensor
    low_rtg: Tensor | None = None
    omega: Tensor | None = None

    def parts(self, size: int) -> Iterator[Batch]:
        """Yield the batch in parts of ``size`` windows."""
        mask = self.windows.mask
        if size >= len(mask):
            yield self
            return
        ends = [0, *mask.sum(dim=1).cumsum(0).tolist()]
        for begin in range(0, len(mask), size):
            windows = mask[begin : begin + size]
            steps = slice(ends[begin], ends[begin + len(windows)])
            yield Batch(
                Windows(windows, self.windows.rows[steps]),
                self.rtg[steps],
                None if self.low_rtg is None else self.low_rtg[steps],
                None if self.omega is None else self.omega[steps],
            )


def contrast(
    windows: Windows,
    rewards: Tensor,
    weights: Tensor,
    rtg: Tensor,
    shares: Tensor,
    low: float,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor] | None:
    """Draw a session of low reward for every step, from the same batch.

    Args:
        windows: With N steps.
        rewards: Of all M steps of the log, ``(M, R)``.
        weights: How much they count, ``(M, R)``.
        rtg: Weighted returns-to-go of the N steps, ``(N, R)``.
        shares: Rewards as shares of the largest, ``(M, R)``.
        low: A session is low if all its shares are below this.
        generator: Randomness.

    Returns:
        ``low_rtg`` and ``omega`` of `Batch`; None if no session of the batch is low.
    """
    rows = windows.rows
    negative = rows[(shares[rows] < low).all(dim=1)]
    if not len(negative):
        return None
    drawn = torch.randint(len(negative), rows.shape, generator=generator, device=rows.device)
    drawn = negative[drawn]
    lost = weights[rows] * (rewards[rows] - rewards[drawn])  # (N, R)
    omega = 1 - shares[drawn].mean(dim=1)
    return rtg - lost, torch.where((lost != 0).any(dim=1), omega, 0.0)


def sums(
    model: Model, data: Trajectories, batch: Batch, alpha: float
) -> tuple[Tensor, Tensor | None]:
    """Return the sums of the cross-entropy over items and of the contrasts over steps.

    Args:
        model: The network.
        data: What the rows of the windows point at.
        batch: The windows.
        alpha: Weight of the contrasts; with 0 they are not computed, and None is returned.
    """
    windows, rows = batch.windows, batch.windows.rows
    slates, time = data.slates[rows], data.time[rows]
    # Each state goes on where the user's earlier one ended: they are encoded together.
    states = model.state.beginnings(*data.shared_states(rows, model.config.history))
    users = model.user_vectors(data.features)[data.user[rows]]
    state = states + users + model.time_token(time)
    action = model.action_token(slates, time)

    def vectors(rtg: Tensor) -> Tensor:
        tokens = torch.stack([model.reward_token(rtg, time), state, action], dim=1)  # (N, 3, D)
        contexts = model.contexts(windows.place(tokens), windows.mask)[windows.mask]  # (N, D)
        written: Tensor = model.decoder(contexts, slates)  # (N, K, D)
        return written

    found = vectors(batch.rtg)
    shown = slates != PAD
    # Only slots that hold an item are scored against the whole vocabulary.
    cross = functional.cross_entropy(
        model.decoder.out(found[shown]).float(), slates[shown], reduction="sum"
    )
    if not alpha or batch.low_rtg is None or batch.omega is None:
        return cross, None
    contrasts = similarity(found, vectors(batch.low_rtg), shown)
    return cross, (batch.omega * contrasts).sum()


def similarity(vectors: Tensor, others: Tensor, shown: Tensor) -> Tensor:
    """Return the cosine between the mean vectors of two versions of each slate, ``(N,)``.

    Args:
        vectors: Of the slots of a slate, ``(N, K, D)``.
        others: The same at other prompts, ``(N, K, D)``.
        shown: Slots that hold an item, ``(N, K)``.
    """
    weight = shown[:, :, None].float()
    # A cosine does not depend on length, so that a sum does as well as a mean.
    return functional.cosine_similarity(
        (vectors * weight).sum(dim=1), (others * weight).sum(dim=1), dim=1
    )
