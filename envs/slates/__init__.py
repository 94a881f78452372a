"""``SlateRec-v0``: settings, simulation and its two faces."""
