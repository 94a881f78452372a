"""Recommenders that are criticised, to compare others with."""
