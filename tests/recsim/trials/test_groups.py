"""Metrics by group of users or items."""

from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from agents.shared.base import BaseSlateAgent
from recsim import compare
from recsim.contracts.slates import Decision
from recsim.errors import UserError
from recsim.scenario.environments import make_env
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.trial import Trial
from recsim.statistics import mean_interval
from recsim.trials.groups import item_group_hits, item_group_metrics
from recsim.trials.seeds import TrialSeeds
from recsim.trials.simulation import collect_log, metrics_of

CONTENT = {
    "name": "tiny",
    "description": "d",
    "env": {"preset": "position_bias", "world": {"catalogue": {"num_items": 30, "num_groups": 3}}},
    "agents": ["random", "popularity"],
    "training_log": {"users": 10, "steps": 5},
    "seeds": 2,
    "users": 30,
    "steps": 5,
}


def table(result, name):
    return result.summary.table(name).data


def test_users_are_split_by_the_group_nearest_to_their_interest():
    scenario = parse_scenario({**CONTENT, "by": "user_group"})
    with closing(make_env(scenario.env, 50)) as env:
        _, info = env.reset(seed=0)
        centres = env.unwrapped.simulation.world.items.centres
        nearest = (info["state"]["interest"] @ centres.T).argmax(axis=1)
        assert env.unwrapped.user_groups.tolist() == nearest.tolist()
    (played,) = scenario.simulate(Trial("random", 0)).rounds
    assert set(played.user_groups) == {0, 1, 2}
    parts = [played.of_users(played.user_groups == group) for group in range(3)]
    assert sum(part.active.shape[1] for part in parts) == 30
    assert sum(part.reward.sum() for part in parts) == pytest.approx(played.reward.sum())
    assert [set(part.user_groups) for part in parts] == [{0}, {1}, {2}]


def test_the_table_by_user_group_has_the_metrics_of_each_group():
    result = compare({**CONTENT, "by": "user_group"})
    numbers = [
        metrics_of([played.of_users(played.user_groups == 1)])["reward_per_user"]
        for seed in (0, 1)
        for played in result.scenario.simulate(Trial("popularity", seed)).rounds
    ]
    raw = table(result, "groups").set_index(["group", "agent", "metric"])
    row = raw.loc["1", "popularity", "reward_per_user"]
    assert row["mean"] == pytest.approx(np.mean(numbers))
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(numbers))
    shown = table(result, "by_group")
    assert shown.iloc[:, :2].values.tolist() == [
        [group, agent] for group in "012" for agent in ("random", "popularity")
    ]
    paired = table(result, "paired_by_group")
    assert paired["difference"].tolist() == ["popularity - random"] * 3
    assert "3 pairs" in result.summary.table("paired_by_group").title
    assert result.groups.equals(table(result, "groups"))
    row = result.group_differences.set_index(["group", "agent", "baseline", "metric"])
    row = row.loc["1", "popularity", "random", "reward_per_user"]
    rivals = raw.loc["1", "random", "reward_per_user"]
    assert row["difference"] == pytest.approx(np.mean(numbers) - rivals["mean"])
    assert row["pairs"] == 2
    assert result.summary.table("group_differences").file == "group_differences.csv"


class Narrow(BaseSlateAgent):
    """Shows the first item only, and with odd seeds one of group 1 too."""

    def act(self, obs):
        slates = np.zeros((len(obs["candidates"]), self.slate_size), dtype=np.int64)
        if self._seed % 2:
            slates[:, 1] = np.flatnonzero(self.problem.item_groups == 1)[0]
        return Decision(slates)

    def propensities(self, obs, items):
        return None


