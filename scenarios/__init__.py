"""Scenarios that come with the package, one question each; ``python -m recsim.run --list``."""
