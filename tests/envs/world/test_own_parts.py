"""Parts of other packages: the promises of the environment hold for them, and faults are named."""

import copy
import pickle
import re

import array_api_compat.numpy as xp
import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from envs.world.oracle import best_slate
from recsim.errors import EnvError
from tests.envs.world.own_parts import (
    Corners,
    Doubles,
    Four,
    Luce,
    Moody,
    Patient,
    Separate,
    Shared,
    Window,
)
from tests.envs.world.test_oracle import best_of_all, value

torch.set_num_threads(1)

PARTS = {
    "catalogue": Four(),
    "population": Corners(),
    "choice": Separate(),
    "retention": Patient(),
    "dynamics": [Moody()],
    "candidates": Window(),
    "session": {"minutes": 3.0},
}
SETTINGS = {
    "preset": "retention",
    "world": PARTS,
    "slate_size": 3,
    "num_candidates": 8,
    "max_steps": 15,
}
STEPS = 30


def array(value):
    return value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def played(users, backend="numpy", steps=STEPS, **reset):
    """What users see and do, ``(T, B, ...)``; the slates depend on user and step alone."""
    env = SlateRecVectorEnv(len(users), backend=backend, reveal_state=True, **SETTINGS)
    obs, _ = env.reset(**reset)
    trace = {}
    for step in range(steps):
        slate = (np.asarray(users)[:, None] + np.array([0, 2, 5]) + step) % 8
        action = slate if backend == "numpy" else torch.from_numpy(slate)
        obs, reward, terminated, truncated, info = env.step(action)
        happened = {"reward": reward, "end": terminated | truncated, "clicks": info["clicks"]}
        happened |= {name: obs[name] for name in ("candidates", "user_features", "time")}
        happened |= info["state"] | {"oracle": info["oracle_reward"]}
        for name, found in happened.items():
            trace.setdefault(name, []).append(array(found))
    return {name: np.stack(values) for name, values in trace.items()}


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_user_does_not_depend_on_the_batch(backend):
    whole = played(np.arange(12), backend, seed=3)
    assert whole["end"].sum(axis=0).min() >= 1
    assert whole["moody.liked"].any()
    for first, end in ((0, 5), (5, 12)):
        block = played(np.arange(first, end), backend, seed=3, options={"first_user": first})
        for name, found in whole.items():
            assert found[:, first:end] == pytest.approx(block[name], abs=1e-6), name
    again = played(np.arange(12), backend, seed=3)
    assert all(np.array_equal(found, again[name]) for name, found in whole.items())


def test_numpy_and_torch_have_the_same_users():
    left, right = (played(np.arange(20), backend, seed=4) for backend in ("numpy", "torch"))
    for name, found in left.items():
        assert found == pytest.approx(right[name], abs=1e-4), name


