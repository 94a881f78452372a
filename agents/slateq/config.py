"""Settings of the agent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from agents.slateq.endings import Ending
from recsim.contracts.slates import AgentConfig


class SlateQConfig(AgentConfig):
    """Settings of `SlateQAgent`.

    Attributes:
        target: Reward whose discounted sum is maximised: ``click`` (clicks on the slate), a named
            reward, or ``reward`` for the scalar one.
        gamma: Discount per slate; 0 is myopic.
        backup: Value after a step: ``sarsa``, that of the next slate of the log, or ``q``, that of
            the best slate.
        optimiser: How slates are found: ``exact``, ``greedy`` or ``top_k``; see
            `agents.slateq.optimisers`.
        epsilon: Probability of a uniform slate, one coin per user and slate.
        ending: What the end of a user's rows means; see `agents.slateq.endings`.
        history: Number of past slates in the state; the environment must show as many.
        decay: Factor per slate by which clicks are discounted in the state.
        dim: Length of the learned embeddings.
        hidden: Units of the hidden layer of each network.
        choice_steps: Largest number of gradient steps of the choice model.
        steps: Number of gradient steps of the Q-function.
        batch_size: Rows per step.
        learning_rate: Learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        target_rate: Rate at which the target network follows the Q-function, per step.
        held_out: Fraction of users held out for early stopping of the choice model.
        evaluate_every: Steps between two evaluations on the held-out users.
        patience: Evaluations without improvement after which training of the choice model stops.
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    target: str = "click"
    gamma: float = Field(default=0.9, ge=0, lt=1)
    backup: Literal["sarsa", "q"] = "sarsa"
    optimiser: Literal["exact", "greedy", "top_k"] = "exact"
    epsilon: float = Field(default=0.0, ge=0, le=1)
    ending: Ending = "auto"
    history: PositiveInt = 5
    decay: float = Field(default=0.8, ge=0, lt=1)
    dim: PositiveInt = 4
    hidden: PositiveInt = 16
    choice_steps: PositiveInt = 1000
    steps: PositiveInt = 2000
    batch_size: PositiveInt = 512
    learning_rate: float = Field(default=0.003, gt=0, allow_inf_nan=False)
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    target_rate: float = Field(default=0.01, gt=0, le=1)
    held_out: float = Field(default=0.1, ge=0, lt=1)
    evaluate_every: PositiveInt = 50
    patience: PositiveInt = 5
    device: str = "cpu"
