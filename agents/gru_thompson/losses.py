r"""The likelihood of choices, and the variational lower bound that is maximised.

.. math:: \frac{N}{B}\,\frac1T \sum_{\text{batch}} \log p(c \mid \theta, h_0)
   - \frac{1}{T_p} \Big( KL(q(\theta) \| p(\theta))
   + \lambda \sum_{\text{batch}} KL(q(h_0) \| p(h_0)) \Big)

with N users, B of them in the batch, and :math:`\lambda = N/B`, which makes it an unbiased estimate
of the bound for all users.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.gru_thompson.choices import Choices
from agents.gru_thompson.config import FitConfig
from agents.gru_thompson.model import Globals, Model
from agents.gru_thompson.posterior import take
from agents.gru_thompson.states import StateKind, preferences

_ABSENT = -100.0
_HIGHEST = 20.0
_LEAST_SQUARE = 1e-10


def distances(preference: Tensor, vectors: Tensor) -> Tensor:
    """Return the distances between preferences and vectors.

    Args:
        preference: ``(..., D)``.
        vectors: ``(..., D)``, of a shape that broadcasts.
    """
    # The gradient of the square root is infinite at 0.
    return (preference - vectors).square().sum(dim=-1).clamp_min(_LEAST_SQUARE).sqrt()


def slate_logits(preference: Tensor, vectors: Tensor, present: Tensor, nothing: Tensor) -> Tensor:
    """Return the score of every slot, "nothing" first.

    Args:
        preference: ``(U, T, D)``.
        vectors: Vectors of the items, ``(U, T, S, D)``.
        present: Whether the slot has a known item, ``(U, T, S)``.
        nothing: Score of choosing nothing, ``(U, T)``.

    Returns:
        ``(U, T, S + 1)``, between -100 (absent) and 20.
    """
    scores = torch.where(present, -distances(preference[:, :, None], vectors), _ABSENT)
    return torch.cat([nothing[:, :, None], scores], dim=2).clamp(_ABSENT, _HIGHEST)


def log_likelihood(logits: Tensor, choice: Tensor, scored: Tensor) -> Tensor:
    """Return the log-probability of each choice, 0 if it is not scored.

    Args:
        logits: ``(U, T, S + 1)``.
        choice: Slot chosen, ``(U, T)``.
        scored: ``(U, T)``.
    """
    chosen = torch.log_softmax(logits, dim=2).gather(2, choice[:, :, None])[:, :, 0]
    return torch.where(scored, chosen, 0.0)


def choice_likelihood(
    model: Model,
    state: StateKind,
    choices: Choices,
    drawn: Globals,
    start: Tensor,
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Tensor:
    """Return the log-likelihood of each choice under one posterior sample, ``(U, T)``.

    Args:
        model: The posterior, from which the items are sampled here.
        state: The state dynamics.
        choices: The choices.
        drawn: A sample of the other variables.
        start: A sample of the initial states, ``(U, D)``.
        generator: Random generator of the items.
        temperature: Factor of the items' deviations.
    """
    items, click = choices.items.clamp_min(0), choices.click.clamp_min(0)
    rows = None
    if items.numel() + click.numel() < model.num_items:
        # In a large catalogue, only the items that occur are sampled.
        occurring = torch.cat([items.flatten(), click.flatten()])
        rows, index = torch.unique(occurring, return_inverse=True)
        items = index[: items.numel()].reshape(items.shape)
        click = index[items.numel() :].reshape(click.shape)
    table = model.items.draw(generator, rows=rows, temperature=temperature)  # (R, D)
    moved = choices.click >= 0
    before = preferences(state, drawn.weights, start, take(table, click), moved)[:, :-1]
    logits = slate_logits(
        before, take(table, items), choices.items >= 0, drawn.bias[choices.length]
    )
    return log_likelihood(logits, choices.choice, choices.scored)


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms of the bound, for all users.

    Attributes:
        likelihood: Log-likelihood scaled to N users, not tempered.
        parameters: Divergence of all variables other than initial states.
        starts: Divergence of the initial states, scaled to N users.
    """

    likelihood: Tensor
    parameters: Tensor
    starts: Tensor

    def bound(self, config: FitConfig) -> Tensor:
        """Return the tempered bound."""
        divergence = (self.parameters + self.starts) / config.prior_temperature
        return self.likelihood / config.likelihood_temperature - divergence


def terms(
    model: Model,
    state: StateKind,
    choices: Choices,
    num_users: int,
    generator: torch.Generator,
) -> Terms:
    """Estimate the terms of the bound from a batch with one posterior sample.

    Args:
        model: The posterior.
        state: The state dynamics.
        choices: The batch of B users.
        num_users: N.
        generator: Random generator.
    """
    scale = num_users / len(choices)
    mean, deviation = model.start(choices.context_clicks)
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    start = mean + deviation * noise
    drawn = model.globals(generator)
    likelihood = choice_likelihood(model, state, choices, drawn, start, generator).sum()
    return Terms(
        likelihood=scale * likelihood,
        parameters=model.kl(state, generator),
        starts=model.start_kl(mean, deviation, scale),
    )
