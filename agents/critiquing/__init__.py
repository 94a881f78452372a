"""Recommenders that are criticised, to compare others with."""

from agents.critiquing.popularity import PopularCritiqueAgent, RandomCritiqueAgent

__all__ = ["PopularCritiqueAgent", "RandomCritiqueAgent"]
