"""Holdout scenarios from end to end, on a log with a planted favourite."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsim.errors import ScenarioError, UserError
from recsim.log.readers.sessions import return_shares
from recsim.run import main
from recsim.scenario.kinds import parse_scenario

USERS, ITEMS, DAYS = 30, 12, 12

SCENARIO = """\
name: held
description: Which agent finds the favourite?
data: {reader: kuairand, path: kuairand, slate_size: 2, return_days: 3}
holdout: {users: 0.3, cutoffs: [1, 2], history: 3}
agents: [random, popularity]
seeds: 3
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a scenario and a log in which item 7 is on nearly every slate."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "kuairand"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for user in range(USERS):
        for day in np.flatnonzero(rng.random(DAYS) < 0.6):
            for video in (7, rng.integers(7)):
                rows.append((user, video, 20220401 + day, int(video == 7)))
    table = pd.DataFrame(rows, columns=["user_id", "video_id", "date", "is_click"])
    others = "hourmin is_like is_follow is_comment is_forward is_hate long_view play_time_ms"
    others += " duration_ms profile_stay_time comment_stay_time is_profile_enter is_rand tab"
    table = table.assign(time_ms=np.arange(len(table)), **dict.fromkeys(others.split(), 0))
    table.to_parquet(folder / "test.parquet")
    hot = dict.fromkeys([f"onehot_feat{number}" for number in range(18)], 0)
    users = {"user_active_degree": "full", "is_live_streamer": 0, "is_video_author": 0} | hot
    names = ("follow_user_num", "fans_user_num", "friend_user_num", "register_days")
    users |= dict.fromkeys(names, 1) | {"user_id": range(USERS)}
    pd.DataFrame(users).to_csv(folder / "user_features_pure.csv", index=False)
    videos = {"video_id": range(ITEMS), "video_type": "NORMAL", "upload_type": "Web"}
    videos |= {"video_duration": range(ITEMS), "tag": "1"}
    pd.DataFrame(videos).to_csv(folder / "video_features_basic_pure.csv", index=False)
    (tmp_path / "held.yaml").write_text(SCENARIO)
    return tmp_path


def runs(place):
    return sorted((place / "runs" / "held").glob("*"))


def scenario(**changes):
    content = {
        "name": "held",
        "description": "d",
        "data": {"reader": "kuairand", "path": "kuairand", "slate_size": 2, "return_days": 3},
        "holdout": {"cutoffs": [1, 2]},
        "agents": ["random"],
    }
    return parse_scenario({**content, **changes})


def test_popularity_finds_the_favourite_of_held_out_users(place, capsys):
    assert main(["held.yaml", "--workers", "1"]) == 0
    (folder,) = runs(place)
    seeds = pd.read_csv(folder / "seeds.csv")
    assert seeds["agent"].tolist() == ["random"] * 3 + ["popularity"] * 3
    by_trial = seeds.set_index(["agent", "seed"])
    assert (by_trial.loc["popularity", "hit_rate@1"] == 1).all()
    assert (by_trial.loc["random", "hit_rate@1"] < 0.5).all()
    assert (by_trial["hit_rate@2"] >= by_trial["hit_rate@1"]).all()
    result = json.loads((folder / "trials/random/seed-0/result.json").read_text())
    other = json.loads((folder / "trials/popularity/seed-0/result.json").read_text())
    assert result["held_out"] == other["held_out"]
    assert result["held_out"]["users"] == 9
    assert result["log"]["duplicates"] == 0
    assert other["fit"]["rows"] + other["held_out"]["sessions"] == (
        result["log"]["sessions"] - result["log"]["censored"]
    )
    out = capsys.readouterr().out
    assert "Read from the log: " in out
    assert f"{result['log']['censored']} censored. Held out: 9 users with" in out
    report = (folder / "report.html").read_text()
    assert "Held out: 9 users with" in report
    assert "popularity - random" in report
    assert {path.name for path in folder.glob("*.png")} == {"metrics.png"}
    summary = pd.read_csv(folder / "summary.csv").set_index(["agent", "metric"])
    assert summary.loc[("popularity", "hit_rate@1"), "iqm"] == 1


