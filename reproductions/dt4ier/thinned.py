"""What the log KuaiRand-Pure is: rows of a pool of videos, thinned from whole sessions.

Run it as ``python -m reproductions.dt4ier.thinned DATA/kuairand_pure_2w``. It prints statistics of
the activity of users in the log, the same of a model without memory, and the effect of clicks on
the activity of the same user on the next day.

In the model without memory a user has a rate of rows, gamma distributed over users, which is
multiplied on every day by an independent gamma variable of mean 1; rows are Poisson. Whether a user
comes back depends on nothing that happened before.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Floats, Ints
from recsim.log import SlateLog, read_log

# Rows of the standard logs of KuaiRand-Pure and KuaiRand-27K (Gao et al. 2022, authors' page).
PURE, WHOLE = 1_436_609, 322_278_385
# Of the model: shapes of the gamma distributions over users and over days, mean rows of a user.
USER_SHAPE, DAY_SHAPE, MEAN_ROWS = 1.18, 1.2, 8.17
USERS, DAYS = 26_469, 14


def activity(rows: Ints) -> dict[str, float]:
    """Return statistics of the activity of users.

    Args:
        rows: Rows of every user on every day, ``(U, T)``.
    """
    active = rows > 0
    user, day = np.nonzero(active)
    same = user[1:] == user[:-1]
    return {
        "users active on a day": float(active.mean()),
        "videos per active day": float(rows[active].mean()),
        "active days with one video": float((rows[active] == 1).mean()),
        "users active on at least 10 days": float((active.sum(axis=1) >= 10).mean()),
        "days to the next active day": float(np.diff(day)[same].mean()),
        "active on the next day, if active": float(active[:, 1:][active[:, :-1]].mean()),
    }


def without_memory(rng: np.random.Generator, users: int) -> Ints:
    """Return rows per user and day under the model without memory, ``(U, T)``."""
    rate = rng.gamma(USER_SHAPE, MEAN_ROWS / DAYS / USER_SHAPE, size=(users, 1))
    varied = rate * rng.gamma(DAY_SHAPE, 1 / DAY_SHAPE, size=(users, DAYS))
    return rng.poisson(varied)


def effect_of_clicks(share: Floats, after: NDArray[np.bool_], user: Ints) -> tuple[float, float]:
    """Return the slope of activity on the next day on the share clicked today, within users.

    Args:
        share: Share of the day's videos that was clicked, ``(N,)``.
        after: Whether the user was active on the next day, ``(N,)``.
        user: ``(N,)``.

    Returns:
        The slope and its standard error, clustered by user.
    """
    _, own = np.unique(user, return_inverse=True)
    days = np.bincount(own)
    x = share - (np.bincount(own, weights=share) / days)[own]
    y = after - (np.bincount(own, weights=after) / days)[own]
    slope = float(x @ y / (x @ x))
    scores = np.bincount(own, weights=x * (y - slope * x))
    return slope, float(np.sqrt(scores @ scores) / (x @ x))


def per_day(log: SlateLog, users: int) -> Ints:
    """Return the number of videos of every user on every day, ``(U, T)``."""
    rows = np.zeros((users, DAYS), dtype=np.int64)
    first = int(log.day.min())
    np.add.at(rows, (log.user, log.day - first), (log.slate >= 0).sum(axis=1))
    return rows


def main() -> None:
    """Read the log and print the statistics."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", help="folder of kuairand_pure_2w")
    log = read_log(
        "kuairand", path=parser.parse_args().path, slate_size=50, return_days=1, censored="keep"
    )
    print(f"KuaiRand-Pure has 1 row in {WHOLE / PURE:.0f} of KuaiRand-27K.\n")
    users = max(USERS, len(log.user_features))
    rows = per_day(log, users)
    logged = activity(rows)
    model = activity(without_memory(np.random.default_rng(0), users))
    print("| | log | model without memory |\n|---|---|---|")
    for name, value in logged.items():
        print(f"| {name} | {value:.3f} | {model[name]:.3f} |")
    shown = log.slate >= 0
    share = ((log.clicks > 0) & shown).sum(axis=1) / shown.sum(axis=1)
    day = log.day - log.day.min()
    known = day < DAYS - 1
    after = rows[log.user[known], day[known] + 1] > 0
    slope, error = effect_of_clicks(share[known], after, log.user[known])
    print(f"\nActive on the next day: {after.mean():.3f}. Within a user, per unit of the share of")
    print(f"videos clicked: {slope:+.4f}, standard error {error:.4f}.")


if __name__ == "__main__":
    main()
