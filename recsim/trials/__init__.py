"""One file for each kind of question that a scenario can ask."""
