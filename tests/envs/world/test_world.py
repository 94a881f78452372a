"""The kernel: exact expectations, independence of users, numpy and torch alike."""

import copy
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel, ValidationError

from envs.world.backend import Backend
from envs.world.catalogue import Catalogue
from envs.world.choice import Cascade, MultinomialLogit, PositionBased
from envs.world.config import WorldConfig
from envs.world.dynamics import GroupFatigue, InterestDrift, Satisfaction, SessionBudget
from envs.world.presets import PRESETS, override, preset
from envs.world.retention import Retention
from envs.world.world import World, shown_slots
from recsim.draws import Draws, chain, key_of
from recsim.errors import UserError

torch.set_num_threads(1)

NUMPY = Backend.make("numpy")


def arrays_of(state):
    return {name: array for name, array in vars(state).items() if name != "own"}


EVERYTHING = WorldConfig(
    choice=PositionBased(),
    drift=InterestDrift(),
    satisfaction=Satisfaction(),
    fatigue=GroupFatigue(),
    session=SessionBudget(minutes=6, refund=0.5),
    retention=Retention(),
    bait_appeal=1.0,
    quality_appeal=0.5,
    foresight=1.0,
)
REWARDS = {"click": 1.0, "watch": 0.3, "return": 2.0}


def numpy_world(config):
    return World(config, NUMPY)


def keys(users, seed=0):
    return chain(key_of(seed, "test"), np.arange(users))


def draws_of(users, seed=0):
    return Draws(keys(users, seed))


def slates(users, items, size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(np.arange(items), (users, 1)), axis=1)[:, :size]


def play(config, users=16, steps=40, slate_size=4, seed=0):
    """Return everything that happens in a world as one array."""
    world, draws = numpy_world(config), draws_of(users, seed)
    state = world.draw_users(draws)
    trace = [state.features, world.items.features]
    for step in range(steps):
        slate = slates(users, config.catalogue.num_items, slate_size, seed=step)
        candidates = np.tile(np.arange(config.catalogue.num_items), (users, 1))
        if step == steps - 1:
            trace.append(world.oracle_slate(state, candidates, slate_size, REWARDS))
            trace.append(world.long_term_slate(state, candidates, slate_size, REWARDS))
        draws.advance()
        outcome = world.step(state, slate, draws)
        trace += [outcome.clicks, outcome.rewards, state.clock, *world.latent(state).values()]
    return np.concatenate([np.asarray(part, dtype=np.float64).ravel() for part in trace])


def test_shown_slots_are_first_occurrences():
    assert shown_slots(NUMPY, np.array([[3, 1, 2], [0, 5, 4]])) is None
    got = shown_slots(NUMPY, np.array([[3, 1, 3], [4, 4, 4], [0, 1, 2]]))
    assert got.tolist() == [[True, True, False], [True, False, False], [True, True, True]]


def test_utility_by_hand():
    config = WorldConfig(
        satisfaction=Satisfaction(start=0.75, appeal=2.0),
        fatigue=GroupFatigue(weight=3.0, memory=0.5),
        affinity=4.0,
        bait_appeal=1.5,
        quality_appeal=0.5,
        choice=MultinomialLogit(no_click=0.0),
    )
    world = numpy_world(config)
    state = world.draw_users(draws_of(1))
    items, interest = world.items, world.latent(state)["interest"][0].astype(np.float64)
    group = items.group[5]
    fatigue = np.zeros((1, 10), dtype=np.float32)
    fatigue[0, group] = 0.2
    world._tire(state, fatigue)
    utility = (
        4.0 * interest @ items.embedding[5]
        + 1.5 * (items.bait[5] - 0.5)
        + 0.5 * (items.quality[5] - 0.5)
        + 2.0 * 0.25
        - 3.0 * 0.2
    )
    got = world.click_probabilities(state, np.array([[5]]))[0, 0]
    assert got == pytest.approx(math.exp(utility) / (1 + math.exp(utility)), abs=1e-5)


