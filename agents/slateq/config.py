"""Settings of the agent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from agents.shared.early_stopping import EarlyStoppingConfig
from agents.slateq.endings import Ending


class SlateQConfig(EarlyStoppingConfig):
    """Settings of `SlateQAgent`, with those of `EarlyStoppingConfig` for the choice model.

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
        target_rate: Rate at which the target network follows the Q-function, per step.
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
    target_rate: float = Field(default=0.01, gt=0, le=1)
