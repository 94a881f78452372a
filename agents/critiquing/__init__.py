"""Baselines whose recommendations are critiqued."""
