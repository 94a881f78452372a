from collections.abc import Callable

import numpy as np
import pytest

from envs.critiquing import CritiqueRecEnv, CritiqueRecVectorEnv
from recsim.critiquing import AspectReviews


def bits(*numbers, of=5):
    row = np.zeros(of, dtype=bool)
    row[list(numbers)] = True
    return row


@pytest.fixture
def reviews() -> AspectReviews:
    """Three users, six items, five aspects.

    ====  =======  ========      ====  =======================================  ===============
    item  aspects  counts        user  train reviews mention                     reviews in test
    ====  =======  ========      ====  =======================================  ===============
    0     0 2      1 1           0     0 three times, 2 once, 4 twice            item 0
    1     1 4      1 2           1     0 once, 1 once                            items 1 and 2
    2     0 1      1 2           2     0, 1, 2 and 4, once or more
    3     2 3      1 1
    4     none
    5     0 4      3 2
    ====  =======  ========      ====  =======================================  ===============
    """
    rows = [  # user, item, part, aspects
        (0, 5, 0, (0, 4)),
        (0, 5, 0, (0, 4)),
        (0, 5, 0, (0,)),
        (0, 3, 0, (2,)),
        (1, 2, 0, (0, 1)),
        (2, 0, 0, (0, 2)),
        (2, 1, 0, (1, 4)),
        (2, 1, 0, (4,)),
        (2, 2, 0, (1,)),
        (2, 2, 0, (1,)),
        (2, 2, 0, (1,)),
        (2, 3, 0, (3,)),
        (0, 0, 2, (3,)),
        (1, 1, 2, (0,)),
        (1, 2, 2, (0,)),  # reviewed in training: no session is about it
        (2, 4, 1, (0,)),
    ]
    return AspectReviews(
        user=np.array([row[0] for row in rows]),
        item=np.array([row[1] for row in rows]),
        part=np.array([row[2] for row in rows], dtype=np.int8),
        aspects=np.stack([bits(*row[3]) for row in rows]),
        aspect_names=("cheap", "heavy", "loud", "small", "red"),
        item_names=tuple("abcdef"),
        user_names=("x", "y", "z"),
    )


@pytest.fixture
def make(reviews) -> Callable[..., CritiqueRecEnv]:
    """Return a function that builds one session with items as actions."""

    def build(**settings) -> CritiqueRecEnv:
        return CritiqueRecEnv(data=reviews, **{"action": "item", "debug": True} | settings)

    return build


@pytest.fixture
def make_batch(reviews) -> Callable[..., CritiqueRecVectorEnv]:
    """Return a function that builds many sessions."""

    def build(num_envs, **settings) -> CritiqueRecVectorEnv:
        return CritiqueRecVectorEnv(
            num_envs, data=reviews, **{"action": "item", "debug": True} | settings
        )

    return build


@pytest.fixture
def show():
    """Return a function that builds an action: an item and its justification."""

    def action(item, *aspects):
        return {"item": item, "justification": bits(*aspects).astype(np.int8)}

    return action
