r"""The training loss.

.. math:: \text{CE} + \alpha \cdot \text{mean}\; \omega\, \cos(E^+, E^-)

CE is the cross-entropy per item shown. :math:`E^+` is the mean decoder vector over a slate's slots
at its return-to-go R, and :math:`E^-` the same at the return-to-go that it would have had with the
rewards of a low-reward session, :math:`R - w r + w r^-`. The weight :math:`\omega` is one minus the
mean of the low rewards, each divided by the largest in the log. Gradients flow through both sides.
The term keeps the decoder from ignoring the return-to-go.
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
    """Windows with their returns-to-go and, for the contrastive term, lower ones.

    Attributes:
        windows: B windows with N steps.
        rtg: Weighted returns-to-go, ``(N, R)``.
        low_rtg: Returns-to-go with low rewards instead, ``(N, R)``, or None.
        omega: Weight of each contrast, 0 where both are equal, ``(N,)``, or None.
    """

    windows: Windows
    rtg: Tensor
    low_rtg: Tensor | None = None
    omega: Tensor | None = None

    def parts(self, size: int) -> Iterator[Batch]:
        """Yield the batch in parts of at most ``size`` windows."""
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
    """Draw a low-reward session from the same batch for every step.

    Args:
        windows: Windows with N steps.
        rewards: Rewards of all M steps of the log, ``(M, R)``.
        weights: Weights of the rewards, ``(M, R)``.
        rtg: Weighted returns-to-go of the N steps, ``(N, R)``.
        shares: Rewards divided by the largest of the log, ``(M, R)``.
        low: A session has low reward if all its shares are below this.
        generator: Random generator.

    Returns:
        ``low_rtg`` and ``omega`` of `Batch`; None if the batch has no low-reward session.
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
    """Return the sum of the cross-entropy over items and of the contrasts over steps.

    Args:
        model: The network.
        data: The trajectories to which the rows of the windows refer.
        batch: The windows.
        alpha: Weight of the contrasts; if 0, they are not computed and None is returned.
    """
    windows, rows = batch.windows, batch.windows.rows
    slates, time = data.slates[rows], data.time[rows]
    # A state often extends the user's previous one, so they are encoded in one pass.
    states = model.state.prefixes(*data.shared_states(rows, model.config.history))
    users = model.user_vectors(data.features)[data.user[rows]]
    state = states + users + model.time_token(time)
    action = model.action_token(slates, time)

    def vectors(rtg: Tensor) -> Tensor:
        tokens = torch.stack([model.reward_token(rtg, time), state, action], dim=1)  # (N, 3, D)
        contexts = model.contexts(windows.place(tokens), windows.mask)[windows.mask]  # (N, D)
        decoded: Tensor = model.decoder(contexts, slates)  # (N, K, D)
        return decoded

    decoded = vectors(batch.rtg)
    shown = slates != PAD
    # Only slots with an item are scored against the whole vocabulary.
    cross = functional.cross_entropy(
        model.decoder.out(decoded[shown]).float(), slates[shown], reduction="sum"
    )
    if not alpha or batch.low_rtg is None or batch.omega is None:
        return cross, None
    contrasts = similarity(decoded, vectors(batch.low_rtg), shown)
    return cross, (batch.omega * contrasts).sum()


def similarity(vectors: Tensor, others: Tensor, shown: Tensor) -> Tensor:
    """Return the cosine between the mean vectors of two versions of each slate, ``(N,)``.

    Args:
        vectors: Vectors of the slots of each slate, ``(N, K, D)``.
        others: The same for other returns-to-go, ``(N, K, D)``.
        shown: Slots with an item, ``(N, K)``.
    """
    weight = shown[:, :, None].float()
    # A cosine does not depend on length, so a sum serves as well as a mean.
    return functional.cosine_similarity(
        (vectors * weight).sum(dim=1), (others * weight).sum(dim=1), dim=1
    )
