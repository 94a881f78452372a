"""The command that measures cheap controls prints a table, with a few users."""

import sys

import numpy as np
import pytest

from reproductions.slate_learning import controls


def test_half_the_width_of_a_t_interval_by_hand():
    # Deviation 1 and t = 4.303 with two degrees of freedom.
    assert controls.half_width(np.array([1.0, 2.0, 3.0])) == pytest.approx(
        4.3027 / 3**0.5, abs=1e-3
    )
    assert np.isnan(controls.half_width(np.array([1.0])))


def test_it_prints_a_row_per_control_and_the_paired_differences(monkeypatch, capsys):
    listed = {
        "dt4ier_softmax": [
            controls.Control("popular", "popularity", "5.4", controls.TO_GO),
            controls.Control("clone", "clone", settings={"keep": 0.5, "target": "return"}),
        ]
    }
    small = controls.load_scenario(
        "dt4ier_softmax",
        ["training_log.users=60", "training_log.training_log.users=40", "env.max_days=6"],
    )
    monkeypatch.setattr(controls, "CONTROLS", listed)
    monkeypatch.setattr(controls, "load_scenario", lambda name: small)
    monkeypatch.setattr(sys, "argv", ["controls", "--seeds", "2", "--users", "20"])
    controls.main()
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split(" | ")[0] for line in lines[4:7]] == ["| the log", "| popular", "| clone"]
    assert lines[7].startswith("popular minus clone: ")
