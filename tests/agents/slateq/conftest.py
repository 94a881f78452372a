from collections.abc import Callable

import numpy as np
import pytest

from recsim.log import SlateLog


@pytest.fixture
def sequences(make_problem) -> Callable[..., SlateLog]:
    """Build a log of users with several random slates each, user by user."""

    def build(lengths=(4, 3, 4), num_items=6, candidates=None, seed=0) -> SlateLog:
        offered = num_items if candidates is None else candidates.shape[1]
        problem = make_problem(num_items=num_items, num_candidates=offered)
        rng = np.random.default_rng(seed)
        rows = sum(lengths)
        order = np.argsort(rng.random((rows, problem.num_items)), axis=1)
        slate = (order if candidates is None else candidates)[:, : problem.slate_size]
        clicks = (rng.random(slate.shape) < 0.4).astype(np.int8)
        step = np.concatenate([np.arange(length) for length in lengths])
        features = rng.normal(size=(len(lengths), problem.user_feature_dim))
        zeros = np.zeros(rows, dtype=np.int64)
        return SlateLog(
            problem=problem,
            user=np.repeat(np.arange(len(lengths)), lengths),
            session=zeros,
            day=zeros,
            step=step,
            slate=slate,
            clicks=clicks,
            feedback={"click": clicks.sum(axis=1).astype(float), "watch": rng.random(rows)},
            user_features=features.astype(np.float32),
            candidates=candidates,
        ).validate()

    return build
