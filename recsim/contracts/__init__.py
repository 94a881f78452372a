"""What an agent and its caller owe each other."""
