"""The batched world: a catalogue, a population, how users choose, change, tire and return."""
