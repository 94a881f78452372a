"""What an agent must know about the place where it recommends, and the names of items and users."""

from recsim.problem.names import Names
from recsim.problem.problem import Problem

__all__ = ["Names", "Problem"]
