"""Evaluating a policy on a log of impressions: weights, rewards and units."""

import csv
import itertools
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

from recsim.errors import EstimationError, LogError, UserError
from recsim.estimators import (
    Tally,
    evaluate,
    evaluate_slates,
    evaluate_trajectories,
    log_value,
    make_estimator,
    policy_samples,
)
from recsim.estimators.diagnostics import ADAPTIVE
from recsim.log import SlateLog, read_log


def uniform(obs, items):
    return np.full(items.shape, 1 / obs["candidates"].shape[1])


class Follower:
    """Prefers the item shown last: a policy that depends on history, user and feedback."""

    def propensities(self, obs, items):
        last = obs["history_items"][:, -items.shape[1] :]
        liked = 0.1 * obs["history_length"] + 0.05 * (obs["feedback"][:, :1] > 0)
        return np.where(items == last, 0.5, 0.2) + np.minimum(liked, 0.3)


def test_every_item_shown_is_an_impression(random_log):
    log = random_log(
        2,
        slate=np.array([[3, -1], [0, 2]]),
        clicks=np.array([[1, 0], [0, 1]], dtype=np.int8),
        propensity=np.array([[0.5, 1.0], [0.25, 0.125]]),
    )
    calls = []

    def policy(obs, items):
        calls.append(items.tolist())
        return np.array([[0.25, np.nan], [0.5, 0.25]])  # the value at padding is ignored

    (sample,) = policy_samples(log, policy)
    assert calls == [[[3, -1], [0, 2]]]
    assert sample.weights.tolist() == [0.5, 2.0, 2.0]
    assert sample.rewards.tolist() == [1, 0, 1]
    assert sample.units.tolist() == [log.user[0], log.user[1], log.user[1]]
    (by_row,) = policy_samples(log, policy, unit="row", first_row=10)
    assert by_row.units.tolist() == [10, 11, 11]
    ips, snips = evaluate(log, policy, ("ips", "snips"), samples=10)
    assert ips.value == pytest.approx(2.5 / 3)
    assert snips.value == pytest.approx(2.5 / 4.5)
    assert ips.n == 3


def test_ips_is_exact_on_a_log_with_slates_in_proportion_to_their_probability(random_log):
    # Slates of two out of three items, all six once, and a click that depends on item and place.
    slates = list(itertools.permutations(range(3), 2))
    clicked = {(0, 0): 1, (1, 0): 0, (2, 0): 1, (0, 1): 0, (1, 1): 1, (2, 1): 0}
    clicks = np.array([[clicked[item, k] for k, item in enumerate(s)] for s in slates], np.int8)
    log = random_log(
        6, items=3, slate=np.array(slates), clicks=clicks, propensity=np.full((6, 2), 1 / 3)
    )
    shown = {0: (F(1, 2), F(1, 4)), 1: (F(1, 4), F(1, 4)), 2: (F(1, 4), F(1, 2))}
    value = sum(shown[item][k] * click for (item, k), click in clicked.items()) / 2

    def policy(obs, items):
        table = np.array([[float(p) for p in shown[item]] for item in range(3)])
        return table[items, np.arange(2)]

    assert evaluate(log, policy, ("ips",), samples=10)[0].value == pytest.approx(float(value))


def test_slates_of_one_item_work_with_every_reward(random_log):
    log = random_log(30, slots=1, anonymous=True)
    log = replace(log, problem=replace(log.problem, rewards={"click": 1.0, "watch": 2.0}))
    weights = (1 / 7) / log.propensity[:, 0]
    for reward, values in ((None, log.reward), ("watch", log.feedback["watch"])):
        (value,) = evaluate(log, uniform, ("ips",), reward=reward, samples=10)
        assert value.value == pytest.approx((weights * values).mean())
        assert log_value(log, reward=reward, samples=10).value == pytest.approx(values.mean())


