"""Next-item scenarios from end to end, on events with a planted order."""

import json
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import agents
from recsim.errors import UserError
from recsim.log import read_log
from recsim.run import main
from recsim.scenario.kinds import parse_scenario
from recsim.trials.next_item import NextItem, NextItemSpec, fit_on

USERS, ITEMS = 40, 15

SCENARIO = """\
name: next
description: Which agent knows what comes next?
data: {reader: events, path: events.csv}
holdout: {split: leave_one_out, cutoffs: [1, 5]}
agents:
  - {name: popularity, config: {rank_by: total}}
  - transitions
  - random
baseline: popularity
seeds: 2
"""


def planted(seed=0):
    """Return rows (user, item, time): users walk along the items in a circle, with some jumps."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(USERS):
        item = rng.integers(ITEMS)
        for step in range(6):
            rows.append((f"u{user:02}", f"i{item:02}", 1000 * user + step))
            item = (item + 1) % ITEMS if rng.random() < 0.9 else rng.integers(ITEMS)
    return rows


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(planted(), columns=["user", "item", "timestamp"])
    frame.to_csv("events.csv", index=False)
    (tmp_path / "next.yaml").write_text(SCENARIO)
    return tmp_path


def scenario(**changes):
    content = {
        "name": "next",
        "description": "d",
        "data": {"reader": "events", "path": "events.csv"},
        "holdout": {"split": "leave_one_out", "cutoffs": [1, 5]},
        "agents": ["random"],
        "seeds": 1,
    }
    return parse_scenario({**content, **changes})


def run(made):
    """Check a scenario, which forgets the logs of other tests, and run its only trial."""
    made.check()
    (trial,) = made.trials()
    return made.run(trial)


def only_run(place, name="next"):
    (folder,) = (place / "runs" / name).glob("*")
    return folder


def test_a_table_of_events_becomes_a_table_of_agents(place, capsys):
    assert main(["next.yaml", "--workers", "1"]) == 0
    folder = only_run(place)
    table = pd.read_csv(folder / "summary.csv").set_index(["agent", "metric"])["mean"]
    assert table["transitions", "hit_rate@1"] > 0.7
    assert table["popularity", "hit_rate@1"] < 0.4
    assert 0 < table["transitions", "mrr"] <= 1
    assert np.isnan(table["random", "mrr"])
    assert table["random", "coverage@5"] == 1
    assert table["popularity", "log_popularity@5"] > table["random", "log_popularity@5"]
    result = json.loads((folder / "trials/transitions/seed-0/result.json").read_text())
    assert result["split"]["train"] == USERS * 4
    assert result["fit"]["rows"] == USERS * 4
    users = pd.read_csv(next(folder.rglob("users.csv")))
    assert users["name"].tolist() == [f"u{user:02}" for user in range(USERS)]
    # Intervals are over seeds and users: with the same slates for all seeds they are not empty.
    summary = pd.read_csv(folder / "summary.csv").set_index(["agent", "metric"])
    low, high = summary.loc[("transitions", "ndcg@5"), ["low", "high"]]
    assert 0.01 < high - low < 0.4
    pairs = json.loads((folder / "summary.json").read_text())["comparisons"]
    (pair,) = (p for p in pairs if p["agent"] == "transitions" and p["metric"] == "ndcg@5")
    assert pair["baseline"] == "popularity"
    assert pair["low"] > 0
    words = " ".join(capsys.readouterr().out.split())
    assert "Leave-one-out: the last event of every user" in words
    assert "which leaks time" in words
    assert "Ties in time: 0.0% of neighbouring events" in words
    assert "Without scores, ranked by their slates of 5, so that MRR is not available: random." in (
        words
    )
    assert (
        f"Train: {USERS * 4} events; validation: {USERS}; test: {USERS} of {USERS} users." in words
    )


def test_an_interval_is_that_of_the_users_if_seeds_change_nothing(place):
    made = scenario(agents=["transitions"])
    own = run(made).users
    assert len(own) == USERS
    hits = own["hit_rate@5"]
    assert set(hits) <= {0.0, 1.0}


def test_the_order_of_rows_matters_only_with_ties_of_the_file(place):
    frame = pd.read_csv("events.csv")
    frame["timestamp"] //= 2  # pairs of events are tied
    frame.to_csv("events.csv", index=False)
    frame[::-1].to_csv("backwards.csv", index=False)

    def metrics(path, ties):
        data = {"reader": "events", "path": path}
        holdout = {"split": "leave_one_out", "cutoffs": [1, 5], "ties": ties}
        made = scenario(data=data, holdout=holdout, agents=["sequential_rules"])
        return run(made).numbers["metrics"]

    assert metrics("events.csv", "shuffle") == metrics("backwards.csv", "shuffle")
    assert metrics("events.csv", "file") != metrics("backwards.csv", "file")


class Spy(agents.load("transitions")):
    """Remembers what it was fitted on."""

    name = "spy"
    fitted_on: ClassVar[dict] = {}

    def fit(self, log, validation=None):
        Spy.fitted_on = {"train": log, "validation": validation}
        return super().fit(log)


def test_no_later_event_enters_the_counts(place):
    made = scenario()
    made.check()
    split = made._split()
    agent = agents.make(Spy, split.log.problem)
    fit_on(agent, split)
    log = read_log("events", path="events.csv")
    for user in range(USERS):
        items = log.slate[log.by_user][log.user[log.by_user] == user, 0]
        for name, part in (("train", items[:-2]), ("validation", items[-2:-1])):
            seen = Spy.fitted_on[name]
            own = seen.slate[seen.by_user][seen.user[seen.by_user] == user, 0]
            assert own.tolist() == part.tolist()
        history = split.log.observations(split.test[split.log.user[split.test] == user])
        listed = history["history_items"][history["history_items"] >= 0]
        assert listed.tolist() == items[:-1].tolist()[-5:]
    # An agent that cannot use validation events gets none.
    plain = agents.make("transitions", split.log.problem)
    assert fit_on(plain, split).rows == USERS * 4


def test_slates_are_as_wide_as_the_largest_cutoff(place):
    made = scenario()
    made.check()
    split = made._split()
    assert split.log.problem.slate_size == 5
    assert split.log.slate.shape[1] == 5
    assert (split.log.slate[:, 1:] == -1).all()


def test_an_agent_with_training_runs_on_it(place):
    config = {"dim": 8, "steps": 5}
    made = scenario(agents=[{"name": "sasrec", "config": config}])
    numbers = run(made).numbers
    assert numbers["scored"]
    assert 0 < numbers["metrics"]["mrr"] < 1


def test_all_events_of_the_test_period_count_by_user_first(place):
    rows = [(0, i % 4, i) for i in range(17)] + [(0, 5, 17), (1, 1, 2), (1, 2, 18), (1, 5, 19)]
    pd.DataFrame(
        rows + [(2, 3, t) for t in (1, 2, 3)], columns=["user", "item", "timestamp"]
    ).to_csv("events.csv", index=False)
    holdout = {"split": "temporal", "cutoffs": [1, 3], "targets": "all"}
    made = scenario(holdout=holdout, agents=["popularity"])
    result = run(made)
    split = result.numbers["split"]
    users = result.users
    assert split["users"] == len(users) < split["test"]
    assert (users["episodes"] == 1).all()
    assert result.numbers["metrics"]["mrr"] == pytest.approx(users["mrr"].mean())
    assert "every event in the last 10 % is" in made.explained([], None, Fake(result.numbers))[0]


def test_rankings_of_fewer_items_than_the_cutoff_are_said_to_be_trivial(place):
    # Users 0 to 39 have at most 5 of 15 items before the last event; one user has 12.
    frame = pd.read_csv("events.csv")
    one = [("u99", f"i{item:02}", item) for item in range(13)]
    frame = pd.concat([frame, pd.DataFrame(one, columns=frame.columns)])
    frame.to_csv("events.csv", index=False)

    def texts(**holdout):
        made = scenario(holdout={"split": "leave_one_out", "cutoffs": [1, 5], **holdout})
        return [note.text for note in made.notes(Fake(run(made).numbers))]

    (_, note) = texts()
    assert note == (
        "At 2.4% of the test events at most 5 items are ranked: hit_rate@5 is 1 there whatever the "
        "scores. Use smaller cut-offs, or 'exclude_seen: false'."
    )
    assert len(texts(exclude_seen=False)) == 1
    assert len(texts(cutoffs=[1, 2])) == 1


class Fake:
    """The results of one trial."""

    def __init__(self, numbers):
        self.numbers = numbers

    def has(self, trial):
        return True

    def result(self, trial):
        return self.numbers


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"holdout": {"split": "leave_on_out"}},
            r"split: must be 'users', 'leave_one_out' or 'temporal', not .leave_on_out.\. Did you",
        ),
        (
            {"holdout": {"split": "leave_one_out", "users": 0.2}},
            r"holdout.users: unknown key",
        ),
        (
            {"holdout": {"split": "leave_one_out", "targets": "all"}},
            r"'targets: all' has no effect without 'split: temporal'",
        ),
        ({"holdout": {"split": "temporal", "cutoffs": [5, 1]}}, r"must be in ascending order"),
        ({"holdout": {"split": "temporal", "ties": "id"}}, r"holdout.ties: must be 'shuffle' or"),
        (
            {"holdout": {"split": "leave_one_out", "cutoffs": [5, 16]}},
            r"holdout.cutoffs: 16 is more than the number of items in the log: give at most 15",
        ),
        ({"metrics": ["ndcg@10"]}, r"metrics: unknown metric 'ndcg@10'.*'ndcg@1'"),
        ({"agents": ["oracle"]}, r"agents: oracle: 'oracle' cannot be evaluated on a log"),
        ({"data": {"reader": "events", "path": "nowhere"}}, r"data: nowhere.*does not exist"),
        ({"data": None}, r"'holdout' needs 'data', a log"),
    ],
)
def test_scenarios_that_cannot_run_are_refused(place, changes, message):
    with pytest.raises(UserError, match=message):
        scenario(**changes).check()


def test_logs_that_cannot_be_split_are_refused(place, random_log):
    data = {"reader": "saved", "path": "log"}
    random_log().save("log")
    with pytest.raises(UserError, match=r"data: row 0 has a slate of 2 events"):
        scenario(data=data).check()
    random_log(anonymous=True).save("log", overwrite=True)
    with pytest.raises(UserError, match=r"data: 'holdout' needs a log with user ids"):
        scenario(data=data).check()
    random_log(slots=1, users=60, user=np.arange(60)).save("log", overwrite=True)
    with pytest.raises(UserError, match=r"needs a user with three events or more"):
        scenario(data=data).check()
    with pytest.raises(UserError, match=r"'split: temporal' needs times"):
        scenario(data=data, holdout={"split": "temporal", "cutoffs": [1]}).check()


def test_the_primary_cutoff():
    assert NextItemSpec(split="temporal").primary == 10
    assert NextItemSpec(split="temporal", cutoffs=(1, 3)).primary == 3
    assert isinstance(scenario(), NextItem)


# Reference values on MovieLens small in the order of the file: 5-core, 610 users, all items ranked.
REFERENCE = {
    "popularity": (0.0393, 0.0195, {"rank_by": "total"}),
    "transitions": (0.1049, 0.0588, {}),
    "sequential_rules": (0.1295, 0.0723, {}),
    "item_knn": (0.0918, 0.0529, {"neighbours_of": "history"}),
    "ease": (0.1311, 0.0737, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCE)
def test_counting_on_movielens_small(name, data_dir):
    hits, ndcg, config = REFERENCE[name]
    path = data_dir / "ml_latest_small"
    data = {"reader": "movielens", "path": str(path), "threshold": 0.5, "k_core": 5}
    holdout = {"split": "leave_one_out", "ties": "file"}
    made = scenario(data=data, holdout=holdout, agents=[{"name": name, "config": config}])
    metrics = run(made).numbers["metrics"]
    assert metrics["hit_rate@10"] == pytest.approx(hits, abs=0.003)
    assert metrics["ndcg@10"] == pytest.approx(ndcg, abs=0.002)


AMAZON = {
    "popularity": (0.0053, 0.0075, {"rank_by": "total"}),
    "transitions": (0.0439, 0.0478, {"last": 1}),
    "sequential_rules": (0.0472, 0.0536, {}),
    "ease": (0.0442, 0.0519, {"ridge": 100}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", AMAZON)
def test_counting_on_amazon_beauty(name, data_dir):
    at_10, at_20, config = AMAZON[name]
    path = data_dir / "sequences_amazon" / "Beauty.txt"
    data = {"reader": "sequences", "path": str(path)}
    made = scenario(
        data=data,
        holdout={"split": "leave_one_out"},
        agents=[{"name": name, "config": config}],
    )
    metrics = run(made).numbers["metrics"]
    assert metrics["ndcg@10"] == pytest.approx(at_10, abs=0.001)
    assert metrics["ndcg@20"] == pytest.approx(at_20, abs=0.001)
