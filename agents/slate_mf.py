r"""Matrix factorisation with a categorical loss: which item of a slate is chosen, if any.

An item is chosen from a slate A with probability

.. math:: P(i \mid u, A) = \frac{e^{p_u \cdot q_i}}{e^{b} + \sum_{j \in A} e^{p_u \cdot q_j}}

where b is the score of "no click". Shown are the items with the largest products.

Reference: the example notebook of the FINN.no slates (Eide, Frigessi, Jenssen, Leslie, Rishaug and
Verrewaere, "FINN.no Slates Dataset", RecSys 2021, arXiv:2111.03340): a dot product, 9 dimensions,
AdamW, four sampled negatives per click.

Differences from the paper:

- Users have no vectors of their own. :math:`p_u = W x_u + c + g \sum_j q_j / (n + 1)` over the n
  items j that the user clicked in the history, with user features :math:`x_u`, a vector c that all
  users share and a scalar g: as in FISM (Kabbur, Ning and Karypis, KDD 2013), a user is represented
  by their clicks. So a user who was not in the log has a vector too, it changes with every click,
  and training can be validated on whole users held out.
- The choice is among the items of the slate and "no click" (``loss: slate``). Sampled negatives, as
  in the notebook, are an option; they ignore the other items of the slate and slates without a
  click.
- If a slate has n clicks, each clicked item counts as 1/n of the choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from agents.shared import slates
from agents.shared.choice_logit import choice_loss
from agents.shared.clicked import Clicked, observed
from agents.shared.deterministic import Deterministic
from agents.shared.early_stopping import EarlyStoppingConfig, Training, split_by_user, train
from agents.shared.torch_agent import TorchAgent
from recsim.arrays import Floats32, Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation, OnlyWith
from recsim.log import SlateLog
from recsim.problem import Problem


class SlateMFConfig(EarlyStoppingConfig):
    """Settings of `SlateMFAgent`, with those of `EarlyStoppingConfig`.

    Attributes:
        loss: ``slate``: the choice is among the items shown and no click; ``sampled``: among the
            clicked item and random items.
        negatives: For ``sampled``: random items per click, uniform over the catalogue.
        dim: Length of the vectors.
        history: Number of past slates whose clicks represent a user; the environment must show as
            many.
        steps: Largest number of gradient steps.
    """

    only_with: ClassVar[OnlyWith] = {"negatives": ("loss", ("sampled",))}

    loss: Literal["slate", "sampled"] = "slate"
    negatives: PositiveInt = 4
    dim: PositiveInt = 9
    history: PositiveInt = 5
    steps: PositiveInt = 2000
    learning_rate: float = Field(default=0.01, gt=0, allow_inf_nan=False)


class Factors(nn.Module):
    """Vectors of items, and of users as functions of their features and clicks.

    Args:
        num_items: I.
        user_features: F.
        dim: D.
        generator: Draws the initial vectors of items; g starts at 1, all else at 0.
    """

    def __init__(
        self, num_items: int, user_features: int, dim: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        device = generator.device
        draw = torch.randn((num_items, dim), generator=generator, device=device)
        self.items = nn.Parameter(draw / dim**0.5)
        self.features = nn.Parameter(torch.zeros(user_features, dim, device=device))  # W
        self.everybody = nn.Parameter(torch.zeros(dim, device=device))  # c
        self.gain = nn.Parameter(torch.ones((), device=device))  # g
        self.no_click = nn.Parameter(torch.zeros((), device=device))  # b

    def users(self, features: Tensor, clicked: Tensor) -> Tensor:
        """Return the vectors of users, ``(B, D)``.

        Args:
            features: ``(B, F)``.
            clicked: Items clicked, ``(B, L)``; -1 for none.
        """
        real = (clicked >= 0).float()
        total = torch.einsum("bl,bld->bd", real, self.items[clicked.clamp_min(0)])
        own = self.gain * total / (1 + real.sum(dim=1, keepdim=True))
        return features @ self.features + self.everybody + own

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the scores of items ``(B, C)``; at -1 (padding) the score is arbitrary."""
        return torch.einsum("bd,bcd->bc", users, self.items[items.clamp_min(0)])


