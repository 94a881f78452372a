"""A few hundred damaged inputs; ``python -m tests.fuzz --inputs 10000`` uses many."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.harness import kinds, prepared, run_case

INPUTS = 300  # over all kinds
KINDS = kinds()

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


@pytest.mark.parametrize("name", KINDS)
def test_no_fault(name):
    with prepared(KINDS[name]) as valid:
        verdicts = [run_case(KINDS[name], valid, seed) for seed in range(-(-INPUTS // len(KINDS)))]
    faults = [str(verdict) for verdict in verdicts if verdict.outcome == "fault"]
    assert not faults, "\n".join(faults)
    # Damage that everything accepts, or nothing valid to begin with, would test nothing.
    assert {verdict.outcome for verdict in verdicts} & {"refused"}
