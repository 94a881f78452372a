"""Policies that score the items and draw slates by Plackett-Luce, learned from a log.

One file per idea: what is read from the log (`rows`), the networks (`network`), log-probabilities
of slates (`luce`), weights of rows (`weights`), the value of a context (`values`), and the agents.
"""
