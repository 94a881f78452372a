"""Metrics of next-item trials against loops that follow the definitions, on small random logs."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

import agents
from recsim.scenario.agents import AgentSpec
from recsim.scenario.kinds import parse_scenario

ITEMS, CUTOFFS = 9, (1, 2, 5)


def score(item, last, events):
    """Few different values, so that many scores tie."""
    return (7 * item + 3 * last + events) % 4


class Tied(agents.load("transitions")):
    """Scores depend on the last event and the number of events."""

    name = "tied"

    def scores(self, obs):
        events = obs["history_items"] >= 0
        last = obs["history_items"].max(axis=1, initial=0)
        for row, own in enumerate(events):
            last[row] = obs["history_items"][row, own][-1]
        return score(obs["candidates"], last[:, None], events.sum(axis=1, keepdims=True))


def random_events(seed):
    """Return rows (user, item, time) with ties in time, repeats and duplicates, in random order."""
    rng = np.random.default_rng(seed)
    users, number = 6, 40
    rows = [(int(rng.integers(users)), int(rng.integers(ITEMS)), int(rng.integers(30)))]
    rows += [(u % users, i % ITEMS, t) for u, i, t in rng.integers(0, 30, (number, 3)).tolist()]
    rows += [(0, item, 40 + item) for item in range(ITEMS - 1)]  # of item 8 there may be no event
    return [rows[place] for place in rng.permutation(len(rows))]


def trial(seed, tmp_path, holdout):
    path = tmp_path / f"events{seed}.csv"
    frame = pd.DataFrame(random_events(seed), columns=["user", "item", "timestamp"])
    frame.to_csv(path, index=False)
    made = parse_scenario(
        {
            "name": "next",
            "description": "d",
            "data": {"reader": "events", "path": str(path)},
            "holdout": {"cutoffs": list(CUTOFFS), **holdout},
            "agents": [AgentSpec.of("tied", Tied)],
            "seeds": 1,
        }
    )
    made.check()
    (only,) = made.trials()
    return made._split().log, made.run(only).numbers


def sequences(log):
    """Return the events of each user, (time, item), oldest first."""
    listed = {}
    for row in range(len(log)):
        listed.setdefault(int(log.user[row]), []).append((log.time[row], int(log.slate[row, 0])))
    return listed


def split(listed, name, targets):
    """Return the train items, and (user, earlier items, item) of each test event."""
    if name == "leave_one_out":
        items = {user: [item for _, item in events] for user, events in listed.items()}
        train = [item for own in items.values() for item in own[:-2]]
        return train, [(user, own[:-1], own[-1]) for user, own in items.items()]
    times = sorted(time for events in listed.values() for time, _ in events)
    first, second = (times[math.ceil(share * len(times) - 1e-9) - 1] for share in (0.8, 0.9))
    train = [item for events in listed.values() for time, item in events if time < first]
    test = []
    for user, events in listed.items():
        items = [item for _, item in events]
        later = [n for n, (time, _) in enumerate(events) if time >= second and n > 0]
        for place in later if targets == "all" else later[:1]:
            test.append((user, items[:place], items[place]))
    return train, test


CASES = [
    {"split": "leave_one_out"},
    {"split": "leave_one_out", "exclude_seen": False},
    {"split": "leave_one_out", "history": 2},
    {"split": "temporal"},
    {"split": "temporal", "targets": "all", "exclude_seen": False},
    {"split": "temporal", "targets": "all", "history": 1},
]


@pytest.mark.parametrize("holdout", CASES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_metrics_follow_their_definitions(tmp_path, seed, holdout):
    log, numbers = trial(seed, tmp_path, holdout)
    listed = sequences(log)
    train, test = split(listed, holdout["split"], holdout.get("targets"))
    every = range(log.problem.num_items)
    unknown = {i for i in every if i not in train} if holdout["split"] == "temporal" else set()
    by_user = {}
    for user, earlier, target in test:
        observed = earlier[-holdout.get("history", 99) :]
        scores = [
            -math.inf if item in unknown else score(item, observed[-1], len(observed))
            for item in every
        ]
        out = set(earlier) if holdout.get("exclude_seen", True) else set()
        rivals = [item for item in every if item != target and item not in out]
        above = sum(scores[item] > scores[target] for item in rivals)
        level = sum(scores[item] == scores[target] for item in rivals)
        by_user.setdefault(user, []).append(1 + above + level / 2)

    def mean(value):
        return np.mean([np.mean([value(rank) for rank in ranks]) for ranks in by_user.values()])

    expected = {"mrr": mean(lambda rank: 1 / rank)}
    for k in CUTOFFS:
        expected[f"hit_rate@{k}"] = mean(lambda rank, k=k: rank <= k)
        expected[f"ndcg@{k}"] = mean(lambda rank, k=k: (rank <= k) / math.log2(rank + 1))
    found = {name: numbers["metrics"][name] for name in expected}
    assert found == pytest.approx(expected)
    counts = numbers["split"]
    assert (counts["train"], counts["test"]) == (len(train), len(test))
    assert counts["unseen_targets"] == pytest.approx(np.mean([t not in train for *_, t in test]))
    assert counts["repeated_targets"] == pytest.approx(np.mean([t in own for _, own, t in test]))
    pairs = [
        one == other for own in listed.values() for (one, _), (other, _) in itertools.pairwise(own)
    ]
    assert counts["tied_neighbours"] == pytest.approx(np.mean(pairs))
    last = [own[-1][0] == own[-2][0] for own in listed.values()]
    assert counts["tied_last_two"] == pytest.approx(np.mean(last))
    assert any(pairs), "there are ties to count"


def test_coverage_and_popularity_follow_their_definitions(tmp_path):
    path = tmp_path / "events.csv"
    rows = ["0011023", "101245", "010306"]
    lines = [f"u{u},{i},{t}" for u, row in enumerate(rows) for t, i in enumerate(row)]
    path.write_text("user,item,timestamp\n" + "\n".join(lines))
    made = parse_scenario(
        {
            "name": "next",
            "description": "d",
            "data": {"reader": "events", "path": str(path)},
            "holdout": {"split": "leave_one_out", "cutoffs": [2]},
            "agents": [{"name": "popularity", "config": {"rank_by": "total"}}],
            "seeds": 1,
        }
    )
    made.check()
    (only,) = made.trials()
    metrics = made.run(only).numbers["metrics"]
    # Train events are 00110, 1012 and 0103: items 2 and 3 once, 4 to 6 never. Users 0 and 1 are
    # shown 3, user 2 is shown 2, and each one of the items without a train event.
    assert metrics["log_popularity@2"] == pytest.approx(math.log(2) / 2)
    assert metrics["coverage@2"] in (3 / 7, 4 / 7, 5 / 7)
