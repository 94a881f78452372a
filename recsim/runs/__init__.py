"""Run folders, and where the work of a run is done."""
