"""Reviews whose structure is known, for trials without data."""

from __future__ import annotations

import numpy as np

from recsim.critiquing.reviews import AspectReviews
from recsim.critiquing.splits import per_user
from recsim.errors import UserError


def planted_reviews(
    *,
    users: int = 300,
    num_items: int = 200,
    num_aspects: int = 20,
    dim: int = 8,
    reviews: int = 15,
    strength: float = 2.0,
    clearness: float = 5.0,
    density: float = 0.35,
    seed: int = 0,
) -> AspectReviews:
    """Users and items in a latent space that settles both what is taken and what is said of it.

    Users ``u``, items ``v`` and aspects ``b`` are standard normal vectors of ``dim`` numbers. An
    item has an aspect with probability ``sigmoid(clearness * v.b / sqrt(dim) + offset)``; a user
    reviews distinct items drawn by the softmax of ``strength * u.v / sqrt(dim)``, and mentions each
    aspect of the item with probability ``sigmoid(u.b / sqrt(dim))``, one at least. Who is told that
    an aspect is wrong therefore learns in which direction to look.

    Args:
        users: U.
        num_items: I.
        num_aspects: K.
        dim: Size of the latent vectors.
        reviews: Per user, 3 at least: one for test, one for valid, the rest for train.
        strength: How much taste counts in what is reviewed; 0 for not at all.
        clearness: How much the latent vector of an item settles its aspects; 0 for not at all.
        density: Share of the aspects that a middling item has.
        seed: Of everything.

    Raises:
        UserError: A number is too small or does not fit the others.
    """
    if min(users, num_items, num_aspects, dim) < 1:
        raise UserError("planted reviews need at least 1 user, 1 item, 1 aspect and dim 1.")
    if not 3 <= reviews <= num_items:
        raise UserError(
            f"reviews is {reviews}; it must be from 3 to num_items = {num_items}: one each for "
            "test, valid and train at least, all of different items."
        )
    if seed < 0:
        raise UserError(f"seed is {seed}; it must be 0 or more.")
    if min(strength, clearness) < 0 or not 0 < density < 1:
        raise UserError(
            f"strength {strength} and clearness {clearness} must be 0 or more, density {density} "
            "between 0 and 1."
        )
    rng = np.random.default_rng([seed, 0xA57EC7])
    tastes = rng.normal(size=(users, dim)) / dim**0.25  # so that the product of two has variance 1
    places = rng.normal(size=(num_items, dim)) / dim**0.25
    directions = rng.normal(size=(num_aspects, dim)) / dim**0.25

    # sigmoid(x) is the chance that x plus logistic noise is above 0.
    shape = (num_items, num_aspects)
    offset = np.log(density / (1.0 - density))
    has = clearness * places @ directions.T + offset + rng.logistic(size=shape) > 0
    bare = ~has.any(axis=1)
    has[bare, rng.integers(num_aspects, size=int(bare.sum()))] = True
    appeal = strength * tastes @ places.T + rng.gumbel(size=(users, num_items))
    item = np.argsort(-appeal, axis=1)[:, :reviews].ravel()  # without replacement, by Gumbel noise
    user = np.repeat(np.arange(users), reviews)

    care = (tastes @ directions.T)[user]  # (M, K)
    interest = np.where(has[item], care + rng.logistic(size=care.shape), -np.inf)
    aspects = interest > 0
    silent = ~aspects.any(axis=1)
    aspects[silent, interest[silent].argmax(axis=1)] = True
    return AspectReviews(
        user=user,
        item=item,
        part=per_user(user, seed),
        aspects=aspects,
        aspect_names=tuple(f"aspect {n}" for n in range(num_aspects)),
        item_names=tuple(f"item {n}" for n in range(num_items)),
        user_names=tuple(f"user {n}" for n in range(users)),
    )