class SlateMFAgent(TorchAgent[Factors], Deterministic):
    """Shows the items whose vectors fit the user's best, learned from choices among slates.

    Fitted on a log; a second fit forgets the first. Users are known by their features and by what
    they clicked in ``obs["history_items"]``, so new users are served like those of the log.
    """

    name: ClassVar[str] = "slate_mf"
    reads = frozenset({"user_features", "history", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = SlateMFConfig
    needs_log: ClassVar[bool] = True
    sizes: ClassVar[tuple[str, ...]] = ("dim",)
    parts: ClassVar[tuple[str, ...]] = ("factors",)
    _config: SlateMFConfig

    def __init__(self, config: SlateMFConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._generator = self._new_generator()

    def fit(self, log: SlateLog) -> FitReport:
        """Learn from the choices of a log, forgetting any other log.

        Raises:
            AgentError: If the log has no click, or another number of user features than the
                problem.
        """
        clicks_made = (log.clicks > 0) & (log.slate >= 0)
        self.require(clicks_made.any(), "clicks")
        self.require_user_features(log)
        config, device = self._config, self._device
        factors = self._rebuild({})
        past = Clicked.concat(
            [
                Clicked.of(obs, log.problem.slate_size, config.history)
                for obs in observed(log, config.history)
            ]
        )
        features = torch.as_tensor(log.user_features[log.user], device=device)
        clicked = torch.as_tensor(past.items, device=device)
        slate = torch.as_tensor(log.slate, device=device)
        clicks = torch.as_tensor(clicks_made, device=device)

        def losses(rows: Tensor) -> Tensor:
            users = factors.users(features[rows], clicked[rows])
            if config.loss == "slate":
                return slate_loss(factors, users, slate[rows], clicks[rows])
            return sampled_loss(
                factors, users, slate[rows], clicks[rows], config.negatives, self._generator
            )

        rows, held_out = split_by_user(log.user, config.held_out, self._generator)
        if config.loss == "sampled":  # slates without a click have no loss
            rows, held_out = (some[clicks[some].any(dim=1)] for some in (rows, held_out))
        training = Training.of(config, config.steps)
        report = train(factors, losses, rows, held_out, training, self._generator)
        self._model = factors
        return FitReport(rows=len(log), losses=report)

    def scores(self, obs: Observation) -> Floats32:
        """Return the score of every candidate, ``(B, C)``.

        Raises:
            AgentError: If the agent was not fitted.
        """
        factors, device = self.model, self._device
        past = Clicked.of(obs, self._slate_size, self._config.history)
        with torch.no_grad():
            users = factors.users(
                torch.as_tensor(np.array(obs["user_features"]), device=device),
                torch.as_tensor(past.items, device=device),
            )
            candidates = torch.as_tensor(np.array(obs["candidates"]), device=device)
            scores: Floats32 = factors.scores(users, candidates).cpu().numpy()
        return scores

    def _slates(self, obs: Observation) -> Ints:
        return slates.top_slates(self.scores(obs), self._slate_size)

    def _rebuild(self, state: Mapping[str, Any]) -> Factors:
        problem = self._problem
        return Factors(
            problem.num_items, problem.user_feature_dim, self._config.dim, self._generator
        )


def slate_loss(factors: Factors, users: Tensor, slate: Tensor, clicks: Tensor) -> Tensor:
    """Return the loss of choices among slates and no click, ``(B,)``.

    Args:
        factors: Vectors of items, and b.
        users: Vectors of the users, ``(B, D)``.
        slate: Items shown, ``(B, K)``; -1 for none.
        clicks: Whether the slot was clicked, ``(B, K)``.
    """
    nothing = factors.no_click.expand(len(users))
    return choice_loss(factors.scores(users, slate), nothing, slate >= 0, clicks)


def sampled_loss(
    factors: Factors,
    users: Tensor,
    slate: Tensor,
    clicks: Tensor,
    negatives: int,
    generator: torch.Generator,
) -> Tensor:
    """Return the loss of each click against random items, averaged over the slate, ``(B,)``.

    A random item that equals the clicked one is left out; a slate without a click has loss 0.

    Args:
        factors: Vectors of items.
        users: Vectors of the users, ``(B, D)``.
        slate: Items shown, ``(B, K)``; -1 for none.
        clicks: Whether the slot was clicked, ``(B, K)``.
        negatives: Random items per slate, N.
        generator: Draws the random items.
    """
    shape = (len(slate), negatives)
    drawn = torch.randint(
        len(factors.items), shape, generator=generator, device=slate.device
    )  # (B, N)
    own = factors.scores(users, slate)[:, :, None]  # (B, K, 1)
    other = factors.scores(users, drawn)[:, None].expand(-1, slate.shape[1], -1)  # (B, K, N)
    other = other.masked_fill(drawn[:, None] == slate[:, :, None], -torch.inf)
    losses = torch.logsumexp(torch.cat([own, other], dim=2), dim=2) - own[:, :, 0]  # (B, K)
    return (losses * clicks).sum(dim=1) / clicks.sum(dim=1).clamp_min(1)
