"""Bandit problems in which the value of every policy is known, to test estimators on.

A problem is a finite set of users and a table of the chance of a reward for each user and item. A
log draws users uniformly, items from the logging policy, rewards from the table; the value of a
policy is then a finite sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError
from recsim.estimators.policies import Policy, action_probabilities
from recsim.log import SlateLog
from recsim.problem import Problem
from recsim.scenario.environments import make_env, problem_of
from recsim.scenario.sources import EnvSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LoggedBandit:
    """U users, I items, one item shown at a time.

    Attributes:
        problem: The public facts, with slates of one item and the reward ``click``.
        user_features: Features of each user, ``(U, F)`` float32.
        chance: Probability that user u clicks item i when it is shown, ``(U, I)``.
    """

    problem: Problem
    user_features: NDArray[np.float32]
    chance: Floats

    def value(self, policy: Policy) -> float:
        """Exact value of a policy: the mean over users of the sum over items of pi times chance."""
        return float((self.probabilities(policy) * self.chance).sum(axis=1).mean())

    def log(self, probabilities: Floats, rounds: int, seed: int) -> SlateLog:
        """Return a log of a policy.

        Every row is an independent draw, so the log is anonymous.

        Args:
            probabilities: Of the logging policy, from `probabilities`, ``(U, I)``.
            rounds: Rows, M.
            seed: The log is a function of it.
        """
        rng = np.random.default_rng(seed)
        users = rng.integers(len(self.chance), size=rounds)
        cumulative = probabilities.cumsum(axis=1)
        point = rng.random(rounds) * cumulative[users, -1]
        items = (cumulative[users] <= point[:, None]).sum(axis=1)
        clicks = rng.random(rounds) < self.chance[users, items]
        zeros = np.zeros(rounds, dtype=np.int64)
        chance = probabilities[users, items][:, None]  # (M, 1)
        return SlateLog(
            problem=self.problem,
            user=np.arange(rounds),
            session=np.arange(rounds),
            day=zeros,
            step=zeros,
            slate=items[:, None],
            clicks=clicks[:, None].astype(np.int8),
            feedback={"click": clicks.astype(np.float64)},
            user_features=self.user_features[users],
            propensity=chance,
            slate_propensity=chance[:, 0],
            anonymous=True,
        )

    def probabilities(self, policy: Policy) -> Floats:
        """Probability that a policy shows each item to each user, ``(U, I)``.

        Every user is offered the whole catalogue.

        Raises:
            UserError: If the policy does not know its probabilities.
        """
        users = len(self.chance)
        log = SlateLog(
            problem=self.problem,
            user=np.arange(users),
            session=np.arange(users),
            day=np.zeros(users, dtype=np.int64),
            step=np.zeros(users, dtype=np.int64),
            slate=np.zeros((users, 1), dtype=np.int64),
            clicks=np.zeros((users, 1), dtype=np.int8),
            feedback={"click": np.zeros(users)},
            user_features=self.user_features,
            anonymous=True,
        )
        obs = log.observations()
        return np.asarray(action_probabilities(policy, obs, 1), dtype=np.float64)[:, 0]


def simulated_users(options: dict[str, Any], users: int, seed: int) -> LoggedBandit:
    """The first slate of simulated users: what they click when shown one item.

    Args:
        options: Arguments of ``SlateRec-v0``; slates have one item, offered from the catalogue.
        users: U.
        seed: Seed of the users.

    Raises:
        UserError: If an argument is wrong, or slates are longer or have fewer candidates.
    """
    for key, wanted in (("slate_size", 1), ("num_candidates", None)):
        if options.get(key, wanted) != wanted:
            raise UserError(f"env.{key}: must be {wanted} in a benchmark: remove it.")
    spec = EnvSpec.model_validate({**options, "id": "SlateRec-v0", "slate_size": 1})
    env = make_env(spec, users, reveal=False)
    obs, _ = env.reset(seed=seed)
    simulation = env.unwrapped.simulation  # type: ignore[attr-defined]
    problem = problem_of(env)
    items = problem.num_items
    states = simulation.state.take(np.repeat(np.arange(users), items))
    shown = np.tile(np.arange(items), users)[:, None]  # (U * I, 1)
    chance = simulation.world.click_probabilities(states, shown).reshape(users, items)
    return LoggedBandit(
        problem=replace(problem, rewards={"click": 1.0}),
        user_features=obs["user_features"],
        chance=chance.astype(np.float64),
    )


def digits() -> LoggedBandit:
    """Handwritten digits: the user is an image, the items are ten labels, the right one is clicked.

    The reduction of classification to a bandit of Beygelzimer and Langford, "The Offset Tree for
    Learning with Partial Labels", 2009, arXiv:0812.4044, on the digits that scikit-learn ships.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    problem = Problem(
        num_items=10,
        user_feature_dim=images.shape[1],
    )
    return LoggedBandit(
        problem=problem,
        user_features=(images / 16).astype(np.float32),
        chance=np.eye(10)[labels],
    )
