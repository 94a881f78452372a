"""The agent: a choice model and a Q-function fitted on a log, and the slates they call best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.shared import slates
from agents.shared.devices import restore_generator, torch_generator
from agents.shared.targets import check_target
from agents.shared.uniform_mixture import UniformMixture
from agents.slateq.config import SlateQConfig
from agents.slateq.learning import Steps, choices, fit_choice, fit_value
from agents.slateq.network import Scorer
from agents.slateq.optimisers import OPTIMISERS
from agents.slateq.states import read_states, size_of_known
from recsim.contracts.slates import AgentConfig, Feedback, FitReport, Observation
from recsim.errors import UserError
from recsim.log import SlateLog
from recsim.problem import Problem


class SlateQAgent(UniformMixture):
    """Shows the slate with the highest long-term value under a model of what users choose.

    Fitted on a log; a second fit starts anew. With probability ``epsilon`` the slate is uniform;
    propensities are exact, see `UniformMixture`.
    """

    Config: ClassVar[type[AgentConfig]] = SlateQConfig
    privileged: ClassVar[bool] = False
    needs_log: ClassVar[bool] = True

    def __init__(self, config: SlateQConfig, problem: Problem, seed: int) -> None:
        slates.check_sizes(problem)
        check_target(config.target, problem)
        super().__init__(config.epsilon, problem.slate_size, seed)
        self._config, self._problem = config, problem
        self._generator = torch_generator("slateq", config.device, seed)
        self._networks: tuple[Scorer, Scorer] | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Learn what users choose and what that leads to, forgetting any other log.

        Returns:
            A report whose losses are those of stage 1, the choice model, and 2, the Q-function.

        Raises:
            UserError: The log is empty, lacks the target or user features that the problem has, or
                does not tell what follows any slate.
        """
        if not len(log):
            raise UserError("agent 'slateq' learns from slates, but the log has none.")
        wanted = self._problem.user_feature_dim
        if log.user_features.shape[1] != wanted:
            raise UserError(
                f"agent 'slateq' expects {wanted} user features; "
                f"the log has {log.user_features.shape[1]}."
            )
        steps = Steps.of(log, self._config)
        choice, value = self._build(steps.states.known)
        config, generator = self._config, self._generator
        report = fit_choice(choice, steps, log, config, generator)
        losses = [{"stage": 1, **row} for row in report]
        report = fit_value(choice, value, steps, config, generator)
        losses += [{"stage": 2, **row} for row in report]
        self._networks = choice, value
        return FitReport(rows=len(log), losses=losses)

    def begin(self, batch_size: int) -> None:
        """Keep nothing per user."""

    def _greedy(self, obs: Observation) -> NDArray[np.int64]:
        if self._networks is None:
            raise UserError(
                "agent 'slateq' must be fitted on a log before it can act: give it a training_log."
            )
        config = self._config
        states = read_states(obs, self._problem, config.history, config.device)
        offered = torch.as_tensor(np.array(obs["candidates"]), device=config.device)
        with torch.no_grad():
            given = choices(*self._networks, states, offered)
            best = OPTIMISERS[config.optimiser](given, self._slate_size)
        found: NDArray[np.int64] = best.cpu().numpy()
        return found

    def observe(self, feedback: Feedback) -> None:
        """Learn nothing: what is known is that of the log."""

    def state_dict(self) -> dict[str, Any]:
        """Return both networks and the state of the random generators."""
        state: dict[str, Any] = {
            "generator": self._generator.get_state(),
            "rng": self._rng.bit_generator.state,
        }
        for name, network in zip(("choice", "value"), self._networks or (), strict=False):
            parameters = network.state_dict().items()
            state[name] = {key: tensor.detach().clone() for key, tensor in parameters}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the networks of the saved agent.

        Raises:
            UserError: They are of another catalogue or other settings.
        """
        self._networks = None
        if "value" in state:
            known = torch.zeros(1, size_of_known(self._problem), device=self._config.device)
            networks = self._build(known)
            for network, name in zip(networks, ("choice", "value"), strict=True):
                try:
                    network.load_state_dict(dict(state[name]))
                except RuntimeError as error:
                    raise UserError(
                        "saved agent state: 'slateq' was fitted on another catalogue or with "
                        f"another 'dim' or 'hidden': {str(error).splitlines()[-1].strip()}"
                    ) from error
            self._networks = networks
        restore_generator(self._generator, state["generator"])
        self._rng.bit_generator.state = state["rng"]

    def _build(self, known: Tensor) -> tuple[Scorer, Scorer]:
        """Return a choice model and a Q-function at their start."""
        config = self._config
        features = torch.as_tensor(self._problem.item_features, dtype=torch.float32)
        if features.shape[1]:
            deviation = features.std(dim=0, correction=0).clamp_min(1e-6)
            features = (features - features.mean(dim=0)) / deviation
        choice, value = (
            Scorer(
                features.to(config.device),
                known,
                dim=config.dim,
                hidden=config.hidden,
                decay=config.decay,
                generator=self._generator,
            )
            for _ in range(2)
        )
        return choice, value
