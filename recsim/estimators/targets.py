"""Policies whose probabilities stand in the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsim.arrays import Floats, Ints
from recsim.errors import EstimationError, did_you_mean
from recsim.estimators.policies import Policy
from recsim.log.history import TARGET_KEY


class LoggedTarget:
    """A policy of which the log holds the probability of each item shown, and no other.

    Args:
        name: Its name among ``log.target_propensities``.
    """

    only_logged = True

    def __init__(self, name: str) -> None:
        self.policy_name = name

    def propensities(self, obs: Mapping[str, Any], items: Ints) -> Floats:
        """Return the logged probabilities, ``(B, K)``.

        Args:
            obs: Observations of B rows of the log.
            items: The items that were shown there.

        Raises:
            EstimationError: If the log has no probabilities of this name.
        """
        found: Floats | None = obs.get(TARGET_KEY + self.policy_name)
        if found is None:
            known = [key.removeprefix(TARGET_KEY) for key in obs if key.startswith(TARGET_KEY)]
            raise EstimationError(
                f"The log has no probabilities of a policy {self.policy_name!r}."
                + (
                    did_you_mean(self.policy_name, known)
                    if known
                    else " Name their column as 'target_propensity' when the log is read."
                )
            )
        return found


def policy_of(policy: Policy | str) -> Policy:
    """Return a policy; a text is the name of one whose probabilities stand in the log."""
    return LoggedTarget(policy) if isinstance(policy, str) else policy
