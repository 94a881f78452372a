from collections.abc import Callable

import numpy as np
import pytest

from recsim.log import SlateLog
from recsim.problem import Problem


@pytest.fixture
def random_log() -> Callable[..., SlateLog]:
    """Build a log of M random slates with random outcomes, of a few users or anonymous."""

    def build(
        rows=60, *, items=7, slots=2, users=5, features=3, anonymous=False, seed=0, **columns
    ) -> SlateLog:
        rng = np.random.default_rng(seed)
        users = rows if anonymous else users
        slate = np.argsort(rng.random((rows, items)), axis=1)[:, :slots]
        clicks = (rng.random(slate.shape) < 0.3).astype(np.int8)
        values = {
            "problem": Problem(
                num_items=items,
                slate_size=slots,
                user_feature_dim=features,
                item_features=rng.normal(size=(items, 2)).astype(np.float32),
                item_groups=rng.integers(0, 3, items),
                rewards={"click": 1.0, "watch": 0.0},
            ),
            "user": np.arange(rows) if anonymous else rng.integers(0, users, rows),
            "session": np.zeros(rows, dtype=np.int64),
            "day": np.arange(rows) // 10,
            "step": np.arange(rows),
            "slate": slate,
            "clicks": clicks,
            "feedback": {"click": clicks.sum(axis=1).astype(float), "watch": rng.random(rows)},
            "user_features": rng.normal(size=(users, features)).astype(np.float32),
            "propensity": rng.uniform(0.05, 1.0, slate.shape),
            "anonymous": anonymous,
        }
        return SlateLog(**values | columns)

    return build
