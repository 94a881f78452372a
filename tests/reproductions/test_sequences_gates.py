"""The networks on published data, trained in full: tens of minutes to hours (make test-long)."""

import pytest

from reproductions.sequences import table

SEEDS = 3


def measured(data_set, names, folder, store):
    """Return the summary of some rows, and the best NDCG@10 on validation events by name."""
    every = table.COUNTING | table.LEARNED
    rows = {name: every[name] for name in ("popularity", table.BAR, *names)}
    scenario = table.scenario_of(data_set, folder, rows, range(SEEDS), "file")
    stored = table.store_of(data_set, rows, "file", store)
    summary = table.measure(scenario, rows, stored)
    return summary, {name: table.over_seeds(scenario, stored, name)[1] for name in names}


def mean(summary, name, metric):
    found = summary.table("metrics").data.set_index(["agent", "metric"])
    return found.loc[(name, metric), "mean"]


@pytest.mark.long
def test_networks_on_movielens_small(data_dir, tmp_path):
    names = ["sasrec", "gru4rec", "bert4rec"]
    summary, valid = measured("movielens", names, data_dir, tmp_path)
    assert mean(summary, "sasrec", "ndcg@10") >= 0.060
    assert mean(summary, "sasrec", "hit_rate@10") >= 0.11
    assert valid["sasrec"] >= 0.072
    assert mean(summary, "gru4rec", "ndcg@10") >= 0.055
    # Popularity has 0.0195; a difference of two standard errors over 610 users is 0.016.
    lead = mean(summary, "bert4rec", "ndcg@10") - mean(summary, "popularity", "ndcg@10")
    assert lead > 0.016


@pytest.mark.long
def test_sasrec_on_amazon_beauty(data_dir, tmp_path):
    summary, _ = measured("beauty", ["sasrec"], data_dir, tmp_path)
    assert mean(summary, "sasrec", "ndcg@10") >= 0.048
    assert mean(summary, "sasrec", "hit_rate@10") >= 0.081
    pairs = summary.table("comparisons").data
    chosen = pairs[(pairs["agent"] == "sasrec") & (pairs["metric"] == "ndcg@10")]
    assert chosen["low"].item() > 0, "above sequential rules"
