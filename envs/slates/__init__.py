"""``SlateRec-v0``: settings, simulation and both faces."""
