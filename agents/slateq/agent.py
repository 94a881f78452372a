"""The agent: a choice model and a Q-function fitted on a log, and the best slates under them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from agents.shared.targets import check_target
from agents.shared.torch_agent import TorchAgent
from agents.shared.uniform_mixture import UniformMixture
from agents.slateq.config import SlateQConfig
from agents.slateq.learning import Steps, choices, fit_choice, fit_value
from agents.slateq.network import Scorer
from agents.slateq.optimisers import OPTIMISERS
from agents.slateq.states import read_states, size_of_known
from recsim.arrays import Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.log import SlateLog
from recsim.problem import Problem


class Networks(nn.Module):
    """The choice model and the Q-function.

    Args:
        choice: The choice model.
        value: The Q-function.
    """

    def __init__(self, choice: Scorer, value: Scorer) -> None:
        super().__init__()
        self.choice, self.value = choice, value


class SlateQAgent(TorchAgent[Networks], UniformMixture):
    """Shows the slate with the highest long-term value under a model of what users choose.

    Fitted on a log; a second fit forgets the first. With probability ``epsilon`` the slate is
    uniform; propensities are exact, see `UniformMixture`.
    """

    name: ClassVar[str] = "slateq"
    reads = frozenset({"user_features", "history", "item_features", "item_ids", "returns"})
    Config: ClassVar[type[AgentConfig]] = SlateQConfig
    needs_log: ClassVar[bool] = True
    sizes: ClassVar[tuple[str, ...]] = ("dim", "hidden")
    parts: ClassVar[tuple[str, ...]] = ("choice", "value")
    _config: SlateQConfig

    def __init__(self, config: SlateQConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        check_target(config.target, problem)
        self._generator = self._new_generator()

    def fit(self, log: SlateLog) -> FitReport:
        """Learn what users choose and what that leads to, forgetting any other log.

        Returns:
            A report whose losses are those of stage 1, the choice model, and 2, the Q-function.

        Raises:
            AgentError: If the log is empty, lacks the target, has another number of user features
                than the problem, or has no step whose successor is known.
        """
        self.require(len(log), "slates")
        self.require_user_features(log)
        config, generator = self._config, self._generator
        steps = Steps.of(log, config)
        networks = self._build(steps.states.known)
        choice, value = networks.choice, networks.value
        report = fit_choice(choice, steps, log, config, generator)
        losses = [{"stage": 1, **row} for row in report]
        report = fit_value(choice, value, steps, config, generator)
        losses += [{"stage": 2, **row} for row in report]
        self._model = networks
        return FitReport(rows=len(log), losses=losses)

    def _greedy(self, obs: Observation) -> Ints:
        config, networks = self._config, self.model
        states = read_states(obs, self._problem, config.history, config.device)
        offered = torch.as_tensor(np.array(obs["candidates"]), device=self._device)
        with torch.no_grad():
            options = choices(networks.choice, networks.value, states, offered)
            best: Ints = OPTIMISERS[config.optimiser](options, self._slate_size).cpu().numpy()
        return best

    def _rebuild(self, state: Mapping[str, Any]) -> Networks:
        return self._build(torch.zeros(1, size_of_known(self._problem), device=self._device))

    def _build(self, known: Tensor) -> Networks:
        """Return untrained networks that standardise states by ``known``; see `Scorer`."""
        config = self._config
        features = torch.as_tensor(self._problem.item_features, dtype=torch.float32)
        if features.shape[1]:
            deviation = features.std(dim=0, correction=0).clamp_min(1e-6)
            features = (features - features.mean(dim=0)) / deviation
        choice, value = (
            Scorer(
                features.to(self._device),
                known,
                dim=config.dim,
                hidden=config.hidden,
                decay=config.decay,
                generator=self._generator,
            )
            for _ in range(2)
        )
        return Networks(choice, value)
