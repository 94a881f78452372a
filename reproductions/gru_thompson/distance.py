r"""A small world whose users click items near them, with known click probabilities.

Groups are points of the plane with uniform angles and radius ``size (0.1 + 0.7 U)``; an item is at
distance ``0.1 size`` from its group in a uniform direction. A user starts at the point of a random
group. From a slate, the user chooses

.. math:: P(k) \propto e^{-\lVert h - v_{i_k} \rVert_2}, \qquad P(\text{nothing}) \propto e^{b},

and moves towards the item clicked: :math:`h' = \gamma h + (1 - \gamma) v_c`. The reward is a click.

Source: the simulator of Eide, Leslie and Frigessi, "Dynamic Slate Recommendation with Gated
Recurrent Units and Thompson Sampling", arXiv:2104.15046, with the settings of its later version.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from envs.world.part import Part
from recsim.errors import UserError
from recsim.log import SlateLog
from recsim.problem import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class DistanceWorld(Part):
    """Settings of the world.

    Attributes:
        num_items: I.
        num_groups: G, at most I; groups differ by at most one item in size.
        slate_size: K, without "nothing".
        size: Scale of the plane.
        nothing: b, utility of choosing nothing.
        memory: gamma.
        history: Past slates in an observation, H.
        seed: Seed of the items.
    """

    num_items: int = Field(300, ge=2)
    num_groups: int = Field(30, ge=1)
    slate_size: int = Field(5, ge=1)
    size: float = Field(5.0, gt=0)
    nothing: float = 0.0
    memory: float = Field(0.9, ge=0, le=1)
    history: int = Field(20, ge=1)
    seed: int = Field(0, ge=0)

    def start(self, users: int, seed: int) -> DistanceCohort:
        """Return a cohort of new users.

        Raises:
            UserError: If there are more groups than items, or a slate exceeds the catalogue.
        """
        if self.num_groups > self.num_items or self.slate_size > self.num_items:
            raise UserError(
                f"{self.num_items} items are too few for {self.num_groups} groups and slates of "
                f"{self.slate_size}."
            )
        rng = np.random.default_rng([self.seed, 0xD157])
        angle = rng.uniform(0, 2 * math.pi, self.num_groups)
        radius = self.size * (0.1 + 0.7 * rng.random(self.num_groups))
        centres = radius[:, None] * _on_circle(angle)  # (G, 2)
        groups = np.arange(self.num_items) % self.num_groups
        around = _on_circle(rng.uniform(0, 2 * math.pi, self.num_items))
        items = centres[groups] + 0.1 * self.size * around  # (I, 2)
        problem = Problem(
            num_items=self.num_items,
            slate_size=self.slate_size,
            item_groups=groups,
        )
        draw = np.random.default_rng([seed, 0xC047])
        state = centres[draw.integers(self.num_groups, size=users)]
        return DistanceCohort(self, problem, items, state, draw)


@dataclass(eq=False)
class DistanceCohort:
    """U users of a `DistanceWorld`; a deep copy continues independently from the same past.

    Attributes:
        world: The settings.
        problem: The public facts.
        items: Points of the items, ``(I, 2)``.
        state: Points of the users, ``(U, 2)``.
        rng: Source of the clicks.
        slates: Slates shown so far, each ``(U, K)``.
        clicks: 1 where clicked, each ``(U, K)``.
    """

    world: DistanceWorld
    problem: Problem
    items: Floats
    state: Floats
    rng: np.random.Generator
    slates: list[Ints] = field(default_factory=list)
    clicks: list[NDArray[np.int8]] = field(default_factory=list)

    def observation(self) -> dict[str, NDArray[Any]]:
        """Return the agent's observation, with the keys of ``SlateRec-v0``."""
        users, window = len(self.state), self.world.history
        empty = max(window - len(self.slates), 0)
        shape = (users, empty * self.world.slate_size)
        items = [np.full(shape, -1), *self.slates[-window:]]
        clicks = [np.zeros(shape, dtype=np.int8), *self.clicks[-window:]]
        last = self.clicks[-1].sum(axis=1) if self.clicks else np.zeros(users)
        step = np.full(users, len(self.slates))
        return {
            "user_features": np.zeros((users, 0), dtype=np.float32),
            "history_items": np.concatenate(items, axis=1),  # (U, H * K)
            "history_clicks": np.concatenate(clicks, axis=1),
            "history_length": np.full((users, 1), min(len(self.slates), window)),
            "feedback": last[:, None].astype(np.float32),
            "candidates": np.broadcast_to(
                np.arange(self.problem.num_items), (users, self.problem.num_items)
            ),
            "time": np.stack([np.zeros_like(step), np.zeros_like(step), step], axis=1),
        }

    def probabilities(self, slates: Ints) -> Floats:
        """Return the exact probability that each slot is clicked, ``(U, K)``.

        Args:
            slates: Distinct items, ``(U, K)``.
        """
        gaps = np.linalg.norm(self.state[:, None] - self.items[slates], axis=2)
        weights = np.exp(-gaps)
        clicked: Floats = weights / (
            weights.sum(axis=1, keepdims=True) + math.exp(self.world.nothing)
        )
        return clicked

    def show(self, slates: Ints) -> NDArray[np.int8]:
        """Show slates to the users, who click and move; return the clicks, ``(U, K)``.

        Args:
            slates: Distinct items, ``(U, K)``.
        """
        edges = self.probabilities(slates).cumsum(axis=1)
        slot = (edges <= self.rng.random((len(slates), 1))).sum(axis=1)  # K for nothing
        clicks = np.zeros(slates.shape, dtype=np.int8)
        moved = np.flatnonzero(slot < slates.shape[1])
        clicks[moved, slot[moved]] = 1
        target = self.items[slates[moved, slot[moved]]]
        gamma = self.world.memory
        # A new array, as copies of the cohort may share the old one.
        self.state = self.state.copy()
        self.state[moved] = gamma * self.state[moved] + (1 - gamma) * target
        self.slates.append(slates)
        self.clicks.append(clicks)
        return clicks

    def oracle(self) -> Ints:
        """Return the slates with the highest probability of a click, ``(U, K)``."""
        gaps = np.linalg.norm(self.state[:, None] - self.items[None], axis=2)  # (U, I)
        return np.argsort(gaps, axis=1, kind="stable")[:, : self.world.slate_size]

    def random(self) -> Ints:
        """Return uniformly drawn slates of distinct items, ``(U, K)``."""
        keys = self.rng.random((len(self.state), self.problem.num_items))
        return np.argsort(keys, axis=1)[:, : self.world.slate_size]

    def log_for(self, steps: int, *, oracle: float = 0.5) -> None:
        """Show slates to collect a log, in the way of the source.

        Args:
            steps: Slates per user.
            oracle: Probability that all users of a step see the oracle's slates; else they see
                random ones.
        """
        for _ in range(steps):
            self.show(self.oracle() if self.rng.random() < oracle else self.random())

    def to_log(self) -> SlateLog:
        """Return the log of all slates shown so far, user by user."""
        users, steps = len(self.state), len(self.slates)
        shape = (users * steps, self.world.slate_size)
        clicks = np.stack(self.clicks, axis=1).reshape(shape)  # T of (U, K) -> (U * T, K)
        zeros = np.zeros(users * steps, dtype=np.int64)
        return SlateLog(
            problem=self.problem,
            user=np.repeat(np.arange(users), steps),
            session=zeros,
            day=zeros,
            step=np.tile(np.arange(steps), users),
            slate=np.stack(self.slates, axis=1).reshape(shape),
            clicks=clicks,
            feedback={"click": clicks.sum(axis=1).astype(np.float64)},
            user_features=np.zeros((users, 0), dtype=np.float32),
        )


def _on_circle(angle: Floats) -> Floats:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
