import numpy as np
import pytest

from recsim.errors import UserError
from recsim.scenario.data import read_data
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.trial import Trial


@pytest.fixture
def scenario(tmp_path, random_log):
    random_log(rows=200, slots=1, seed=1).save(tmp_path / "log")
    random_log(rows=80, slots=1, seed=2).save(tmp_path / "other")

    def make(**changes):
        content = {
            "name": "s",
            "description": "d",
            "data": {"reader": "saved", "path": str(tmp_path / "log")},
            "agents": ["random", "popularity", "linucb"],
            "training_log": {"share": 0.25},
        }
        data = changes.pop("data", {})
        return parse_scenario({**content, **changes, "data": {**content["data"], **data}})

    return make


def run(scenario, agent="random", case="all", seed=0):
    return scenario.run(Trial(agent, seed, case)).numbers


def error_of(scenario):
    with pytest.raises(UserError) as caught:
        scenario.check()
    return str(caught.value)


def test_the_uniform_policy_by_hand(scenario):
    rows = run(scenario(training_log=None, agents=["random"]))
    log = read_data(scenario().data)
    weights = (1 / 7) / log.propensity[:, 0]
    rewards = log.feedback["click"]
    values = {row["estimator"]: row for row in rows["values"]}
    assert values["ips"]["value"] == pytest.approx(np.mean(weights * rewards))
    assert values["snips"]["value"] == pytest.approx((weights * rewards).sum() / weights.sum())
    assert values["ips"]["low"] <= values["ips"]["value"] <= values["ips"]["high"]
    assert "fit" not in rows
    (logged,) = rows["log"]
    assert (logged["agent"], logged["estimator"], logged["seed"]) == ("logged", "mean", "")
    assert logged["value"] == pytest.approx(rewards.mean())


def test_a_share_trains_and_the_rest_judges(scenario):
    rows = run(scenario(), "popularity")
    assert rows["fit"]["rows"] == 50
    assert rows["values"][0]["n"] == 150
    assert rows["log"][0]["n"] == 150
    # Agents with a training log of their own are evaluated on the same rows.
    own = {"data": scenario().data.model_dump()}
    agents = [{"name": "popularity", "training_log": own}]
    rows = run(scenario(agents=agents), "popularity")
    assert (rows["fit"]["rows"], rows["values"][0]["n"]) == (200, 150)


def test_the_reference_is_the_mean_of_its_log(scenario, tmp_path):
    s = scenario(data={"reference": {"path": str(tmp_path / "other")}})
    rows = run(s)
    logged, reference = rows["log"]
    assert (reference["agent"], reference["n"]) == ("reference", 80)
    other = read_data(s.data, {"path": str(tmp_path / "other")})
    assert reference["value"] == pytest.approx(other.feedback["click"].mean())
    # The intervals of logs do not depend on who asks.
    assert run(s, "linucb", seed=3)["log"] == [logged, reference]


def test_each_case_reads_its_own_log(scenario, tmp_path):
    places = [str(tmp_path / "log"), str(tmp_path / "other")]
    s = scenario(data={"each": {"path": places}}, training_log=None, agents=["random"])
    s.check()
    counts = [run(s, case=case)["values"][0]["n"] for case in s.cases()]
    assert counts == [200, 80]


def test_a_training_log_of_the_same_data_follows_the_case(scenario, tmp_path):
    places = [str(tmp_path / "log"), str(tmp_path / "other")]
    data = {"reader": "saved", "path": places[0]}
    s = scenario(data={"each": {"path": places}}, training_log={"data": data})
    first, second = s.cases()
    assert run(s, "popularity", first)["fit"]["rows"] == 200
    assert run(s, "popularity", second)["fit"]["rows"] == 80


def test_files_that_changed_are_read_again(scenario, tmp_path, random_log):
    s = scenario()
    s.check()
    random_log(rows=30, slots=1).save(tmp_path / "log", overwrite=True)
    s.check()
    assert len(read_data(s.data)) == 30


def test_good_scenarios_pass(scenario):
    scenario().check()
    scenario(agents=["random"], training_log=None).check()


def test_mistakes(scenario, tmp_path, random_log):
    assert "Did you mean 'ips'?" in error_of(scenario(estimators=["ipss"]))
    assert "Did you mean 'saved'?" in error_of(scenario(data={"reader": "svaed"}))
    assert "unknown" in error_of(scenario(data={"pth": 3}))
    assert str(tmp_path / "x") in error_of(scenario(data={"path": str(tmp_path / "x")}))
    assert "unknown agent" in error_of(scenario(agents=["rndom"]))
    assert "cannot be evaluated on a log: it needs" in error_of(scenario(agents=["oracle"]))
    message = error_of(scenario(training_log=None))
    assert "'popularity' must be fitted" in message
    assert "share: 0.5" in message
    assert "too few" in error_of(scenario(training_log={"share": 0.001}))
    random_log(rows=9, slots=1, propensity=None).save(tmp_path / "bare")
    assert "no propensities" in error_of(scenario(data={"path": str(tmp_path / "bare")}))
    random_log(rows=9, slots=1, items=5).save(tmp_path / "small")
    small = {"reference": {"path": str(tmp_path / "small")}}
    assert "number of items 5, where the agents need 7" in error_of(scenario(data=small))
