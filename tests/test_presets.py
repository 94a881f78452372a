"""In every preset, agents rank as expected over ten seeds, with disjoint intervals."""

import itertools

import gymnasium
import pytest

import agents
from envs.world.presets import PRESETS
from recsim.play.rollout import rollout
from recsim.statistics import mean_interval

SEEDS = range(10)
RANDOM = ("random", {})
CLICKS = ("linucb", {"target": "click"})
WATCH = ("linucb", {"target": "watch"})
GREEDY = ("oracle", {"objective": "immediate"})
FORESIGHTED = ("oracle", {"objective": "long_term"})

# The reward that a preset is about, and agents from the worst to the best on it.
ORDERS = {
    "interest_evolution": ("reward_per_user", [RANDOM, WATCH, GREEDY]),
    "interest_exploration": ("click_per_user", [RANDOM, CLICKS, GREEDY]),
    "long_term_satisfaction": ("click_per_user", [RANDOM, CLICKS, GREEDY, FORESIGHTED]),
    "boredom": ("click_per_user", [RANDOM, CLICKS, GREEDY]),
    "position_bias": ("click_per_user", [RANDOM, CLICKS, GREEDY]),
    "retention": ("return_per_user", [RANDOM, WATCH, FORESIGHTED]),
}


def play(preset, name, config, users=150):
    """Play one agent once per seed."""
    rollouts = []
    for seed in SEEDS:
        env = gymnasium.make_vec(
            "recsim:SlateRec-v0",
            num_envs=users,
            preset=preset,
            reveal_state=name == "oracle",
        )
        agent = agents.make(name, env.unwrapped.problem, seed=seed, **config)
        rollouts.append(rollout(env, agent, seed=seed, max_steps=1000))
    return rollouts


def test_every_preset_has_an_order():
    assert ORDERS.keys() == PRESETS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("preset", ORDERS)
def test_agents_rank_as_expected(preset):
    metric, order = ORDERS[preset]
    intervals = [
        mean_interval([played.summary()[metric] for played in play(preset, *agent)])
        for agent in order
    ]
    for (_, high), (low, _) in itertools.pairwise(intervals):
        assert high < low, (preset, metric, intervals)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "axis"), [("long_term_satisfaction", "step"), ("retention", "day")]
)
def test_greed_wins_first_and_loses_in_the_end(preset, axis):
    """The curves of clicks per user cross."""
    curves = {
        objective: [
            played.curves(axis)["cumulative_click"].to_numpy()
            for played in play(preset, "oracle", {"objective": objective})
        ]
        for objective in ("immediate", "long_term")
    }
    first, last = (
        {name: mean_interval([curve[at] for curve in runs]) for name, runs in curves.items()}
        for at in (0, -1)
    )
    assert first["immediate"][0] > first["long_term"][1]
    assert last["immediate"][1] < last["long_term"][0]