def test_one_user_is_a_row_and_copies_go_on_alike():
    many = played([0], seed=6, steps=12)
    env = SlateRecEnv(reveal_state=True, **SETTINGS)
    env.reset(seed=6)
    for step in range(12):
        twins = [copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
        slate = (np.array([0, 2, 5]) + step) % 8
        _, reward, terminated, truncated, info = env.step(slate)
        assert reward == many["reward"][step, 0]
        for twin in twins:
            assert twin.step(slate)[1] == reward
        if terminated or truncated:
            env.reset()
        else:
            assert np.array_equal(info["state"]["moody.liked"], many["moody.liked"][step, 0])


def test_check_env_passes():
    env = gym.make("recsim:SlateRec-v0", **SETTINGS).unwrapped
    check_env(env, skip_render_check=True)


def test_effects_change_utilities_as_the_formula_says():
    env = SlateRecVectorEnv(40, world={"catalogue": Four(), "dynamics": [Moody()]}, slate_size=2)
    plain = SlateRecVectorEnv(40, world={"catalogue": Four()}, slate_size=2)
    for each in (env, plain):
        each.reset(seed=0)
    world, state = env.simulation.world, env.simulation.state
    state.own["moody.liked"][:, 2] = 0.5
    world.effects.weigh(state)
    slate = np.tile([2, 5], (40, 1))  # groups 2 and 1
    _, _, utility = world._look(state, slate)
    _, _, before = plain.simulation.world._look(plain.simulation.state, slate)
    gained = utility - before
    assert gained[:, 0] == pytest.approx(2.0 * 0.5 * state.own["moody.mood"], abs=1e-5)
    assert gained[:, 1] == pytest.approx(np.zeros(40), abs=1e-5)


def test_what_is_consumed_reaches_the_part_and_a_new_session_resets_it():
    trace = played(np.arange(200), seed=1)
    clicked = trace["clicks"].sum(axis=2) > 0
    stays = ~trace["end"] & (trace["time"][:, :, 2] > 0)  # within a session
    changed = (trace["moody.liked"][1:] > trace["moody.liked"][:-1]).any(axis=2)
    assert not (changed & ~clicked[1:] & stays[1:] & stays[:-1]).any()
    returned = (trace["time"][:, :, 2] == 0) & (trace["time"][:, :, 1] > 0) & ~trace["end"]
    assert returned.any()
    assert not trace["moody.liked"][returned].any()


def test_candidates_are_those_of_the_generator():
    trace = played(np.arange(50), seed=1)
    assert ((trace["candidates"][:, :, 1:] - trace["candidates"][:, :, :-1]) % 24 == 1).all()
    with pytest.raises(EnvError, match="set num_candidates"):
        SlateRecEnv(preset="retention", world=PARTS)


def test_an_own_best_slate_is_used_and_right():
    rng = np.random.default_rng(0)
    utility = rng.normal(2, 1.5, (6, 6)).astype(np.float32)
    payoff = rng.normal(0.3, 1, (6, 6)).astype(np.float32)
    slate = best_slate(xp, Separate(), utility, payoff, 3)
    found = value(Separate(), utility, payoff, slate)
    for row in range(6):
        best = best_of_all(Separate(), utility[row : row + 1], payoff[row : row + 1])
        assert found[row] == pytest.approx(best, abs=1e-5)


def test_the_oracle_says_where_it_is_a_guess():
    exact = SlateRecEnv(reveal_state=True, **SETTINGS)
    exact.reset(seed=0)
    assert {"expected_reward", "oracle_reward"} <= exact.step([0, 1, 2])[4].keys()
    settings = SETTINGS | {"world": PARTS | {"choice": Luce()}}
    for env in (SlateRecEnv, SlateRecVectorEnv):
        with pytest.warns(UserWarning, match=r"oracle is a guess.*choice 'luce' has no method"):
            guess = env(reveal_state=True, **settings)
        _, info = guess.reset(seed=0)
        assert info["oracle_slate"].shape[-1] == 3
        step = guess.step(np.zeros(guess.action_space.shape, dtype=np.int64))[4]
        assert not {"expected_reward", "oracle_reward"} & step.keys()
    SlateRecEnv(**settings)  # no warning where nothing is revealed


def test_click_probabilities_are_those_of_the_draws():
    for choice in (Luce(), Separate()):
        env = SlateRecVectorEnv(20_000, world={"choice": choice, "catalogue": Four()}, slate_size=3)
        env.reset(seed=2)
        slate = np.tile([1, 4, 4], (20_000, 1))
        chance = env.simulation.world.click_probabilities(env.simulation.state, slate)
        clicks = env.step(slate)[4]["clicks"]
        assert abs(clicks.mean(axis=0) - chance.mean(axis=0)).max() < 5 * 0.5 / np.sqrt(20_000)
        assert not clicks[:, 2].any()


def test_states_that_begin_as_one_array_are_two():
    """Rows of the state are overwritten where a slate is complete and the others are not."""
    world = {"catalogue": Four(), "dynamics": [Shared()], "session": None}
    settings = {"world": world, "slate_size": 2, "action": "slot", "reveal_state": True}
    env = SlateRecVectorEnv(3, autoreset_mode="DISABLED", **settings)
    env.reset(seed=0)
    env.step(np.zeros(3, dtype=np.int64))
    _, info = env.reset(options={"reset_mask": np.array([True, False, False])})
    start = info["state"]["shared.second"].copy()
    state = env.step(np.ones(3, dtype=np.int64))[4]["state"]
    assert state["shared.first"] - start == pytest.approx([0, 1, 1])
    assert state["shared.second"] == pytest.approx(start)


def test_double_precision_is_made_single():
    for backend in ("numpy", "torch"):
        env = SlateRecVectorEnv(3, world={"catalogue": Doubles()}, slate_size=2, backend=backend)
        assert env.problem.item_features.dtype == np.float32
        obs, _ = env.reset(seed=0)
        assert str(obs["user_features"].dtype).endswith("float32")


def shown(slate, users, **settings):
    """Show a slate to many users, again and again."""
    env = SlateRecVectorEnv(users, **settings)
    env.reset(seed=0)
    for _ in range(15):
        slates = np.tile(slate, (users, 1))
        env.simulation.world.click_probabilities(env.simulation.state, slates)
        env.step(slates)


class Broken(Moody):
    """A part with one method replaced."""

    what: str = "nan"

    def weigh(self, xp, users):
        good = super().weigh(xp, users)
        zero = users.own["mood"] * 0
        return {
            "nan": good | {"one": zero / zero},
            "large": good | {"one": zero + 100},
            "name": good | {"onee": zero},
            "shape": good | {"group": zero},
            "text": good | {"one": "x"},
        }.get(self.what, good)

    def after_step(self, xp, draws, users, consumed):
        if self.what == "state":
            return {"likd": users.own["liked"]}
        return {"liked": users.own["mood"]} if self.what == "width" else {}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nan", "effects on utilities reach nan"),
        ("large", "effects on utilities reach 100; they must be finite and at most 76"),
        ("name", "there is no column 'onee'. Did you mean 'one'?"),
        ("shape", "the weight of 'group' must be an array of shape (3, 4), not shape (3,)"),
        ("text", "the weight of 'one' must be an array of shape (3,), not str"),
        ("state", "'start' has no state 'likd'. Did you mean 'liked'?"),
        ("width", "the state 'liked' must be an array of shape (3, 4), not shape (3,)"),
    ],
)
def test_faults_of_dynamics_are_named(what, message):
    part = Broken(what=what)
    settings = {"world": {"catalogue": Four(), "dynamics": [part]}, "slate_size": 2}
    with pytest.raises(EnvError, match=r"dynamics 'moody'.*" + re.escape(message)):
        shown([0, 1], users=3, **settings)


