"""Logs of problems whose value is known, to measure the coverage of off-policy intervals.

- clicks: 20 kinds of users, 10 items, chances of 10 to 30%; the policy is near the logging one, or
  far from it, so that the effective sample size is a fifth of the rows. `rare clicks`: .3 to .4%.
- lognormal and Pareto revenue with the same means: s = 1 or 1.5, exponent 2.5; in `purchases` one
  row in ten has revenue. `far, heavy weights`: lognormal weights.
- clustered users: several rows of each user, whose inclination to click differs.
- rare non-clicks: rewards of 1 in 99.6% of the rows, for which ratios are skewed and means are not.
- slates of three independently filled positions, and trajectories of four steps.
- adaptive: the logging policy learns from the rewards while it collects the log.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from recsim.estimators import (
    Estimator,
    Prediction,
    Sample,
    SlateSample,
    TrajectorySample,
    make_estimator,
    make_slate_estimator,
    make_trajectory_estimator,
)

Floats = NDArray[np.float64]
Rewards = Callable[[np.random.Generator, Floats], Floats]

IMPRESSIONS = ("ips", "snips", "dr")
SLATES = ("sips", "snsips", "iips", "sniips", "rips", "snrips", "pi", "wpi", "cascade_dr")
TRAJECTORIES = ("tis", "wis", "pdis", "snpdis", "dr", "wdr")


class Logs(NamedTuple):
    """Several logs of one problem, one after the other.

    Attributes:
        sample: All rows.
        value: Of the policy.
        units: Independent units of a log, which have equally many rows, in order.
        bound: Largest weight times largest reward, where rewards are bounded.
    """

    sample: Any
    value: float
    units: int
    bound: float = math.inf


@dataclass(frozen=True)
class Case:
    """A problem.

    Attributes:
        name: What it is.
        rows: Rows of a log: impressions, slates or trajectories.
        draw: Makes some logs from a generator, their number and their rows.
        estimators: The estimators.
        share: Share of the logs that are made of this problem, which has many rows.
    """

    name: str
    rows: int
    draw: Callable[[np.random.Generator, int, int], Logs]
    estimators: tuple[Estimator, ...]
    share: float = 1.0


class Bandit:
    """Users of 20 kinds, 10 items, a logging policy, a policy and a wrong reward model.

    Args:
        low: Least chance or mean of a reward.
        high: Largest.
        share: Effective sample size of the policy, as a share of the rows.
    """

    def __init__(self, low: float = 0.1, high: float = 0.3, share: float = 0.6) -> None:
        rng = np.random.default_rng(0)
        self.mean = rng.uniform(low, high, (20, 10))
        self.logging = _softmax(0.5 * rng.normal(size=(20, 10)))
        score = (self.mean - self.mean.mean()) / self.mean.std()

        def missing(sharpness: float) -> float:
            policy = _softmax(sharpness * score)
            return float(share - 1 / (policy**2 / self.logging).sum(axis=1).mean())

        self.policy = _softmax(brentq(missing, 0.0, 20.0) * score)
        self.model = self.mean * np.exp(rng.normal(0, 0.3, self.mean.shape))
        self.value = float((self.policy * self.mean).sum(axis=1).mean())

    def sample(self, kind: Any, item: Any, rewards: Floats, weights: Any = None) -> Sample:
        """Return what was shown to users, with weights and predictions; all arrays ``(N,)``."""
        w = self.policy[kind, item] / self.logging[kind, item] if weights is None else weights
        expected = (self.policy * self.model).sum(axis=1)[kind]
        return Sample(
            w, rewards, np.arange(len(w)), model=Prediction(self.model[kind, item], expected)
        )

    @property
    def largest(self) -> float:
        """The largest weight."""
        return float((self.policy / self.logging).max())


def bernoulli(rng: np.random.Generator, mean: Floats) -> Floats:
    """Return clicks with these chances."""
    return (rng.random(mean.shape) < mean).astype(np.float64)


def lognormal(rng: np.random.Generator, mean: Floats, s: float) -> Floats:
    """Return revenue with these means and the standard deviation s of its logarithm."""
    return mean * np.exp(s * rng.normal(size=mean.shape) - s**2 / 2)


def purchases(rng: np.random.Generator, mean: Floats, s: float) -> Floats:
    """Return revenue of which one row in ten has any, lognormal as above."""
    return bernoulli(rng, np.full(mean.shape, 0.1)) * lognormal(rng, 10 * mean, s)


def pareto(rng: np.random.Generator, mean: Floats, exponent: float) -> Floats:
    """Return revenue with these means and a tail of this exponent."""
    return mean * (1 + rng.pareto(exponent, mean.shape)) * (exponent - 1) / exponent


def impressions(
    rng: np.random.Generator, logs: int, rows: int, *, bandit: Bandit, reward: Rewards = bernoulli
) -> Logs:
    """Every row is another user."""
    kind = rng.integers(20, size=logs * rows)
    item = _pick(rng, bandit.logging[kind])
    sample = bandit.sample(kind, item, reward(rng, bandit.mean[kind, item]))
    bound = bandit.largest if reward is bernoulli else math.inf
    return Logs(sample, bandit.value, rows, bound)


def gaussian(
    rng: np.random.Generator, logs: int, rows: int, *, mean: float, reward: Rewards, share: float
) -> Logs:
    """Continuous items a, from N(0, 1) in the log and from N(d, 1) under the policy.

    The weights exp(d a - d^2 / 2) are lognormal, with d^2 = -log(share); the mean reward of a is
    mean (1 + .2 cos a).
    """
    shift = math.sqrt(-math.log(share))
    item = rng.normal(size=logs * rows)
    rewards = reward(rng, mean * (1 + 0.2 * np.cos(item)))
    weights = np.exp(shift * item - shift**2 / 2)
    model = np.full(logs * rows, mean)
    sample = Sample(weights, rewards, np.arange(logs * rows), model=Prediction(model, model))
    return Logs(sample, mean * (1 + 0.2 * math.cos(shift) * math.exp(-0.5)), rows)


def clustered(rng: np.random.Generator, logs: int, rows: int, *, bandit: Bandit, each: int) -> Logs:
    """Every user has ``each`` rows, and chances of a click that are their own."""
    users = logs * rows // each
    kind = np.repeat(rng.integers(20, size=users), each)
    inclined = np.repeat(2 * rng.beta(1.0, 1.0, users), each)  # uniform on 0 to 2
    item = _pick(rng, bandit.logging[kind])
    clicks = bernoulli(rng, bandit.mean[kind, item] * inclined)
    return Logs(bandit.sample(kind, item, clicks), bandit.value, rows // each)


def slates(
    rng: np.random.Generator, logs: int, rows: int, *, low: float, high: float, apart: float
) -> Logs:
    """Three positions that both policies fill independently, from ten items each."""
    fixed = np.random.default_rng(1)
    chance = fixed.uniform(low, high, (3, 10))
    score = fixed.normal(size=(2, 3, 10))
    mu, pi = _softmax(0.5 * score[0]), _softmax(0.5 * score[0] + apart * score[1])
    model = chance * np.exp(fixed.normal(0, 0.3, chance.shape))
    to_go = np.append(np.cumsum((pi * model).sum(axis=1)[::-1])[::-1], 0.0)  # (4,), from position k
    place = np.arange(3)
    item = np.stack([rng.choice(10, logs * rows, p=p) for p in mu], axis=1)
    clicks = bernoulli(rng, chance[place, item])
    own = (pi / mu)[place, item]
    sample = SlateSample(
        clicks.sum(axis=1),
        np.arange(logs * rows),
        clicks,
        own,
        np.cumprod(own, axis=1),
        additive_weights=own.sum(axis=1) - 2,  # of independent positions: sum of w_k - K + 1
        action_values=model[place, item] + to_go[1:],
        expected_values=np.broadcast_to(to_go[:-1], own.shape),
    )
    return Logs(sample, float((pi * chance).sum()), rows)


def trajectories(
    rng: np.random.Generator, logs: int, rows: int, *, low: float, high: float, apart: float
) -> Logs:
    """Four steps of a Markov chain with three states and three items."""
    fixed = np.random.default_rng(2)
    moves = fixed.dirichlet(np.ones(3), size=(3, 3))  # (state, item, next state)
    chance = fixed.uniform(low, high, (3, 3))
    score = fixed.normal(size=(2, 3, 3))
    mu, pi = _softmax(0.5 * score[0]), _softmax(0.5 * score[0] + apart * score[1])
    q, exact = np.zeros((4, 3, 3)), np.zeros((5, 3))
    for step in reversed(range(4)):
        q[step] = chance + moves @ exact[step + 1]
        exact[step] = (pi * q[step]).sum(axis=1)
    q *= np.exp(fixed.normal(0, 0.2, q.shape))  # a wrong model
    v = (pi * q).sum(axis=2)
    state = rng.integers(3, size=logs * rows)
    columns: list[tuple[Floats, ...]] = []
    for step in range(4):
        item = _pick(rng, mu[state])
        clicks = bernoulli(rng, chance[state, item])
        columns.append((clicks, (pi / mu)[state, item], q[step, state, item], v[step, state]))
        state = _pick(rng, moves[state, item])
    rewards, ratios, values, expected = (np.stack(c, axis=1) for c in zip(*columns, strict=True))
    sample = TrajectorySample(
        rewards, ratios, np.arange(logs * rows), action_values=values, expected_values=expected
    )
    return Logs(sample, float(exact[0].mean()), rows)


def adaptive(rng: np.random.Generator, logs: int, rows: int, *, thompson: bool) -> Logs:
    """The logging policy learns with every row; the evaluated one always shows the first item.

    Epsilon-greedy (epsilon = .1) has five equally good items. Thompson sampling has two and the
    second is better; it draws from normal approximations of Beta posteriors, so that its
    propensities are exact, and shows each item with a probability of at least .01.
    """
    chance = np.array([0.2, 0.25] if thompson else [0.05] * 5)
    shown, clicked = np.full((logs, len(chance)), 2.0), np.ones((logs, len(chance)))
    columns, log = [], np.arange(logs)
    for _ in range(rows):
        mean = clicked / shown  # (L, A)
        if thompson:
            variance = (mean * (1 - mean) / (shown + 1)).sum(axis=1)
            first = np.clip(ndtr((mean[:, 0] - mean[:, 1]) / np.sqrt(variance)), 0.01, 0.99)
            chances = np.stack([first, 1 - first], axis=1)
        else:
            chances = np.full(mean.shape, 0.1 / len(chance))
            chances[log, mean.argmax(axis=1)] += 0.9
        item = _pick(rng, chances)
        click = bernoulli(rng, chance[item])
        columns.append((np.where(item == 0, 1 / chances[:, 0], 0.0), click))
        shown[log, item] += 1
        clicked[log, item] += click
    weights, clicks = (np.stack(c, axis=1).ravel() for c in zip(*columns, strict=True))
    q = np.full(len(weights), 0.75 * chance[0])
    sample = Sample(weights, clicks, np.arange(len(weights)), model=Prediction(q, q))
    return Logs(sample, float(chance[0]), rows)


def cases() -> list[Case]:
    """Return the problems, in the order of the table."""
    one = tuple(map(make_estimator, IMPRESSIONS))
    slate = tuple(make_slate_estimator(name, slots=3) for name in SLATES)
    steps = tuple(make_trajectory_estimator(name, horizon=4) for name in TRAJECTORIES)
    near, far, rare = Bandit(), Bandit(share=0.2), Bandit(0.003, 0.004)
    some, much = partial(lognormal, s=1.0), partial(lognormal, s=1.5)
    bought, tail = partial(purchases, s=1.5), partial(pareto, exponent=2.5)
    often, seldom = {"low": 0.05, "high": 0.4}, {"low": 0.003, "high": 0.004}
    draws: list[tuple[Any, ...]] = [
        ("clicks", 1000, partial(impressions, bandit=near), one),
        ("clicks, few rows", 200, partial(impressions, bandit=near), one),
        ("clicks, far policy", 2000, partial(impressions, bandit=far), one),
        (
            "clicks, far, heavy weights",
            2000,
            partial(gaussian, mean=0.2, reward=bernoulli, share=0.2),
            one,
        ),
        ("lognormal, s = 1", 2000, partial(impressions, bandit=near, reward=some), one),
        ("lognormal, s = 1.5", 4000, partial(impressions, bandit=near, reward=much), one),
        (
            "lognormal, s = 1.5, far",
            2450,
            partial(gaussian, mean=1.0, reward=much, share=0.1983),
            one,
        ),
        ("purchases, s = 1.5", 4000, partial(impressions, bandit=near, reward=bought), one),
        ("Pareto, exponent 2.5", 2000, partial(impressions, bandit=near, reward=tail), one),
        ("rare clicks", 50_000, partial(impressions, bandit=rare), one, 0.5),
        (
            "rare clicks, far",
            20_000,
            partial(gaussian, mean=0.0035, reward=bernoulli, share=0.1983),
            one,
        ),
        ("rare non-clicks", 5000, partial(impressions, bandit=Bandit(0.996, 0.997)), one),
        ("200 users with 10 rows", 2000, partial(clustered, bandit=near, each=10), one),
        ("40 users with 50 rows", 2000, partial(clustered, bandit=near, each=50), one),
        ("slates", 1000, partial(slates, **often, apart=0.5), slate),
        ("slates, far policy", 2000, partial(slates, **often, apart=1.0), slate),
        ("slates, rare clicks", 20_000, partial(slates, **seldom, apart=0.5), slate, 0.5),
        ("slates, rare clicks, far", 5000, partial(slates, **seldom, apart=1.0), slate),
        ("trajectories", 1000, partial(trajectories, **often, apart=0.5), steps),
        ("trajectories, far policy", 2000, partial(trajectories, **often, apart=1.0), steps),
        ("trajectories, rare clicks", 5000, partial(trajectories, **seldom, apart=0.5), steps),
        ("adaptive: epsilon-greedy", 2000, partial(adaptive, thompson=False), one),
        ("adaptive: Thompson sampling", 2000, partial(adaptive, thompson=True), one),
    ]
    return [Case(*draw) for draw in draws]


def _softmax(scores: Floats) -> Floats:
    exponential = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: Floats = exponential / exponential.sum(axis=-1, keepdims=True)
    return shares


def _pick(rng: np.random.Generator, chances: Floats) -> NDArray[np.int64]:
    """Return one draw from every row of probabilities, ``(N, A) -> (N,)``."""
    below = chances.cumsum(axis=1)[:, :-1] < rng.random((len(chances), 1))
    picked: NDArray[np.int64] = below.sum(axis=1)
    return picked
