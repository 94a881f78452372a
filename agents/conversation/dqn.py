"""A deep Q-network that learns when to ask, and what, from the posterior of the items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from agents.conversation.posterior import PosteriorAgent, PosteriorConfig, Prediction
from agents.shared.devices import seeded
from agents.shared.early_stopping import gradient_step
from agents.shared.randomised import Randomised
from agents.shared.torch_agent import DeviceAgent, parameters
from recsim.arrays import Floats32, Ints
from recsim.contracts.conversations import Reply, Turn
from recsim.contracts.slates import AgentConfig, Observation
from recsim.conversation import ConversationProblem
from recsim.draws import Purpose

ACTION, COIN = Purpose("action"), Purpose("coin")


class DQNConfig(PosteriorConfig):
    """Settings of `DQNAgent`.

    Attributes:
        hidden: Units of each of the two hidden layers.
        gamma: Discount factor per turn.
        learning_rate: Learning rate of Adam.
        batch_size: Turns per gradient step.
        buffer_size: Size of the replay buffer, in turns.
        updates: Gradient steps after each turn of a batch of conversations.
        explore: Number of turns of the batch over which the fraction of random actions falls from 1
            to 0.
        target_every: Gradient steps between two updates of the target network.
        device: Device of the computations.
    """

    hidden: PositiveInt = 128
    gamma: float = Field(default=0.95, ge=0, le=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    batch_size: PositiveInt = 256
    buffer_size: PositiveInt = 50_000
    updates: PositiveInt = 4
    explore: PositiveInt = 300
    target_every: PositiveInt = 100
    device: str = "cpu"


class DQNAgent(DeviceAgent, Randomised, PosteriorAgent):
    """Double Q-learning over questions and showing a slate; needs ``practice``.

    The inputs are the turn, the attributes answered with yes or no, the probability of a yes to
    each attribute, and the probability that the best slate succeeds; posterior and ranking are
    those of `agents.conversation.bayes`. Masked actions are never taken and never used as targets.
    Without practice, the agent acts at random.

    References: Mnih et al. 2015; van Hasselt, Guez and Silver, arXiv:1509.06461.
    """

    name: ClassVar[str] = "conv_dqn"
    reads = frozenset({"item_features", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = DQNConfig
    sizes: ClassVar[tuple[str, ...]] = ("hidden",)
    _config: DQNConfig

    def __init__(self, config: DQNConfig, problem: ConversationProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._rng = np.random.default_rng(seed)  # of the replay buffer
        with seeded(seed, config.device):
            self._net, self._target = self._network(), self._network()
        self._target.load_state_dict(self._net.state_dict())
        self._optimizer = torch.optim.Adam(self._net.parameters(), lr=config.learning_rate)
        self._buffer = ReplayBuffer(config.buffer_size)
        self._turns = self._steps = 0
        self._last: tuple[Floats32, Ints] | None = None

    def begin(self, batch_size: int) -> None:
        """Start ``batch_size`` new conversations."""
        super().begin(batch_size)
        self._last = None

    def act(self, obs: Observation) -> Turn:
        """Ask or show, in every conversation."""
        prediction = self._posterior.update(obs)
        state, mask = self._state(obs, prediction), obs["action_mask"] > 0
        with torch.no_grad():
            values = self._net(torch.as_tensor(state, device=self._config.device)).cpu().numpy()
        action = np.argmax(np.where(mask, values, -np.inf), axis=1)
        if self._exploring:
            draws = self._draws.next(len(action))
            tried = np.argmax(draws.uniform(ACTION, mask.shape[1]) * mask, axis=1)
            explores = draws.uniform(COIN, 1)[:, 0] < self._exploring
            action = np.where(explores, tried, action)
        self._last = state, action
        ask = np.where(action < self._problem.num_attributes, action, -1)
        return self._turn(ask, prediction)

    def observe(self, reply: Reply) -> None:
        """Store the last turns in the replay buffer, and learn."""
        if self._last is None:
            return
        state, action = self._last
        rows = np.flatnonzero(reply.active)
        # `act` updates the posterior with the same answers again, which has no further effect in
        # conversations that continue.
        after = self._state(reply.obs, self._posterior.update(reply.obs))
        self._buffer.add(
            state[rows],
            action[rows],
            reply.reward[rows],
            reply.done[rows],
            after[rows],
            reply.obs["action_mask"][rows] > 0,
        )
        self._turns += 1
        if len(self._buffer) >= self._config.batch_size:
            for _ in range(self._config.updates):
                self._learn()

    def _learned(self) -> dict[str, Any]:
        # Without the replay buffer.
        return {
            "posterior": self._posterior.state_dict(),
            "network": parameters(self._net),
            "turns": self._turns,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._posterior.load_state_dict(state["posterior"])
        self._load(self._net, state["network"])
        self._target.load_state_dict(self._net.state_dict())
        self._turns, self._last = state["turns"], None

    @property
    def _exploring(self) -> float:
        """Fraction of random actions."""
        return max(0.0, 1 - self._turns / self._config.explore)

    def _network(self) -> nn.Module:
        attributes, hidden = self._problem.num_attributes, self._config.hidden
        return nn.Sequential(
            nn.Linear(3 * attributes + 3, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, attributes + 1),
        ).to(self._config.device)

    def _state(self, obs: Observation, prediction: Prediction) -> Floats32:
        """Return the input of the network, ``(B, 3F + 3)``."""
        answers = obs["answers"]
        left = 1 - obs["turn"] / self._problem.max_turns
        shown = (obs["shown"] >= 0).sum(axis=1, keepdims=True) / obs["shown"].shape[1]
        success = prediction.success[:, None]
        parts = [answers == 1, answers == 2, prediction.yes, success, left, shown]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _learn(self) -> None:
        config = self._config
        drawn = self._buffer.draw(self._rng, config.batch_size, config.device)
        state, action, reward, done, after, mask = drawn
        with torch.no_grad():
            best = self._net(after).masked_fill(~mask, -torch.inf).argmax(dim=1, keepdim=True)
            later = self._target(after).gather(1, best)[:, 0]
            target = reward + config.gamma * torch.where(done, 0.0, later)
        loss = functional.smooth_l1_loss(self._net(state).gather(1, action[:, None])[:, 0], target)
        gradient_step(self._optimizer, loss)
        self._steps += 1
        if self._steps % config.target_every == 0:
            self._target.load_state_dict(self._net.state_dict())


class ReplayBuffer:
    """The last turns, in arrays that are overwritten from the beginning when full.

    Args:
        size: Largest number of turns.
    """

    def __init__(self, size: int) -> None:
        self._size, self._count = size, 0
        self._columns: list[NDArray[Any]] = []

    def __len__(self) -> int:
        """Return the number of turns in the buffer."""
        return min(self._count, self._size)

    def add(self, *columns: NDArray[Any]) -> None:
        """Add n turns, each column ``(n, ...)``."""
        if not self._columns:
            self._columns = [np.zeros((self._size, *c.shape[1:]), c.dtype) for c in columns]
        index = (self._count + np.arange(len(columns[0]))) % self._size
        for column, new in zip(self._columns, columns, strict=True):
            column[index] = new
        self._count += len(index)

    def draw(self, rng: np.random.Generator, count: int, device: str) -> list[Tensor]:
        """Return uniformly sampled turns, one tensor per column."""
        index = rng.integers(len(self), size=count)
        drawn = [torch.as_tensor(column[index], device=device) for column in self._columns]
        return [part.float() if part.dtype == torch.float64 else part for part in drawn]
