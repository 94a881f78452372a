"""Evaluating a policy on users over time: trajectories, ratios and states."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from recsim.errors import UserError
from recsim.estimators.slates.explicit_policies import PlackettLuceSlates, UniformSlates
from recsim.estimators.trajectories.estimators import (
    TRAJECTORY_ESTIMATORS,
    make_trajectory_estimator,
)
from recsim.estimators.trajectories.evaluate import evaluate_trajectories
from recsim.estimators.trajectories.marginalised import marginals
from recsim.estimators.trajectories.sample import TrajectorySample
from recsim.log import SlateLog

ITEMS = 3


class Taste:
    """Prefers an item, the more so the more the user clicked last time; depends on the history."""

    def action_probabilities(self, obs):
        last = obs["feedback"][:, :1]  # (B, 1): clicks of the last step
        strength = np.where(last > 0, 0.6, 0.4)
        chance = np.full((len(last), ITEMS), 1.0)
        chance *= (1 - strength) / (ITEMS - 1)
        chance[:, 1:2] = strength
        return chance[:, None, :]

    def propensities(self, obs, items):
        return self.action_probabilities(obs)[np.arange(len(items))[:, None], 0, items]


def draw(random_log, users, seed=0, steps=4, ragged=True) -> SlateLog:
    """Let a uniform policy play: a click is likelier for item 1, and after a click."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, steps + 1, users) if ragged else np.full(users, steps)
    items = rng.integers(0, ITEMS, (users, steps))
    clicks = np.zeros((users, steps), dtype=np.int8)
    for t in range(steps):
        after = clicks[:, t - 1] if t else np.zeros(users)
        chance = 0.2 + 0.4 * (items[:, t] == 1) + 0.2 * after
        clicks[:, t] = rng.random(users) < chance
    within = np.arange(steps) < lengths[:, None]
    user, step = np.nonzero(within)
    order = np.lexsort((user, step))  # the users take turns
    user, step = user[order], step[order]
    click = clicks[user, step]
    return random_log(
        len(user),
        items=ITEMS,
        slots=1,
        users=users,
        user=user,
        session=step // 2,
        step=step,
        slate=items[user, step][:, None],
        clicks=click[:, None],
        feedback={"click": click.astype(float), "watch": rng.random(len(user))},
        propensity=np.full((len(user), 1), 1 / ITEMS),
    )


def truth(steps=4) -> float:
    """Return the clicks expected of `Taste` over a trajectory of full length."""
    clicked, total = 0.0, 0.0  # chance of a click at the step before
    for _ in range(steps):
        after = {bonus: 0.2 + 0.4 * like + 0.2 * bonus for bonus, like in ((0, 0.4), (1, 0.6))}
        clicked = clicked * after[1] + (1 - clicked) * after[0]
        total += clicked
    return total


def by_hand(log: SlateLog, *, session=False, gamma=0.9, reward="click"):
    """Return trajectories from a loop over the rows."""
    trajectories, last = {}, {}
    for row in range(len(log)):
        user = int(log.user[row])
        key = (user, int(log.session[row])) if session else user
        strength = 0.6 if last.get(user) else 0.4
        pi = strength if log.slate[row, 0] == 1 else (1 - strength) / 2
        step = (pi / log.propensity[row, 0], log.feedback[reward][row])
        trajectories.setdefault(key, []).append(step)
        last[user] = log.feedback["click"][row]
    keys = sorted(trajectories)
    steps = [(i, *step) for i, key in enumerate(keys) for step in trajectories[key]]
    number, rho, earned = zip(*steps, strict=True)
    return TrajectorySample.of_ratios(
        number, np.array(earned), np.array(rho), discount=gamma,
        units=[key[0] if session else key for key in keys],
    )  # fmt: skip


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("reward", ["click", "watch"])
def test_trajectories_agree_with_a_loop_over_the_rows(random_log, session, reward):
    log = draw(random_log, 40)
    expected = by_hand(log, session=session, reward=reward)
    assert 1 < expected.lengths.max() <= 4
    names = ("tis", "wis", "pdis", "snpdis", "clipped_tis", "clipped_pdis", "step_clipped_pdis")
    for value in evaluate_trajectories(
        log,
        Taste(),
        names,
        discount=0.9,
        episode="session" if session else "user",
        reward=reward,
        clip=1.1,
        samples=20,
    ):
        estimator = make_trajectory_estimator(value.estimator, clip=1.1)
        assert value.value == pytest.approx(estimator(expected), rel=1e-9), value.estimator


def test_sessions_can_be_the_independent_units(random_log):
    log = draw(random_log, 40)
    settings = {"episode": "session", "interval": "t", "model": "mean"}
    names = ("pdis", "dr")
    expected = by_hand(log, session=True, gamma=1.0)
    by_user = evaluate_trajectories(log, Taste(), names, **settings)
    by_session = evaluate_trajectories(log, Taste(), names, unit="session", **settings)
    assert by_session[0].value == pytest.approx(by_user[0].value)
    assert by_session[0].interval != pytest.approx(by_user[0].interval)
    terms = (np.cumprod(expected.ratios, axis=1) * expected.rewards).sum(axis=1)
    n = len(terms)
    half = stats.t.ppf(0.975, n - 1) * terms.std(ddof=1) / np.sqrt(n)
    assert by_session[0].high - by_session[0].value == pytest.approx(half, rel=1e-6)
    with pytest.raises(UserError, match="with unit='session' give episode='session' too"):
        evaluate_trajectories(log, Taste(), names, unit="session")
    with pytest.raises(UserError, match=r"Unknown unit 'sesion'\. Did you mean 'session'\?"):
        evaluate_trajectories(log, Taste(), names, unit="sesion", episode="session")


