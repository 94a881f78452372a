"""The agent: a posterior fitted on a log, and slates that explore by drawing from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.gru_thompson.choices import Choices, InMemory, Source, from_log
from agents.gru_thompson.config import GRUThompsonConfig
from agents.gru_thompson.losses import choice_likelihood
from agents.gru_thompson.model import Model, history
from agents.gru_thompson.policies import Policy
from agents.gru_thompson.scoring import Users
from agents.gru_thompson.training import Judgement, fit, judge
from agents.shared import slates
from agents.shared.devices import restore_generator, torch_generator
from recsim.contracts.slates import AgentConfig, Decision, Feedback, FitReport, Observation
from recsim.errors import UserError
from recsim.estimators import UniformSlates
from recsim.log import SlateLog
from recsim.problem import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class GRUThompsonAgent:
    """Explores inside the slate: Thompson sampling over a Bayesian model of choices from slates.

    Fitted on a log; a second fit starts anew, `refit` goes on. Users are known by what they clicked
    in the slates of ``obs["history_items"]``, so an environment should be made with a long
    ``history``. Exact propensities for ``greedy``, ``ucb`` (0 or 1) and ``epsilon_greedy``; for the
    others, estimated ones if ``propensity_draws`` is set, else None.
    """

    Config: ClassVar[type[AgentConfig]] = GRUThompsonConfig
    privileged: ClassVar[bool] = False
    needs_log: ClassVar[bool] = True

    def __init__(self, config: GRUThompsonConfig, problem: Problem, seed: int) -> None:
        slates.check_sizes(problem)
        self._config, self._problem, self._seed = config, problem, seed
        self._generator = torch_generator("gru_thompson", config.device, seed)
        self._coins = np.random.default_rng(seed)
        self._model: Model | None = None
        self._slots = 0
        self._users, self._held_out = 0, torch.zeros(0, dtype=torch.int64)

    def fit(self, log: SlateLog) -> FitReport:
        """Learn from the choices of a log, forgetting any other log.

        Raises:
            UserError: The log is empty.
        """
        choices = _choices(log)
        held_out = self._hold_out(0, len(choices))
        report = self.fit_source(
            self._source(choices, held_out), slots=log.slate.shape[1], horizon=choices.steps
        )
        self._users, self._held_out = len(choices), held_out
        return FitReport(rows=len(log), losses=report.losses)

    def refit(self, log: SlateLog) -> FitReport:
        """Go on from the present posterior, by ``refit_steps``, with a log that goes on too.

        Args:
            log: The last one with further users after its own. Who was held out stays so, that
                nobody is judged on who was trained on. With fewer users or longer slates than
                before it is another log, and the fit starts anew.

        Raises:
            UserError: The log is empty.
        """
        choices, slots = _choices(log), log.slate.shape[1]
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
        """Learn from choices that need not fit into memory, forgetting all others.

        Args:
            source: The choices.
            slots: Items of the largest slate.
            horizon: Steps of a user.

        Returns:
            A report whose rows are users.
        """
        model = self._build(slots, horizon)
        losses: list[dict[str, float]] = []
        fit(model, source, self._config, self._generator, losses.append)
        self._model, self._slots = model, slots
        self._users, self._held_out = 0, torch.zeros(0, dtype=torch.int64)
        return FitReport(rows=source.num_users, losses=losses)

    @property
    def problem(self) -> Problem:
        """The catalogue and the slates that the agent was made for."""
        return self._problem

    def judge(self, choices: Choices, step: int) -> Judgement:
        """Judge the posterior's means on choices, as `fit` does on those it holds out.

        Args:
            choices: Users.
            step: Their choices from this step on are foreseen from those before.

        Raises:
            UserError: The agent was not fitted, or there is no such choice.
        """
        source = InMemory(choices, torch.arange(len(choices)), step)
        asking = torch_generator("gru_thompson", self._config.device, self._seed + 1)
        found = judge(self._fitted(), self._config.state, source, self._config, asking)
        if found is None:
            raise UserError(f"nobody chooses anything from step {step} on.")
        return found

    @torch.no_grad()
    def log_probabilities(self, choices: Choices) -> Floats:
        """Return the log-probability of every choice at the posterior's means, ``(U, T)``.

        The user's earlier choices are known. NaN where a choice is not scored.

        Args:
            choices: What was chosen; `Choices.after` says what the start is told from.

        Raises:
            UserError: The agent was not fitted.
        """
        model, device = self._fitted(), self._config.device
        asking, asked = torch_generator("gru_thompson", device, self._seed + 1), choices.to(device)
        start, _ = model.start(*history(asked))
        drawn = model.globals(asking, temperature=0.0)
        found = choice_likelihood(
            model, self._config.state, asked, drawn, start, asking, temperature=0.0
        )
        return torch.where(asked.scored, found, torch.nan).double().cpu().numpy()

    def begin(self, batch_size: int) -> None:
        """Keep nothing per user."""

    def act(self, obs: Observation) -> Decision:
        """Make a slate for every user.

        Raises:
            UserError: The agent was not fitted.
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
        return self._by_coin(chosen, obs["candidates"].shape[1])

    def propensities(self, obs: Observation, items: Ints) -> Floats | None:
        """Return the probability of each item at its position, 1 at padding.

        Exact or estimated, see the class; None where it is neither.
        """
        table = self.action_probabilities(obs)
        if table is None:
            return None
        candidates = obs["candidates"]
        same = items[:, :, None] == candidates[:, None, :]  # (B, K, C)
        return np.where(items < 0, 1.0, (table * same).sum(axis=2))

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats | None:
        """Return the exact probability of the first k items, ``(B, K)``; padding is left out.

        None for ``thompson`` and ``in_slate``: draw their slates by
        `recsim.estimators.SampledPolicy`.
        """
        if self._config.policy in {"thompson", "in_slate"}:
            return None
        greedy = self._slates(obs, self._generator)[:, 0]
        shown = np.take_along_axis(obs["candidates"], greedy, axis=1)
        same = np.logical_and.accumulate((shown == items) | (items < 0), axis=1)
        uniform = UniformSlates(items.shape[1]).prefix_propensities(obs, items)
        return self._epsilon * uniform + (1 - self._epsilon) * same

    def action_probabilities(self, obs: Observation) -> Floats | None:
        """Return the probability of every candidate at every position, ``(B, K, C)``, or None.

        Estimates are those of M slates drawn with the same seed at every call:
        ``(count + 1) / (M + C)``, which sums to 1 over the candidates.
        """
        candidates = obs["candidates"]
        count = candidates.shape[1]
        if self._config.policy in {"thompson", "in_slate"}:
            draws = self._config.propensity_draws
            if not draws:
                return None
            asking = torch_generator("gru_thompson", self._config.device, self._seed + 1)
            drawn = self._slates(obs, asking, draws)  # (B, M, K)
            table = np.ones((len(drawn), drawn.shape[2], count))
            users, slots = np.arange(len(drawn)), np.arange(drawn.shape[2])
            np.add.at(table, (users[:, None, None], slots, drawn), 1.0)
            table /= draws + count
            return table
        greedy = slates.one_hot(self._slates(obs, self._generator)[:, 0], count)
        epsilon = self._epsilon
        return np.asarray(epsilon / count + (1 - epsilon) * greedy, dtype=np.float64)

    def observe(self, feedback: Feedback) -> None:
        """Learn nothing: the posterior is that of the log."""

    def state_dict(self) -> dict[str, Any]:
        """Return the posterior and the state of the random generators."""
        state: dict[str, Any] = {
            "generator": self._generator.get_state(),
            "coins": self._coins.bit_generator.state,
        }
        if self._model is not None:
            state["slots"], state["horizon"] = self._slots, self._model.horizon
            state["users"], state["held_out"] = self._users, self._held_out.clone()
            parameters = self._model.state_dict().items()
            state["model"] = {name: value.detach().clone() for name, value in parameters}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the posterior of the saved agent.

        Raises:
            UserError: It is of another catalogue or other settings.
        """
        self._model = None
        if "model" in state:
            model = self._build(state["slots"], state["horizon"])
            try:
                model.load_state_dict(dict(state["model"]))
            except RuntimeError as error:
                raise UserError(
                    "saved agent state: 'gru_thompson' was fitted on another catalogue or with "
                    f"another 'dim': {str(error).splitlines()[-1].strip()}"
                ) from error
            self._model, self._slots = model, state["slots"]
            self._users = state["users"]
            self._held_out = torch.as_tensor(state["held_out"]).clone()
        restore_generator(self._generator, state["generator"])
        self._coins.bit_generator.state = state["coins"]

    @property
    def _epsilon(self) -> float:
        return self._config.epsilon if self._config.policy == "epsilon_greedy" else 0.0

    def _hold_out(self, first: int, end: int) -> Tensor:
        """Draw who of the users ``first`` ... ``end - 1`` is held out."""
        generator, count = self._generator, end - first
        order = torch.randperm(count, generator=generator, device=self._config.device)
        return first + order[: int(self._config.held_out * count)].cpu()

    def _source(self, choices: Choices, held_out: Tensor) -> InMemory:
        step = min(self._config.held_out_from, choices.steps // 2)
        return InMemory(choices, held_out, step)

    def _build(self, slots: int, horizon: int) -> Model:
        groups = torch.from_numpy(self._problem.item_groups.astype(np.int64))
        return Model(self._config, groups, slots, horizon, self._generator)

    def _fitted(self) -> Model:
        if self._model is None:
            raise UserError(
                "agent 'gru_thompson' must be fitted on a log before it can act: give it a "
                "training_log."
            )
        return self._model

    def _slates(self, obs: Observation, generator: torch.Generator, repeats: int = 1) -> Ints:
        """Return slates before any coin is tossed, ``(B, repeats, K)``."""
        problem = self._problem
        policy = Policy(self._fitted(), self._config, problem.slate_size)
        users = users_of(obs, problem.num_items, problem.slate_size, self._config.device)
        found: Ints = policy.slates(users, generator, repeats).cpu().numpy()
        return found

    def _by_coin(self, greedy: Ints, num_candidates: int) -> Decision:
        epsilon, size = self._config.epsilon, greedy.shape[1]
        chosen = greedy.copy()
        explore = self._coins.random(len(greedy)) < epsilon
        chosen[explore] = slates.uniform_slates(
            self._coins, int(explore.sum()), num_candidates, size
        )
        # By chance a uniform slate can be the greedy one, in part or in whole.
        same = chosen == greedy  # (B, K)
        uniform = slates.uniform_prefixes(num_candidates, size)  # (K,)
        prefixes = epsilon * uniform + (1 - epsilon) * np.logical_and.accumulate(same, axis=1)
        alone = epsilon / num_candidates + (1 - epsilon) * same
        return Decision(chosen, alone, prefixes[:, -1], prefixes)


def _choices(log: SlateLog) -> Choices:
    if not len(log):
        raise UserError("agent 'gru_thompson' learns from slates, but the log has none.")
    return from_log(log)


def users_of(obs: Observation, num_items: int, slate_size: int, device: str) -> Users:
    """Read from observations what users clicked and what they can be shown."""
    candidates = obs["candidates"]
    batch = len(candidates)
    items = obs.get("history_items", np.full((batch, 0), -1))
    clicks_seen = obs.get("history_clicks", np.zeros((batch, 0)))
    clicked: NDArray[np.bool_] = (clicks_seen > 0) & (items >= 0)  # (B, H * K)
    # Clicks first, in their order; then only as many columns as the busiest user has.
    order = np.argsort(~clicked, axis=1, kind="stable")
    most = int(clicked.sum(axis=1).max(initial=0))
    clicks = np.take_along_axis(np.where(clicked, items, -1), order, axis=1)[:, :most]
    per_slate = (batch, items.shape[1] // slate_size, slate_size)
    shown = (items >= 0).reshape(per_slate).any(axis=2)  # (B, H * K) -> (B, H)
    others = (shown & ~clicked.reshape(per_slate).any(axis=2)).sum(axis=1, dtype=np.int64)
    return Users(
        clicks=torch.as_tensor(clicks, device=device),
        others=torch.as_tensor(others, device=device),
        candidates=None
        if _is_catalogue(candidates, num_items)
        else torch.as_tensor(np.array(candidates), device=device),
    )


def _is_catalogue(candidates: Ints, num_items: int) -> bool:
    """Whether everybody is offered all items in the order of their ids."""
    if candidates.shape[1] != num_items:
        return False
    rows = candidates[:1] if candidates.strides[0] == 0 else candidates
    return bool((rows == np.arange(num_items)).all())
