"""Critiques help more after bot play than after the same training without critiques."""

import numpy as np
import pytest

from recsim.critiquing import planted_reviews
from recsim.play.critiquing import critique_metrics

pytestmark = pytest.mark.xdist_group("bot_play_learning")  # they share trained agents

SEEDS = range(3)
STEPS = {"steps": 120, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def cache():
    """Return a cache of ``sr_final@1`` of each variant with each seeker, ``(S,)`` each."""
    return {}


@pytest.fixture
def success(cache, build, play):
    def of(tuning: str, seeker: str) -> np.ndarray:
        if tuning not in cache:
            for seed in SEEDS:
                data = planted_reviews(users=300, num_items=150, seed=seed)
                settings = {} if tuning == "none" else {"play": STEPS}
                agent = build(data, seed=seed, fine_tuning=tuning, **settings)
                for name in ("none", "popular", "random"):
                    rules = {"critiques": "none"} if name == "none" else {"seeker": name}
                    value = critique_metrics(play(data, agent, seed, 300, **rules))["sr_final@1"]
                    cache.setdefault(tuning, {}).setdefault(name, []).append(value)
        return np.array(cache[tuning][seeker])

    return of


def test_critiques_help_after_bot_play(success):
    gain = success("bot_play", "popular") - success("bot_play", "none")
    print("gain", gain, success("control", "popular") - success("control", "none"))
    assert gain.min() > 0.1, "the standard error of a gain over 300 sessions is about 0.03"


@pytest.mark.parametrize("seeker", ["popular", "random"])
def test_critiques_help_more_than_after_the_control(success, seeker):
    gains = {
        tuning: success(tuning, seeker) - success(tuning, "none")
        for tuning in ("bot_play", "control")
    }
    difference = gains["bot_play"] - gains["control"]
    print(seeker, difference)
    assert difference.min() > 0
    assert difference.mean() > 0.03


def test_the_improvement_is_not_due_to_more_training_alone(success):
    print(success("bot_play", "popular"), success("control", "popular"), success("none", "popular"))
    assert (success("bot_play", "popular") > success("control", "popular")).all()
    assert (success("control", "none") > success("none", "none") + 0.05).all(), "it helps too"


def test_critiques_do_not_help_a_base_trained_without_them(success):
    gain = success("none", "popular") - success("none", "none")
    print(gain)
    assert abs(gain.mean()) < 0.05
