"""Synthetic interactions and attributes with a known structure, for scenarios without data."""

from __future__ import annotations

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.conversation.attributes import AttributeData
from recsim.errors import EnvError


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
    """Return items in groups that a few yes-or-no questions tell apart.

    There are ``group_size * 2 ** bits`` items. The items of a group have the same attributes: the
    number of the group in binary. An agent that asks about all of them and then shows the group
    finds the target in ``bits + 1`` turns.

    Args:
        bits: Number of attributes that tell the groups apart.
        group_size: Items per group.
        users: Users, split 8 : 1 : 1 into train, valid and test.
        interactions: Interactions per user, with distinct items drawn uniformly.
        caring: Whether users care about every attribute or about none; if none, every answer is
            no.
        useless: Number of further attributes, which every item has.
        seed: Seed of the interactions.

    Raises:
        EnvError: If a number is too small, or there are more interactions than items.
    """
    groups = 2**bits
    count = groups * group_size
    if min(bits, group_size, interactions) < 1 or useless < 0 or users < 10:
        raise EnvError(
            "planted codes need at least 1 bit, 1 item per group, 1 interaction and 10 users."
        )
    if interactions > count:
        raise EnvError(f"interactions is {interactions}, but there are only {count} items.")
    rng = np.random.default_rng([seed, 0xC0DE])
    code = np.arange(groups)[:, None] >> np.arange(bits) & 1  # (2^bits, bits)
    item_attributes = np.ones((count, bits + useless), dtype=np.bool_)
    item_attributes[:, :bits] = np.repeat(code, group_size, axis=0)
    items = np.argsort(rng.random((users, count)), axis=1)[:, :interactions]
    user_attributes = np.full((users, bits + useless), caring)
    return _data(items, user_attributes, item_attributes)


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
    """Return users who prefer popular items with attributes that they care about.

    Attributes and items differ in popularity. A user draws distinct items with probability
    proportional to ``exp(strength * shared + log popularity)``, where ``shared`` is the number of
    attributes of the item that the user cares about.

    Args:
        num_items: I.
        num_attributes: F.
        users: Users, split 8 : 1 : 1 into train, valid and test.
        interactions: Interactions per user.
        per_item: Average number of attributes per item; every item has at least one.
        per_user: Attributes that a user cares about.
        strength: Weight of a shared attribute.
        seed: Seed of all random draws.

    Raises:
        EnvError: If a number is too small or does not fit the others.
    """
    if min(num_items, num_attributes, interactions, per_user) < 1 or users < 10:
        raise EnvError(
            "planted tastes need at least 10 users, and at least 1 item, attribute, interaction "
            "and attribute per user."
        )
    if interactions > num_items or max(per_user, per_item) > num_attributes or per_item <= 0:
        raise EnvError(
            f"{num_items} items and {num_attributes} attributes are too few for {interactions} "
            f"interactions, {per_item} attributes per item and {per_user} per user."
        )
    rng = np.random.default_rng([seed, 0x7A57])
    common = 1.0 / np.arange(1, num_attributes + 1) ** 0.7
    chance = np.minimum(common * per_item / common.sum(), 0.9)
    item_attributes = rng.random((num_items, num_attributes)) < chance
    fill_empty_rows(item_attributes, rng)
    logits = np.broadcast_to(np.log(common), (users, num_attributes))
    user_attributes = np.zeros((users, num_attributes), dtype=np.bool_)
    np.put_along_axis(user_attributes, draw_distinct(logits, per_user, rng), True, axis=1)
    popularity = -np.log(rng.permutation(num_items) + 10.0)
    shared = user_attributes.astype(np.float64) @ item_attributes.T  # (U, I)
    items = draw_distinct(strength * shared + popularity, interactions, rng)
    return _data(items, user_attributes, item_attributes)


def fill_empty_rows(table: Bools, rng: np.random.Generator) -> None:
    """Set one entry, drawn uniformly, in each row that has none; changes ``table`` in place."""
    empty = ~table.any(axis=1)
    table[empty, rng.integers(table.shape[1], size=int(empty.sum()))] = True


def draw_distinct(logits: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Draw distinct columns for each row, one after the other, in proportion to ``exp(logits)``.

    Args:
        logits: ``(N, C)``.
        count: Columns per row, at most C.
        rng: Source of the Gumbel noise that makes the draw.

    Returns:
        ``(N, count)``.
    """
    return np.argsort(-(logits + rng.gumbel(size=logits.shape)), axis=1)[:, :count]


def numbered(noun: str, count: int) -> tuple[str, ...]:
    """Return names such as ``item 0``, ``item 1`` ..."""
    return tuple(f"{noun} {n}" for n in range(count))


def _data(items: Ints, user_attributes: Bools, item_attributes: Bools) -> AttributeData:
    """Make a table of the items of each user, ``(U, n)``; users are split 8 : 1 : 1."""
    users, each = items.shape
    part = np.zeros(users, dtype=np.int8)
    tenth = users // 10
    part[users - 2 * tenth : users - tenth] = 1
    part[users - tenth :] = 2
    return AttributeData(
        user=np.repeat(np.arange(users), each),
        item=items.ravel(),  # (U, n) -> (U * n,)
        part=np.repeat(part, each),
        user_attributes=user_attributes,
        item_attributes=item_attributes,
        attribute_names=numbered("attribute", item_attributes.shape[1]),
        item_names=numbered("item", len(item_attributes)),
        user_names=numbered("user", users),
    )
