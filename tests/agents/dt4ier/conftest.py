from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from agents.dt4ier.config import DT4IERConfig
from agents.dt4ier.data import PAD, Trajectories, trajectories
from agents.dt4ier.decoding import decode
from agents.dt4ier.losses import Batch, sums
from agents.dt4ier.model import Model
from agents.dt4ier.training import Trainer, prepare
from agents.shared.devices import seeded
from recsim.log import SlateLog
from recsim.problem import Problem


@pytest.fixture
def problem_of() -> Callable[..., Problem]:
    """Build a problem of I items with the rewards ``now`` and ``later``."""

    def build(num_items: int, slate_size: int, features: int = 0) -> Problem:
        return Problem(
            num_items=num_items,
            slate_size=slate_size,
            user_feature_dim=features,
            rewards={"now": 1.0, "later": 0.0},
        )

    return build


@pytest.fixture
def log_of(problem_of) -> Callable[..., SlateLog]:
    """Build a log from slates ``(U, T, K)``; by default, all items are clicked."""

    def build(slates, num_items, clicks=None, now=None, later=None, features=None) -> SlateLog:
        slates = np.asarray(slates)
        users, steps, slots = slates.shape
        zeros = np.zeros((users, steps))
        features = np.zeros((users, 0)) if features is None else features
        shown = (slates >= 0).astype(np.int8)
        return SlateLog(
            problem=problem_of(num_items, slots, features.shape[1]),
            user=np.repeat(np.arange(users), steps),
            session=np.tile(np.arange(steps), users),
            day=np.tile(np.arange(steps), users),
            step=np.zeros(users * steps, dtype=np.int64),
            slate=slates.reshape(-1, slots),
            clicks=(shown if clicks is None else np.asarray(clicks)).reshape(-1, slots),
            feedback={
                "now": np.asarray(zeros if now is None else now, dtype=float).ravel(),
                "later": np.asarray(zeros if later is None else later, dtype=float).ravel(),
            },
            user_features=features.astype(np.float32),
        ).validate()

    return build


@pytest.fixture
def random_log(log_of) -> Callable[..., SlateLog]:
    """Build a log of random slates, clicks and rewards."""

    def build(users=6, steps=5, slots=3, num_items=9, features=0, seed=0) -> SlateLog:
        rng = np.random.default_rng(seed)
        shape = (users, steps)
        slates = np.argsort(rng.random((*shape, num_items)), axis=2)[:, :, :slots]
        return log_of(
            slates,
            num_items,
            clicks=(rng.random(slates.shape) < 0.4).astype(np.int8),
            now=rng.integers(4, size=shape) / 4,
            later=rng.integers(4, size=shape) / 4,
            features=rng.normal(size=(users, features)),
        )

    return build


@dataclass
class Trained:
    """A trained network with its data, and its outputs for trajectories."""

    model: Model
    data: Trajectories
    trainer: Trainer
    config: DT4IERConfig

    def tokens(self, data: Trajectories, rtg=None):
        """Return the tokens of whole trajectories, ``(U, T, 3, D)``, and their windows."""
        windows = data.windows((data.time == 0).nonzero()[:, 0], self.config.context)
        rows, model = windows.rows, self.model
        weights = model.weights(data.features)[data.user[rows]]
        own = data.rtg[rows] * weights if rtg is None else rtg[windows.mask]
        time = data.time[rows]
        parts = [
            model.reward_token(own, time),
            model.state_token(
                data.states(rows, self.config.history),
                model.user_vectors(data.features)[data.user[rows]],
                time,
            ),
            model.action_token(data.slates[rows], time),
        ]
        return windows.place(torch.stack(parts, dim=1)), windows

    @torch.no_grad()
    def decoded(self, data: Trajectories, rtg=None):
        """Return the best slates at every step of whole trajectories, tokens ``(U, T, K)``."""
        self.model.eval()
        tokens, windows = self.tokens(data, rtg)
        contexts = self.model.contexts(tokens, windows.mask)
        items = torch.arange(1, self.model.num_items + 1)
        index, _ = decode(
            self.model.decoder,
            contexts.flatten(0, 1),
            items.expand(contexts.shape[0] * contexts.shape[1], -1),
            data.slates.shape[1],
        )
        return items[index].view(*windows.mask.shape, -1)

    @torch.no_grad()
    def cross_entropy(self, data: Trajectories) -> float:
        """Return the mean cross-entropy per item."""
        self.model.eval()
        starts = (data.time == 0).nonzero()[:, 0]
        windows = data.windows(starts, self.config.context)
        own = self.model.weights(data.features)[data.user[windows.rows]]
        batch = Batch(windows, data.rtg[windows.rows] * own)
        total, _ = sums(self.model, data, batch, 0.0)
        return float(total / (data.slates[windows.rows] != PAD).sum())


@pytest.fixture
def train() -> Callable[..., Trained]:
    """Train a network on a log for a number of steps."""

    def build(log: SlateLog, steps: int, seed: int = 0, **settings) -> Trained:
        settings = {"short": "now", "long": "later", "steps": max(steps, 1)} | settings
        config = DT4IERConfig(**settings)
        data = trajectories(log, config.reward_names)
        generator = torch.Generator().manual_seed(seed)
        with seeded(seed, "cpu"):
            problem = log.problem
            horizon = int((data.end - data.first).max())
            model = Model(config, problem.num_items, problem.user_feature_dim, horizon)
            weights = prepare(model, data, config, generator)
            trainer = Trainer(model, data, weights, config, generator)
            for _ in range(steps):
                trainer.step()
        return Trained(model.eval(), data, trainer, config)

    return build
