r"""Latent reasoning before the prediction: ReaRec (arXiv:2503.22675).

After the last event the encoder takes K further steps: the state :math:`r_{k-1}` plus a learned
vector of the step is the next input token, and its output is :math:`r_k`; :math:`r_0` is the state
without reasoning. Earlier keys and values are kept, so that a step processes one token.

- ``erl`` predicts from the mean of all states, and rewards states that predict differently.
- ``prl`` predicts from the last state; state k is trained at temperature :math:`5^{K-k}`, so that
  early steps are vague, and to stay close to what it would be with noise on the inputs.

Differences from the paper: the loss at all positions stays that of the encoder, and one random
prefix of each window is reasoned about; the released code trains on the last position alone, with
another temperature, and switches the noise of ``prl`` on after two epochs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.sequential.additions.info_nce import info_nce
from agents.sequential.encoders import Transformer
from agents.shared.transformer import Cache

# Steps that have a vector, so that K can be changed when acting.
MOST_STEPS = 8
# Factor between the temperatures of two steps, and size of the noise, of ``prl``.
SOFTER, NOISE = 5.0, 0.01


class Reasoner(nn.Module):
    """The vectors of the steps.

    Args:
        dim: D.
        std: Standard deviation of their initial entries.
    """

    def __init__(self, dim: int, std: float) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(MOST_STEPS, dim) * std)
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        encoder: Transformer,
        last: Tensor,
        cache: Cache,
        visible: Tensor,
        steps: int,
        noise: float = 0.0,
    ) -> Tensor:
        """Return the states of all steps, ``(B, K + 1, D)``, beginning with the given one.

        Args:
            encoder: The encoder, causal.
            last: Its state at the last event, ``(B, D)``.
            cache: Its keys and values at all tokens.
            visible: Tokens up to the last event, ``(B, S)``.
            steps: K, at most `MOST_STEPS`.
            noise: Standard deviation of noise on the inputs.
        """
        states = [last]
        for step in range(steps):
            token = self.norm(states[-1] + self.position[step])
            if noise:
                token = token + noise * torch.randn_like(token)
            visible = torch.cat([visible, visible.new_ones(len(visible), 1)], dim=1)
            state, cache = encoder.extended(token, cache, visible)
            states.append(state)
        return torch.stack(states, dim=1)


def prediction(states: Tensor, method: str) -> Tensor:
    """Return the states that predict, ``(B, K + 1, D) -> (B, D)``."""
    return states.mean(dim=1) if method == "erl" else states[:, -1]


def diversity(scores: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence between the predictions of two steps.

    Gradients flow through the first distribution of each pair only.

    Args:
        scores: Scores of all items at each step, ``(B, K + 1, I)``.
    """
    steps = scores.shape[1]
    if steps < 2:
        return scores.new_zeros(())
    log = scores.log_softmax(dim=2)
    share = log.exp()
    own = (share * log).sum(dim=2)  # (B, K + 1)
    cross = torch.einsum("bji,bki->bjk", share, log.detach())
    divergence = own[:, :, None] - cross  # 0 on the diagonal
    return divergence.sum(dim=(1, 2)).mean() / (steps * (steps - 1))


def softened(states: Tensor) -> Tensor:
    """Return the states divided by the temperatures of ``prl``, ``(B, K + 1, D)``."""
    last = states.shape[1] - 1
    exponent = torch.arange(last, -1, -1, device=states.device)
    return states / (SOFTER**exponent)[:, None]


def stability(states: Tensor, noisy: Tensor) -> Tensor:
    """Return the contrast of steps with and without noise, summed over k = 1 ... K.

    Args:
        states: ``(B, K + 1, D)``.
        noisy: The same with noise on the inputs.
    """
    total = states.new_zeros(())
    for step in range(1, states.shape[1]):
        total = total + info_nce(noisy[:, step], states[:, step])
    return total
