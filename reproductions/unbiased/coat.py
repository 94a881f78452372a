"""Coat: matrix factorisation of self-selected ratings, evaluated on ratings of random items.

    python -m reproductions.unbiased.coat DATA/coat --seeds 10

prints a table of NDCG, recall and MAP, mean (standard deviation) over seeds, next to the published
figures of Lee, Park and Lee, "Dual Unbiased Recommender Learning for Implicit Feedback", SIGIR
2021; and the paired differences between all methods, with 95% Student-t intervals.

Two protocols:

``published``
    A rating of at least 4 is a click. 7 of each user's 24 ratings are for validation, drawn with a
    fixed seed; all pairs except the other clicks are unlabelled, including the validation clicks.
    Training stops when the SNIPS MAP@3 on validation, with propensities n^1.5, has not increased
    for 6 epochs, and restores the best epoch. In this MAP every validation rating counts as a
    click, even a low one, and is twice among the candidates; an item without clicks has propensity
    0.01, while others have at least 1. In the test a user who likes none of the 16 items scores 0.
``sound``
    The same data. In validation only clicks on items that were clicked in training count, among all
    items except the user's training clicks. In the test a user who likes none of the items is
    skipped.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.rel_mf.expomf import ExpoMF, ExposureFactors, fit_expomf
from agents.rel_mf.factors import Factors, Training, train
from agents.rel_mf.losses import Coefficients, inverse_propensities, naive, weighted, wmf
from agents.rel_mf.pairs import ClickedPairs, Pairs
from recsim.estimators.popularity import popularity_propensities
from recsim.log.readers.coat import read_coat
from recsim.metrics import ranking_values, yang_snips
from reproductions.intervals import difference_texts, half_width

METRICS = ["ndcg@1", "ndcg@3", "ndcg@5", "recall@5", "map@5"]
# Means of 10 seeds, in the order of METRICS, from the logs in the authors' repository.
PUBLISHED = {
    "MF": (0.3748, 0.3441, 0.3714, 0.3705, 0.2566),
    "Rel-MF": (0.3959, 0.3659, 0.3922, 0.3926, 0.2758),
}
METHODS: dict[str, list[dict[str, float]]] = {
    "MF": [{"l2": 1e-9}],
    "WMF, clicks": [{"l2": 1e-9, "weight": weight} for weight in (3.0, 10.0)],
    "WMF, unclicked": [{"l2": 1e-9, "weight": weight} for weight in (0.1, 0.3)],
    "ExpoMF": [{"l2": l2} for l2 in (1e-5, 0.1, 1.0)],
    "Rel-MF": [{"l2": 1e-5, "clip": 0.1}],
}
EPOCHS, PATIENCE, BATCH, DIM, RATE = 500, 5, 1024, 128, 0.005

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Scores of all pairs at the epoch with the best validation score.

    Attributes:
        scores: ``(U, I)``.
        validation: The best validation score.
        epoch: Its epoch or round, from 1; 0 if the initial score was never exceeded.
    """

    scores: Matrix
    validation: float
    epoch: int


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates on which a ranking is evaluated, one row per candidate."""

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    click: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Coat:
    """The data of both protocols.

    Attributes:
        clicks: Training clicks.
        counts: Clicks of each item in training, ``(I,)``.
        validation: Held-out rows (user, item, click), ``(V, 3)``.
        test: The 16 random items of each user.
    """

    clicks: ClickedPairs
    counts: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: Candidates


def prepare(path: Path) -> Coat:
    """Read the data and hold out the validation rows of the published protocol."""
    ratings, test = read_coat(path, "train"), read_coat(path, "test")
    liked = (ratings.rating >= 4).astype(np.int64)
    held_out = np.zeros(len(ratings), dtype=np.bool_)
    for user in range(ratings.num_users):
        rows = np.flatnonzero(ratings.user == user)  # in the order of items
        chosen = np.random.RandomState(12345).choice(  # the published draw
            len(rows), int(0.3 * len(rows)), replace=False
        )
        held_out[rows[chosen]] = True
    kept = ~held_out & (liked == 1)
    clicks = ClickedPairs(
        torch.from_numpy(ratings.user[kept]),
        torch.from_numpy(ratings.item[kept]),
        ratings.num_users,
        ratings.num_items,
    )
    return Coat(
        clicks,
        clicks.counts().numpy(),
        np.stack([ratings.user[held_out], ratings.item[held_out], liked[held_out]], axis=1),
        Candidates(test.user, test.item, (test.rating >= 4).astype(np.int64)),
    )


def published_validation(data: Coat) -> Callable[[Matrix], float]:
    """Return the function that computes the published validation score of a matrix of scores."""
    user, item, liked = data.validation.T
    counts = data.counts + np.bincount(item[liked == 1], minlength=len(data.counts))
    free = np.ones((data.clicks.num_users, data.clicks.num_items), dtype=np.bool_)
    free[data.clicks.users, data.clicks.items] = False
    free[user[liked == 1], item[liked == 1]] = False
    others = np.argwhere(free)
    users, items = np.concatenate([user, others[:, 0]]), np.concatenate([item, others[:, 1]])
    clicked = np.concatenate([np.ones(len(user)), np.zeros(len(others))])
    frequency = np.maximum(counts**1.5, 0.01)
    theta = (frequency / frequency.max())[items]  # the scale cancels

    def score(scores: Matrix) -> float:
        return ranking_values(
            users,
            scores[users, items],
            clicked,
            ["map@3"],
            estimator="snips",
            propensities=theta,
            ties="last",
        )[0].value

    return score


def sound_validation(data: Coat) -> Callable[[Matrix], float]:
    """Return the function that computes the SNIPS MAP@3 of the held-out clicks."""
    user, item, liked = data.validation.T
    clicked = np.zeros((data.clicks.num_users, data.clicks.num_items))
    clicked[user[liked == 1], item[liked == 1]] = 1
    free = np.ones_like(clicked, dtype=np.bool_)
    free[data.clicks.users, data.clicks.items] = False
    users, items = np.nonzero(free)

    def score(scores: Matrix) -> float:
        return yang_snips(
            users,
            scores[users, items],
            clicked[users, items],
            data.counts[items],
            ["map@3"],
            gamma=2.0,
        )[0].value

    return score


def epochs(data: Coat, seed: int, count: int) -> Iterator[Pairs]:
    """Yield batches that pass through all pairs ``count`` times, each time in a new order."""
    clicks = data.clicks
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        order = torch.randperm(clicks.num_users * clicks.num_items, generator=generator)
        for start in range(0, len(order), BATCH):
            keys = order[start : start + BATCH]
            yield keys // clicks.num_items, keys % clicks.num_items


def fit_factors(
    data: Coat,
    coefficients: Callable[[Tensor, Tensor], Coefficients],
    l2: float,
    validate: Callable[[Matrix], float],
    seed: int,
    count: int,
) -> Fitted:
    """Train with early stopping, for at most ``count`` epochs."""
    clicks = data.clicks
    generator = torch.Generator().manual_seed(1000 + seed)
    factors = Factors(clicks.num_users, clicks.num_items, DIM, generator)
    steps = -(-clicks.num_users * clicks.num_items // BATCH)
    best = Fitted(factors.all_scores().numpy(), 0.0, 0)

    def stop(step: int, loss: Tensor) -> bool:
        nonlocal best
        if step % steps:
            return False
        epoch, scores = step // steps, factors.all_scores().numpy()
        value = validate(scores)
        if value > best.validation:
            best = Fitted(scores, value, epoch)
        return epoch - best.epoch > PATIENCE

    train(factors, epochs(data, seed, count), coefficients, Training(RATE, l2), on_step=stop)
    return best


def fit_exposure(data: Coat, l2: float, validate: Callable[[Matrix], float], seed: int) -> Fitted:
    """Fit ExpoMF for 20 rounds and keep the one with the best validation score."""
    best = Fitted(np.zeros((data.clicks.num_users, data.clicks.num_items), np.float32), 0.0, 0)

    def keep_best(number: int, factors: ExposureFactors) -> None:
        nonlocal best
        scores = (factors.users @ factors.items.T).numpy()
        value = validate(scores)
        if value > best.validation:
            best = Fitted(scores, value, number)

    settings = ExpoMF(dim=DIM, iterations=20, l2=l2)
    fit_expomf(data.clicks, settings, torch.Generator().manual_seed(1000 + seed), keep_best)
    return best


def fit(
    data: Coat,
    method: str,
    setting: dict[str, float],
    validate: Callable[[Matrix], float],
    seed: int,
    count: int = EPOCHS,
) -> Fitted:
    """Fit one method, for at most ``count`` epochs except for ExpoMF."""
    if method == "ExpoMF":
        return fit_exposure(data, setting["l2"], validate, seed)
    theta = popularity_propensities(data.counts, floor=1e-3)
    inverse = inverse_propensities(torch.from_numpy(theta), setting.get("clip", 0.0)).float()

    def coefficients(users: Tensor, items: Tensor) -> Coefficients:
        y = data.clicks.contains(users, items)
        if method == "Rel-MF":
            return weighted(y, inverse[items])
        if method.startswith("WMF"):
            return wmf(
                y, setting["weight"], "clicks" if method.endswith(" clicks") else "unclicked"
            )
        return naive(y)

    return fit_factors(data, coefficients, setting["l2"], validate, seed, count)


def evaluate(data: Coat, scores: Matrix, *, published: bool) -> list[float]:
    """Return the test metrics of a matrix of scores, in the order of `METRICS`."""
    test = data.test
    values = ranking_values(
        test.user,
        scores[test.user, test.item],
        test.click,
        METRICS,
        ties="last",
        without_clicks="zero" if published else "skip",
    )
    return [value.value for value in values]


def run(data: Coat, protocol: str, method: str, seeds: int) -> pd.DataFrame:
    """Fit a method with every seed; return test metrics and the epoch, one row per seed."""
    published = protocol == "published"
    validate = (published_validation if published else sound_validation)(data)
    # The setting is chosen by validation with a separate seed and used for all seeds.
    settings = METHODS[method]
    chosen = settings[0]
    if len(settings) > 1:
        scores = [fit(data, method, setting, validate, seed=100).validation for setting in settings]
        chosen = settings[int(np.argmax(scores))]
    rows = []
    for seed in range(seeds):
        fitted = fit(data, method, chosen, validate, seed)
        rows.append([*evaluate(data, fitted.scores, published=published), fitted.epoch])
        print(f"{protocol} {method} {chosen} seed {seed}: {rows[-1]}", file=sys.stderr, flush=True)
    return pd.DataFrame(rows, columns=[*METRICS, "epoch"])


def trace(data: Coat, method: str, seeds: int, count: int) -> pd.DataFrame:
    """Return the test metrics after every epoch without stopping, as means over seeds."""
    runs = []
    for seed in range(seeds):
        values: list[list[float]] = []

        def record(scores: Matrix, values: list[list[float]] = values) -> float:
            values.append(evaluate(data, scores, published=True))
            return float(len(values))  # increases, so that training never stops

        fit(data, method, METHODS[method][0], record, seed, count)
        runs.append(pd.DataFrame(values, columns=METRICS, index=range(1, count + 1)))
    mean: pd.DataFrame = sum(runs[1:], runs[0]) / len(runs)
    return mean.rename_axis("epoch")


def table(results: dict[str, pd.DataFrame], published: bool) -> str:
    """Return a Markdown table: mean (deviation), and whether published means are reached.

    Reached means that the 95% t interval of our mean is not below the published mean, whose
    deviation over seeds is not known.
    """
    lines = ["| run | " + " | ".join(METRICS) + " | epoch |", "|---" * (len(METRICS) + 2) + "|"]
    for method, rows in results.items():
        means, deviations = rows.mean(), rows.std(ddof=1)
        cells = [f"{means[name]:.4f} ({deviations[name]:.4f})" for name in METRICS]
        epoch = f"{means['epoch']:.1f} ({deviations['epoch']:.1f})"
        lines.append(f"| {method} | " + " | ".join(cells) + f" | {epoch} |")
        if published and method in PUBLISHED:
            target = dict(zip(METRICS, PUBLISHED[method], strict=True))
            lines.append(
                f"| {method}, published | "
                + " | ".join(f"{v:.4f}" for v in target.values())
                + " | |"
            )
            reached = [means[name] + half_width(rows[name]) >= target[name] for name in METRICS]
            words = " | ".join("reached" if yes else "**not reached**" for yes in reached)
            lines.append(f"| | {words} | |")
    return "\n".join(lines)


def differences(results: dict[str, pd.DataFrame], metrics: Sequence[str]) -> str:
    """Return a Markdown table of the paired differences between all methods.

    A star marks p < 0.05 after Holm's correction for the pairs of a metric.
    """
    pairs = list(itertools.combinations(results, 2))
    columns = [
        difference_texts([(results[a][name], results[b][name]) for a, b in pairs], digits=4)
        for name in metrics
    ]
    lines = ["| difference | " + " | ".join(metrics) + " |", "|---" * (len(metrics) + 1) + "|"]
    for (a, b), *cells in zip(pairs, *columns, strict=True):
        lines.append(f"| {a} - {b} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables of each protocol."""
    parser = argparse.ArgumentParser(description="Coat, by matrix factorisation.")
    parser.add_argument("path", type=Path, help="the folder with train.ascii and test.ascii")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--protocol", choices=["published", "sound", "both"], default="both")
    parser.add_argument(
        "--trace", choices=[name for name in METHODS if name != "ExpoMF"], help="print every epoch"
    )
    parser.add_argument("--epochs", type=int, default=20, help="number of epochs with --trace")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = prepare(given.path)
    if given.trace:
        print(trace(data, given.trace, given.seeds, given.epochs).round(4).to_string())
        return
    for protocol in ("published", "sound"):
        if given.protocol in (protocol, "both"):
            results = {name: run(data, protocol, name, given.seeds) for name in METHODS}
            print(f"\nProtocol `{protocol}`, {given.seeds} seeds, mean (standard deviation):\n")
            print(table(results, protocol == "published"))
            print(f"\n{differences(results, ['ndcg@1', 'ndcg@5'])}", flush=True)


if __name__ == "__main__":
    main()
