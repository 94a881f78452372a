from collections.abc import Callable

import numpy as np
import pytest

from recsim.log import SlateLog
from recsim.problem import Problem


@pytest.fixture
def make_sequences() -> Callable[..., SlateLog]:
    """Build a log of one-item slates from the items of each user, all of them clicked.

    Rows of the users alternate; negative items mean a slate that was not clicked.
    """

    def build(sequences, num_items) -> SlateLog:
        rows = [
            (step, user, item) for user, s in enumerate(sequences) for step, item in enumerate(s)
        ]
        step, user, item = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3).T
        problem = Problem(
            num_items=num_items,
        )
        clicks = (item >= 0).astype(np.int8)[:, None]
        zeros = np.zeros(len(user), dtype=np.int64)
        return SlateLog(
            problem=problem,
            user=user,
            session=zeros,
            day=zeros,
            step=step,
            slate=np.where(item < 0, 0, item)[:, None],
            clicks=clicks,
            feedback={"click": clicks[:, 0].astype(float)},
            user_features=np.zeros((len(sequences), 0), dtype=np.float32),
        )

    return build