class Wrong(Luce):
    """A choice model with a fault."""

    what: str = "sum"

    def probabilities(self, xp, utility, shown=None):
        good = super().probabilities(xp, utility, shown)
        faults = {"sum": 2 * good, "nan": good * np.nan, "shape": good[:, :1], "minus": -good}
        return faults.get(self.what, good)

    def draw(self, xp, draws, utility, shown=None):
        clicks = super().draw(xp, draws, utility, shown)
        faults = {"empty": clicks | True, "type": clicks + 0, "size": clicks[:1]}
        return faults.get(self.what, clicks)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("sum", "probabilities must be between 0 and 1, and sum to at most 1"),
        ("nan", "probabilities must be between 0 and 1"),
        ("minus", "probabilities must be between 0 and 1"),
        ("shape", "probabilities must be an array of shape (2, 2)"),
        ("empty", "clicks must not be on slots that show nothing"),
        ("type", "clicks must be boolean, not int64"),
        ("size", "clicks must be an array of shape (2, 2), not shape (1, 2)"),
    ],
)
def test_faults_of_choice_models_are_named(what, message):
    with pytest.raises(EnvError, match=r"choice 'luce'.*" + re.escape(message)):
        shown([1, 1], users=2, world={"choice": Wrong(what=what)}, slate_size=2)


class Late(Patient):
    """Gaps beyond the longest."""

    def longest_gap(self):
        return 1


class Far(Corners):
    """Interests that are too long."""

    def draw(self, xp, draws, centres):
        interest, features = super().draw(xp, draws, centres)
        return 2 * interest, features


class Liar(Corners):
    """Bounds that do not hold, or are none."""

    bounds: tuple[tuple[float, ...], ...] = ((0.0,), (0.1,))

    def feature_bounds(self, dim):
        return np.array(self.bounds)


class Endless(Patient):
    """Gaps without a bound."""

    def longest_gap(self):
        return 2.5


class Same(Window):
    """Candidates with repeats."""

    def draw(self, xp, draws, users, count):
        return 0 * super().draw(xp, draws, users, count)


class Grouped(Four):
    """A group that does not exist."""

    def draw(self):
        items = super().draw()
        items.group[3] = 4
        return items


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"retention": Late()}, "retention 'patient': gaps must be whole days from 1 to"),
        ({"population": Far()}, "population 'corners': interests must be vectors of length 1"),
        ({"population": Liar()}, "population 'corners': features are outside feature_bounds"),
        ({"population": Liar(bounds=((0.0, 0.0), (1.0, 1.0)))}, "must be an array of shape (300"),
        ({"population": Liar(bounds=((1.0,), (0.0,)))}, "must be the lowest values, and then"),
        ({"population": Liar(bounds=((1.0,),))}, "feature_bounds must be an array of shape (2, n)"),
        ({"retention": Endless()}, "longest_gap must be a whole number of at least 1, not 2.5"),
        ({"candidates": Same()}, "candidates 'window' must be distinct in every row"),
        ({"candidates": Window(num_items=90)}, "candidates 'window' must be items from 0 to 23"),
        ({"catalogue": Grouped()}, "catalogue 'four': group must be whole numbers from 0 to 3"),
        ({"choice": Moody()}, "world.choice: Moody is a part of another slot"),
        ({"dynamics": [Luce()]}, "world.dynamics.0: Luce is a part of another slot"),
        ({"dynamics": [Moody]}, "world.dynamics.0: Moody is a class: give an instance"),
        ({"dynamics": Moody()}, "world.dynamics: must be a list"),
        ({"dynamics": [{"kind": "moody"}]}, "world.dynamics.0: unknown kind 'moody'"),
        ({"dynamics": [{"strength": 1.0}]}, "world.dynamics.0: 'kind' is missing"),
        ({"choice": None}, "world.choice"),
        ({"choice": 5}, "world.choice"),
        ({"chioce": Luce()}, "world.chioce: unknown key. Did you mean 'choice'"),
    ],
)
def test_faults_of_other_parts_are_named(part, message):
    with pytest.raises(EnvError, match=re.escape(message)):
        shown([0, 1, 2], users=300, **(SETTINGS | {"world": PARTS | part}))
