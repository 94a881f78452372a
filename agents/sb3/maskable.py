"""The policy of `agents.sb3.scoring` for ``MaskablePPO`` of sb3-contrib, an optional package."""

from __future__ import annotations

from agents.sb3.scoring import Scoring
from recsim.errors import AgentError

try:
    from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
except ImportError as error:
    raise AgentError("agents.sb3.maskable needs sb3-contrib: pip install sb3-contrib.") from error


class MaskableScoringPolicy(Scoring, MaskableActorCriticPolicy):  # type: ignore[misc]
    """`agents.sb3.scoring.ScoringPolicy` for ``MaskablePPO``, with the masks of the environment.

    ``ScoringPolicy`` with plain PPO excludes the same items by itself. This class is for code that
    is written for ``MaskablePPO``.
    """
