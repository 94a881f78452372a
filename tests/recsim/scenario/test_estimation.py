"""Every estimator, interval, rule and reward model through a scenario, and invalid ones."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from recsim.errors import UserError
from recsim.estimators import (
    ESTIMATORS,
    Limits,
    RewardModel,
    choose,
    estimate_logging,
    evaluate,
    log_value,
    policy_samples,
    with_propensities,
)
from recsim.report.console import print_summary
from recsim.run import run_scenario
from recsim.runs.folder import RunFolder
from recsim.scenario.data import read_data
from recsim.scenario.estimation import EstimationSpec
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.trial import Trial
from recsim.trials import logging_policies
from recsim.trials.seeds import TrialSeeds

NAMES = [name for name in ESTIMATORS if name != "replay"]


def uniform(obs, items):
    return np.full(items.shape, 1 / obs["candidates"].shape[1])


@pytest.fixture
def scenario(tmp_path, random_log):
    log = random_log(rows=240, slots=1, seed=1)
    clicked = log.clicks[:, 0].astype(float)
    replace(log, feedback={"click": clicked, "watch": clicked}).save(tmp_path / "log")

    def make(**changes):
        content = {
            "name": "s",
            "description": "d",
            "data": {"reader": "saved", "path": str(tmp_path / "log")},
            "agents": ["random"],
            "output": str(tmp_path / "runs"),
        }
        return parse_scenario({**content, **changes})

    return make


def values(scenario, agent="random"):
    rows = scenario.run(Trial(agent, 0, "all")).numbers["values"]
    return {row["estimator"]: row for row in rows}


def error_of(scenario):
    with pytest.raises(UserError) as caught:
        scenario.check()
    return str(caught.value)


def test_all_estimators_of_all_agents(scenario):
    s = scenario(
        agents=["random", "popularity", "epsilon_greedy", "linucb"],
        estimators=NAMES,
        logging="frequencies",
        training_log={"share": 0.25},
    )
    s.check()
    for agent in s.agents:
        rows = values(s, agent.label)
        assert list(rows) == NAMES
        for row in rows.values():
            assert row["unsupported"] == 0
            assert np.isfinite(row["value"])
            assert row["low"] <= row["high"]
    assert rows["clipped_dr"]["parameter"] == "clip=10"


def test_the_values_are_those_of_the_library(scenario):
    settings = {"clip": "slope", "tau": 1.5, "interval": "t"}
    s = scenario(
        estimators=["clipped_ips", "switch", "dr"],
        logging={"estimate": "frequencies", "smoothing": 1},
        reward_model={"name": "ridge", "options": {"alpha": 5.0}, "folds": 4},
        **settings,
    )
    log = read_data(s.data)
    policy = estimate_logging(log, {"estimate": "frequencies", "smoothing": 1})
    log = with_propensities(log, policy)
    model = RewardModel(name="ridge", options={"alpha": 5.0}, folds=4)
    expected = evaluate(
        log,
        uniform,
        s.estimators,
        seed=TrialSeeds.of(0).bootstrap,
        model=model,
        logging=policy,
        overlap=True,
        **settings,
    )
    for value, row in zip(expected, values(s).values(), strict=True):
        for name in ("value", "low", "high", "parameter", "rule", "unsupported", "ess"):
            assert row[name] == getattr(value, name), (value.estimator, name)
    chosen = choose(policy_samples(log, uniform), "clipped_ips")
    assert values(s)["clipped_ips"]["clip"] == chosen.chosen
    assert values(s)["clipped_ips"]["rule"] == "slope"


@pytest.mark.parametrize(("kind", "bound"), [("t", None), ("bernstein", 50.0), ("hoeffding", 50.0)])
def test_every_kind_of_interval(scenario, kind, bound, random_log, tmp_path):
    # Bounds are for one impression per unit.
    random_log(rows=90, slots=1, anonymous=True).save(tmp_path / "log", overwrite=True)
    s = scenario(interval=kind, bound=bound, estimators=["ips", "clipped_ips"])
    s.check()
    row = values(s)["ips"]
    assert row["interval_kind"] == kind
    assert row["low"] < row["value"] < row["high"]


def test_an_agent_can_be_the_logging_policy(scenario, random_log, tmp_path):
    random_log(rows=90, slots=1, propensity=None).save(tmp_path / "log", overwrite=True)
    assert "no propensities" in error_of(scenario())
    s = scenario(logging={"agent": "random"}, estimators=["ips", "switch"])
    s.check()
    assert values(s)["ips"]["value"] == pytest.approx(read_data(s.data).clicks.mean())
    assert values(s)["ips"]["max_weight"] == 1.0


def test_popularity_gives_propensities_only(scenario):
    s = scenario(logging={"estimate": "popularity", "floor": 0.2}, estimators=["ips", "dr"])
    s.check()
    assert values(s)["dr"]["max_weight"] <= 1 / 7 / 0.2 * (1 + 1e-9)


def test_the_propensities_of_an_agent_can_be_estimated_from_draws(scenario, random_log, tmp_path):
    random_log(rows=60, slots=2).save(tmp_path / "log", overwrite=True)
    agents = [{"name": "softmax", "label": "soft"}, "random"]
    assert "does not know the probability" in error_of(scenario(agents=agents))
    s = scenario(agents=agents, draws=50, estimators=["ips", "dr"])
    s.check()
    assert values(s, "soft")["dr"]["policy_draws"] == 50
    assert values(s, "random")["dr"]["policy_draws"] == 0


def test_replay_by_scenario(scenario):
    s = scenario(agents=["linucb"], estimators=["replay"], training_log={"share": 0.5})
    s.check()
    assert values(s, "linucb")["replay"]["n"] == 120
    assert "replay needs a deterministic policy" in error_of(scenario(estimators=["replay"]))


def test_a_resolved_scenario_is_the_scenario_again(scenario):
    s = scenario(
        estimators=["switch", "mrdr"],
        tau="slope",
        logging={"estimate": "multinomial", "floor": 0.01},
        reward_model="hist_gradient_boosting",
        interval="hoeffding",
        bound=3.0,
    )
    again = parse_scenario(s.resolved())
    assert again == s
    assert again.digest() == s.digest()
    assert s.digest() != scenario().digest()
    assert (
        "reward_model"
        not in parse_scenario(
            {"name": "e", "description": "d", "env": {}, "agents": ["random"]}
        ).resolved()
    )


def test_tables_and_report_show_limits_and_unsupported_actions(scenario):
    s = scenario(estimators=["ips", "clipped_ips"], clip="slope", interval="t")
    run = run_scenario(s, workers=1, console=Console(quiet=True))
    console = Console(width=200, record=True, file=io.StringIO())
    folder = RunFolder.open(run.folder.path)
    print_summary(folder.scenario.summarise(folder), console)
    text = console.export_text()
    assert "95% Student-t interval" in text
    assert "unsupported" in text
    assert "clipped_ips (clip=" in text
    assert ", slope)" in text
    html = (run.folder.path / "report.html").read_text()
    assert "95% Student-t interval" in html
    assert "unsupported" in html
    summary = (run.folder.path / "summary.csv").read_text().splitlines()
    assert {"parameter", "rule", "unsupported", "interval_kind"} <= set(summary[0].split(","))


def test_mistakes(scenario):
    assert "clip: rule 'mse' has no bound for the bias of 'clipped_snips'" in error_of(
        scenario(estimators=["clipped_snips"], clip="mse")
    )
    assert "'switch' needs the probability of every action" in error_of(
        scenario(estimators=["switch"])
    )
    assert "is for means, and 'snips' is a ratio" in error_of(
        scenario(interval="hoeffding", bound=3.0)
    )
    assert "unknown reward model 'rigde'" in error_of(
        scenario(reward_model="rigde", estimators=["dm"])
    )
    assert "draws: 100' in a scenario" in error_of(scenario(agents=["ts_mnl"]))
    assert "logging: agent: 'popularity' cannot be evaluated on a log" in error_of(
        scenario(logging={"agent": "popularity"})
    )
    for wrong, words in (
        ({"logging": {"agent": "random", "estimate": "frequencies"}}, "exactly one of 'agent'"),
        ({"logging": "freq"}, "unknown kind 'freq'. Did you mean 'frequencies'"),
        ({"logging": "balaned"}, "unknown kind 'balaned'. Did you mean 'balanced'"),
        ({"logging": {"agent": "random", "power": 1}}, "'power' has no effect without"),
        ({"logging": {"estimat": "auto"}}, "unknown key 'estimat'. Did you mean 'estimate'"),
        ({"logging": {"estimate": "auto", "flor": 0.1}}, "unknown key 'flor'. Did you mean 'floor"),
        ({"logging": {"estimate": "frequencies", "config": {"a": 1}}}, "'config' has no effect"),
        ({"clip": -1.0}, "clip"),
        ({"clip": "slop"}, "must be a number above 0, 'slope' or 'mse', not 'slop'"),
        ({"interval": "hoeffding"}, "interval 'hoeffding' needs a bound"),
        ({"interval": "t", "bound": 3.0}, "interval 't' takes no bound"),
        ({"interval": "bca", "samples": 190}, "'samples' is 190: .* 0.95 needs at least 200"),
        ({"interval": "bootstrap", "level": 0.999}, "level 0.999 needs at least 10000"),
    ):
        with pytest.raises(UserError, match=words):
            scenario(**wrong)


@pytest.mark.parametrize(
    ("key", "value", "why", "user"),
    [
        ("samples", 500, "only the intervals bca and bootstrap resample", {"interval": "bca"}),
        ("clip", 10.0, "only .* clipped_ips, clipped_snips and", {"estimators": ["clipped_ips"]}),
        ("tau", 5.0, "only the estimators switch_dr and switch", {"estimators": ["switch_dr"]}),
        ("shrinkage", "mse", "only the estimators dros read it", {"estimators": ["dros"]}),
        ("reward_model", "ridge", "only the estimators dm, dr, .* use one", {"estimators": ["dr"]}),
        ("smoothing", 1.0, "it is added to 'draws', of which there are none", {"draws": 10}),
    ],
)
def test_a_key_that_nothing_reads_is_refused(scenario, key, value, why, user):
    with pytest.raises(UserError, match=f"'{key}' has no effect here: {why}"):
        scenario(**{"estimators": ["ips"], key: value})
    read = scenario(**{"estimators": ["ips"], **user, key: value})
    assert key in read.resolved()
    assert parse_scenario(read.resolved()) == read
    assert key not in scenario(estimators=["ips"]).resolved()


def test_the_json_schema_has_the_range_of_every_limit():
    properties = EstimationSpec.model_json_schema()["properties"]
    ranges = {name: properties[name]["anyOf"][0] for name in Limits.model_fields}
    assert ranges == {
        "clip": {"type": "number", "exclusiveMinimum": 0},
        "tau": {"type": "number", "minimum": 0},
        "shrinkage": {"type": "number", "minimum": 0},
        "subgaussian": {"type": "number", "minimum": 0, "maximum": 1},
    }
    assert all(properties[name]["anyOf"][1]["enum"] == ["slope", "mse"] for name in ranges)


def test_a_logging_agent_that_ignores_users_is_compared_with_the_log(
    scenario, random_log, tmp_path
):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2000, 2)).astype(np.float32)
    chosen = (features[:, :1] > 0).astype(np.int64) + 2 * rng.integers(0, 2, (2000, 1))
    shape = {"items": 4, "slots": 1, "features": 2, "anonymous": True}
    uses = random_log(2000, **shape, propensity=None, slate=chosen)
    uses = replace(uses, user_features=features)
    ignores = replace(uses, slate=rng.integers(0, 4, (2000, 1)))
    settings = {"logging": {"agent": "random"}, "estimators": ["ips"]}
    for log, doubted in ((uses, True), (ignores, False)):
        log.save(tmp_path / "log", overwrite=True)
        s = scenario(**settings)
        s.check()
        warnings = " ".join(values(s)["ips"]["warnings"])
        assert ("'random', given as the logging policy, ignores the user's" in warnings) == doubted
    # The weights of an agent that reads users are not doubted for that.
    uses.save(tmp_path / "log", overwrite=True)
    s = scenario(**settings | {"logging": {"agent": "softmax"}})
    s.check()
    assert "logging policy" not in " ".join(values(s)["ips"]["warnings"])


def test_what_all_trials_share_is_computed_once(scenario, monkeypatch):
    calls = []

    def counted(name, function):
        monkeypatch.setattr(
            logging_policies, name, lambda *given: calls.append(name) or function(*given)
        )

    counted("estimate_logging", estimate_logging)
    counted("log_value", log_value)
    counted("with_propensities", with_propensities)
    s = scenario(
        agents=["random", "popularity", "linucb"],
        training_log={"share": 0.25},
        logging="frequencies",
        estimators=["ips"],
    )
    read_data(s.data)
    for agent in s.agents:
        values(s, agent.label)
    assert sorted(calls) == ["estimate_logging", "log_value", "with_propensities"]
