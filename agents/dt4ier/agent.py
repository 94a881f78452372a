"""The agent: trained on a log, prompted with target returns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from agents.dt4ier.config import DT4IERConfig
from agents.dt4ier.data import check_rewards, trajectories, vocabulary
from agents.dt4ier.decoding import decode, next_probabilities
from agents.dt4ier.memory import LastStep, Memory, read
from agents.dt4ier.model import Model
from agents.dt4ier.training import Trainer, digest_of, held_out_loss, prepare, train
from agents.shared import slates
from agents.shared.base import BaseSlateAgent
from agents.shared.devices import seeded
from agents.shared.randomised import Randomised
from agents.shared.torch_agent import TorchAgent
from recsim.arrays import Bools, Floats, Ints
from recsim.contracts.slates import AgentConfig, Decision, FitReport, Observation
from recsim.draws import Draws
from recsim.log import SlateLog
from recsim.problem import Problem


class DT4IERAgent(TorchAgent[Model], Randomised, BaseSlateAgent):
    """Decision transformer conditioned on target returns of an immediate and a long-term reward.

    Fitted on a log; a second fit starts from scratch. The outcome of a step is read from the next
    observation (last slate, its clicks and ``feedback``), so calling `observe` is optional. A row
    of the batch remains the same user until its ``history_length`` is 0 or `begin` is called.

    `propensities`, `action_probabilities` and `prefix_propensities` are meant for rows of a log,
    whose users the agent has not served. They describe `act` right after `begin`: a window of one
    step, the initial prompt, and the clicks of the observed history as the state. With temperature
    0, all probabilities are 0 or 1. With a positive temperature, the probabilities of prefixes and
    whole slates are exact; those of single items are known only if a slate has one item, and are
    None otherwise.
    """

    name: ClassVar[str] = "dt4ier"
    reads = frozenset({"user_features", "history", "item_ids", "returns"})
    Config: ClassVar[type[AgentConfig]] = DT4IERConfig
    needs_log: ClassVar[bool] = True
    _config: DT4IERConfig

    def __init__(self, config: DT4IERConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        check_rewards(config.reward_names, problem)
        prompted = config.rtg == "on" and "return" in config.reward_names
        unused = {"user_features": not config.user_features, "returns": not prompted}
        self.reads = frozenset(name for name in self.reads or () if not unused.get(name))
        self._memory: Memory | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Train on the trajectories of a log, discarding any earlier fit.

        Returns:
            A report with ``cross_entropy`` per item, ``contrast`` and ``loss``. Its last row also
            has ``held_out``, the cross-entropy of held-out users, if there are any.

        Raises:
            AgentError: If the log is empty or the checkpoint belongs to another training.
        """
        self.require(len(log), "slates")
        config, device, seed = self._config, self._config.device, self._seed
        generator = self._new_generator()
        trained, held_out = _split(log, config.held_out, seed)
        data = trajectories(trained, config.reward_names, device)
        with seeded(seed, device):
            horizon = int((data.end - data.first).max())
            model = self._build(horizon)
            weights = prepare(model, data, config, generator)
            trainer = Trainer(model, data, weights, config, generator)
            path = config.checkpoint
            train(
                trainer,
                None if path is None else Path(path.replace("{seed}", str(seed))),
                "" if path is None else digest_of(data, config, seed),
            )
        losses = trainer.report()
        if len(held_out):
            others = trajectories(held_out, config.reward_names, device)
            losses[-1]["held_out"] = held_out_loss(trainer, others)
        if config.compile:  # not for acting, where every window length would be compiled again
            trained_weights = model.state_dict()
            with seeded(seed, device):
                model = self._build(horizon)
            model.load_state_dict(trained_weights)
        self._model, self._memory = model.eval(), None
        return FitReport(rows=len(trained), losses=losses)

    def begin(self, batch_size: int) -> None:
        """Forget the users."""
        super().begin(batch_size)
        self._memory = None

    @torch.no_grad()
    def act(self, obs: Observation) -> Decision:
        """Choose a slate for every user and remember the step.

        Raises:
            AgentError: If the agent was not fitted.
        """
        model, last = self.model, self._read(obs)
        memory = Memory.start(model, last, self._prompt())
        if self._memory is not None and len(self._memory) == len(memory):
            new = last.steps == 0
            if not new.all():
                memory = memory.where(new, self._memory.with_outcome(model, last))
        self._memory = memory.with_next_step(model)
        draws = self._draws.next(len(obs["candidates"])) if self._config.temperature else None
        chosen, prefixes = self._decode(self._memory.contexts(model), obs["candidates"], draws)
        if not self._config.temperature:
            return Decision(chosen, np.ones(chosen.shape), np.ones(len(chosen)))
        single = prefixes if chosen.shape[1] == 1 else None
        return Decision(chosen, single, prefixes[:, -1], prefixes)

    def propensities(self, obs: Observation, items: Ints) -> Floats | None:
        """Return the probability of each item at its position, 1 at padding; see the class."""
        if self._config.temperature:
            return self.prefix_propensities(obs, items) if items.shape[1] == 1 else None
        own = np.take_along_axis(obs["candidates"], self._new_user_slates(obs), axis=1)
        return slates.matches(own, items)

    def action_probabilities(self, obs: Observation) -> Floats | None:
        """Return the probability of every candidate at every position, ``(B, K, C)``, or None."""
        candidates = obs["candidates"]
        if not self._config.temperature:
            return slates.one_hot(self._new_user_slates(obs), candidates.shape[1])
        if self._problem.slate_size > 1:
            return None
        return self.next_probabilities(obs, candidates[:, :1])

    def prefix_propensities(self, obs: Observation, items: Ints) -> Floats:
        """Return the exact probability of the first k items, ``(B, K)``; see the class."""
        same = items[:, :, None] == obs["candidates"][:, None, :]  # (B, K, C)
        step = (self.next_probabilities(obs, items) * same).sum(axis=2)
        return np.cumprod(np.where(items < 0, 1.0, step), axis=1).astype(np.float64, copy=False)

    @torch.no_grad()
    def next_probabilities(self, obs: Observation, items: Ints) -> Floats:
        """Return the probability of every candidate at k after the first k-1 items, (B, K, C).

        Zeros where the agent never shows the first k-1 items; see the class.
        """
        candidates = obs["candidates"]
        if not self._config.temperature:
            own = self._new_user_slates(obs)
            shown = np.take_along_axis(candidates, own, axis=1)
            possible = _before((shown == items) | (items < 0))
            return slates.one_hot(own, candidates.shape[1]) * possible[:, :, None]
        model, contexts, parts = self.model, self._new_user_contexts(obs), []
        for rows in self._blocks(len(items), items.shape[1]):
            same = items[rows][:, :, None] == candidates[rows][:, None, :]  # (b, K, C)
            index = np.where(same.any(axis=2), same.argmax(axis=2), -1)
            following = next_probabilities(
                model.decoder,
                contexts[rows],
                self._tokens(candidates[rows]),
                torch.as_tensor(index, device=contexts.device),
                self._config.temperature,
            )
            possible = _before((index >= 0) | (items[rows] < 0))
            parts.append(following.cpu().numpy() * possible[:, :, None])
        return np.concatenate(parts)

    def _learned(self) -> dict[str, Any]:
        own = {} if self._model is None else {"horizon": self._model.horizon}
        return super()._learned() | own

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        self._memory = None

    def _rebuild(self, state: Mapping[str, Any]) -> Model:
        with seeded(self._seed, self._config.device):
            return self._build(state["horizon"])

    def _build(self, horizon: int) -> Model:
        problem = self._problem
        model = Model(self._config, problem.num_items, problem.user_feature_dim, horizon)
        return model.to(self._config.device)

    def _read(self, obs: Observation) -> LastStep:
        config = self._config
        return read(obs, self._problem, config.reward_names, config.history, config.device)

    def _prompt(self) -> Tensor:
        prompt = self._config.prompt
        pair = prompt if isinstance(prompt, tuple) else (prompt,) * self._config.rewards
        return torch.tensor(pair, device=self._config.device)

    def _new_user_contexts(self, obs: Observation) -> Tensor:
        """Return the contexts for users without a memory, ``(B, D)``."""
        model = self.model
        memory = Memory.start(model, self._read(obs), self._prompt())
        return memory.with_next_step(model).contexts(model)

    @torch.no_grad()
    def _new_user_slates(self, obs: Observation) -> Ints:
        """Return the slates for users without a memory, indices of candidates ``(B, K)``."""
        return self._decode(self._new_user_contexts(obs), obs["candidates"])[0]

    def _decode(
        self, contexts: Tensor, candidates: Ints, draws: Draws | None = None
    ) -> tuple[Ints, Floats]:
        model, parts = self.model, []
        for rows in self._blocks(len(contexts)):
            parts.append(
                decode(
                    model.decoder,
                    contexts[rows],
                    self._tokens(candidates[rows]),
                    self._problem.slate_size,
                    temperature=self._config.temperature,
                    draws=None if draws is None else draws.take(rows).on_torch(self._device),
                )
            )
        chosen, prefixes = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
        return chosen, prefixes

    def _blocks(self, users: int, slots: int = 1) -> list[slice]:
        """Return blocks of users whose scores fit into memory together."""
        size = max(1, self._config.max_logits // (slots * vocabulary(self._problem.num_items)))
        return [slice(begin, begin + size) for begin in range(0, users, size)]

    def _tokens(self, candidates: Ints) -> Tensor:
        return torch.as_tensor(candidates + 1, dtype=torch.int64, device=self._config.device)


def _before(ok: Bools) -> Bools:
    """Return whether all earlier positions are ok, ``(B, K)``."""
    before = np.ones_like(ok)
    before[:, 1:] = np.logical_and.accumulate(ok, axis=1)[:, :-1]
    return before


def _split(log: SlateLog, fraction: float, seed: int) -> tuple[SlateLog, SlateLog]:
    """Return the logs of the training users, at least one, and of the held-out users."""
    users = np.unique(log.user)
    held_out = np.random.default_rng(seed).permutation(users)[: int(fraction * len(users))]
    mask = np.isin(log.user, held_out)
    return (log, log.select(mask)) if not len(held_out) else (log.select(~mask), log.select(mask))
