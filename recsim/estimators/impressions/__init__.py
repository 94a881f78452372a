"""Estimators whose unit is one item shown at one position."""
