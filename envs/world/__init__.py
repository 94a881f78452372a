"""The batched world: catalogue, population, choice, dynamics, retention."""
