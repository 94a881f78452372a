"""Gymnasium environments: simulated users, conversations, critiquing and replayed logs."""