def test_a_resumed_run_equals_an_uninterrupted_one(place):
    assert main(["held.yaml", "--workers", "1"]) == 0
    (folder,) = runs(place)
    before = {name: (folder / name).read_bytes() for name in ("summary.json", "seeds.csv")}
    (folder / "trials/random/seed-1/result.json").unlink()
    assert main(["held.yaml", "--resume", "--workers", "2"]) == 0
    assert before == {name: (folder / name).read_bytes() for name in before}


def test_returns_are_scored_only_if_the_reader_knows_their_days(place):
    # A saved log does not have the number of days over which its returns count.
    from recsim.log import read_log

    log = read_log("kuairand", path="kuairand", slate_size=2, return_days=3)
    assert log.feedback["return"].max() <= 1
    uncensored = read_log("kuairand", path="kuairand", slate_size=2, return_days=3, censored="keep")
    shares = return_shares(uncensored.user, uncensored.day, 3)
    assert shares.tolist() == uncensored.feedback["return"].tolist()
    log.save("saved")
    text = SCENARIO.replace("reader: kuairand, path: kuairand", "reader: saved, path: saved")
    (place / "held.yaml").write_text(text.replace(", slate_size: 2, return_days: 3", ""))
    assert main(["held.yaml", "--workers", "1"]) == 0
    (folder,) = runs(place)
    assert "return_score" not in pd.read_csv(folder / "seeds.csv").columns


def test_a_model_of_the_held_out_users_predicts_their_returns(place, capsys):
    text = SCENARIO.replace("history: 3}", "history: 3, user_model: {dim: 4, epochs: 2}}")
    (place / "held.yaml").write_text(text)
    assert main(["held.yaml", "--workers", "1"]) == 0
    (folder,) = runs(place)
    table = pd.read_csv(folder / "seeds.csv").set_index(["agent", "seed"])
    assert table["predicted_return"].between(0, 1).all()
    assert table["never_returning_share"].between(0, 1).all()
    predicted = table["predicted_return"].unstack()
    assert (predicted.loc["random"] != predicted.loc["popularity"]).all()
    declared = scenario().declared
    names = {name for name in table.columns if not name.startswith("model_")}
    cutoffs = {metric.name: (1, 2) for metric in declared[:3]} | {"recall": (2,)}
    assert names == {
        name
        for metric in declared
        for name in replace(metric, cutoffs=cutoffs.get(metric.name, ())).names
    }
    by_seed = table["model_click_log_loss"].unstack()  # one model per draw of users
    assert by_seed.loc["random"].equals(by_seed.loc["popularity"])
    assert by_seed.loc["random"].nunique() == 3
    out = capsys.readouterr().out
    assert "Its errors on 2 held-out users" in out


def test_a_model_of_users_needs_returns_and_valid_settings(place, random_log):
    random_log().save("plain")
    holdout = {"cutoffs": [1, 2], "user_model": {}}
    with pytest.raises(UserError, match=r"holdout.user_model: this log has no 'return'"):
        scenario(data={"reader": "saved", "path": "plain"}, holdout=holdout).check()
    with pytest.raises(UserError, match=r"user_model.epoch: unknown key.*'epochs'"):
        scenario(holdout=holdout | {"user_model": {"epoch": 1}}).check()
    scenario(holdout=holdout, metrics=["predicted_return", "never_returning_share"]).check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"holdout": {"cutoffs": [1, 13]}}, r"holdout.cutoffs: 13 is more than .* at most 12"),
        ({"holdout": {"split": "user"}}, r"holdout.split: must be 'users'"),
        ({"agents": ["oracle"]}, r"agents: oracle: 'oracle' cannot be evaluated on a log"),
        ({"metrics": ["hit_rate@3"]}, r"metrics: unknown metric 'hit_rate@3'.*'hit_rate@"),
        ({"data": {"reader": "kuairand", "path": "nowhere"}}, r"data: nowhere.*does not exist"),
        ({"data": {"reader": "kuai", "path": "x"}}, r"data: unknown reader 'kuai'.*'kuairand'"),
    ],
)
def test_scenarios_that_cannot_run_are_refused(place, changes, message):
    with pytest.raises(UserError, match=message):
        scenario(**changes).check()


