"""The check of worlds passes the built-in ones and finds every broken promise."""

import numpy as np
import pytest

import recsim
from envs.slates.checking import check_world
from envs.world.presets import PRESETS
from recsim.errors import EnvError
from tests.envs.world.own_parts import Corners, Four, Luce, Moody, Patient, Separate, Window


@pytest.mark.parametrize("name", PRESETS)
def test_presets_pass(name):
    check_world(preset=name, steps=5)
    assert recsim.check_world is check_world


def test_own_parts_pass():
    parts = {
        "catalogue": Four(),
        "population": Corners(),
        "retention": Patient(),
        "dynamics": [Moody()],
        "session": {"minutes": 3.0},
    }
    check_world({**parts, "choice": Separate()}, "retention", rewards={"skip": 0.5})
    check_world({**parts, "choice": Luce()}, "retention")
    parts["candidates"] = Window()
    check_world({**parts, "choice": Separate()}, "retention", num_candidates=8)


class Crowd(Moody):
    """Depends on the other users."""

    def weigh(self, xp, users):
        return {"one": 0 * users.own["mood"] + users.own["mood"].mean()}


class Random(Moody):
    """Draws numbers of its own."""

    def weigh(self, xp, users):
        noise = np.random.default_rng().random(len(users.day), dtype=np.float32)
        return {"one": xp.asarray(noise)}


class OneLibrary(Moody):
    """Does something else on torch."""

    def weigh(self, xp, users):
        return {"one": users.own["mood"] * (1.0 if isinstance(users.day, np.ndarray) else 0.5)}


class Unlikely(Separate):
    """Does not draw with its probabilities."""

    def draw(self, xp, draws, utility, shown=None):
        return super().draw(xp, draws, utility - 1, shown)


class Poor(Separate):
    """Takes the worst items for the best."""

    def best_slate(self, xp, utility, payoff, slate_size):
        return super().best_slate(xp, -utility, payoff, slate_size)


@pytest.mark.parametrize(
    ("world", "message"),
    [
        ({"dynamics": [Crowd()]}, "users depend on the others of their batch: .* differs"),
        ({"dynamics": [Random()]}, "the same seed gives other numbers"),
        ({"dynamics": [OneLibrary()]}, "numpy and torch give other numbers"),
        ({"choice": Unlikely()}, "clicks are not drawn with their probabilities"),
        ({"choice": Poor()}, "the oracle slate of user . is not the best"),
    ],
)
def test_broken_promises_are_found(world, message):
    with pytest.raises(EnvError, match=message):
        check_world({"catalogue": Four(), "session": None, **world})


def test_what_cannot_be_copied_is_found():
    with pytest.raises(EnvError, match="cannot be copied and pickled"):
        check_world(rewards={"own": lambda step: step.rewards["click"]})


def test_too_few_users_are_refused():
    with pytest.raises(EnvError, match="1 users and 20 steps are too few"):
        check_world(users=1)
