"""Linear bandits, and bandits whose users choose among the items of a slate."""
