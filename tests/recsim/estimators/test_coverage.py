"""How often intervals contain the value, and whether the warnings tell where they do not.

The cases are those of `benchmarks/coverage_off_policy.py`, which measures all of them.
"""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.coverage_off_policy import COVERS, measure
from benchmarks.logs_of_known_value import Case, cases
from recsim.estimators import Tally

CASES = {case.name: case for case in cases()}
QUICK = ("t", "hall")


def shares(name, logs, **options):
    """Return the lines of a case by estimator."""
    return {line.estimator: line for line in measure(CASES[name], logs, kinds=QUICK, **options)}


def test_the_measured_intervals_are_those_of_a_tally():
    for name in ("clicks", "200 users with 10 rows", "slates", "trajectories"):
        case = CASES[name]
        small = replace(case, rows=case.rows // 5)
        lines = measure(small, 1, samples=200, seed=3)
        made = small.draw(np.random.default_rng([3, small.rows]), 1, small.rows)
        rows = len(made.sample)
        object.__setattr__(made.sample, "units", np.arange(rows) // (rows // made.units))
        for kind in ("t", "hall", "bootstrap", "bca"):
            tally = Tally(case.estimators, interval=kind, samples=200, seed=0)
            tally.add(made.sample)
            for line, value in zip(lines, tally.values(), strict=True):
                assert line.widths[kind][0] == pytest.approx(value.high - value.low, rel=1e-6)
                assert line.covered[kind][0] == (value.low <= made.value <= value.high)
                assert line.ess[0] == pytest.approx(value.ess)
                assert line.terms[0] == pytest.approx(value.effective_terms)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("clicks", 1000),
        ("clicks, few rows", 200),
        ("200 users with 10 rows", 2000),
        ("slates", 400),
        ("trajectories", 400),
    ],
)
def test_the_default_covers(name, rows):
    case = replace(CASES[name], rows=rows)
    for line in measure(case, 800, kinds=QUICK):
        assert COVERS[0] <= line.coverage("hall") <= COVERS[1], line.estimator
        # It is hardly wider than t there.
        assert np.median(line.widths["hall"] / line.widths["t"]) < 1.1
        if name != "clicks, few rows":
            assert line.warned < 0.5


@pytest.mark.parametrize("name", ["rare clicks, far", "purchases, s = 1.5"])
def test_logs_with_few_large_rewards_have_a_warning(name):
    for line in shares(name, 50).values():
        assert line.ess.mean() > 2000
        assert line.warned > 0.6


def test_heavy_tails_have_a_warning_although_effective_terms_look_many():
    for line in shares("lognormal, s = 1.5, far", 200).values():
        assert np.median(line.terms) > 100
        assert (line.terms < 50).mean() < 0.2 < 0.3 < line.warned


def test_few_clicks_break_t_and_not_the_default():
    # 2,000 rows of 20 clicks: the same number of effective terms as 20,000 rows of rare clicks.
    far = CASES["rare clicks, far"].draw.keywords | {"mean": 0.035}
    case = Case("few clicks", 2000, lambda *a: CASES["rare clicks, far"].draw.func(*a, **far), ())
    case = Case(case.name, case.rows, case.draw, CASES["clicks"].estimators)
    for line in measure(case, 500, kinds=QUICK):
        assert line.coverage("t") < COVERS[0]
        assert COVERS[0] <= line.coverage("hall") <= COVERS[1]
        assert line.warned > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CASES))
def test_coverage_of_every_case(name):
    logs = 1000 if CASES[name].rows < 10_000 else 300
    noise = 3 * (0.95 * 0.05 / logs) ** 0.5
    for estimator, line in shares(name, logs).items():
        if "adaptive" in name:
            continue
        enough = np.median(line.terms) > 100 and line.ess.mean() > 100
        if enough and "lognormal" not in name:
            assert 0.92 - noise <= line.coverage("hall") <= 0.97 + noise, estimator
        # Never much worse than t.
        assert line.coverage("hall") > min(line.coverage("t"), 0.95) - 0.02, estimator
