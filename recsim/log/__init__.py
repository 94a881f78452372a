"""Logs in: the one table that every reader fills and every estimator reads."""

from recsim.log.slate_log import SlateLog

__all__ = ["SlateLog"]
