"""The agent: fits a posterior to a log and chooses slates by sampling from it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from agents.gru_thompson.choices import Choices, InMemory, Source, from_log
from agents.gru_thompson.config import GRUThompsonConfig
from agents.gru_thompson.losses import choice_likelihood
from agents.gru_thompson.model import Model
from agents.gru_thompson.policies import Policy
from agents.gru_thompson.scoring import Users
from agents.gru_thompson.training import Evaluation, evaluate, fit
from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from agents.shared.clicked import Clicked
from agents.shared.randomised import Randomised
from agents.shared.torch_agent import TorchAgent
from agents.shared.uniform_mixture import exact_prefixes, explore
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import AgentConfig, Decision, FitReport, Observation
from recsim.errors import AgentError
from recsim.log import SlateLog
from recsim.problem import Problem


class GRUThompsonAgent(TorchAgent[Model], Randomised, BaseSlateAgent):
    """Explores within the slate: Thompson sampling with a Bayesian model of choices from slates.

    Fitted on a log; a second fit starts from scratch, while `refit` continues. The agent knows a
    user by their clicks in ``obs["history_items"]`` alone, so the environment should have a long
    ``history``. Propensities are exact for ``greedy``, ``ucb`` (0 or 1) and ``epsilon_greedy``; for
    the other policies they are estimated if ``propensity_draws`` is set, else None.

    Attributes:
        model_class: Class of the model.
    """

    name: ClassVar[str] = "gru_thompson"
    reads = frozenset({"history", "item_ids", "item_groups"})
    Config: ClassVar[type[AgentConfig]] = GRUThompsonConfig
    sizes: ClassVar[tuple[str, ...]] = ("dim",)
    model_class: ClassVar[type[Model]] = Model
    needs_log: ClassVar[bool] = True
    _config: GRUThompsonConfig

    def __init__(self, config: GRUThompsonConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._generator = self._new_generator()
        self._slots = 0
        self._users, self._held_out = 0, torch.zeros(0, dtype=torch.int64)

    def fit(self, log: SlateLog) -> FitReport:
        """Fit the posterior to the choices of a log, discarding any earlier fit.

        Raises:
            AgentError: If the log is empty.
        """
        self.require(len(log), "slates")
        choices = from_log(log)
        held_out = self._hold_out(0, len(choices))
        report = self.fit_source(
            self._source(choices, held_out), slots=log.slate.shape[1], horizon=choices.steps
        )
        self._users, self._held_out = len(choices), held_out
        return FitReport(rows=len(log), losses=report.losses)

    def refit(self, log: SlateLog) -> FitReport:
        """Continue from the current posterior for ``refit_steps`` steps on an extended log.

        Args:
            log: The previous log followed by further users. Users held out before remain held out,
                so that no training user is used for evaluation. If the log has fewer users or other
                slate sizes than before, the fit starts from scratch.

        Raises:
            AgentError: If the log is empty.
        """
        self.require(len(log), "slates")
        choices, slots = from_log(log), log.slate.shape[1]
        if self._model is None or slots != self._slots or len(choices) < self._users:
            return self.fit(log)
        held_out = torch.cat([self._held_out, self._hold_out(self._users, len(choices))])
        model = self._build(slots, choices.steps)
        model.load_state_dict(self._model.state_dict())
        config = self._config.model_copy(update={"steps": self._config.refit_steps})
        losses: list[dict[str, float]] = []
        fit(model, self._source(choices, held_out), config, self._generator, losses.append)
        self._model, self._users, self._held_out = model, len(choices), held_out
        return FitReport(rows=len(log), losses=losses)

    def fit_source(self, source: Source, *, slots: int, horizon: int) -> FitReport:
        """Fit the posterior to choices that need not fit into memory, discarding earlier fits.

        Args:
            source: The choices.
            slots: Number of items in the largest slate.
            horizon: Number of steps per user.

        Returns:
            A report whose ``rows`` count users.
        """
        model = self._build(slots, horizon)
        losses: list[dict[str, float]] = []
        fit(model, source, self._config, self._generator, losses.append)
        self._model, self._slots = model, slots
        self._users, self._held_out = 0, torch.zeros(0, dtype=torch.int64)
        return FitReport(rows=source.num_users, losses=losses)

    def evaluate(self, choices: Choices, step: int) -> Evaluation:
        """Evaluate the posterior means on choices, as `fit` does on held-out choices.

        Args:
            choices: The choices.
            step: The choices from this step on are predicted from the earlier ones.

        Raises:
            AgentError: If the agent was not fitted or there is no choice from ``step`` on.
        """
        source = InMemory(choices, torch.arange(len(choices)), step)
        config = self._config
        result = evaluate(self.model, config.state, source, config, self._fixed_generator())
        if result is None:
            raise AgentError(f"there are no choices from step {step} on.")
        return result

    @torch.no_grad()
    def log_probabilities(self, choices: Choices) -> Floats:
        """Return the log-probability of every choice at the posterior means, ``(U, T)``.

        Each choice is conditioned on the user's earlier ones. NaN if a choice is not scored.

        Args:
            choices: The choices; see `Choices.after`.

        Raises:
            AgentError: If the agent was not fitted.
        """
        model, generator = self.model, self._fixed_generator()
        choices = choices.to(self._config.device)
        start, _ = model.start(choices.context_clicks)
        drawn = model.globals(generator, temperature=0.0)
        values = choice_likelihood(
            model, self._config.state, choices, drawn, start, generator, temperature=0.0
        )
        return torch.where(choices.scored, values, torch.nan).double().cpu().numpy()

    def act(self, obs: Observation) -> Decision:
        """Choose a slate for every user.

        Raises:
            AgentError: If the agent was not fitted.
        """
        chosen = self._slates(obs, self._generator)[:, 0]  # (B, K)
        policy = self._config.policy
        if policy in {"thompson", "in_slate"}:
            table = self.action_probabilities(obs)
            if table is None:
                return Decision(chosen)
            return Decision(chosen, np.take_along_axis(table, chosen[:, :, None], axis=2)[:, :, 0])
        if policy != "epsilon_greedy":
            return Decision(chosen, np.ones(chosen.shape), np.ones(len(chosen)))
        batch, num_candidates = obs["candidates"].shape
        return explore(self._draws.next(batch), chosen, num_candidates, self._epsilon)

    def propensities(self, obs: Observation, items: Ints) -> Floats | None:
        """Return the probability of each item at its position, 1 at padding.

        Exact or estimated, see the class; None if unknown.
        """
        table = self.action_probabilities(obs)
        if table is None:
            return None
        candidates = obs["candidates"]
        same = items[:, :, None] == candidates[:, None, :]  # (B, K, C)
        return np.where(items < 0, 1.0, (table * same).sum(axis=2))

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats | None:
        """Return the exact probability of the first k items, ``(B, K)``; padding is skipped.

        None for ``thompson`` and ``in_slate``: use `recsim.estimators.SampledPolicy` to estimate
        them.
        """
        if self._config.policy in {"thompson", "in_slate"}:
            return None
        greedy = self._slates(obs, self._generator)[:, 0]
        return exact_prefixes(obs, greedy, items, self._epsilon)

    def action_probabilities(self, obs: Observation) -> Floats | None:
        """Return the probability of every candidate at every position, ``(B, K, C)``, or None.

        Estimates are ``(count + 1) / (M + C)`` over M slates sampled with the same seed at every
        call; they sum to 1 over the candidates.
        """
        candidates = obs["candidates"]
        count = candidates.shape[1]
        if self._config.policy in {"thompson", "in_slate"}:
            draws = self._config.propensity_draws
            if not draws:
                return None
            drawn = self._slates(obs, self._fixed_generator(), draws)  # (B, M, K)
            table = np.ones((len(drawn), drawn.shape[2], count))
            users, slots = np.arange(len(drawn)), np.arange(drawn.shape[2])
            np.add.at(table, (users[:, None, None], slots, drawn), 1.0)
            table /= draws + count
            return table
        greedy = slates.one_hot(self._slates(obs, self._generator)[:, 0], count)
        epsilon = self._epsilon
        return np.asarray(epsilon / count + (1 - epsilon) * greedy, dtype=np.float64)

    def _learned(self) -> dict[str, Any]:
        learned = super()._learned()
        if self._model is not None:
            learned["slots"], learned["horizon"] = self._slots, self._model.horizon
            learned["users"], learned["held_out"] = self._users, self._held_out.clone()
        return learned

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        if self._model is not None:
            self._slots, self._users = state["slots"], state["users"]
            self._held_out = torch.as_tensor(state["held_out"]).clone()

    def _rebuild(self, state: Mapping[str, Any]) -> Model:
        return self._build(state["slots"], state["horizon"])

    @property
    def _epsilon(self) -> float:
        return self._config.epsilon if self._config.policy == "epsilon_greedy" else 0.0

    def _fixed_generator(self) -> torch.Generator:
        """Return a new generator with the same seed at every call, independent of acting."""
        return self._new_generator(self._seed + 1)

    def _hold_out(self, first: int, end: int) -> Tensor:
        """Draw which of the users ``first`` ... ``end - 1`` are held out."""
        generator, count = self._generator, end - first
        order = torch.randperm(count, generator=generator, device=self._config.device)
        return first + order[: int(self._config.held_out * count)].cpu()

    def _source(self, choices: Choices, held_out: Tensor) -> InMemory:
        step = min(self._config.held_out_from, choices.steps // 2)
        return InMemory(choices, held_out, step)

    def _build(self, slots: int, horizon: int) -> Model:
        groups = torch.from_numpy(self._problem.item_groups.astype(np.int64))
        return self.model_class(self._config, groups, slots, horizon, self._generator)

    def _slates(self, obs: Observation, generator: torch.Generator, repeats: int = 1) -> Ints:
        """Return slates before any uniform exploration, ``(B, repeats, K)``."""
        problem = self._problem
        policy = Policy(self.model, self._config, problem.slate_size)
        users = users_of(obs, problem.num_items, problem.slate_size, self._config.device)
        chosen: Ints = policy.slates(users, generator, repeats).cpu().numpy()
        return chosen


def users_of(obs: Observation, num_items: int, slate_size: int, device: str) -> Users:
    """Read the clicks and candidates of the users from an observation."""
    candidates = obs["candidates"]
    clicks = Clicked.of(obs, slate_size, sys.maxsize).items  # the whole history
    return Users(
        clicks=torch.as_tensor(clicks, device=device),
        candidates=None
        if _is_catalogue(candidates, num_items)
        else torch.as_tensor(np.array(candidates), device=device),
    )


def _is_catalogue(candidates: Ints, num_items: int) -> bool:
    """Return whether the candidates of all users are the whole catalogue in the order of ids."""
    if candidates.shape[1] != num_items:
        return False
    rows = candidates[:1] if candidates.strides[0] == 0 else candidates
    return bool((rows == np.arange(num_items)).all())
