"""Evaluation with reward models, all actions, rules and intervals."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import UserError
from recsim.estimators import (
    ESTIMATORS,
    Actions,
    Sample,
    choose,
    cross_fit,
    evaluate,
    log_value,
    make_estimator,
    policy_samples,
)
from recsim.log import SlateLog


class Table:
    """Shows item i with probability ``chances[u, i]`` to users of kind u, at every position."""

    def __init__(self, chances, slots=1):
        self.chances = np.asarray(chances, dtype=float)
        self.slots = slots

    def _every(self, obs):
        kind = (obs["user_features"][:, 0] > 0).astype(int)
        return self.chances[kind]  # (B, I)

    def propensities(self, obs, items):
        every = self._every(obs)
        return np.where(items < 0, 1.0, np.take_along_axis(every, np.maximum(items, 0), axis=1))

    def action_probabilities(self, obs):
        every = np.take_along_axis(self._every(obs), obs["candidates"], axis=1)
        return np.repeat(every[:, None, :], self.slots, axis=1)


MU = Table([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
PI = Table([[0.1, 0.3, 0.6], [0.5, 0.4, 0.1]])
Q = np.array([[0.2, 0.5, 0.7], [0.6, 0.3, 0.1]])
VALUE = (PI.chances * Q).sum() / 2  # kinds are equally likely


@pytest.fixture
def logged(random_log):
    """Draw a log of the policy MU with clicks of mean Q."""

    def draw(rows, seed=0):
        rng = np.random.default_rng(seed)
        kind = rng.integers(0, 2, rows)
        mu = MU.chances[kind]
        slate = (mu.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)[:, None]
        clicks = (rng.random((rows, 1)) < Q[kind[:, None], slate]).astype(np.int8)
        users = np.stack([2.0 * kind - 1, np.ones(rows)], axis=1).astype(np.float32)
        return random_log(
            rows,
            items=3,
            slots=1,
            features=2,
            anonymous=True,
            slate=slate,
            clicks=clicks,
            user_features=users,
            propensity=np.take_along_axis(mu, slate, axis=1),
            feedback={"click": clicks[:, 0].astype(float), "watch": np.zeros(rows)},
        )

    return draw


ALL_BUT_REPLAY = [name for name in ESTIMATORS if name != "replay"]


def test_every_estimator_is_near_the_true_value(logged):
    settings = {"logging": MU, "interval": "t", "subgaussian": 0.001}
    values = evaluate(logged(20_000), PI, ALL_BUT_REPLAY, **settings)
    for value in values:
        assert value.value == pytest.approx(VALUE, abs=0.03), value.estimator
        assert value.low < value.value < value.high
        assert (value.n, value.unsupported) == (20_000, 0)
        doubted = ("this is the reward model's prediction: the interval ignores its error",)
        assert value.warnings == (doubted if value.estimator == "dm" else ()), value


def test_replay_uses_the_rows_of_a_deterministic_policy(logged):
    log = logged(3000)
    first = Table([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    (value,) = evaluate(log, first, ("replay",), samples=20)
    kind = (log.user_features[:, 0] > 0).astype(int)
    matches = log.slate[:, 0] == kind
    assert value.value == pytest.approx(log.clicks[matches].mean())
    assert any("logged uniformly at random" in text for text in value.warnings)
    with pytest.raises(UserError, match="replay needs a deterministic policy"):
        evaluate(log, PI, ("replay",))


def test_values_are_those_of_the_functions_of_arrays(logged):
    log = logged(400)
    model = cross_fit(log, "ridge")
    names = ("dr", "sndr", "switch", "dros", "clipped_dr")
    evaluated = evaluate(log, PI, names, logging=MU, model=model, samples=10, clip=1.5, tau=1.5)
    obs = log.observations()
    items = log.slate[:, 0]
    every = PI.action_probabilities(obs)[:, 0]
    units = np.arange(400)
    q_all = np.stack(
        [
            model.predict(log.user_features, np.full(400, item), np.zeros(400, int), units)
            for item in range(3)
        ],
        axis=1,
    )
    q, v = q_all[units, items], (every * q_all).sum(axis=1)
    weights = every[units, items] / log.propensity[:, 0]
    actions = Actions(every, MU.action_probabilities(obs)[:, 0], q_all)
    for value in evaluated:
        estimator = make_estimator(value.estimator, clip=1.5, tau=1.5)
        expected = estimator(weights, log.clicks[:, 0], q=q, v=v, actions=actions)
        assert value.value == pytest.approx(expected, abs=1e-10), value.estimator


def test_slates_of_several_items_have_a_model_for_every_position(random_log):
    slate = np.array([[0, 1], [1, 0], [2, -1]] * 40)
    clicks = np.array([[1, 0], [1, 0], [0, 0]] * 40, dtype=np.int8)  # depends on the position only
    log = random_log(
        120, items=3, slots=2, slate=slate, clicks=clicks, propensity=np.full((120, 2), 1 / 3)
    )
    either = Table([[0.5, 0.5, 0.0]] * 2, slots=2)
    model = cross_fit(log, "extra_trees", unit="row")
    zeros, users = np.zeros(2, int), log.user_features[:2]
    predicted = model.predict(users, zeros, np.array([0, 1]), zeros)
    assert predicted[0] > 0.8 > 0.2 > predicted[1]
    (value,) = evaluate(log, either, ("dr",), model=model, samples=20, unit="row")
    assert value.n == 200
    # Of the 120 first positions and 80 second ones, the firsts are clicked.
    assert value.value == pytest.approx(120 / 200, abs=0.05)


def test_pieces_and_folders_give_the_same_values(logged, tmp_path):
    log = logged(600)
    folder = log.save(tmp_path / "log")
    settings = {"logging": MU, "interval": "t", "clip": "slope"}
    names = ("dr", "switch", "mrdr", "clipped_ips", "clipped_snips")
    whole = evaluate(log, PI, names, **settings)
    for other in (folder, str(folder), [log.select(slice(0, 7)), log.select(slice(7, 600))]):
        for ours, theirs in zip(evaluate(other, PI, names, **settings), whole, strict=True):
            assert ours.value == pytest.approx(theirs.value, rel=1e-9), ours.estimator
            assert ours.interval == pytest.approx(theirs.interval, rel=1e-9)
            assert ours.parameter == theirs.parameter
    scan = SlateLog.scan(folder, 50)
    with pytest.raises(UserError, match="A reward model is fitted on the log, so the log must be"):
        evaluate(scan, PI, ("dr",))
    with pytest.raises(UserError, match="The rule 'slope' chooses a limit on the log, so the log"):
        evaluate(scan, PI, ("clipped_ips",), clip="slope")
    model = cross_fit(log)
    (once,) = evaluate(SlateLog.scan(folder, 50), PI, ("dr",), model=model, interval="t")
    assert once.value == pytest.approx(whole[0].value, rel=1e-9)


def test_a_model_fitted_on_another_log_is_refused(random_log):
    log = random_log(90, slots=1)
    uniform = Table(np.full((2, 7), 1 / 7))
    settings = {"samples": 10, "model": cross_fit(log, "mean")}
    whole = evaluate(log, uniform, ("dr",), **settings)[0].value
    for same in (replace(log), [log.select(slice(0, 40)), log.select(slice(40, 90))]):
        assert evaluate(same, uniform, ("dr",), **settings)[0].value == pytest.approx(whole)
    others = {
        "shorter": log.select(slice(0, 89)),
        "longer": SlateLog.concat([log, log.select(slice(0, 1))], same_users=True),
        "another order": log.select(np.arange(90)[::-1]),
        "other users": replace(log, user=np.roll(log.user, 1)),
        "other items": replace(log, slate=np.roll(log.slate, 1)),
    }
    for name, other in others.items():
        with pytest.raises(UserError, match="fitted on another log, of 90 rows, so it is"):
            pytest.fail(f"{name}: {evaluate(other, uniform, ('dr',), **settings)}")
    # Pieces of a longer log are recognised as another log only if they are longer.
    part = log.select(slice(60, 90))
    assert list(policy_samples(part, uniform, model=settings["model"], first_row=60))
    with pytest.raises(UserError, match="fitted on another log"):
        list(policy_samples(part, uniform, model=settings["model"], first_row=61))


def test_a_model_fitted_with_another_unit_is_refused(random_log):
    log = random_log(90, slots=1)
    uniform = Table(np.full((2, 7), 1 / 7))
    for fitted, other in (("user", "row"), ("row", "user")):
        model = cross_fit(log, "mean", unit=fitted)
        message = f"fitted with unit='{fitted}'; with unit='{other}' it would predict for rows"
        with pytest.raises(UserError, match=message):
            evaluate(log, uniform, ("dr",), model=model, unit=other)
    anonymous = random_log(90, slots=1, anonymous=True)
    for fitted, other in (("user", "row"), ("row", "user")):  # the same there
        model = cross_fit(anonymous, "mean", unit=fitted)
        assert evaluate(anonymous, uniform, ("dr",), model=model, unit=other, samples=10)


def test_many_candidates_are_processed_a_few_rows_at_a_time(logged, monkeypatch):
    log = logged(300)
    (whole,) = evaluate(log, PI, ("dr",), samples=10)
    monkeypatch.setattr("recsim.estimators.impressions.weighted_rows._CELLS", 12)
    monkeypatch.setattr("recsim.estimators.impressions.crossfitting._TABLE", 100)
    (few,) = evaluate(log, PI, ("dr",), samples=10)
    assert few.value == pytest.approx(whole.value, rel=1e-9)
    model = cross_fit(log)
    assert {len(sample) for sample in policy_samples(log, PI, model=model)} == {4}
    assert {len(sample) for sample in policy_samples(log, PI)} == {300}


def test_a_rule_chooses_for_each_estimator(logged):
    log = logged(500)
    first, second, given = evaluate(
        log, PI, ("clipped_ips", "sub_gaussian", "dros"), clip="mse", subgaussian="slope"
    )
    samples = list(policy_samples(log, PI))
    chosen = choose(samples, "clipped_ips", rule="mse")
    assert (first.rule, first.clip) == ("mse", chosen.chosen)
    assert first.value == pytest.approx(chosen.values[chosen.candidates.index(chosen.chosen)])
    other = choose(samples, "sub_gaussian", rule="slope")
    assert (second.rule, second.parameter) == ("slope", f"subgaussian={other.chosen:g}")
    assert (given.rule, given.parameter) == ("", "shrinkage=400")
    built = make_estimator("clipped_ips", clip=3)
    (own,) = evaluate(log, PI, (built,), clip="mse")
    assert (own.rule, own.clip) == ("", 3)


def test_intervals_of_every_kind(logged):
    log = logged(2000)
    width = {}
    for kind, bound in (("t", None), ("bootstrap", None), ("bernstein", 3.0), ("hoeffding", 3.0)):
        (value,) = evaluate(log, PI, ("ips",), interval=kind, bound=bound)
        assert value.interval_kind == kind
        assert value.low < VALUE < value.high
        width[kind] = value.high - value.low
    assert width["bootstrap"] == pytest.approx(width["t"], rel=0.1)
    assert width["t"] < width["bernstein"] < width["hoeffding"]
    mean = log_value(log, interval="t")
    sd = log.clicks.std(ddof=1) / np.sqrt(2000)
    assert mean.high - mean.low == pytest.approx(2 * 1.9611 * sd, rel=1e-3)


@pytest.mark.parametrize("bad", [0.0, np.nan, 1.5, -0.2])
def test_an_invalid_propensity_names_its_row(logged, bad):
    log = logged(30)
    propensity = log.propensity.copy()
    propensity[17, 0] = bad
    with pytest.raises(UserError, match=rf"row 17, position 0: the logged propensity {bad}"):
        evaluate(replace(log, propensity=propensity), PI, samples=10)
    with pytest.raises(UserError, match="row 17, position 0"):
        evaluate(replace(log, propensity=propensity), PI, ("mrdr",), samples=10)


def test_errors_name_what_is_missing(logged):
    log = logged(30)
    with pytest.raises(UserError, match="switch needs the probability of every action under the"):
        evaluate(log, PI, ("switch",))
    with pytest.raises(UserError, match="mrdr fits a reward model of its own"):
        evaluate(log, PI, ("mrdr",), model=cross_fit(log))
    with pytest.raises(UserError, match=r"clip: must be .*, 'slope' or 'mse', not 'slop'"):
        evaluate(log, PI, ("clipped_ips",), clip="slop")
    with pytest.raises(UserError, match=r"unknown reward model 'rigde'"):
        evaluate(log, PI, ("dr",), model="rigde")


def coverage(logged, names, logs, rows, **settings):
    covered = dict.fromkeys(names, 0)
    for seed in range(logs):
        for value in evaluate(logged(rows, seed), PI, names, logging=MU, seed=seed, **settings):
            assert value.ess > 100
            covered[value.estimator] += value.low <= VALUE <= value.high
    return {name: count / logs for name, count in covered.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["t", "bootstrap"])
def test_intervals_cover_with_fitted_models(logged, kind):
    names = ("ips", "snips", "dr", "sndr", "mrdr", "switch_dr", "switch", "dros")
    if kind == "bootstrap":
        names = ("snips", "dr", "sndr")
    for name, share in coverage(logged, names, 1000, 500, interval=kind, samples=400).items():
        assert 0.92 <= share <= 0.97, (name, share)


def test_samples_without_models_have_none(logged):
    (sample,) = policy_samples(logged(20), PI)
    assert isinstance(sample, Sample)
    assert (sample.model, sample.actions, sample.whole) == (None, None, True)
