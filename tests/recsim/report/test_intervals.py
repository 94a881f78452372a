"""What limits intervals over seeds is said, and differences that the seeds can show."""

import math

import pandas as pd
import pytest

from recsim.report.intervals import (
    doubt_notes,
    few_seeds,
    metric_cells,
    pair_cells,
    pair_rows,
    resolution,
    undefined_notes,
)
from recsim.statistics import mean_interval
from recsim.trials.over_seeds import compared_pairs, comparisons_table, metrics_table

SEEDS = 12
RESULTS = {
    "near": [0.1 * i for i in range(SEEDS)],
    "skewed": [0.1 * i for i in range(SEEDS - 1)] + [50.0],
    "rare": [0.0] * (SEEDS - 2) + [1.0, 2.0],
    "always": [3.0] * SEEDS,
}


@pytest.fixture
def seeds():
    rows = [
        {"agent": agent, "seed": seed, **{name: of[seed] * factor for name, of in RESULTS.items()}}
        for agent, factor in (("a", 1.0), ("b", 2.0))
        for seed in range(SEEDS)
    ]
    return pd.DataFrame(rows)


def test_few_seeds_are_marked_up_to_nine():
    assert "spread over seeds is unknown" in few_seeds(1)
    assert few_seeds(9).startswith("Only 9 seeds")
    assert few_seeds(10) == ""


def test_results_that_intervals_may_not_cover_are_named(seeds):
    table = metrics_table(seeds, 0.95)
    notes = [note.text for note in doubt_notes(table, list(RESULTS), 0.95)]
    assert len(notes) == 2
    assert notes[0].startswith("Skewed over seeds: skewed of a, b. Their intervals may cover less")
    assert "same number in at least half of the seeds: rare of a, b." in notes[1]
    assert doubt_notes(table, ["near", "always"], 0.95) == []
    paired = comparisons_table([("b", "a")], seeds, 0.95)
    assert "skewed of b - a" in doubt_notes(paired, ["skewed"], 0.95)[0].text


def test_seeds_without_a_number_are_left_out_and_named(seeds):
    lacking = seeds["near"].where((seeds["agent"] == "b") | (seeds["seed"] > 1))
    table = metrics_table(seeds.assign(near=lacking, none=math.nan), 0.95)
    row = table.set_index(["agent", "metric"]).loc["a", "near"]
    assert (row["seeds"], row["mean"]) == (SEEDS - 2, pytest.approx(0.1 * 13 / 2))
    assert (row["low"], row["high"]) == mean_interval(RESULTS["near"][2:])
    (note,) = undefined_notes(table, ["near", "always"])
    assert (
        note.text
        == f"Undefined in some seeds, which are left out: near of a (10 of {SEEDS} seeds)."
    )
    assert undefined_notes(table, ["always"]) == []
    assert "none of a (0 of 12 seeds); none of b (0 of" in undefined_notes(table, ["none"])[0].text
    paired = comparisons_table([("b", "a")], seeds.assign(near=lacking), 0.95)
    row = paired.set_index("metric").loc["near"]
    assert (row["pairs"], row["wins"]) == (SEEDS - 2, SEEDS - 2)
    assert row["difference"] == pytest.approx(0.1 * 13 / 2)
    assert "near of b - a (10 of 12 seeds)" in undefined_notes(paired, ["near"])[0].text


def test_equal_results_have_no_interval(seeds):
    cells = metric_cells(metrics_table(seeds, 0.95), ["near", "always"])
    assert cells["always"].tolist() == ["3 (all equal)", "6 (all equal)"]
    assert cells["near"][0].startswith("0.55 [")
    differences = pair_cells(comparisons_table([("b", "a")], seeds, 0.95), ["always"], 0.05)
    assert differences["always"].tolist() == ["3 (all equal)"]


def test_a_star_stands_for_what_is_left_after_the_correction(seeds):
    paired = comparisons_table([("b", "a")], seeds, 0.95)
    assert pair_cells(paired, ["near"], 0.05)["near"][0].endswith(" *")
    weak = paired.assign(p_holm=0.06)
    assert not pair_cells(weak, ["near"], 0.05)["near"][0].endswith(" *")
    assert pair_rows(paired)["difference"].tolist() == ["b - a"] * len(RESULTS)


def test_all_pairs_are_corrected_together():
    labels = ["a", "b", "c"]
    assert compared_pairs(labels, None, every=False) == [("b", "a"), ("c", "a")]
    assert compared_pairs(labels, "c", every=False) == [("a", "c"), ("b", "c")]
    pairs = compared_pairs(labels, None, every=True)
    assert pairs == [("b", "a"), ("c", "a"), ("c", "b")]
    values = {"a": [0.0, 1, 0, 1], "b": [1.0, 1, 2, 1], "c": [5.0, 6, 5, 7]}
    rows = [
        {"agent": agent, "seed": seed, "m": value}
        for agent, of_agent in values.items()
        for seed, value in enumerate(of_agent)
    ]
    table = comparisons_table(pairs, pd.DataFrame(rows), 0.95)
    assert (table["p_holm"] >= table["p_value"]).all()
    smallest = table["p_value"].idxmin()
    assert table["p_holm"][smallest] == pytest.approx(3 * table["p_value"][smallest])


def test_the_difference_that_the_seeds_can_show(seeds):
    paired = comparisons_table([("b", "a")], seeds, 0.95)
    text = resolution(paired, ["near", "always"], 0.95)
    assert text.startswith(
        "12 seeds tell apart (80% power, median pair) differences of 0.32 in near"
    )
    assert "always" not in text, "no spread, no statement"
    assert "needs about 4" in text
    one = comparisons_table([("b", "a")], seeds[seeds["seed"] == 0], 0.95)
    assert resolution(one, ["near"], 0.95) == ""
    assert math.isnan(one.set_index("metric").loc["near", "p_value"])
