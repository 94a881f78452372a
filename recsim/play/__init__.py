"""An agent meets simulated users: rollouts, rounds, conversations and critiquing sessions."""
