"""``python -m recsim.chat``: a person plays the user of an agent."""