def test_effects_of_a_click_by_hand():
    config = override(EVERYTHING, {"choice": {"threshold": -50.0, "bias": 0.0}})  # always clicks
    config = override(config, {"session": {"minutes": 600}})
    world = numpy_world(config)
    state = world.draw_users(draws_of(1))
    budget = state.budget.copy()
    items, part = world.items, config.satisfaction
    outcome = world.step(state, np.array([[7]]), draws_of(1, seed=1))
    value = (1 + items.quality[7] - part.bait_cost * items.bait[7]) / 2
    assert outcome.clicks.all()
    assert outcome.rewards[0] == pytest.approx([1.0, items.minutes[7], 0.0], abs=1e-5)
    expected = 0.5 + part.rate * (value - 0.5)
    assert state.satisfaction[0] == pytest.approx(expected, abs=1e-6)
    assert state.fatigue[0, items.group[7]] == pytest.approx(1 - config.fatigue.memory, abs=1e-6)
    left = budget - items.minutes[7] - config.session.step_minutes + 0.5 * value
    assert state.budget == pytest.approx(left, abs=1e-5)
    assert state.clock.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("name", PRESETS)
def test_expected_reward_is_the_mean_reward(name):
    world = numpy_world(PRESETS[name].world)
    users, weights = 200_000, {"click": 1.0, "watch": 0.5}
    one = world.draw_users(draws_of(1, seed=4))
    state = world.draw_users(draws_of(users, seed=4))
    if world.config.satisfaction:
        world._satisfy(one, np.array([0.83], dtype=np.float32))
    if world.config.fatigue:
        world._tire(one, np.linspace(0, 0.5, 10, dtype=np.float32)[None])
    for key, array in arrays_of(one).items():
        getattr(state, key)[:] = array
    slate = np.tile(slates(1, 200, 5), (users, 1))
    slate[:, 3] = slate[:, 1]  # a repeated item shows nothing
    expected = world.expected_reward(state, slate[:1], weights)[0]
    rewards = world.step(state, slate, draws_of(users, seed=5)).rewards
    reward = rewards[:, 0].astype(np.float64) + 0.5 * rewards[:, 1]
    assert abs(reward.mean() - expected) < 5 * reward.std() / math.sqrt(users)


@pytest.mark.parametrize("name", PRESETS)
def test_regret_is_never_negative(name):
    world, weights = numpy_world(PRESETS[name].world), PRESETS[name].rewards
    draws = draws_of(300, seed=6)
    state = world.draw_users(draws)
    candidates = np.tile(np.arange(200), (300, 1))
    for step in range(5):
        best = world.oracle_slate(state, candidates, 5, weights)
        top = world.expected_reward(state, best, weights)
        shown = slates(300, 200, 5, seed=step)
        assert np.all(top >= world.expected_reward(state, shown, weights) - 1e-5)
        foresighted = world.long_term_slate(state, candidates, 5, weights)
        assert np.all(top >= world.expected_reward(state, foresighted, weights) - 1e-5)
        draws.advance()
        world.step(state, shown, draws)


@pytest.mark.parametrize("choice", [MultinomialLogit(no_click=2.0), Cascade()], ids=repr)
def test_the_foresighted_slate_maximises_reward_and_change_of_satisfaction(choice):
    """Compared with every slate of four items and the exact expected change of satisfaction."""
    config = WorldConfig(
        catalogue=Catalogue(num_items=4, num_groups=2),
        choice=choice,
        satisfaction=Satisfaction(rate=0.3, neglect=0.35, appeal=3.0),
        bait_appeal=3.0,
        foresight=4.0,
    )
    world = numpy_world(config)
    state = world.draw_users(draws_of(6, seed=3))
    world._satisfy(state, np.linspace(0.1, 0.9, 6, dtype=np.float32))
    value = (1 + world.items.quality - world.items.bait) / 2

    def objective(slate):
        click = world.click_probabilities(state, slate)
        level = state.satisfaction[:, None]
        change = (click * (value[slate] - level)).sum(1)
        change += (1 - click.sum(1)) * (0.35 - state.satisfaction)
        return world.expected_reward(state, slate, REWARDS) + 4.0 * 0.3 * change

    best = objective(world.long_term_slate(state, None, 2, REWARDS))
    greedy = objective(world.oracle_slate(state, None, 2, REWARDS))
    every = [objective(np.tile(pair, (6, 1))) for pair in itertools.product(range(4), repeat=2)]
    assert best == pytest.approx(np.max(every, axis=0), abs=1e-5)
    assert (best > greedy + 1e-4).any()


