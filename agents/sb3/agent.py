"""The agent ``ppo``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from pydantic import Field, NonNegativeInt, PositiveInt
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from torch import Tensor

from agents.sb3.experience import ActiveRolloutBuffer, Step
from agents.sb3.slate_policy import SlatePolicy
from agents.shared import slates
from agents.shared.context import context, context_size
from agents.shared.devices import seeded
from agents.shared.plackett_luce import PlackettLuceOrBest
from agents.shared.torch_agent import DeviceAgent, parameters
from agents.slate_policy.luce import log_probabilities
from recsim.arrays import Floats, Floats32
from recsim.contracts.slates import AgentConfig, Decision, Feedback, Observation
from recsim.problem import Problem


class PPOConfig(AgentConfig):
    """Settings of `PPOAgent`, with the names of stable-baselines3 where it has them.

    Attributes:
        deterministic_after: Number of cohorts (calls of ``begin``) after which the agent stops
            learning and shows its best slate; None for never, 0 for from the start.
        n_steps: Steps of a cohort between two updates.
        batch_size: Slates in a minibatch.
        n_epochs: Passes over the slates in an update.
        learning_rate: Learning rate of Adam.
        gamma: Discount per step.
        gae_lambda: Lambda of generalised advantage estimation.
        clip_range: Clip range of the ratio of probabilities.
        ent_coef: Weight of the entropy bonus.
        vf_coef: Weight of the value loss.
        max_grad_norm: Gradients are clipped to this norm.
        hidden: Width of the networks.
        item_dim: Length of the vector learned for each item in addition to its features.
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    deterministic_after: NonNegativeInt | None = None
    n_steps: PositiveInt = 16
    batch_size: int = Field(default=256, ge=2)
    n_epochs: PositiveInt = 10
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    gamma: float = Field(default=0.99, ge=0, le=1)
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    clip_range: float = Field(default=0.2, gt=0, allow_inf_nan=False)
    ent_coef: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    vf_coef: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    max_grad_norm: float = Field(default=0.5, gt=0, allow_inf_nan=False)
    hidden: PositiveInt = 64
    item_dim: NonNegativeInt = 8
    device: str = "cpu"


class PPOAgent(DeviceAgent, PlackettLuceOrBest):
    """Learns online, by proximal policy optimisation, which slates earn most in the long run.

    Maximises the discounted scalar reward; learns nothing from logs. Propensities are exact, see
    `PlackettLuceOrBest`; they are 0 or 1 once the agent is deterministic.
    """

    name: ClassVar[str] = "ppo"
    reads = frozenset({"user_features", "item_features", "history", "returns"})
    Config: ClassVar[type[AgentConfig]] = PPOConfig
    _config: PPOConfig

    def __init__(self, config: PPOConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._rng = np.random.default_rng(seed)
        self._ppo = _ppo(config, problem, seed, self._device)
        self._policy: SlatePolicy = self._ppo.policy  # type: ignore[assignment]
        self._cohorts = 0
        self._last: Step | None = None
        self._steps: list[Step] = []

    def begin(self, batch_size: int) -> None:
        """Learn from the remaining steps of the last cohort, and start another one."""
        super().begin(batch_size)
        self._learn(None)
        self._last = None
        self._cohorts += 1

    @property
    def _stochastic(self) -> bool:
        """Whether the agent still draws its slates, and learns from them."""
        after = self._config.deterministic_after
        return after is None or max(self._cohorts - 1, 0) < after

    def act(self, obs: Observation) -> Decision:
        """Draw a slate for every user; first learn, if there are enough steps."""
        step = self._step_of(obs)
        if len(self._steps) >= self._config.n_steps:
            self._learn(self._evaluate(step)[1])
        logits, values = self._evaluate(step)
        if not self._stochastic:
            best = slates.top_slates(logits, self._slate_size)
            return Decision(best, np.ones(best.shape), np.ones(len(best)), np.ones(best.shape))
        decision = self._draw(logits)
        chosen = torch.as_tensor(decision.slates)
        log_prob = log_probabilities(torch.as_tensor(logits), chosen).sum(dim=1)
        self._last = {
            **step,
            "slates": decision.slates,
            "value": values,
            "log_prob": log_prob.float().numpy(),
        }
        return decision

    def observe(self, feedback: Feedback) -> None:
        """Keep the feedback on the last slates."""
        if self._last is None or not self._stochastic:
            return
        outcome = {"reward": feedback.reward, "done": feedback.done, "active": feedback.active}
        self._steps.append(self._last | {name: np.array(value) for name, value in outcome.items()})
        self._last = None

    def _learn(self, last_values: Floats32 | None) -> None:
        """Update the policy with the collected steps, and discard them."""
        if not self._steps:
            return
        config, ppo = self._config, self._ppo
        buffer = ActiveRolloutBuffer(
            self._steps,
            last_values,
            ppo.observation_space,  # type: ignore[arg-type]
            ppo.action_space,
            rng=self._rng,
            device=ppo.device,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
        )
        self._steps = []
        if len(buffer.learned_from):
            ppo.rollout_buffer = buffer
            ppo.train()

    def _step_of(self, obs: Observation) -> Step:
        return {
            "context": context(obs, self._problem),
            "candidates": np.array(obs["candidates"], dtype=np.int32),
        }

    @torch.no_grad()
    def _evaluate(self, step: Step) -> tuple[Floats, Floats32]:
        """Return the logits of the candidates, ``(B, C)``, and the values, ``(B,)``."""
        inputs: dict[str, Tensor] = {
            name: torch.as_tensor(value, device=self._ppo.device) for name, value in step.items()
        }
        logits, values = self._policy.evaluate_context(inputs)
        return logits.double().cpu().numpy(), values.cpu().numpy()

    def _logits_of(self, obs: Observation) -> Floats:
        return self._evaluate(self._step_of(obs))[0]

    def _learned(self) -> dict[str, Any]:
        return {
            "policy": parameters(self._policy),
            "optimizer": copy.deepcopy(self._policy.optimizer.state_dict()),
            "steps": [dict(step) for step in self._steps],
            "cohorts": self._cohorts,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._load(self._policy, state["policy"])
        self._policy.optimizer.load_state_dict(copy.deepcopy(dict(state["optimizer"])))
        self._steps = [dict(step) for step in state["steps"]]
        self._last = None
        self._cohorts = state["cohorts"]


def _ppo(config: PPOConfig, problem: Problem, seed: int, device: torch.device) -> PPO:
    """Build stable-baselines3's PPO without an environment."""
    ppo = PPO(
        SlatePolicy,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        learning_rate=config.learning_rate,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip_range,
        ent_coef=config.ent_coef,
        vf_coef=config.vf_coef,
        max_grad_norm=config.max_grad_norm,
        policy_kwargs={
            "item_features": problem.item_features,
            "hidden": config.hidden,
            "item_dim": config.item_dim,
        },
        n_steps=1,  # replaced by a buffer of the right size before training
        device=device,
        _init_setup_model=False,
    )
    offered = (problem.num_candidates,)
    ppo.observation_space = spaces.Dict(
        {
            "context": spaces.Box(-np.inf, np.inf, (context_size(problem),), np.float32),
            "candidates": spaces.Box(0, problem.num_items - 1, offered, np.int32),
        }
    )
    ppo.action_space = spaces.MultiDiscrete([problem.num_candidates] * problem.slate_size)
    ppo.n_envs = 1
    ppo.set_logger(Logger(folder=None, output_formats=[]))
    with seeded(seed, device):
        ppo._setup_model()
    return ppo
