r"""Matrix factorisation with a categorical loss: which item of a slate is chosen, if any.

An item is chosen from a slate A with probability

.. math:: P(i \mid u, A) = \frac{e^{p_u \cdot q_i}}{e^{b} + \sum_{j \in A} e^{p_u \cdot q_j}}

where b is the score of "no click". Shown are the items with the largest products.

Reference: the example notebook of the FINN.no slates (Eide, Frigessi, Jenssen, Leslie, Rishaug and
Verrewaere, "FINN.no Slates Dataset", RecSys 2021, arXiv:2111.03340): a dot product, 9 dimensions,
AdamW, four sampled negatives per click.

Differences from the paper:

- Users have no vectors of their own. :math:`p_u = W x_u + c + g \sum_j q_j / (n + 1)` over the n
  items j that the user clicked in the history, with user features :math:`x_u`, a vector c for
  everybody and a number g: as in FISM (Kabbur, Ning and Karypis, KDD 2013), a user is what the user
  clicked. So a user who was not in the log has a vector too, and it is the one that was trained;
  the vector moves with every click; and training can be judged on whole users held out.
- The choice is among the items of the slate and "no click" (``loss: slate``). Sampled negatives, as
  in the notebook, are an option; they ignore what else was shown and the slates without a click.
- Several clicks on a slate share one choice equally.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from agents.shared import slates
from agents.shared.choice_logit import choice_loss
from agents.shared.clicked import Clicked, observed
from agents.shared.deterministic import Deterministic
from agents.shared.devices import restore_generator, torch_generator
from agents.shared.early_stopping import Training, split_by_user, train
from recsim.contracts.slates import AgentConfig, Feedback, FitReport, Observation
from recsim.errors import UserError
from recsim.log import SlateLog
from recsim.problem import Problem


class SlateMFConfig(AgentConfig):
    """Settings of `SlateMFAgent`.

    Attributes:
        loss: ``slate``: the choice is among what was shown and no click; ``sampled``: among the
            item clicked and random items.
        negatives: sampled: random items per click, uniform from the catalogue.
        dim: Length of the vectors.
        history: Slates of history that a user is told by; an environment must show as many.
        steps: Gradient steps at most.
        batch_size: Slates per step.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        held_out: Share of users on whom training is judged.
        evaluate_every: Steps between looks at them.
        patience: Looks without a lower loss after which training ends.
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    loss: Literal["slate", "sampled"] = "slate"
    negatives: PositiveInt = 4
    dim: PositiveInt = 9
    history: PositiveInt = 5
    steps: PositiveInt = 2000
    batch_size: PositiveInt = 512
    learning_rate: float = Field(default=0.01, gt=0, allow_inf_nan=False)
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    held_out: float = Field(default=0.1, ge=0, lt=1)
    evaluate_every: PositiveInt = 50
    patience: PositiveInt = 5
    device: str = "cpu"

    @model_validator(mode="after")
    def _every_setting_has_an_effect(self) -> Self:
        if "negatives" in self.model_fields_set and self.loss != "sampled":
            raise ValueError("'negatives' has no effect on 'slate': it belongs to 'sampled'")
        return self


