"""Synthetic reviews with a known structure, for scenarios without data."""

from __future__ import annotations

import numpy as np

from recsim.conversation.planted import draw_distinct, fill_empty_rows, numbered
from recsim.critiquing.raw_reviews import split_per_user
from recsim.critiquing.reviews import AspectReviews
from recsim.errors import EnvError


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
    """Return reviews by users whose latent vectors decide what they review and what they mention.

    Users ``u``, items ``v`` and aspects ``b`` are standard normal vectors of ``dim`` numbers. An
    item has an aspect with probability ``sigmoid(clearness * v.b / sqrt(dim) + offset)``. A user
    reviews distinct items drawn by the softmax of ``strength * u.v / sqrt(dim)``, and mentions each
    aspect of the item with probability ``sigmoid(u.b / sqrt(dim))``, at least one. A critique
    therefore tells an agent in which direction of the latent space to search.

    Args:
        users: U.
        num_items: I.
        num_aspects: K.
        dim: Size of the latent vectors.
        reviews: Reviews per user, at least 3: one for test, one for valid, the rest for train.
        strength: Effect of a user's taste on what they review; 0 for none.
        clearness: Effect of an item's latent vector on its aspects; 0 for none.
        density: Probability that an average item has an aspect.
        seed: Seed of all random draws.

    Raises:
        EnvError: If a number is too small or does not fit the others.
    """
    if min(users, num_items, num_aspects, dim) < 1:
        raise EnvError("planted reviews need at least 1 user, 1 item, 1 aspect and dim 1.")
    if not 3 <= reviews <= num_items:
        raise EnvError(
            f"reviews is {reviews}; it must be from 3 to num_items = {num_items}: at least one "
            "each for test, valid and train, all of different items."
        )
    if seed < 0:
        raise EnvError(f"seed is {seed}; it must be 0 or more.")
    if min(strength, clearness) < 0 or not 0 < density < 1:
        raise EnvError(
            f"strength {strength} and clearness {clearness} must be 0 or more, density {density} "
            "between 0 and 1."
        )
    rng = np.random.default_rng([seed, 0xA57EC7])
    tastes = rng.normal(size=(users, dim)) / dim**0.25  # so that the product of two has variance 1
    places = rng.normal(size=(num_items, dim)) / dim**0.25
    directions = rng.normal(size=(num_aspects, dim)) / dim**0.25

    # sigmoid(x) is the probability that x plus logistic noise is above 0.
    shape = (num_items, num_aspects)
    offset = np.log(density / (1.0 - density))
    has = clearness * places @ directions.T + offset + rng.logistic(size=shape) > 0
    fill_empty_rows(has, rng)
    item = draw_distinct(strength * tastes @ places.T, reviews, rng).ravel()
    user = np.repeat(np.arange(users), reviews)

    care = (tastes @ directions.T)[user]  # (M, K)
    interest = np.where(has[item], care + rng.logistic(size=care.shape), -np.inf)
    aspects = interest > 0
    empty = ~aspects.any(axis=1)
    aspects[empty, interest[empty].argmax(axis=1)] = True
    return AspectReviews(
        user=user,
        item=item,
        part=split_per_user(user, seed),
        aspects=aspects,
        aspect_names=numbered("aspect", num_aspects),
        item_names=numbered("item", num_items),
        user_names=numbered("user", users),
    )
