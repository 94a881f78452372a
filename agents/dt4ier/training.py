"""Training of the network, with checkpoints."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from agents.dt4ier.balancer import train_balancer
from agents.dt4ier.config import FitConfig, TrainingConfig
from agents.dt4ier.data import PAD, Trajectories
from agents.dt4ier.losses import Batch, contrast, sums
from agents.dt4ier.model import Model
from recsim.errors import AgentError, UserError
from recsim.files import load_state, save_state

# Rows of losses in a report.
_REPORT_ROWS = 20


def prepare(
    model: Model, data: Trajectories, config: FitConfig, generator: torch.Generator
) -> Tensor:
    """Train the balancer and set the units of the returns-to-go, in place.

    Args:
        model: The untrained network.
        data: Trajectories of the training users.
        config: Settings.
        generator: Random generator of the balancer's batches.

    Returns:
        Weights of the returns at each step, ``(M, R)``.
    """
    first = (data.time == 0).nonzero()[:, 0]  # each user's first step
    returns = data.rtg[first]
    features = data.features[data.user[first]]
    if model.balancer is not None:
        train_balancer(
            model.balancer,
            features,
            returns,
            penalty=config.balance_penalty,
            steps=config.balance_steps,
            generator=generator,
        )
        model.balancer.requires_grad_(False)
    if model.user is not None:
        model.user.standard.learn(features)
    with torch.no_grad():
        weights = model.weights(data.features)[data.user]  # (U, R) -> (M, R)
        weighted = data.rtg * weights
        scale = _quantile(weighted) if config.scale == "q95" else weighted.max(dim=0).values
        # A reward that is rarely or never earned still needs a unit.
        scale = torch.where(scale > 0, scale, weighted.max(dim=0).values)
        model.scale.copy_(torch.where(scale > 0, scale, 1.0))
        model.start_rtg.copy_(_quantile(returns))
    return weights


def _quantile(values: Tensor) -> Tensor:
    """Return the 95th percentile of each column, ``(M, R)`` -> ``(R,)``."""
    # torch.quantile rejects more than 2^24 numbers; the nearest rank only needs a sort.
    rank = math.ceil(0.95 * len(values)) - 1
    return values.sort(dim=0).values[max(rank, 0)]


def optimizer_of(model: Model, config: TrainingConfig) -> torch.optim.AdamW:
    """Return AdamW with weight decay on the weights of linear layers only."""
    linear = {id(part.weight) for part in model.modules() if isinstance(part, nn.Linear)}
    trained = [value for value in model.parameters() if value.requires_grad]
    decayed = [value for value in trained if id(value) in linear]
    others = [value for value in trained if id(value) not in linear]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95))


class Trainer:
    """Takes gradient steps on random windows.

    Args:
        model: The network after `prepare`; trained in place.
        data: Trajectories of the training users.
        weights: Result of `prepare`, ``(M, R)``.
        config: Settings.
        generator: Random generator of windows and low-reward sessions.
    """

    def __init__(
        self,
        model: Model,
        data: Trajectories,
        weights: Tensor,
        config: FitConfig,
        generator: torch.Generator,
    ) -> None:
        self.model, self.data, self.weights, self.config = model, data, weights, config
        self.generator = generator
        self.steps = config.steps
        if config.epochs is not None:
            per_step = config.batch_size * config.context
            self.steps = max(1, math.ceil(config.epochs * len(data) / per_step))
        self.done = 0
        self.losses = torch.zeros(self.steps, 2, device=weights.device)  # CE, mean contrast
        largest = data.rewards.max(dim=0).values
        self.shares = (data.rewards / torch.where(largest > 0, largest, 1.0)).clamp(0, 1)
        # Without returns-to-go there is nothing to contrast.
        self.alpha = config.alpha if config.rtg == "on" else 0.0
        self.optimizer = optimizer_of(model, config)
        self._parameters = [v for group in self.optimizer.param_groups for v in group["params"]]
        scores = config.context * data.slates.shape[1] * model.decoder.out.out_features
        self.part_size = max(1, config.max_logits // scores)
        if config.compile:
            model.transformer.compile()  # in place, so that parameters keep their names

    def step(self) -> None:
        """Draw a batch of windows and take a gradient step."""
        model, config = self.model, self.config
        model.train()
        self.optimizer.zero_grad(set_to_none=True)
        self.losses[self.done] = self.backward(self.draw())
        nn.utils.clip_grad_norm_(self._parameters, config.clip)
        rise = max(1, round(config.warmup * self.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, (self.done + 1) / rise)
        self.optimizer.step()
        self.done += 1

    def draw(self) -> Batch:
        """Return random windows, whose starts are uniform over all steps."""
        config, data = self.config, self.data
        starts = torch.randint(
            len(data), (config.batch_size,), generator=self.generator, device=data.first.device
        )
        return self.batch(starts)

    def batch(self, starts: Tensor) -> Batch:
        """Return the windows that start at some steps, ``(B,)``, with their returns-to-go."""
        data, weights = self.data, self.weights
        windows = data.windows(starts, self.config.context)
        rtg = data.rtg[windows.rows] * weights[windows.rows]
        contrasted = None
        if self.alpha:
            contrasted = contrast(
                windows,
                data.rewards,
                weights,
                rtg,
                self.shares,
                self.config.low_reward,
                self.generator,
            )
        return Batch(windows, rtg) if contrasted is None else Batch(windows, rtg, *contrasted)

    def backward(self, batch: Batch) -> Tensor:
        """Add the gradient of a batch's loss; return its cross-entropy and contrast, ``(2,)``."""
        items = (self.data.slates[batch.windows.rows] != PAD).sum().clamp_min(1)
        pairs = 1 if batch.omega is None else (batch.omega > 0).sum().clamp_min(1)
        total = torch.zeros(2, device=items.device)
        for part in batch.parts(self.part_size):
            with torch.autocast(
                items.device.type, torch.bfloat16, enabled=self.config.mixed_precision
            ):
                cross, contrasts = sums(self.model, self.data, part, self.alpha)
            loss = cross / items
            total[0] += loss.detach()
            if contrasts is not None:
                mean = contrasts / pairs
                loss = loss + self.alpha * mean
                total[1] += mean.detach()
            loss.backward()  # type: ignore[no-untyped-call]
        return total

    def report(self) -> list[dict[str, float]]:
        """Return the losses so far, averaged over blocks of steps, about twenty in all."""
        losses = self.losses[: self.done].tolist()
        size = math.ceil(self.steps / _REPORT_ROWS)
        rows = []
        for begin in range(0, len(losses), size):
            block = losses[begin : begin + size]
            cross, contrasts = (sum(column) / len(block) for column in zip(*block, strict=True))
            row = {"step": begin + len(block), "cross_entropy": cross, "contrast": contrasts}
            rows.append({**row, "loss": cross + self.alpha * contrasts})
        return rows

    def state_dict(self) -> dict[str, Any]:
        """Return everything on which the remaining training depends."""
        device = self.losses.device
        return {
            "done": self.done,
            "losses": self.losses,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume the saved training."""
        self.done = state["done"]
        self.losses.copy_(state["losses"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"], self.losses.device)


def train(
    trainer: Trainer,
    path: Path | None,
    digest: str,
    on_step: Callable[[int], None] | None = None,
) -> None:
    """Take all steps, or the remaining ones if there is a checkpoint.

    Args:
        trainer: The trainer before its first step.
        path: The checkpoint file, or None.
        digest: Digest of the training, see `digest_of`.
        on_step: Called after each step with the number of steps done.

    Raises:
        AgentError: If the checkpoint belongs to another training, or cannot be read or written.
    """
    if path is not None and path.exists():
        trainer.load_state_dict(_read(path, digest))
    every = trainer.config.checkpoint_every
    while trainer.done < trainer.steps:
        trainer.step()
        if path is not None and (trainer.done % every == 0 or trainer.done == trainer.steps):
            _write(path, {"digest": digest, **trainer.state_dict()})
        if on_step is not None:
            on_step(trainer.done)


def digest_of(data: Trajectories, config: FitConfig, seed: int) -> str:
    """Return a digest of everything on which training depends: log, settings and seed."""
    digest = hashlib.sha256()
    neutral = {"checkpoint", "checkpoint_every", "device", "compile", "prompt", "temperature"}
    digest.update(f"{seed} {config.model_dump_json(exclude=neutral)}".encode())
    for name in ("slates", "rewards", "clicked", "clicks_before", "first", "features"):
        digest.update(getattr(data, name).cpu().numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path, digest: str) -> dict[str, Any]:
    try:
        state = load_state(path)
        saved = state["digest"]
    except UserError:
        raise
    except Exception as error:  # torch.load raises many kinds of errors on foreign files
        raise AgentError(f"checkpoint {path} cannot be read: {error}") from error
    if saved != digest:
        raise AgentError(
            f"checkpoint {path} belongs to another log, seed or settings: name another file, or "
            "remove this one to train from the beginning."
        )
    return state


def _write(path: Path, state: dict[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_state(draft, state)
        os.replace(draft, path)
    except OSError as error:
        raise AgentError(f"checkpoint {path} cannot be written: {error.strerror}.") from error


@torch.no_grad()
def held_out_loss(trainer: Trainer, data: Trajectories) -> float:
    """Return the cross-entropy per item of held-out users."""
    model, config = trainer.model, trainer.config
    model.eval()
    starts = (data.time % config.context == 0).nonzero()[:, 0]
    weights = model.weights(data.features)[data.user]
    total = 0.0
    for part in torch.split(starts, trainer.part_size):
        windows = data.windows(part, config.context)
        rtg = data.rtg[windows.rows] * weights[windows.rows]
        total += float(sums(model, data, Batch(windows, rtg), 0.0)[0])
    return total / max(1, int((data.slates != PAD).sum()))
