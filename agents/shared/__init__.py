"""Mechanisms that several agents use."""
