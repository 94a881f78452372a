r"""The likelihood of choices, and the bound that is maximised.

.. math:: \frac{N}{B}\,\frac1T \sum_{\text{batch}} \log p(c \mid \theta, h_0)
   - \frac{1}{T_p} \Big( KL(q(\theta) \| p(\theta))
   + \lambda \sum_{\text{batch}} KL(q(h_0) \| p(h_0)) \Big)

with N users, B of them in the batch, and :math:`\lambda = N/B`, which makes it an unbiased estimate
of the bound on all users; :math:`\lambda = 1` if faithful.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.gru_thompson.choices import Choices
from agents.gru_thompson.config import FitConfig
from agents.gru_thompson.model import Globals, Model, history
from agents.gru_thompson.posterior import gaussian_kl, take
from agents.gru_thompson.states import StateKind, preferences

_ABSENT = -100.0
_HIGHEST = 20.0
_LEAST_SQUARE = 1e-10


def distances(preference: Tensor, vectors: Tensor) -> Tensor:
    """Return the distance of each preference from each vector, entry by entry.

    Args:
        preference: ``(..., D)``.
        vectors: ``(..., D)``, of a shape that broadcasts.
    """
    # The square root has no gradient at 0.
    return (preference - vectors).square().sum(dim=-1).clamp_min(_LEAST_SQUARE).sqrt()


def slate_logits(preference: Tensor, vectors: Tensor, present: Tensor, nothing: Tensor) -> Tensor:
    """Return the score of every slot, "nothing" first.

    Args:
        preference: ``(U, T, D)``.
        vectors: Vectors of the items, ``(U, T, S, D)``.
        present: Whether there is a known item, ``(U, T, S)``.
        nothing: Score of choosing nothing, ``(U, T)``.

    Returns:
        ``(U, T, S + 1)``, between -100 (absent) and 20.
    """
    scores = torch.where(present, -distances(preference[:, :, None], vectors), _ABSENT)
    return torch.cat([nothing[:, :, None], scores], dim=2).clamp(_ABSENT, _HIGHEST)


def log_likelihood(logits: Tensor, choice: Tensor, scored: Tensor) -> Tensor:
    """Return the log-probability of each choice, 0 where it is not scored.

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
    """Return the log-likelihood of each choice under one draw of the posterior, ``(U, T)``.

    Args:
        model: The posterior, of which the items are drawn here.
        state: How states move.
        choices: What was chosen.
        drawn: A draw of the rest.
        start: A draw of the initial states, ``(U, D)``.
        generator: Source of the items' noise.
        temperature: Factor of the items' deviations.
    """
    items, click = model.rows(choices.items), model.rows(choices.click)
    rows = None
    if items.numel() + click.numel() < model.num_items:
        # Of a large catalogue only the items that occur are drawn.
        occurring = torch.cat([items.flatten(), click.flatten()])
        rows, places = torch.unique(occurring, return_inverse=True)
        items = places[: items.numel()].reshape(items.shape)
        click = places[items.numel() :].reshape(click.shape)
    table = model.items.draw(generator, rows=rows, temperature=temperature)  # (R, D)
    moved = choices.click >= 0
    before = preferences(state, drawn.weights, start, take(table, click), moved)[:, :-1]
    logits = slate_logits(
        before, take(table, items), choices.items >= 0, drawn.bias[choices.length]
    )
    return log_likelihood(logits, choices.choice, choices.scored)


@dataclass(frozen=True, eq=False)
class Terms:
    """Parts of the bound, for all users.

    Attributes:
        likelihood: Log-likelihood scaled to N users, not tempered.
        parameters: Divergence of everything but the users.
        starts: Divergence of the initial states, as it is weighted.
    """

    likelihood: Tensor
    parameters: Tensor
    starts: Tensor

    def bound(self, config: FitConfig) -> Tensor:
        """Return what is maximised."""
        divergence = (self.parameters + self.starts) / config.prior_temperature
        return self.likelihood / config.temperature_of_likelihood - divergence


def terms(
    model: Model,
    state: StateKind,
    choices: Choices,
    num_users: int,
    generator: torch.Generator,
) -> Terms:
    """Estimate the parts of the bound from a batch, by one draw.

    Args:
        model: The posterior.
        state: How states move.
        choices: The batch, B users.
        num_users: N.
        generator: Source of the draw.
    """
    scale = num_users / len(choices)
    mean, deviation = model.start(*history(choices))
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    start = mean + deviation * noise
    drawn = model.globals(generator)
    likelihood = choice_likelihood(model, state, choices, drawn, start, generator).sum()
    starts = gaussian_kl(mean, deviation, 0.0, model.config.start_scale).sum()
    return Terms(
        likelihood=scale * likelihood,
        parameters=model.kl(state, generator),
        starts=starts if model.config.faithful else scale * starts,
    )