def test_a_log_without_users_or_clicks_is_refused(place, random_log):
    random_log(anonymous=True).save("anonymous")
    data = {"reader": "saved", "path": "anonymous"}
    with pytest.raises(UserError, match=r"'holdout' needs a log with user ids"):
        scenario(data=data).check()
    random_log(users=1).save("alone")
    with pytest.raises(UserError, match=r"at least two users"):
        scenario(data=data | {"path": "alone"}).check()
    unclicked = random_log()
    unclicked.clicks[:] = 0
    unclicked.save("unclicked")
    holdout = {"cutoffs": [1], "target": "clicked"}
    with pytest.raises(UserError, match=r"holdout.target: this log has no click"):
        scenario(data=data | {"path": "unclicked"}, holdout=holdout).check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimators": ["ips"]}, "estimators: has no effect in a scenario of kind 'holdout'"),
        ({"training_log": {"share": 0.5}}, "training_log: has no effect in a scenario of"),
        ({"front": ["a", "b"]}, "front: has no effect"),
        ({"data": None, "env": {}}, "'holdout' needs 'data'"),
        (
            {"data": {"reader": "kuairand", "path": "x", "each": {"slate_size": [1]}}},
            "'data.each' has no effect with 'holdout'",
        ),
        (
            {"agents": [{"name": "random", "training_log": {"share": 0.5}}]},
            "agent 'random': 'training_log' has no effect in a scenario of kind 'holdout'",
        ),
    ],
)
def test_keys_without_effect_are_refused(changes, message):
    with pytest.raises(ScenarioError, match=message):
        scenario(**changes)


def test_there_are_ten_seeds_and_resolved_keys_give_the_same_scenario():
    made = scenario()
    assert made.seeds == tuple(range(10))
    assert made.kind == "holdout"
    resolved = made.resolved()
    assert "estimators" not in resolved
    assert resolved["holdout"]["users"] == 0.2
    assert parse_scenario(resolved) == made


def test_cutoffs_may_exceed_the_logged_slates(place):
    made = scenario(holdout={"cutoffs": [2, 5], "users": 0.3}, agents=["popularity"], seeds=1)
    made.check()
    (trial,) = made.trials()
    metrics = made.run(trial).numbers["metrics"]
    assert metrics["hit_rate@5"] >= metrics["hit_rate@2"] > 0
    assert "recall@5" in metrics
    # The first two items are those of slates of two.
    narrow = scenario(holdout={"cutoffs": [2], "users": 0.3}, agents=["popularity"], seeds=1)
    assert narrow.run(trial).numbers["metrics"]["ndcg@2"] == metrics["ndcg@2"]


def test_first_and_later_slates_of_users_are_shown_apart(place, capsys):
    (place / "held.yaml").write_text(SCENARIO + "by: history\n")
    assert main(["held.yaml", "--workers", "1"]) == 0
    (folder,) = runs(place)
    groups = pd.read_csv(folder / "groups.csv").set_index(["group", "agent", "metric"])["mean"]
    assert set(groups.index.get_level_values("group")) == {"first", "later"}
    assert groups["first", "popularity", "hit_rate@1"] == 1
    result = json.loads((folder / "trials/random/seed-0/result.json").read_text())
    users, sessions = result["held_out"]["users"], result["held_out"]["sessions"]
    parts = result["groups"]
    for name, mean in result["metrics"].items():
        if name.startswith("ndcg"):
            first, later = parts["first"][name] * users, parts["later"][name] * (sessions - users)
            assert (first + later) / sessions == pytest.approx(mean)
    assert "by history" in " ".join(capsys.readouterr().out.split())