def test_extreme_parameters_stay_finite():
    worlds = [
        {"retention": {"hazard": -50.0, "hazard_slope": 50.0, "churn": -50.0}},
        {"retention": {"hazard": 50.0, "churn_slope": 50.0}},
        {"choice": {"kind": "cascade", "threshold": 50.0, "patience": 1.0}},
        {"choice": {"threshold": 50.0}, "fatigue": {"weight": 100.0, "memory": 0.0}},
        {"choice": {"threshold": -50.0}, "drift": {"rate": 100.0, "noise": 0.0}},
        {
            "drift": {"rate": 0.5, "noise": 0.0, "direction": "away"},
            "choice": {"threshold": -50.0, "bias": 0.0},
            "catalogue": {"num_groups": 1, "spread": 0.0},
            "population": {"spread": 0.0},
        },
    ]
    for changes in worlds:
        trace = play(override(EVERYTHING, {"session": {"minutes": 2.0}, **changes}))
        assert np.isfinite(trace).all(), changes
        assert np.abs(trace).max() < 1e10, changes


def test_clicks_of_a_user_do_not_affect_others():
    config = override(EVERYTHING, {"session": {"minutes": 3}})
    world = numpy_world(config)
    states = []
    for other in (0, 100):  # users 1 ... 31 are shown different items, user 0 the same ones
        draws = draws_of(32, seed=7)
        state = world.draw_users(draws)
        for step in range(60):
            slate = np.sort(slates(32, 100, 4, seed=step), axis=1)
            slate[1:] += other
            draws.advance()
            world.step(state, slate, draws)
        states.append(state)
    moved = 0
    for name, first in arrays_of(states[0]).items():
        second = getattr(states[1], name)
        assert np.array_equal(first[0], second[0]), name
        moved += not np.array_equal(first[1:], second[1:])
    assert moved >= 4


@pytest.mark.parametrize("choice", [MultinomialLogit(), Cascade(), PositionBased()], ids=repr)
def test_torch_and_numpy_agree(choice):
    config = EVERYTHING.model_copy(update={"choice": choice})
    on_numpy, on_torch = numpy_world(config), World(config, Backend.make("torch"))
    left, right = (world.backend.draws(keys(50, seed=8)) for world in (on_numpy, on_torch))
    state, twin = on_numpy.draw_users(left), on_torch.draw_users(right)
    candidates = np.tile(np.arange(200), (50, 1))
    ended = 0
    for step in range(40):
        for rule in ("oracle_slate", "long_term_slate"):
            best = getattr(on_numpy, rule)(state, candidates, 4, REWARDS)
            same = getattr(on_torch, rule)(twin, torch.from_numpy(candidates), 4, REWARDS)
            assert np.mean(best == same.numpy()) > 0.99  # ties may fall either way
        slate = slates(50, 200, 4, seed=step)
        slate[:5, 2] = slate[:5, 0]
        left.advance()
        right.advance()
        outcome = on_numpy.step(state, slate, left)
        twin_outcome = on_torch.step(twin, torch.from_numpy(slate), right)
        assert np.array_equal(outcome.clicks, twin_outcome.clicks.numpy())
        assert outcome.rewards == pytest.approx(twin_outcome.rewards.numpy(), abs=1e-4)
        for name, array in arrays_of(state).items():
            assert array == pytest.approx(getattr(twin, name).numpy(), abs=1e-3), name
        ended += 0 if outcome.session_end is None else int(outcome.session_end.sum())
    assert ended > 20


