"""Random numbers that are functions of (seed, user, step, purpose), on numpy and torch alike.

Draws of a user do not depend on who else is in the batch, on how users are cut into blocks, or on
what was drawn before.
"""

from recsim.draws.draws import MAX_NORMAL, Draws, Purpose
from recsim.draws.splitmix import chain, key_of, mixed

__all__ = ["MAX_NORMAL", "Draws", "Purpose", "chain", "key_of", "mixed"]
