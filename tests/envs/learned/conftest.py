import numpy as np
import pytest
import torch

from envs.learned.config import UserModelConfig
from envs.learned.fitting import fit_user_model
from recsim.log import SlateLog
from recsim.problem import Problem

torch.set_num_threads(1)

ITEMS = 6


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def planted_log(users=60, days=6, slots=2, *, returns=True, seed=0):
    """Users with one feature x click item i with probability sigmoid(x s_i - 1), s_i = -1 or 1.

    Slates are uniform. After a click a user returns on the next day; otherwise with probability
    0.3, or never again. With ``returns`` the log has a return of 1 or 0.
    """
    rng = np.random.default_rng(seed)
    sign = np.where(np.arange(ITEMS) % 2, 1.0, -1.0)
    x = rng.choice([-2.0, 2.0], users)
    rows = []
    for user in range(users):
        for day in range(days):
            slate = rng.permutation(ITEMS)[:slots]
            clicks = rng.random(slots) < sigmoid(x[user] * sign[slate] - 1)
            back = bool(clicks.any() or rng.random() < 0.3)
            rows.append((user, day, slate, clicks, back))
            if not back:
                break
    user, day, slate, clicks, back = (np.array(column) for column in zip(*rows, strict=True))
    order = np.argsort(day, kind="stable")
    user, day, slate, clicks, back = (a[order] for a in (user, day, slate, clicks, back))
    feedback = {"click": clicks.sum(axis=1).astype(float), "watch": clicks @ np.full(slots, 2.0)}
    if returns:
        feedback["return"] = back.astype(float)
    return SlateLog(
        problem=Problem(
            num_items=ITEMS,
            slate_size=slots,
            user_feature_dim=1,
            item_features=sign[:, None].astype(np.float32),
            item_groups=np.arange(ITEMS) % 2,
            rewards={"click": 1.0, **{name: 0.0 for name in feedback if name != "click"}},
        ),
        user=user,
        session=day.copy(),
        day=day,
        step=np.zeros(len(user), dtype=np.int64),
        slate=slate,
        clicks=clicks.astype(np.int8),
        feedback=feedback,
        user_features=x[:, None].astype(np.float32),
    )


QUICK = {"dim": 4, "hidden": 8, "epochs": 5, "history": 3}


@pytest.fixture(scope="session")
def make_log():
    """Return the function that builds a planted log."""
    return planted_log


@pytest.fixture(scope="session")
def quick():
    """Settings of a short fit."""
    return QUICK


@pytest.fixture(scope="session")
def log():
    return planted_log()


@pytest.fixture(scope="session")
def model(log):
    return fit_user_model(log, UserModelConfig(**QUICK))


@pytest.fixture(scope="session")
def saved(log, tmp_path_factory):
    """Path of the planted log, saved by ``SlateLog.save``."""
    path = tmp_path_factory.mktemp("log") / "log"
    log.save(path)
    return str(path)
