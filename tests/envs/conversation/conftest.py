from collections.abc import Callable

import numpy as np
import pytest

from envs.conversation import ConvRecEnv, ConvRecVectorEnv
from recsim.conversation import AttributeData


@pytest.fixture
def data() -> AttributeData:
    """Two test users, five items and four attributes in two classes.

    ====  ==========      ====  ==========      =====  ==========
    item  attributes      user  cares about      class  attributes
    ====  ==========      ====  ==========      =====  ==========
    0     0 1             0     0 2 3           0      0 1
    1     0 2             1     1               1      1 2 3
    2     1 2
    3     3
    4     none
    ====  ==========      ====  ==========      =====  ==========
    """
    items = np.zeros((5, 4), dtype=bool)
    items[[0, 0, 1, 1, 2, 2, 3], [0, 1, 0, 2, 1, 2, 3]] = True
    users = np.zeros((3, 4), dtype=bool)
    users[[0, 0, 0, 1], [0, 2, 3, 1]] = True
    classes = np.zeros((4, 2), dtype=bool)
    classes[[0, 1, 1, 2, 3], [0, 0, 1, 1, 1]] = True
    return AttributeData(
        user=np.array([0, 0, 0, 1, 2, 2, 2]),
        item=np.array([0, 1, 3, 2, 4, 4, 3]),
        part=np.array([2, 2, 2, 2, 0, 0, 0], dtype=np.int8),
        user_attributes=users,
        item_attributes=items,
        attribute_names=("rock", "pop", "jazz", "folk"),
        item_names=tuple("abcde"),
        user_names=("x", "y", "z"),
        classes=classes,
        class_names=("loud", "soft"),
    )


@pytest.fixture
def make(data) -> Callable[..., ConvRecEnv]:
    """Return a function that builds one conversation with slates of two items and five turns."""

    def build(**settings) -> ConvRecEnv:
        return ConvRecEnv(data=data, **{"slate_size": 2, "max_turns": 5, "debug": True} | settings)

    return build


@pytest.fixture
def make_batch(data) -> Callable[..., ConvRecVectorEnv]:
    """Return a function that builds many conversations."""

    def build(num_envs, **settings) -> ConvRecVectorEnv:
        return ConvRecVectorEnv(
            num_envs, data=data, **{"slate_size": 2, "max_turns": 5, "debug": True} | settings
        )

    return build


def ask(attribute):
    return {"type": 0, "attribute": attribute, "slate": [-1, -1]}


def show(*items):
    return {"type": 1, "attribute": 0, "slate": list(items)}


@pytest.fixture
def act():
    """Return functions that build the two kinds of actions."""
    return ask, show