class Factors(nn.Module):
    """Vectors of items, and of users by what is known of them.

    Args:
        num_items: I.
        user_features: F.
        dim: D.
        generator: Randomness of the items at the start; all else starts at 0, and g at 1.
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
        """Return the product with items ``(B, C)``, -1 for any; ``(B, C)``."""
        return torch.einsum("bd,bcd->bc", users, self.items[items.clamp_min(0)])


class SlateMFAgent(Deterministic):
    """Shows the items whose vectors fit the user's best, learned from choices among slates.

    Fitted on a log; a second fit starts anew. Users are known by their features and by what they
    clicked in ``obs["history_items"]``, so new users are served like those of the log.
    """

    Config: ClassVar[type[AgentConfig]] = SlateMFConfig
    privileged: ClassVar[bool] = False
    needs_log: ClassVar[bool] = True

    def __init__(self, config: SlateMFConfig, problem: Problem, seed: int) -> None:
        slates.check_sizes(problem)
        self._config, self._problem = config, problem
        self._generator = torch_generator("slate_mf", config.device, seed)
        self._factors: Factors | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Learn from the choices of a log, forgetting any other log.

        Raises:
            UserError: The log has no click, or another number of user features than the problem.
        """
        clicks_made = (log.clicks > 0) & (log.slate >= 0)
        if not clicks_made.any():
            raise UserError("agent 'slate_mf' learns from clicks, but the log has none.")
        wanted = self._problem.user_feature_dim
        if log.user_features.shape[1] != wanted:
            raise UserError(
                f"agent 'slate_mf' expects {wanted} user features; "
                f"the log has {log.user_features.shape[1]}."
            )
        config, device = self._config, self._config.device
        factors = self._build()
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
        if config.loss == "sampled":  # slates without a click say nothing
            rows, held_out = (some[clicks[some].any(dim=1)] for some in (rows, held_out))
        training = Training(
            steps=config.steps,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            evaluate_every=config.evaluate_every,
            patience=config.patience,
        )
        report = train(factors, losses, rows, held_out, training, self._generator)
        self._factors = factors
        return FitReport(rows=len(log), losses=report)

    def begin(self, batch_size: int) -> None:
        """Keep nothing per user."""

    def scores(self, obs: Observation) -> NDArray[np.float32]:
        """Return the score of every candidate, ``(B, C)``.

        Raises:
            UserError: The agent was not fitted.
        """
        if self._factors is None:
            raise UserError(
                "agent 'slate_mf' must be fitted on a log before it can act: give it a "
                "training_log."
            )
        past = Clicked.of(obs, self._problem.slate_size, self._config.history)
        device = self._config.device
        with torch.no_grad():
            users = self._factors.users(
                torch.as_tensor(np.array(obs["user_features"]), device=device),
                torch.as_tensor(past.items, device=device),
            )
            candidates = torch.as_tensor(np.array(obs["candidates"]), device=device)
            found: NDArray[np.float32] = self._factors.scores(users, candidates).cpu().numpy()
        return found

    def _slates(self, obs: Observation) -> NDArray[np.int64]:
        return slates.top_slates(self.scores(obs), self._problem.slate_size)

    def observe(self, feedback: Feedback) -> None:
        """Learn nothing: the vectors are those of the log."""

    def state_dict(self) -> dict[str, Any]:
        """Return the vectors and the state of the random generator."""
        state: dict[str, Any] = {"generator": self._generator.get_state()}
        if self._factors is not None:
            parameters = self._factors.state_dict().items()
            state["factors"] = {name: value.detach().clone() for name, value in parameters}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the vectors of the saved agent.

        Raises:
            UserError: They are of another catalogue, other user features or another ``dim``.
        """
        self._factors = None
        if "factors" in state:
            factors = self._build()
            try:
                factors.load_state_dict(dict(state["factors"]))
            except RuntimeError as error:
                raise UserError(
                    "saved agent state: 'slate_mf' was fitted on another catalogue or with "
                    f"another 'dim': {str(error).splitlines()[-1].strip()}"
                ) from error
            self._factors = factors
        restore_generator(self._generator, state["generator"])

    def _build(self) -> Factors:
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
    """Return the loss of each click against random items, mean over a slate's clicks, ``(B,)``.

    A random item that is the one clicked is left out; a slate without a click has loss 0.

    Args:
        factors: Vectors of items.
        users: Vectors of the users, ``(B, D)``.
        slate: Items shown, ``(B, K)``; -1 for none.
        clicks: Whether the slot was clicked, ``(B, K)``.
        negatives: Random items per slate, N.
        generator: Source of the random items.
    """
    shape = (len(slate), negatives)
    drawn = torch.randint(
        len(factors.items), shape, generator=generator, device=slate.device
    )  # (B, N)
    own = factors.scores(users, slate)[:, :, None]  # (B, K, 1)
    other = factors.scores(users, drawn)[:, None].expand(-1, slate.shape[1], -1)  # (B, K, N)
    other = other.masked_fill(drawn[:, None] == slate[:, :, None], -torch.inf)
    lost = torch.logsumexp(torch.cat([own, other], dim=2), dim=2) - own[:, :, 0]  # (B, K)
    return (lost * clicks).sum(dim=1) / clicks.sum(dim=1).clamp_min(1)
