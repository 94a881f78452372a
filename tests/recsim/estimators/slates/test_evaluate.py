"""Evaluating a policy on a log of slates: weights, rewards and units."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from recsim.errors import AgentError, EstimationError, UserError
from recsim.estimators.slates.distribution import plackett_luce
from recsim.estimators.slates.estimators import SLATE_ESTIMATORS
from recsim.estimators.slates.evaluate import evaluate_slates
from recsim.estimators.slates.explicit_policies import (
    IndependentSlots,
    PlackettLuceSlates,
    UniformSlates,
)
from recsim.log import SlateLog

ITEMS, SLOTS = 4, 3
TARGET = np.array([0.0, 1.5, -0.5, 0.7])
SLATES = np.array(list(itertools.permutations(range(ITEMS), SLOTS)))


class Target(PlackettLuceSlates):
    """Plackett-Luce with fixed scores: a policy with known probabilities."""

    def __init__(self, scores=TARGET, slots=SLOTS):
        super().__init__(lambda obs: np.repeat(scores[None], len(obs["candidates"]), 0), slots)


def full_log(random_log, clicked, **columns) -> SlateLog:
    """Return a log that holds every slate once, as the uniform policy draws them."""
    clicks = np.array([clicked(slate) for slate in SLATES.tolist()], dtype=np.int8)
    rows = len(SLATES)
    return random_log(
        rows,
        items=ITEMS,
        slots=SLOTS,
        anonymous=True,
        slate=SLATES,
        clicks=clicks,
        feedback={"click": clicks.sum(axis=1).astype(float), "watch": np.arange(rows) / rows},
        propensity=np.full(SLATES.shape, 1 / ITEMS),
        slate_propensity=np.full(rows, 1 / rows),
        **columns,
    )


def own(slate):
    """Clicks that depend on the item and its position alone."""
    return [int((item + k) % 3 == 0) for k, item in enumerate(slate)]


def cascade(slate):
    """Clicks that depend on the items so far: what is greater than the item before."""
    return [int(item > (slate[k - 1] if k else 1)) for k, item in enumerate(slate)]


def together(slate):
    """Clicks that depend on all of the slate."""
    return [int(item % 2 == 0 and slate[-1] > slate[0]) for item in slate]


def truth(clicked) -> float:
    chance = plackett_luce(TARGET[None], SLOTS).probabilities[0]
    return float(sum(p * sum(clicked(s)) for p, s in zip(chance, SLATES.tolist(), strict=True)))


@pytest.mark.parametrize(
    ("clicked", "right"),
    [
        (own, {"sips", "rips", "iips", "pi", "cascade_dr"}),
        (cascade, {"sips", "rips", "cascade_dr"}),
        (together, {"sips"}),
    ],
)
def test_exact_on_a_log_with_slates_in_proportion_to_their_probability(random_log, clicked, right):
    log = full_log(random_log, clicked)
    names = ("sips", "rips", "iips", "pi")
    for value in evaluate_slates(log, Target(), names, logging=UniformSlates(SLOTS), samples=20):
        exact = value.value == pytest.approx(truth(clicked), abs=1e-9)
        assert exact == (value.estimator in right), value.estimator


def test_every_estimator_on_one_log(random_log):
    log = full_log(random_log, own)
    values = evaluate_slates(
        log, Target(), SLATE_ESTIMATORS, logging=UniformSlates(SLOTS), clip=100.0, samples=50
    )
    assert [value.estimator for value in values] == list(SLATE_ESTIMATORS)
    for value in values:
        # Ratios are exact too, for the weights of this log average one at every position.
        if "cascade" not in value.estimator:
            assert value.value == pytest.approx(truth(own), abs=1e-9), value.estimator
        assert value.low < value.value < value.high
        assert value.mean_weight == pytest.approx(1.0)


def test_rewards_of_whole_slates(random_log):
    log = full_log(random_log, own)
    settings = {"logging": UniformSlates(SLOTS), "samples": 20}
    chance = plackett_luce(TARGET[None], SLOTS).probabilities[0]
    (sips, _) = evaluate_slates(log, Target(), ("sips", "pi"), reward="watch", **settings)
    assert sips.value == pytest.approx(float(chance @ log.feedback["watch"]))
    with pytest.raises(UserError, match="'watch' belongs to a slate of several items"):
        evaluate_slates(log, Target(), ("sips", "rips"), reward="watch", **settings)
    with pytest.raises(UserError, match="'watch' belongs to a slate of several items"):
        evaluate_slates(log, Target(), ("sips",), reward="watch", position_weights=[1, 1, 0])
    with pytest.raises(UserError, match=r"no reward 'wach'\. Did you mean 'watch'\?"):
        evaluate_slates(log, Target(), ("sips",), reward="wach")


def test_position_weights(random_log):
    log = full_log(random_log, own)
    alpha = [1.0, 0.5, 0.0]
    expected = sum(
        p * sum(a * c for a, c in zip(alpha, own(s), strict=True))
        for p, s in zip(
            plackett_luce(TARGET[None], SLOTS).probabilities[0], SLATES.tolist(), strict=True
        )
    )
    for name in ("sips", "iips", "rips", "pi"):
        (value,) = evaluate_slates(
            log,
            Target(),
            (name,),
            logging=UniformSlates(SLOTS),
            position_weights=alpha,
            samples=20,
        )
        assert value.value == pytest.approx(float(expected), abs=1e-9), name
    with pytest.raises(UserError, match="position_weights must be 3 finite numbers"):
        evaluate_slates(log, Target(), ("sips",), position_weights=[1.0])


def draw(random_log, rows, clicked, logging, seed=0, **columns) -> SlateLog:
    """Return a log that a policy drew, with its probabilities."""
    log = random_log(rows, items=ITEMS, slots=SLOTS, users=max(rows // 3, 1), **columns)
    obs = log.observations()
    slate = logging.draw(obs, np.random.default_rng(seed))
    clicks = np.array([clicked(s) for s in slate.tolist()], dtype=np.int8)
    return replace(
        log,
        slate=slate,
        clicks=clicks,
        feedback={**log.feedback, "click": clicks.sum(axis=1).astype(float)},
        propensity=logging.propensities(obs, slate),
        slate_propensity=logging.prefix_propensities(obs, slate)[:, -1],
    )


def test_a_scanned_log_gives_the_same_values(random_log, tmp_path):
    logging = Target(np.array([0.3, 0.1, 0.5, 0.0]))
    log = draw(random_log, 300, cascade, logging)
    folder = log.save(tmp_path / "log")
    names = [name for name in SLATE_ESTIMATORS if "cascade" not in name]
    settings = {"logging": logging, "samples": 200}
    for interval in ("bootstrap", "t"):
        whole = evaluate_slates(log, Target(), names, interval=interval, **settings)
        for other in (SlateLog.scan(folder, batch_rows=37), folder):
            pieces = evaluate_slates(other, Target(), names, interval=interval, **settings)
            for ours, theirs in zip(pieces, whole, strict=True):
                for name in ("value", "low", "high", "ess", "max_weight"):
                    value = getattr(ours, name)
                    assert value == pytest.approx(getattr(theirs, name), rel=1e-9), name
    by_row = evaluate_slates(log, Target(), names, unit="row", **settings)
    assert by_row[0].value == pytest.approx(whole[0].value)
    assert by_row[0].low != whole[0].low
    # Sessions of one slate are slates; one session for each user is the user.
    settings = {"logging": logging, "interval": "t"}
    for session, unit in ((np.arange(300), "row"), (np.zeros(300, dtype=int), "user")):
        own = replace(log, session=session)
        evaluated = evaluate_slates(own, Target(), names, unit="session", **settings)
        other = evaluate_slates(own, Target(), names, unit=unit, **settings)
        for ours, theirs in zip(evaluated, other, strict=True):
            assert ours.interval == pytest.approx(theirs.interval, rel=1e-9)


def test_cascade_dr_has_less_error_than_rips_and_no_bias(random_log):
    logging = UniformSlates(SLOTS)
    values = {"rips": [], "cascade_dr": []}
    for seed in range(60):
        log = draw(random_log, 200, cascade, logging, seed=seed)
        for value in evaluate_slates(
            log, Target(), tuple(values), logging=logging, samples=1, model="ridge"
        ):
            values[value.estimator].append(value.value)
    rips, dr = np.array(values["rips"]), np.array(values["cascade_dr"])
    assert abs(dr.mean() - truth(cascade)) < 4 * dr.std() / np.sqrt(60)
    assert dr.std() < 0.8 * rips.std()
    with pytest.raises(UserError, match="cascade_dr first fits its model on the log"):
        evaluate_slates(iter([log]), Target(), ("cascade_dr",), logging=logging)


def test_slots_filled_independently_need_no_policy(random_log):
    rng = np.random.default_rng(0)
    mu, pi = rng.dirichlet(np.full(ITEMS, 3.0), (2, SLOTS))
    logging, target = IndependentSlots(mu), IndependentSlots(pi)
    log = draw(random_log, 300, own, logging)
    names = ("sips", "rips", "iips", "pi", "snrips", "wpi")
    with_policy = evaluate_slates(log, target, names, logging=logging, samples=20)
    independent = evaluate_slates(log, target, names, logging="independent", samples=20)
    for ours, theirs in zip(independent, with_policy, strict=True):
        assert ours.value == pytest.approx(theirs.value, rel=1e-9), ours.estimator
    bare = replace(log, propensity=None, slate_propensity=None)
    again = evaluate_slates(bare, target, names, logging=logging, samples=20)
    assert [v.value for v in again] == pytest.approx([v.value for v in with_policy])


def test_empty_positions(random_log):
    log = draw(random_log, 50, own, UniformSlates(SLOTS))
    slate = log.slate.copy()
    slate[::2, 2] = -1
    clicks = np.where(slate < 0, 0, log.clicks).astype(np.int8)
    propensity = np.where(slate < 0, 1.0, log.propensity)
    log = replace(log, slate=slate, clicks=clicks, propensity=propensity)
    target = IndependentSlots(np.full((SLOTS, ITEMS), 1 / ITEMS))
    for value in evaluate_slates(
        log, target, ("sips", "rips", "iips", "sniips"), logging="independent", samples=5
    )[1:]:
        assert value.value == pytest.approx(clicks.sum(axis=1).mean()), value.estimator
    with pytest.raises(UserError, match="row 0: the slate has an empty position"):
        evaluate_slates(log, target, ("pi",), logging=UniformSlates(SLOTS))


def test_errors_name_the_probabilities_that_the_log_lacks(random_log):
    log = full_log(random_log, own)
    with pytest.raises(UserError, match="no probabilities of the first k items"):
        evaluate_slates(log, Target(), ("rips",))
    with pytest.raises(UserError, match="pseudo-inverse estimator needs the policy that made the"):
        evaluate_slates(log, Target(), ("pi",))
    with pytest.raises(UserError, match="Unknown logging 'indep': give a policy or 'independent'"):
        evaluate_slates(log, Target(), ("pi",), logging="indep")
    with pytest.raises(UserError, match="no propensities of items"):
        evaluate_slates(replace(log, propensity=None), Target(), ("iips",))
    with pytest.raises(UserError, match=r"Unknown estimator 'ripz'\. Did you mean 'rips'\?"):
        evaluate_slates(log, Target(), ("ripz",))
    with pytest.raises(UserError, match="The log has no rows"):
        evaluate_slates([], Target(), ("sips",))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda items: np.full(items.shape, 1.5), "returned 1.5 as a probability, for row 0, pos"),
        (lambda items: np.full(items.shape, np.nan), "returned nan as a probability"),
        (lambda items: np.full(len(items), 0.5), "returned prefix propensities of shape"),
        (lambda items: "often", "returned a str that holds no array of probabilities"),
    ],
)
def test_wrong_prefix_propensities_are_refused(random_log, answer, message):
    class Wrong(Target):
        def prefix_propensities(self, obs, items):
            return answer(items)

    with pytest.raises(EstimationError, match=message):
        evaluate_slates(full_log(random_log, own), Wrong(), "sips")


def test_wrong_probabilities_of_next_items_are_refused(random_log):
    class Wrong(Target):
        def next_probabilities(self, obs, items):
            return np.full((*items.shape, obs["candidates"].shape[1]), -0.1)

    with pytest.raises(EstimationError, match=r"returned -0\.1 as a probability"):
        evaluate_slates(full_log(random_log, own), Wrong(), "cascade_dr", logging="independent")


def test_only_unknown_propensities_are_computed_by_enumeration(random_log):
    class Unfitted(Target):
        def propensities(self, obs, items):
            raise AgentError("must be fitted")

        def action_probabilities(self, obs):
            raise AgentError("must be fitted")

    log = full_log(random_log, own)
    for name in ("iips", "pi"):
        with pytest.raises(AgentError, match="must be fitted"):
            evaluate_slates(log, Unfitted(), name, logging="independent")


@pytest.mark.parametrize("wrong", [0.0, np.nan, 1.5])
def test_an_invalid_propensity_names_its_row(random_log, wrong):
    log = full_log(random_log, own)
    slate_propensity, propensity = log.slate_propensity.copy(), log.propensity.copy()
    slate_propensity[17], propensity[17, 1] = wrong, wrong
    log = replace(log, slate_propensity=slate_propensity, propensity=propensity)
    pieces = [log.select(slice(0, 10)), log.select(slice(10, None))]
    with pytest.raises(UserError, match="row 17: the logged slate propensity"):
        evaluate_slates(pieces, Target(), ("sips",))
    with pytest.raises(UserError, match="row 17, position 1: the logged propensity"):
        evaluate_slates(pieces, Target(), ("iips",))


def test_a_policy_whose_value_the_log_does_not_determine_has_a_warning(random_log):
    class Narrow(Target):
        """Shows two slates only, so that the rewards of items are not identified."""

        def slate_distribution(self, obs):
            every = super().slate_distribution(obs)
            chance = np.zeros_like(every.probabilities)
            chance[:, [0, 5]] = 0.5
            return replace(every, probabilities=chance)

    log = full_log(random_log, own).select([0, 5, 0, 5])
    pi, sips = evaluate_slates(log, Target(), ("pi", "sips"), logging=Narrow(), samples=5)
    warning = "in 4 of 4 slates the logging policy never shows combinations"
    assert any(text.startswith(warning) for text in pi.warnings)
    assert not any(text.startswith(warning) for text in sips.warnings)


def test_intervals_have_their_nominal_coverage(random_log):
    logging, covered, logs = Target(np.array([0.2, 0.4, 0.0, 0.1])), np.zeros(4), 150
    for seed in range(logs):
        log = draw(random_log, 150, own, logging, seed=seed)
        values = evaluate_slates(
            log,
            Target(),
            ("snsips", "snrips", "sniips", "pi"),
            logging=logging,
            interval="t",
            level=0.9,
            unit="row",
        )
        covered += [value.low <= truth(own) <= value.high for value in values]
    # Nominal 0.9; four standard errors of a share over 150 logs are 0.098.
    assert (np.abs(covered / logs - 0.9) < 0.098).all(), covered / logs


def test_an_item_that_is_not_a_candidate_names_its_row(random_log):
    log = random_log(10, items=4, slots=1, slate=np.zeros((10, 1), dtype=int))
    log = replace(
        log,
        candidates=np.tile([[0, 1]], (10, 1)),
        problem=replace(log.problem, num_candidates=2),
        slate=np.where(np.arange(10)[:, None] == 7, 3, log.slate),
    )
    pieces = [log.select(slice(0, 5)), log.select(slice(5, 10))]
    with pytest.raises(UserError, match=r"^row 7, position 0: item 3 is not a candidate"):
        evaluate_slates(pieces, UniformSlates(1), ("pi",), logging=UniformSlates(1), samples=10)
