"""Learning on planted data against the strongest cheap controls."""

import numpy as np
import pytest

import agents

ITEMS, STEPS = 6, 8
RIVALS = {
    "popularity": {},
    "transitions": {},
    "sequential_rules": {},
    "item_knn": {},
    "ease": {},
    "clone": {"keep": 0.25, "target": "later"},
}
TRAINING = {
    **{"short": "now", "long": "later", "rewards": 1, "prompt": 1.0, "balance": False},
    **{"embed_dim": 32, "context": 4, "history": 6, "steps": 400, "learning_rate": 5e-3},
}


def sums_of_two(log_of, users, seed):
    """Show the item that is the sum of the last two, the one after it, or any.

    Only the first brings a later reward, and the second is shown more often.

    Returns:
        The items shown, ``(users, STEPS)``, and the log.
    """
    rng = np.random.default_rng(seed)
    shown, later = rng.integers(0, ITEMS, (users, STEPS)), np.zeros((users, STEPS))
    for step in range(2, STEPS):
        good = (shown[:, step - 1] + shown[:, step - 2]) % ITEMS
        chance = rng.random(users)
        chosen = np.where(chance < 0.3, good, (good + 1) % ITEMS)
        shown[:, step] = np.where(chance < 0.8, chosen, shown[:, step])
        later[:, step] = shown[:, step] == good
    return shown, log_of(shown[..., None], ITEMS, now=np.ones_like(later), later=later)


@pytest.mark.slow
def test_a_prompt_for_later_rewards_shows_what_brings_them(log_of):
    """Cloning shows what is shown most; counting and linear models cannot add two items."""
    _, log = sums_of_two(log_of, 1200, 0)
    shown, new = sums_of_two(log_of, 400, 1)
    rows = np.arange(400) * STEPS + STEPS - 1
    obs = new.observations(rows, history_slates=STEPS)
    good = (shown[:, -2] + shown[:, -3]) % ITEMS

    def share(name, **config):
        agent = agents.make(name, log.problem, seed=0, **config)
        agent.fit(log)
        agent.begin(len(rows))
        return (agent.act(obs).slates[:, 0] == good).mean()

    rates = {name: share(name, **config) for name, config in RIVALS.items()}
    rates["cloning"] = share("dt4ier", **TRAINING, rtg="zero")
    prompted = share("dt4ier", **TRAINING)
    print(prompted, rates)
    assert prompted > 0.8
    assert max(rates.values()) < 0.4