def test_what_limits_intervals_stands_under_the_tables_of_groups():
    result = compare({**CONTENT, "by": "item_group"}, ["random", Narrow], seeds=6)
    notes = " ".join(note.text for note in result.summary.table("by_group").notes)
    assert "clicks per item shown of Narrow in group" in notes
    paired = " ".join(note.text for note in result.summary.table("paired_by_group").notes)
    assert "clicks per item shown of Narrow - random in group" in paired
    groups = result.groups.set_index(["agent", "metric"]).sort_index()
    shown = groups.loc["Narrow", "clicks_per_item_shown"]
    assert ((shown["seeds"] > 0) & (shown["seeds"] < 6)).any()
    assert shown["mean"].notna().tolist() == (shown["seeds"] > 0).tolist()


def test_a_single_group_is_named_under_the_table():
    env = {"preset": "position_bias", "world": {"catalogue": {"num_groups": 1}}}
    result = compare({**CONTENT, "env": env, "by": "user_group"})
    (note,) = [n.text for n in result.summary.table("by_group").notes if "only" in n.text]
    assert note == "There is one user group only: nothing is split."
    assert result.summary.table("paired_by_group").title.endswith("correction (1 pair)")


def test_exposure_by_item_group_by_hand():
    result = compare({**CONTENT, "by": "item_group"})
    (played,) = result.scenario.simulate(Trial("popularity", 0)).rounds
    groups = played.problem.item_groups
    metrics = item_group_metrics(played)
    for group in range(3):
        of_group = groups[played.items] == group
        own = metrics[str(group)]
        assert own["exposure_share"] == pytest.approx(of_group.mean())
        clicks = played.clicks[of_group]
        assert own["click_share"] == pytest.approx(clicks.sum() / played.clicks.sum())
        if of_group.any():
            assert own["clicks_per_item_shown"] == pytest.approx(clicks.mean())
    shares = table(result, "groups").set_index("metric").loc["exposure_share"]
    assert shares.groupby("agent")["mean"].sum().tolist() == pytest.approx([1, 1])


def test_groups_over_several_rounds_are_of_all_their_users():
    scenario = parse_scenario({**CONTENT, "by": "user_group", "rounds": 2})
    numbers = scenario.run(Trial("random", 0)).numbers["groups"]
    assert set(numbers) == {"0", "1", "2"}


def test_without_the_key_there_are_no_groups():
    result = compare(CONTENT)
    assert not {"groups", "by_group"} & {t.name for t in result.summary.tables}
    assert isinstance(result.table, pd.DataFrame)


def test_groups_that_do_not_exist_are_refused():
    one = {"preset": "position_bias", "world": {"catalogue": {"num_groups": 1}}}
    with pytest.raises(UserError, match="by: the items of this world are all of one group"):
        compare({**CONTENT, "env": one, "by": "item_group"})
    with pytest.raises(UserError, match="by: "):
        compare({**CONTENT, "by": "age"})


def test_hits_by_item_group_by_hand():
    groups = np.array([0, 0, 1, 1])
    slates = np.array([[0, 2], [1, -1], [3, 2]])
    target = np.array([[0, 1], [2, -1], [3, 2]])
    found = item_group_hits(slates, target, groups)
    assert found["0"] == pytest.approx(
        {"exposure_share": 2 / 5, "target_share": 2 / 5, "recall": 0.5}
    )
    assert found["1"] == pytest.approx(
        {"exposure_share": 3 / 5, "target_share": 3 / 5, "recall": 2 / 3}
    )
    never = item_group_hits(slates, np.where(target > 1, -1, target), groups)
    assert np.isnan(never["1"]["recall"])


def test_held_out_users_by_item_group():
    scenario = parse_scenario({**CONTENT, "users": 40})
    log = collect_log(scenario, scenario.training_log, TrialSeeds.of(0))
    result = compare(
        log, ["random", "popularity"], holdout={"cutoffs": [2]}, seeds=2, by="item_group"
    )
    shown = table(result, "by_group")
    assert shown.columns.tolist()[3:] == ["exposure share", "target share", "recall"]
    assert len(shown) == 6
    raw = table(result, "groups").set_index("metric")
    assert raw.loc["target_share"].groupby("agent")["mean"].sum().tolist() == pytest.approx([1, 1])
