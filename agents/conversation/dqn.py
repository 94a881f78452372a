"""Learns by trial when to ask and for what: a deep Q-network over what is known of the items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from agents.conversation.posterior import Outlook, Posterior, in_words
from recsim.contracts.conversations import Reply, Turn
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.conversation import AttributeData, ConversationProblem
from recsim.errors import UserError

Floats = NDArray[np.float32]


class DQNConfig(AgentConfig):
    """Settings of `DQNAgent`.

    Attributes:
        hidden: Units of each of the two hidden layers.
        gamma: Discount of a turn.
        learning_rate: Of Adam.
        batch_size: Turns per step.
        buffer_size: Turns remembered.
        updates: Steps after each turn of a batch of conversations.
        explore: Turns of the batch over which the share of random actions falls from 1 to 0.
        target_every: Steps between two copies of the network to the target network.
        smoothing: See `BayesConfig`.
        slip: See `BayesConfig`.
        device: Where torch computes.
    """

    hidden: PositiveInt = 128
    gamma: float = Field(default=0.95, ge=0, le=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    batch_size: PositiveInt = 256
    buffer_size: PositiveInt = 50_000
    updates: PositiveInt = 4
    explore: PositiveInt = 300
    target_every: PositiveInt = 100
    smoothing: float = Field(default=5.0, gt=0)
    slip: float = Field(default=1e-4, gt=0, lt=0.5)
    device: str = "cpu"


class DQNAgent:
    """Double Q-learning over questions and showing; needs ``practice``.

    It sees the turn, which attributes were answered with yes or no, how likely a yes is to each,
    and how likely the best slate is to succeed; the posterior and the ranking are those of
    `agents.conversation.bayes`. Actions that the mask forbids are never taken and never backed
    up. Without practice it acts at random.

    References: Mnih et al. 2015; van Hasselt, Guez and Silver, arXiv:1509.06461.
    """

    Config: ClassVar[type[AgentConfig]] = DQNConfig
    conversations: ClassVar[bool] = True

    def __init__(self, config: DQNConfig, problem: ConversationProblem, seed: int) -> None:
        self._config, self._problem = config, problem
        self._posterior = Posterior(
            "conv_dqn", problem, smoothing=config.smoothing, slip=config.slip
        )
        self._rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._net, self._target = self._network(), self._network()
        self._target.load_state_dict(self._net.state_dict())
        self._optimizer = torch.optim.Adam(self._net.parameters(), lr=config.learning_rate)
        self._memory = Memory(config.buffer_size)
        self._turns = self._steps = 0
        self._last: tuple[Floats, NDArray[np.int64]] | None = None
        self._told: list[str] = []

    def fit(self, data: AttributeData) -> FitReport:
        """Count interactions and answers of the train part, for the posterior."""
        self._posterior.fit(data)
        return FitReport(rows=len(data.rows("train")))

    def begin(self, batch_size: int) -> None:
        """Forget all conversations, and expect ``batch_size`` new ones."""
        self._posterior.begin(batch_size)
        self._last = None

    def act(self, obs: Observation) -> Turn:
        """Ask or show, in every conversation."""
        seen = self._posterior.hear(obs)
        state, mask = self._state(obs, seen), obs["action_mask"] > 0
        with torch.no_grad():
            values = self._net(torch.as_tensor(state, device=self._config.device)).cpu().numpy()
        action = np.argmax(np.where(mask, values, -np.inf), axis=1)
        if self._exploring:
            tried = np.argmax(self._rng.random(mask.shape) * mask, axis=1)
            action = np.where(self._rng.random(len(action)) < self._exploring, tried, action)
        self._last = state, action
        ask = np.where(action < self._problem.num_attributes, action, -1)
        self._told = in_words(seen, ask, self._problem.attribute_names)
        return Turn(ask, seen.slates)

    def observe(self, reply: Reply) -> None:
        """Remember the turns just taken, and learn."""
        if self._last is None:
            return
        state, action = self._last
        rows = np.flatnonzero(reply.active)
        # The posterior must not hear of the next turn before `act` asks for it: ended rows aside,
        # hearing the same answers twice changes nothing.
        after = self._state(reply.obs, self._posterior.hear(reply.obs))
        self._memory.add(
            state[rows],
            action[rows],
            reply.reward[rows],
            reply.done[rows],
            after[rows],
            reply.obs["action_mask"][rows] > 0,
        )
        self._turns += 1
        if len(self._memory) >= self._config.batch_size:
            for _ in range(self._config.updates):
                self._learn()

    def explain(self, row: int) -> str:
        """Say why the last turn of a conversation was what it was."""
        return self._told[row]

    def state_dict(self) -> dict[str, Any]:
        """Return the network, the counts and the random generator; not the memory."""
        return {
            "posterior": self._posterior.state_dict(),
            "network": {name: v.detach().clone() for name, v in self._net.state_dict().items()},
            "turns": self._turns,
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what the saved agent knew; its memory of turns is gone.

        Raises:
            UserError: It is of other attributes or another size.
        """
        self._posterior.load_state_dict(state["posterior"])
        try:
            self._net.load_state_dict(dict(state["network"]))
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise UserError(
                f"saved agent state: 'conv_dqn' of other attributes or another 'hidden': {reason}"
            ) from error
        self._target.load_state_dict(self._net.state_dict())
        self._turns, self._last = state["turns"], None
        self._rng.bit_generator.state = state["rng"]

    @property
    def _exploring(self) -> float:
        """Share of random actions."""
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

    def _state(self, obs: Observation, seen: Outlook) -> Floats:
        """Return what the network sees, ``(B, 3F + 3)``."""
        answers = obs["answers"]
        left = 1 - obs["turn"] / self._problem.max_turns
        shown = (obs["shown"] >= 0).sum(axis=1, keepdims=True) / obs["shown"].shape[1]
        parts = [answers == 1, answers == 2, seen.predicted, seen.held[:, None], left, shown]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _learn(self) -> None:
        config = self._config
        drawn = self._memory.draw(self._rng, config.batch_size, config.device)
        state, action, reward, done, after, mask = drawn
        with torch.no_grad():
            best = self._net(after).masked_fill(~mask, -torch.inf).argmax(dim=1, keepdim=True)
            later = self._target(after).gather(1, best)[:, 0]
            wanted = reward + config.gamma * torch.where(done, 0.0, later)
        loss = functional.smooth_l1_loss(self._net(state).gather(1, action[:, None])[:, 0], wanted)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._steps += 1
        if self._steps % config.target_every == 0:
            self._target.load_state_dict(self._net.state_dict())


class Memory:
    """The last turns, as arrays that are written over from the beginning when full.

    Args:
        size: Turns kept.
    """

    def __init__(self, size: int) -> None:
        self._size, self._count = size, 0
        self._columns: list[NDArray[Any]] = []

    def __len__(self) -> int:
        """Return the number of turns kept."""
        return min(self._count, self._size)

    def add(self, *columns: NDArray[Any]) -> None:
        """Keep n turns, each column ``(n, ...)``."""
        if not self._columns:
            self._columns = [np.zeros((self._size, *c.shape[1:]), c.dtype) for c in columns]
        place = (self._count + np.arange(len(columns[0]))) % self._size
        for kept, new in zip(self._columns, columns, strict=True):
            kept[place] = new
        self._count += len(place)

    def draw(self, rng: np.random.Generator, count: int, device: str) -> list[Tensor]:
        """Return uniformly drawn turns, one tensor per column."""
        place = rng.integers(len(self), size=count)
        drawn = [torch.as_tensor(column[place], device=device) for column in self._columns]
        return [part.float() if part.dtype == torch.float64 else part for part in drawn]
