"""Estimators whose unit is one user's sequence of slates."""