def leaves(model: BaseModel, path=()):
    """Yield every parameter of a configuration with its path."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, (*path, name))
        elif name not in ("kind", "dynamics", "candidates"):
            yield (*path, name), value


def changed(config, path, value):
    nested: Any = value
    for name in reversed(path):
        nested = {name: nested}
    return override(config, nested)


ALTERNATIVES = {"direction": "away", "start": 0.7, "bait_quality_correlation": 0.5}


@pytest.mark.parametrize("choice", [MultinomialLogit(), Cascade(), PositionBased()], ids=repr)
def test_every_parameter_changes_something(choice):
    config = EVERYTHING.model_copy(update={"choice": choice})
    base = play(config, users=64)
    assert np.array_equal(base, play(config, users=64))
    for path, value in leaves(config):
        if choice.kind != "position_based" and path[0] != "choice":
            continue  # the other parts are tested with one choice model
        other = ALTERNATIVES.get(path[-1])
        if other is None:
            other = value + 1 if isinstance(value, int) else value * 0.6 + 0.03
        trace = play(changed(config, path, other), users=64)
        assert trace.shape != base.shape or not np.array_equal(trace, base), path


@pytest.mark.parametrize("name", PRESETS)
def test_every_part_of_a_preset_matters(name):
    config = PRESETS[name].world
    base = play(config, steps=60)
    for part in ("drift", "satisfaction", "fatigue", "session", "retention"):
        if getattr(config, part) is None or (
            part in ("satisfaction", "session") and config.retention
        ):
            continue
        changes: dict[str, Any] = {part: None}
        if part == "satisfaction":
            changes["foresight"] = 0
        trace = play(override(config, changes), steps=60)
        assert trace.shape != base.shape or not np.array_equal(trace, base), part


def test_return_is_one_over_the_gap():
    config = override(EVERYTHING, {"session": {"minutes": 1.0}})
    world, draws = numpy_world(config), draws_of(500, seed=9)
    state = world.draw_users(draws)
    days = state.clock[:, 0].copy()
    draws.advance()
    outcome = world.step(state, slates(500, 200, 4), draws)
    assert outcome.session_end is not None
    ended, churned, gap = outcome.session_end, outcome.churned, outcome.gap
    assert 0 < ended.sum() < 500 or ended.all()
    returned = ended & ~churned
    assert np.array_equal(outcome.rewards[returned, 2], (1 / gap[returned]).astype(np.float32))
    assert not outcome.rewards[~returned, 2].any()
    assert np.array_equal(state.clock[:, 0], days + gap)
    assert np.array_equal(state.clock[:, 1], ended.astype(int))
    assert not state.clock[ended, 2].any()
    assert np.all(state.budget[ended] > 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"retention": Retention()}, "retention needs both a session and a satisfaction part"),
        ({"foresight": 1.0}, "foresight needs a satisfaction part"),
        ({"affinity": 100.0}, "utilities can reach 100"),
        ({"afinity": 1.0}, "afinity"),
    ],
)
def test_parts_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        WorldConfig(**settings)


def test_override_is_nested_and_keeps_the_original():
    base = preset("interest_evolution").world
    before = copy.deepcopy(base)
    got = override(base, {"drift": {"rate": 0.5}, "session": None, "catalogue": {"dim": 4}})
    assert got.drift.rate == 0.5
    assert got.drift.noise == base.drift.noise
    assert got.session is None
    assert got.catalogue.dim == 4
    assert override(base, {"choice": {"kind": "cascade"}}).choice == Cascade()
    assert base == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drfit": {}}, r"world\.drfit: unknown key. Did you mean 'drift'\?"),
        ({"drift": {"rat": 1}}, r"world\.drift\.rat: unknown key. Did you mean 'rate'\?"),
        ({"drift": {"rate": "fast"}}, r"world\.drift\.rate: must be a valid number, not 'fast'"),
        (
            {"fatigue": {"weight": True}},
            r"world\.fatigue\.weight: must be a valid number, not True",
        ),
        ({"retention": {"hazard": -60.0}}, r"world\.retention\.hazard: must be greater than"),
        ({"choice": {"kind": "casade"}}, r"world\.choice: .*'cascade'"),
        ({"choice": {"no_clik": 1}}, r"unknown key. Did you mean 'no_click'\?"),
        ({"catalogue": {"num_items": 1}}, r"world\.catalogue\.num_items: must be greater than"),
        ({"affinity": math.inf}, r"world\.affinity: must be a finite number"),
    ],
)
def test_a_wrong_override_is_refused_with_what_would_be_right(changes, message):
    with pytest.raises(UserError, match=message):
        override(preset("interest_evolution").world, changes)


def test_an_unknown_preset_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'boredom'"):
        preset("boredoom")


@pytest.mark.parametrize(
    ("name", "device", "message"),
    [
        ("nunpy", None, "Did you mean 'numpy'"),
        ("numpy", "cuda", "runs on the CPU"),
        ("torch", "cdua", "no device 'cdua' here"),
    ],
)
def test_an_unknown_backend_is_refused(name, device, message):
    with pytest.raises(UserError, match=message):
        Backend.make(name, device)
