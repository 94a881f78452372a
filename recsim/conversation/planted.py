"""Interactions and attributes whose structure is known, for trials without data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.conversation.attributes import AttributeData
from recsim.errors import UserError


def planted_codes(
    *,
    bits: int = 4,
    group_size: int = 10,
    users: int = 100,
    interactions: int = 40,
    caring: bool = True,
    useless: int = 0,
    seed: int = 0,
) -> AttributeData:
    """Items in groups that a few yes-or-no questions tell apart.

    ``group_size * 2 ** bits`` items: those of a group have the same attributes, its number in
    binary. Whoever asks for all of them and then shows the group has found the target in
    ``bits + 1`` turns.

    Args:
        bits: Attributes that tell groups apart.
        group_size: Items of a group.
        users: Users, shared out to train, valid and test 8 : 1 : 1.
        interactions: Interactions per user, with uniformly drawn distinct items.
        caring: Whether users care for every attribute, or for none: then every answer is no.
        useless: Further attributes, which every item has.
        seed: Of the interactions.

    Raises:
        UserError: A number is too small, or more interactions than items.
    """
    groups = 2**bits
    count = groups * group_size
    if min(bits, group_size, interactions) < 1 or useless < 0 or users < 10:
        raise UserError(
            "planted codes need at least 1 bit, 1 item a group, 1 interaction and 10 users."
        )
    if interactions > count:
        raise UserError(f"interactions is {interactions}; there are {count} items.")
    rng = np.random.default_rng([seed, 0xC0DE])
    code = np.arange(groups)[:, None] >> np.arange(bits) & 1  # (2^bits, bits)
    item_attributes = np.ones((count, bits + useless), dtype=np.bool_)
    item_attributes[:, :bits] = np.repeat(code, group_size, axis=0)
    taken = np.argsort(rng.random((users, count)), axis=1)[:, :interactions]
    user_attributes = np.full((users, bits + useless), caring)
    return _data(taken, user_attributes, item_attributes)


def planted_tastes(
    *,
    num_items: int = 500,
    num_attributes: int = 30,
    users: int = 300,
    interactions: int = 20,
    per_item: float = 4.0,
    per_user: int = 7,
    strength: float = 1.5,
    seed: int = 0,
) -> AttributeData:
    """Users who take popular items that have attributes which they care for.

    Attributes and items differ in popularity. A user takes distinct items with probability
    proportional to ``exp(strength * shared + log popularity)``, shared being the number of the
    item's attributes that the user cares for.

    Args:
        num_items: I.
        num_attributes: F.
        users: Users, shared out to train, valid and test 8 : 1 : 1.
        interactions: Interactions per user.
        per_item: Attributes of an item on average; every item has one at least.
        per_user: Attributes that a user cares for.
        strength: How much a shared attribute counts.
        seed: Of everything.

    Raises:
        UserError: A number is too small or does not fit the others.
    """
    if min(num_items, num_attributes, interactions, per_user) < 1 or users < 10:
        raise UserError("planted tastes need at least 1 of everything, and 10 users.")
    if interactions > num_items or max(per_user, per_item) > num_attributes or per_item <= 0:
        raise UserError(
            f"{num_items} items and {num_attributes} attributes are too few for {interactions} "
            f"interactions, {per_item} attributes per item and {per_user} per user."
        )
    rng = np.random.default_rng([seed, 0x7A57])
    common = 1.0 / np.arange(1, num_attributes + 1) ** 0.7
    chance = np.minimum(common * per_item / common.sum(), 0.9)
    item_attributes = rng.random((num_items, num_attributes)) < chance
    bare = ~item_attributes.any(axis=1)
    item_attributes[bare, rng.integers(num_attributes, size=int(bare.sum()))] = True
    keys = np.log(common) + rng.gumbel(size=(users, num_attributes))
    user_attributes = np.zeros((users, num_attributes), dtype=np.bool_)
    np.put_along_axis(user_attributes, np.argsort(-keys, axis=1)[:, :per_user], True, axis=1)
    popularity = -np.log(rng.permutation(num_items) + 10.0)
    shared = user_attributes.astype(np.float64) @ item_attributes.T  # (U, I)
    appeal = strength * shared + popularity + rng.gumbel(size=shared.shape)
    taken = np.argsort(-appeal, axis=1)[:, :interactions]  # without replacement, by Gumbel noise
    return _data(taken, user_attributes, item_attributes)


def _data(
    taken: NDArray[np.int64],
    user_attributes: NDArray[np.bool_],
    item_attributes: NDArray[np.bool_],
) -> AttributeData:
    """Put the items that each user took, ``(U, n)``, into a table; users are split 8 : 1 : 1."""
    users, each = taken.shape
    part = np.zeros(users, dtype=np.int8)
    tenth = users // 10
    part[users - 2 * tenth : users - tenth] = 1
    part[users - tenth :] = 2
    return AttributeData(
        user=np.repeat(np.arange(users), each),
        item=taken.ravel(),  # (U, n) -> (U * n,)
        part=np.repeat(part, each),
        user_attributes=user_attributes,
        item_attributes=item_attributes,
        attribute_names=tuple(f"attribute {n}" for n in range(item_attributes.shape[1])),
        item_names=tuple(f"item {n}" for n in range(len(item_attributes))),
        user_names=tuple(f"user {n}" for n in range(users)),
    )
