"""Packaged scenarios, one question each; ``python -m recsim.run --list`` lists them."""
