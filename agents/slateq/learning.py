"""Training of the choice model and the Q-function on the users of a log."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from agents.shared.choice_logit import choice_loss, chosen_shares, log_choice
from agents.shared.early_stopping import (
    Training,
    descend,
    gradient_step,
    split_by_user,
    train,
)
from agents.shared.targets import outcomes
from agents.slateq.config import SlateQConfig
from agents.slateq.endings import successors
from agents.slateq.network import Scorer
from agents.slateq.optimisers import OPTIMISERS, Options, options
from agents.slateq.states import States, states_of_log
from recsim.errors import AgentError
from recsim.log import SlateLog


@dataclass(frozen=True, eq=False)
class Steps:
    """M steps of users.

    Attributes:
        states: State before each step.
        slate: Items shown, ``(M, K)``; -1 is padding.
        clicks: 1 where the slot was clicked, ``(M, K)``.
        reward: Reward of the step, ``(M,)``.
        next: The user's next step, ``(M,)``; -1 if there is none.
        known: True if there is a next step, or if it is known that there is none, ``(M,)``.
        candidates: Items that could be shown, ``(M, C)``, or None for the whole catalogue.
    """

    states: States
    slate: Tensor
    clicks: Tensor
    reward: Tensor
    next: Tensor
    known: Tensor
    candidates: Tensor | None

    @staticmethod
    def of(log: SlateLog, config: SlateQConfig) -> Steps:
        """Read the steps of a log."""
        device = config.device
        follows = successors(log, config.ending)
        earned = outcomes(log, config.target)
        reward = earned.values
        if reward.ndim == 2:
            reward = np.where(earned.items >= 0, reward, 0.0).sum(axis=1)
        candidates = log.candidates
        return Steps(
            states=states_of_log(log, config.history, device),
            slate=torch.as_tensor(log.slate, device=device),
            clicks=torch.as_tensor(log.clicks, device=device),
            reward=torch.as_tensor(reward, dtype=torch.float32, device=device),
            next=torch.as_tensor(follows.next, device=device),
            known=torch.as_tensor((follows.next >= 0) | follows.left, device=device),
            candidates=None if candidates is None else torch.as_tensor(candidates, device=device),
        )


def q_loss(
    value: Tensor, nothing_value: Tensor, shown: Tensor, clicks: Tensor, target: Tensor
) -> Tensor:
    """Return the squared error of the Q of the choice, ``(B,)``.

    The reward of a step and of all later steps is attributed to the clicked item, or to "no click".
    Several clicks share the step equally.

    Args:
        value: Q of every slot, ``(B, K)``.
        nothing_value: Q of no click, ``(B,)``.
        shown: Whether the slot shows an item, ``(B, K)``.
        clicks: 1 where the slot was clicked, ``(B, K)``.
        target: Target of Q, ``(B,)``.
    """
    every = torch.cat([nothing_value[:, None], value], dim=1)  # (B, K + 1)
    return (chosen_shares(clicks, shown) * (every - target[:, None]).square()).sum(dim=1)


def fit_choice(
    choice: Scorer, steps: Steps, log: SlateLog, config: SlateQConfig, generator: torch.Generator
) -> list[dict[str, float]]:
    """Fit the choice model to the clicks by maximum likelihood, with early stopping."""

    def losses(rows: Tensor) -> Tensor:
        slate = steps.slate[rows]
        heads = choice(steps.states.select(rows))
        scores = choice.scores(heads, slate)
        return choice_loss(scores, heads.nothing, slate >= 0, steps.clicks[rows])

    rows, held_out = split_by_user(log.user, config.held_out, generator)
    training = Training.of(config, config.choice_steps)
    return train(choice, losses, rows, held_out, training, generator)


def fit_value(
    choice: Scorer, value: Scorer, steps: Steps, config: SlateQConfig, generator: torch.Generator
) -> list[dict[str, float]]:
    """Fit the Q-function by temporal differences, with a fixed choice model.

    Raises:
        AgentError: If no row of the log has a known successor.
    """
    usable = (steps.known | (config.gamma == 0)).nonzero()[:, 0]
    if not len(usable):
        raise AgentError(
            "agent 'slateq' learns from sequences of slates, but every user of the log has only "
            "one slate: use a log with user ids, or set 'ending: left' or 'gamma: 0'."
        )
    # The value of earning the mean reward forever; differences between items are then learned fast.
    value.start_at(float(steps.reward[usable].mean()) / (1 - config.gamma))
    slow = copy.deepcopy(value).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        value.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )

    def losses() -> Iterator[Tensor]:
        for _ in range(config.steps):
            drawn = torch.randint(
                len(usable), (config.batch_size,), generator=generator, device=usable.device
            )
            rows = usable[drawn]
            target = targets(choice, slow, steps, rows, config)
            slate = steps.slate[rows]
            heads = value(steps.states.select(rows))
            scores = value.scores(heads, slate)
            of_rows = q_loss(scores, heads.nothing, slate >= 0, steps.clicks[rows], target)
            yield of_rows.mean(dim=0, keepdim=True)
            # Resumed after the gradient step.
            with torch.no_grad():
                for copied, own in zip(slow.parameters(), value.parameters(), strict=True):
                    copied.lerp_(own, config.target_rate)

    update = partial(gradient_step, optimizer)
    return descend(value, update, losses(), steps=config.steps, every=config.evaluate_every)


@torch.no_grad()
def targets(
    choice: Scorer, slow: Scorer, steps: Steps, rows: Tensor, config: SlateQConfig
) -> Tensor:
    """Return the rewards of some steps plus gamma times the values that follow, ``(B,)``."""
    reward = steps.reward[rows]
    if config.gamma == 0:
        return reward
    follow = steps.next[rows]
    after = follow.clamp_min(0)
    states = steps.states.select(after)
    if config.backup == "sarsa":
        ahead = logged_value(choice, slow, states, steps.slate[after])
    else:
        offered = None if steps.candidates is None else steps.candidates[after]
        available = choices(choice, slow, states, offered)
        best = OPTIMISERS[config.optimiser](available, steps.slate.shape[1])
        ahead = available.slate_value(best)
    return reward + config.gamma * torch.where(follow >= 0, ahead, 0.0)


def logged_value(choice: Scorer, value: Scorer, states: States, slate: Tensor) -> Tensor:
    """Return the value of given slates, ``(B,)``: the mean of Q over the possible choices."""
    choosing, valuing = choice(states), value(states)
    scores = choice.scores(choosing, slate)
    chance = log_choice(scores, choosing.nothing, slate >= 0).exp()  # (B, K + 1)
    every = torch.cat([valuing.nothing[:, None], value.scores(valuing, slate)], dim=1)
    return (chance * every).sum(dim=1)


def choices(choice: Scorer, value: Scorer, states: States, candidates: Tensor | None) -> Options:
    """Return the options in some states; candidates as in `Scorer.scores`."""
    choosing, valuing = choice(states), value(states)
    return options(
        choice.scores(choosing, candidates),
        choosing.nothing,
        value.scores(valuing, candidates),
        valuing.nothing,
    )
