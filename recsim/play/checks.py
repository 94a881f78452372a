"""What an agent and an environment return at a step, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats
from recsim.contracts.slates import Agent
from recsim.errors import AgentError, EnvError
from recsim.log.validation import NOT_PROPENSITY, not_propensities

# Probabilities in float32 may exceed 1 by this much.
_ROUNDING = 1e-6


def checked_propensities(agent: Agent, name: str, values: Any, there: Bools, step: int) -> Floats:
    """Return the propensities of a decision; a last digit above 1 is rounding and is removed.

    Args:
        agent: The agent, for the message.
        name: Which propensities.
        values: ``(B,)`` or ``(B, K)``.
        there: Users who are followed, or also positions with an item, in the same shape.
        step: The step, for the message.

    Raises:
        AgentError: If one that is there is outside (0, 1]; names the agent and the row.
    """
    checked: Floats = np.asarray(values, dtype=np.float64)
    checked = np.where((checked > 1) & (checked <= 1 + _ROUNDING), 1.0, checked)
    wrong = not_propensities(checked) & there
    if wrong.any():
        place = tuple(int(number) for number in np.argwhere(wrong)[0])
        position = f", position {place[1]}" if len(place) > 1 else ""
        raise AgentError(
            f"agent {type(agent).__name__!r}, step {step}, row {place[0]}{position}: the decision "
            f"has {name} {checked[place]}, which {NOT_PROPENSITY}."
        )
    return checked


def check_rewards(rewards: Mapping[str, NDArray[Any]], active: Bools, step: int) -> None:
    """Refuse rewards that are not finite, of users who are followed."""
    for name, values in rewards.items():
        wrong = ~np.isfinite(values) & active
        if wrong.any():
            row = int(np.argmax(wrong))
            raise EnvError(
                f"step {step}, row {row}: the environment gave {name!r} {values[row]}, which is "
                "not a finite number: look for weights and settings that are too large."
            )


def check_autoreset(env: Any) -> None:
    """Refuse a vector environment whose episodes do not follow each other in the same step.

    Raises:
        EnvError: If its ``autoreset_mode`` is another one.
    """
    metadata = getattr(env, "metadata", {})
    mode = getattr(metadata.get("autoreset_mode"), "name", "SAME_STEP")
    if mode != "SAME_STEP":
        raise EnvError(f"autoreset_mode of the environment is {mode}; agents need SAME_STEP.")


def check_observations(env: Any) -> None:
    """Refuse a vector environment whose observations are not dicts.

    Raises:
        EnvError: If they are vectors; says which setting gives dicts.
    """
    if isinstance(getattr(env, "single_observation_space", None), spaces.Box):
        raise EnvError(
            "Observations of the environment are vectors; agents need those by name, such as "
            "'candidates': make SlateRec-v0 with observation='ids', the default, and without "
            "wrappers that flatten observations."
        )
