"""An agent meets users: rollouts, rounds, conversations, critiques."""
