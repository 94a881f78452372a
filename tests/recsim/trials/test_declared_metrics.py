"""Every kind of trial gives the metrics that it declares, and the report describes them."""

import pytest

from recsim import compare

REWARDS = {"click_per_user", "watch_per_user"}  # named rewards of the preset
RETURNS = {"return_per_user", "return_per_session"}


def metrics_given(*source, **keys):
    """Return the names in ``seeds.csv`` and the declared ones."""
    result = compare(*source, seeds=1, **keys)
    declared = {name for metric in result.scenario.declared for name in metric.names}
    return set(result.summary.table("seeds").data.columns[2:]), declared


def test_conversations():
    env = {"id": "ConvRec-v0", "planted": {"users": 20, "num_items": 30}, "max_turns": 2}
    given, declared = metrics_given(env, ["conv_popularity"])
    assert given == declared | {"success_at_1", "success_at_2"}


def test_critiquing():
    env = {"id": "CritiqueRec-v0", "planted": {"users": 20, "num_items": 40, "reviews": 6}}
    given, declared = metrics_given(env, ["critique_popularity"])
    assert given == declared


@pytest.mark.parametrize(("preset", "missing"), [("retention", set()), ("boredom", RETURNS)])
def test_simulation(preset, missing):
    given, declared = metrics_given({"preset": preset}, ["oracle"], users=4, steps=3)
    assert given == declared - missing | REWARDS


def test_several_rounds():
    given, declared = metrics_given({"preset": "retention"}, ["random"], users=4, steps=3, rounds=2)
    names = (declared - {"value_gap"}) | REWARDS  # there is no oracle to compare with
    rounds = {f"{which}_round_{name}" for which in ("first", "last") for name in names}
    assert given == names | rounds


def test_the_report_describes_the_metrics_that_it_shows(tmp_path, capsys):
    metrics = ["last_round_gini", "coverage", "return_per_user", "watch_per_user"]
    result = compare(
        {"preset": "retention"}, ["random"], seeds=1, users=4, steps=3, rounds=2, metrics=metrics
    )
    units = result.summary.table("units")
    assert units.rows == [
        ["last_round_gini", "0 to 1", "low"],
        ["coverage", "share of items", "-"],
        ["return_per_user", "return reward per user", "high"],
        ["watch_per_user", "", "high"],
    ]
    assert not units.console
    text = result.report(tmp_path / "report.html").read_text()
    assert '<td class="left">return reward per user</td>' in text
    assert "digest" not in text