def test_a_scanned_log_gives_the_same_values(random_log, tmp_path):
    log = draw(random_log, 60)
    folder = log.save(tmp_path / "log")
    settings = {"samples": 30, "states": lambda obs: obs["feedback"][:, 0]}
    whole = evaluate_trajectories(log, Taste(), TRAJECTORY_ESTIMATORS, **settings)
    for other in (SlateLog.scan(folder, batch_rows=23), folder):
        pieces = evaluate_trajectories(other, Taste(), TRAJECTORY_ESTIMATORS, **settings)
        for ours, theirs in zip(pieces, whole, strict=True):
            assert ours.estimator == theirs.estimator
            assert ours.value == pytest.approx(theirs.value, rel=1e-9)
            assert ours.interval == pytest.approx(theirs.interval, rel=1e-9)


def test_all_estimators_are_near_the_true_value_and_cover_it(random_log):
    names = ("tis", "wis", "pdis", "snpdis", "dm", "dr", "wdr", "mis")
    logs = 60
    estimates, covered = np.zeros((logs, len(names))), np.zeros(len(names))
    for seed in range(logs):
        log = draw(random_log, 300, seed=seed, ragged=False)
        values = evaluate_trajectories(
            log,
            Taste(),
            names,
            states=lambda obs: obs["feedback"][:, 0],
            interval="t",
            level=0.9,
        )
        estimates[seed] = [value.value for value in values]
        covered += [value.low <= truth() <= value.high for value in values]
    error = np.abs(estimates.mean(axis=0) - truth())
    assert (error < 4 * estimates.std(axis=0) / np.sqrt(logs) + 0.01).all(), error
    spread = dict(zip(names, estimates.std(axis=0), strict=True))
    assert spread["dr"] < spread["pdis"] < spread["tis"]
    assert spread["mis"] < spread["pdis"]
    # Nominal 0.9; four standard errors of a share over 60 logs are 0.155.
    # The interval of dm ignores the error of its model.
    for name, share in zip(names, covered / logs, strict=True):
        assert abs(share - 0.9) < 0.155 or name == "dm", (name, share)


def test_slates_of_several_items(random_log):
    log = random_log(120, items=4, slots=2, users=30)
    logging = UniformSlates(2)
    obs = log.observations()
    slate = logging.draw(obs, np.random.default_rng(0))
    whole = logging.prefix_propensities(obs, slate)[:, -1]
    log = replace(log, slate=slate, slate_propensity=whole)
    scores = np.array([0.0, 0.5, 1.0, 0.2])
    policy = PlackettLuceSlates(lambda obs: np.repeat(scores[None], len(obs["time"]), 0), 2)
    ratio = policy.prefix_propensities(obs, slate)[:, -1] / whole
    expected = sum(
        np.prod(ratio[log.user == user]) * log.reward[log.user == user].sum() for user in range(30)
    ) / len(np.unique(log.user))
    values = evaluate_trajectories(log, policy, ("tis", "dr"), samples=20)
    assert values[0].value == pytest.approx(expected)
    assert np.isfinite(values[1].value)
    unlisted = type("Unlisted", (), {
        "prefix_propensities": lambda self, obs, items: policy.prefix_propensities(obs, items),
        "propensities": lambda self, obs, items: None,
    })()  # fmt: skip
    assert evaluate_trajectories(log, unlisted, ("tis",), samples=5)[0].value == values[0].value
    with pytest.raises(UserError, match="Unlisted cannot list its slates of 2 items"):
        evaluate_trajectories(log, unlisted, ("dr",))


def test_a_horizon_and_states(random_log):
    log = draw(random_log, 50)
    first = log.select(log.step == 0)
    one = evaluate_trajectories(log, Taste(), ("tis",), horizon=1, samples=5)[0]
    assert one.value == pytest.approx(
        evaluate_trajectories(first, Taste(), ("tis",), samples=5)[0].value
    )
    sample = by_hand(log, gamma=1.0)
    (value,) = evaluate_trajectories(
        log, Taste(), ("mis",), states=lambda obs: obs["time"][:, 2], samples=5
    )
    states = np.tile(np.arange(sample.steps), (len(sample), 1))
    assert value.value == pytest.approx(marginals(replace(sample, states=states)).value)
    with pytest.raises(UserError, match="mis needs states: the state before every step"):
        evaluate_trajectories(log, Taste(), ("mis",))


def test_logs_without_trajectories_are_refused(random_log):
    log = draw(random_log, 20)
    with pytest.raises(UserError, match="The log is anonymous: without users"):
        evaluate_trajectories(random_log(10, slots=1, items=ITEMS, anonymous=True), Taste())
    with pytest.raises(UserError, match=r"Unknown episode 'sesion'\. Did you mean 'session'\?"):
        evaluate_trajectories(log, Taste(), episode="sesion")
    with pytest.raises(UserError, match=r"Unknown estimator 'pds'\. Did you mean 'pdis'\?"):
        evaluate_trajectories(log, Taste(), ("pds",))
    with pytest.raises(UserError, match="The log has no rows"):
        evaluate_trajectories([], Taste())
    propensity = log.propensity.copy()
    propensity[13] = 0
    with pytest.raises(UserError, match="row 13, position 0: the logged propensity 0"):
        evaluate_trajectories(replace(log, propensity=propensity), Taste())


def test_few_trajectories_with_weight_have_a_warning(random_log):
    class Always:
        def propensities(self, obs, items):
            return (items == 1).astype(float)

    (value,) = evaluate_trajectories(
        draw(random_log, 200, ragged=False), Always(), ("tis",), samples=20
    )
    assert value.n == 200
    assert any("carries" in text and "one trajectory of 200" in text for text in value.warnings)