def test_the_reward_of_a_slate_cannot_be_divided(random_log):
    log = random_log(4)
    with pytest.raises(UserError, match="'watch' belongs to a slate of several items"):
        evaluate(log, uniform, reward="watch")
    log = replace(log, problem=replace(log.problem, rewards={"click": 1.0, "watch": 1.0}))
    with pytest.raises(UserError, match=r"'click \+ watch' belongs to a slate"):
        evaluate(log, uniform)
    assert evaluate(log, uniform, reward="click", samples=10)[0].n == 8


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize("unit", ["user", "session", "row"])
def test_a_scanned_log_gives_the_same_values(random_log, tmp_path, anonymous, unit):
    log = random_log(200, anonymous=anonymous, session=np.arange(200) // 31)
    folder = log.save(tmp_path / "log")
    settings = {"samples": 40, "unit": unit, "history_slates": 2}
    whole = evaluate(log, Follower(), **settings)
    pieces = evaluate(SlateLog.scan(folder, batch_rows=17), Follower(), **settings)
    batches = Tally([make_estimator("ips")], samples=40)
    for sample in policy_samples(log, Follower(), unit=unit, history_slates=2, batch_rows=9):
        batches.add(sample)
    for ours, theirs in zip([*pieces, *batches.values()], [*whole, whole[0]], strict=True):
        for name in ("value", "low", "high", "ess", "max_weight"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-10), name
    one, other = log_value(log, samples=40), log_value(SlateLog.scan(folder, 17), samples=40)
    assert other.interval == pytest.approx(one.interval, rel=1e-10)


def test_sessions_are_numbered_by_their_first_row_however_the_log_is_cut(random_log):
    user = np.array([0, 0, 1, 0, 1, 1, 0, 2, 0])
    session = np.array([0, 1, 0, 0, 0, 1, 1, 0, 2])
    log = random_log(9, slots=1, user=user, session=session)
    expected = [0, 1, 2, 0, 2, 5, 1, 7, 8]
    for cuts in ([], [4], range(1, 9)):
        ends = [0, *cuts, 9]
        pieces = [log.select(slice(a, b)) for a, b in itertools.pairwise(ends)]
        samples = policy_samples(pieces, uniform, unit="session", batch_rows=2)
        assert np.concatenate([sample.units for sample in samples]).tolist() == expected
    (later,) = policy_samples(log, uniform, unit="session", first_row=100)
    assert later.units.tolist() == [100 + number for number in expected]
    far = replace(log, session=np.where(np.arange(9) == 3, 2**32, session))
    with pytest.raises(UserError, match="row 3: session 4294967296 cannot be resampled: number"):
        log_value(far, unit="session")


def test_sessions_are_resampled_with_all_their_rows(random_log):
    # Every session clicks always or never: all its rows are as informative as one.
    session = np.repeat(np.arange(100), 4)
    clicks = np.repeat(np.tile([[1], [0]], (50, 1)), 4, axis=0).astype(np.int8)
    log = random_log(400, slots=1, users=2, session=session, user=session % 2, clicks=clicks)
    log = replace(log, feedback={"click": clicks[:, 0].astype(float), "watch": np.zeros(400)})
    of = {unit: log_value(log, unit=unit, interval="t") for unit in ("user", "session", "row")}
    width = {unit: value.high - value.low for unit, value in of.items()}
    assert width["session"] == pytest.approx(2 * 1.98422 * clicks.std() / np.sqrt(99), rel=1e-4)
    assert width["session"] == pytest.approx(2 * width["row"], rel=0.02)
    assert width["user"] > 10 * width["session"]  # two of them


def test_users_are_resampled_with_all_their_rows(random_log):
    log = random_log(400, users=4)
    by_user = log_value(log, interval="bootstrap")
    by_row = log_value(log, interval="bootstrap", unit="row")
    assert by_user.value == by_row.value == pytest.approx(log.clicks.mean())
    assert by_user.interval != by_row.interval
    one = log_value(log.select(log.user == 2), interval="bootstrap")
    assert np.isnan(one.interval).all()  # no other user to draw
    assert "a single independent unit" in " ".join(one.warnings)
    by_t = log_value(log.select(log.user == 2), interval="t")
    assert np.isnan(by_t.interval).all()
    assert "unit='session' or 'row' divides a user" in " ".join(by_t.warnings)


def test_the_log_is_not_changed(random_log):
    log = random_log(20)
    before = {name: getattr(log, name).copy() for name in ("slate", "clicks", "propensity")}
    evaluate(log, uniform, samples=10)
    for name, values in before.items():
        assert np.array_equal(getattr(log, name), values)


def test_values_from_a_log_of_a_policy_that_learned_have_a_warning(random_log):
    log = replace(random_log(60, slots=1), adaptive=True)
    for value in (
        *evaluate(log, uniform, ("ips", "snips", "dr")),
        *evaluate_slates(log, uniform, ("sips", "sniips")),
        *evaluate_trajectories(log, uniform, ("pdis", "wis")),
    ):
        assert value.warnings[-1] == ADAPTIVE
    assert log_value(log).warnings[-1] == ADAPTIVE
    assert ADAPTIVE not in log_value(replace(log, adaptive=False)).warnings
    pieces = [log.select(slice(0, 30)), log.select(slice(30, 60))]
    assert evaluate(pieces, uniform, ("ips",))[0].warnings[-1] == ADAPTIVE


def test_errors_name_what_evaluation_lacks(random_log):
    log = random_log(5)
    with pytest.raises(UserError, match="The log has no propensities"):
        evaluate(replace(log, propensity=None), uniform)

    class Shy:
        def propensities(self, obs, items):
            return None

    with pytest.raises(UserError, match="Shy does not know the probability of what it shows"):
        evaluate(log, Shy())
    with pytest.raises(
        EstimationError, match=r"propensities of shape \(5, 1\); they must have \(5, 2\)"
    ):
        evaluate(log, lambda obs, items: np.ones((5, 1)))
    with pytest.raises(EstimationError, match=r"returned 1\.5 as a probability, for row 0"):
        evaluate(log, lambda obs, items: np.full(items.shape, 1.5))
    with pytest.raises(EstimationError, match="returned a list that holds no array of probabilit"):
        evaluate(log, lambda obs, items: [["a", "b"]])
    with pytest.raises(UserError, match=r"Unknown estimator 'isp'\. Did you mean 'ips'\?"):
        evaluate(log, uniform, ("isp",))
    with pytest.raises(UserError, match=r"no reward 'clicks'\. Did you mean 'click'\?"):
        evaluate(log, uniform, reward="clicks")
    with pytest.raises(UserError, match=r"Unknown unit 'users'\. Did you mean 'user'\?"):
        evaluate(log, uniform, unit="users")


# The uniform policy on the logs of Bernoulli Thompson sampling, computed with pandas.
OPEN_BANDIT = {
    "men": {"ips": 0.003008626327256482, "snips": 0.003189423162277403, "ess": 655.7098495873269},
    "women": {"ips": 0.00743757754192316, "snips": 0.0023730461434477677, "ess": 2.077822692483687},
}


@pytest.mark.parametrize("campaign", sorted(OPEN_BANDIT))
def test_the_uniform_policy_on_open_bandit(data_dir, campaign):
    path = data_dir / "obd_small"
    if not path.is_dir():
        pytest.skip(f"no Open Bandit sample at {path}")
    log = read_log("open_bandit", path=path, campaign=campaign)
    ips, snips, clipped = evaluate(log, uniform, clip=10.0)
    known = OPEN_BANDIT[campaign]
    assert ips.value == pytest.approx(known["ips"], rel=1e-9)
    assert snips.value == pytest.approx(known["snips"], rel=1e-9)
    assert ips.ess == pytest.approx(known["ess"], rel=1e-9)
    with (path / "bts" / campaign / f"{campaign}.csv").open() as file:
        rows = [(F(row["propensity_score"]), int(row["click"])) for row in csv.DictReader(file)]
    weights = [1 / (log.problem.num_items * mu) for mu, _ in rows]
    exact = sum(min(w, 10) * click for w, (_, click) in zip(weights, rows, strict=True)) / 10_000
    assert clipped.value == pytest.approx(float(exact), rel=1e-9)
    assert ips.max_weight == pytest.approx(float(max(weights)), rel=1e-9)

    # Both logs hold few clicks and were made by a policy that learned; one row carries most of the
    # weight of the women's.
    for value in (ips, snips, clipped):
        assert ADAPTIVE in value.warnings
        assert value.effective_terms < 50
        assert any("total weight" in text for text in value.warnings) == (campaign == "women")
        assert value.low < value.value < value.high

    reference = log_value(read_log("open_bandit", path=path, campaign=campaign, policy="random"))
    assert reference.value == pytest.approx(0.0046)
    assert reference.effective_terms == pytest.approx(46)
    assert ADAPTIVE not in reference.warnings
    assert max(ips.low, reference.low) < min(ips.high, reference.high)  # they agree


@pytest.mark.parametrize("least", [1e-320, 1e-200])
def test_a_propensity_too_small_to_divide_by_is_refused(random_log, least):
    log = random_log(5)
    propensity = log.propensity.copy()
    propensity[3, 1] = least
    wrong = replace(log, propensity=propensity)
    with pytest.raises(EstimationError, match=r"row 3, position 1: .* is too small to divide by"):
        evaluate(wrong, uniform, samples=10)
    with pytest.raises(LogError, match=r"row 3, position 1: propensity .* \(at least 1e-150\)"):
        wrong.validate()
