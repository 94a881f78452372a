"""Estimators whose unit is one slate."""
