"""Semi-synthetic MovieLens: learners are compared with known relevance and exposure.

    python -m reproductions.unbiased.semi_synthetic DATA/ml_latest_small --seeds 10

The protocol of Saito et al., "Unbiased Recommender Learning from Missing-Not-At-Random Implicit
Feedback", WSDM 2020, on another data set: ML-latest-small instead of ML-100K, with the 2,269 films
that at least 10 users rated, which has about the same density. Only the order of the learners can
be compared with the published one, not the figures.

1. Matrix factorisation of the ratings (dim 20, Adam 0.01, 300 steps of 256 ratings) gives
   ``gamma = sigmoid(clip(prediction, 1, 5) - 5)``; relevance ``R ~ Bernoulli(gamma)``.
2. Logistic factorisation of rated or not, all pairs, same settings, gives
   ``theta = sigmoid(logit)^p``; seen ``O ~ Bernoulli(theta)``; clicks ``Y = O R``.
3. A tenth of all pairs is for validation. Three learners (dim 10, biases, gradient descent 0.1, L2
   1e-5, 1000 steps of 4096 pairs, log loss): ``oracle`` trains on gamma, ``naive`` on Y,
   ``unbiased`` on Y / theta. Each keeps the parameters with the lowest validation loss, which is
   its own kind of loss.
4. They are evaluated on the pairs with Y = 0 by log loss against R, and by DCG@10 of each user's
   relevant items among 100 irrelevant ones.

The pairs with Y = 0 are also training data, and less often relevant than gamma says, as some of the
relevant ones were clicked. A learner that fits the clicks that happened to be drawn benefits from
this, so if there are many clicks the oracle need not have the lowest loss. The log loss against
gamma over all pairs does not have this flaw and is also reported.

Other differences from the published code: a seed determines R, O, the split, the initial parameters
and the batches, not only the initial parameters; validation is every 10 steps; DCG is that of the
validated parameters, with the standard discount; biases start at 0 and are not penalised.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agents.rel_mf.factors import Factors, Training, train
from agents.rel_mf.losses import (
    Coefficients,
    ideal,
    inverse_propensities,
    naive,
    pair_losses,
    weighted,
)
from agents.rel_mf.pairs import Pairs
from recsim.log.readers.movielens import read_movielens
from recsim.log.readers.ratings import Ratings
from recsim.metrics import ranking_values
from reproductions.intervals import difference_texts, mean_text

LEARNERS = ("oracle", "unbiased", "naive")
MEASURES = {"loss": "log loss", "loss_of_gamma": "log loss against gamma", "dcg": "DCG@10"}
POWERS = (0.5, 1.0, 2.0, 3.0, 4.0)
MIN_RATINGS = 10
STEPS, EVERY, BATCH = 1000, 10, 4096


@dataclass(frozen=True, eq=False)
class Truth:
    """Probabilities of every pair by the two models, ``(U, I)`` each.

    Attributes:
        gamma: Probability that the item is relevant to the user.
        exposure: Probability that the user sees it, before it is raised to a power.
    """

    gamma: Tensor
    exposure: Tensor


@dataclass(frozen=True, eq=False)
class World:
    """One draw of relevance and clicks, ``(U, I)`` each.

    Attributes:
        gamma: Probability that the item is relevant.
        theta: Probability that it is seen.
        relevant: R.
        clicks: Y.
    """

    gamma: Tensor
    theta: Tensor
    relevant: Tensor
    clicks: Tensor


def often_rated(ratings: Ratings, least: int = MIN_RATINGS) -> tuple[NDArray[np.int64], int]:
    """Return user, new item number and row of each rating of often rated items; number of items."""
    counts = np.bincount(ratings.item, minlength=ratings.num_items)
    number = np.cumsum(counts >= least) - 1
    rows = np.flatnonzero(counts[ratings.item] >= least)
    table = np.stack([ratings.user[rows], number[ratings.item[rows]], rows], axis=1)
    return table, int(number[-1]) + 1


def learn_truth(ratings: Ratings, *, steps: int = 300, seed: int = 12345) -> Truth:
    """Fit the models from which relevance and exposure are drawn."""
    rows, num_items = often_rated(ratings)
    users, items = torch.from_numpy(rows[:, 0]), torch.from_numpy(rows[:, 1])
    stars = torch.from_numpy(ratings.rating[rows[:, 2]]).float()
    generator = torch.Generator().manual_seed(seed)
    taste = Factors(ratings.num_users, num_items, 20, generator)
    optimizer = torch.optim.Adam(taste.parameters(), lr=0.01)
    for _ in range(steps):
        batch = torch.randint(len(stars), (256,), generator=generator)
        loss = (taste(users[batch], items[batch]) - stars[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    gamma = torch.sigmoid(taste.all_scores().clamp(1, 5) - 5)
    rated = torch.zeros(ratings.num_users, num_items)
    rated[users, items] = 1.0
    seen = Factors(ratings.num_users, num_items, 20, generator)
    pairs = uniform(torch.arange(rated.numel()), num_items, 256, generator)
    train(
        seen,
        itertools.islice(pairs, steps),
        lambda u, i: naive(rated[u, i]),
        Training(0.01, 0.0, loss="log"),
    )
    return Truth(gamma, torch.sigmoid(seen.all_scores()))


def draw(truth: Truth, power: float, generator: torch.Generator) -> World:
    """Draw relevance and clicks."""
    theta = truth.exposure**power
    relevant = torch.bernoulli(truth.gamma, generator=generator)
    return World(
        truth.gamma, theta, relevant, torch.bernoulli(theta, generator=generator) * relevant
    )


def uniform(keys: Tensor, num_items: int, size: int, generator: torch.Generator) -> Iterator[Pairs]:
    """Yield batches of pairs drawn with replacement from ``keys``, which are user * I + item."""
    while True:
        chosen = keys[torch.randint(len(keys), (size,), generator=generator)]
        yield chosen // num_items, chosen % num_items


def learn(
    world: World, learner: str, seed: int, *, steps: int = STEPS, batch_size: int = BATCH
) -> Factors:
    """Train one of `LEARNERS`; return it with the lowest validation loss."""
    num_users, num_items = world.clicks.shape
    generator = torch.Generator().manual_seed(seed)
    keys = torch.randperm(num_users * num_items, generator=generator)
    cut = len(keys) // 10
    held_out = keys[:cut] // num_items, keys[:cut] % num_items
    inverse = inverse_propensities(world.theta)

    def coefficients(users: Tensor, items: Tensor) -> Coefficients:
        if learner == "oracle":
            return ideal(world.gamma[users, items])
        y = world.clicks[users, items]
        return naive(y) if learner == "naive" else weighted(y, inverse[users, items])

    factors = Factors(num_users, num_items, 10, generator, biases=True)
    best, lowest = copy.deepcopy(factors.state_dict()), np.inf
    target = coefficients(*held_out)

    def validate(step: int, loss: Tensor) -> bool:
        nonlocal best, lowest
        if step % EVERY == 0:
            with torch.no_grad():
                value = float(pair_losses(target, factors(*held_out), "log").mean())
            if value < lowest:
                best, lowest = copy.deepcopy(factors.state_dict()), value
        return False

    batches = itertools.islice(uniform(keys[cut:], num_items, batch_size, generator), steps)
    train(factors, batches, coefficients, Training(0.1, 1e-5, "sgd", "log"), on_step=validate)
    factors.load_state_dict(best)
    return factors


def evaluate(world: World, factors: Factors, seed: int) -> tuple[float, float, float]:
    """Return log loss against R where Y = 0, log loss against gamma, and DCG@10 where Y = 0."""
    scores = factors.all_scores()
    test = world.clicks == 0
    relevant = world.relevant[test]
    loss = float(functional.binary_cross_entropy_with_logits(scores[test], relevant))
    of_gamma = float(functional.binary_cross_entropy_with_logits(scores, world.gamma))
    # 100 random items of those that are irrelevant to each user.
    keys = torch.rand(scores.shape, generator=torch.Generator().manual_seed(seed))
    keys[world.relevant == 1] = 2.0
    others = torch.zeros_like(test).scatter_(1, keys.argsort(dim=1)[:, :100], True)
    candidates = torch.where(world.relevant == 1, test, others)  # (U, I)
    users, items = torch.nonzero(candidates, as_tuple=True)
    (dcg,) = ranking_values(
        users.numpy(),
        scores[users, items].numpy(),
        world.relevant[users, items].numpy(),
        ["dcg@10"],
    )
    return loss, of_gamma, dcg.value


def run(
    truth: Truth,
    powers: Sequence[float],
    seeds: int,
    *,
    steps: int = STEPS,
    batch_size: int = BATCH,
) -> pd.DataFrame:
    """Return one row per run: power, seed, learner, and one column per entry of `MEASURES`."""
    rows = []
    for power, seed in itertools.product(powers, range(seeds)):
        world = draw(truth, power, torch.Generator().manual_seed(seed))
        for learner in LEARNERS:
            learned = learn(world, learner, seed, steps=steps, batch_size=batch_size)
            rows.append([power, seed, learner, *evaluate(world, learned, seed)])
            print(rows[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(rows, columns=["power", "seed", "learner", *MEASURES])


def in_order(results: pd.DataFrame, measure: str) -> pd.Series:
    """Return whether oracle >= unbiased > naive in quality, for each power and seed."""
    good = results.pivot(index=["power", "seed"], columns="learner", values=measure)
    good = good if measure == "dcg" else -good
    return (good["oracle"] >= good["unbiased"]) & (good["unbiased"] > good["naive"])


def table(results: pd.DataFrame) -> str:
    """Return a Markdown table: means, paired differences, and the number of seeds in order.

    Differences are within a seed. A star marks p < 0.05 after Holm's correction for all
    differences of the table.
    """
    scores = {
        (power, measure): rows.pivot(index="seed", columns="learner", values=measure)
        for power, rows in results.groupby("power")
        for measure in MEASURES
    }
    compared = [("unbiased", "oracle"), ("naive", "unbiased")]
    texts = iter(
        difference_texts([(of[a], of[b]) for of in scores.values() for a, b in compared], digits=4)
    )
    heads = ["p", "measure", *LEARNERS, *(f"{a} - {b}" for a, b in compared), "seeds in order"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (power, measure), of in scores.items():
        cells = [mean_text(of[name], 4) for name in LEARNERS] + [next(texts) for _ in compared]
        order = in_order(results[results["power"] == power], measure)
        lines.append(
            f"| {power:g} | {MEASURES[measure]} | {' | '.join(cells)} "
            f"| {order.sum()}/{len(order)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Semi-synthetic MovieLens.")
    parser.add_argument("path", type=Path, help="the folder with ratings.csv and movies.csv")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--powers", type=float, nargs="+", default=POWERS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    results = run(learn_truth(read_movielens(given.path)), given.powers, given.seeds)
    print(f"{given.seeds} seeds, means with 95% Student-t intervals:\n\n{table(results)}")


if __name__ == "__main__":
    main()
