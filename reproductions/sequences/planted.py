"""Do the additions to `sasrec` find what they were made for? Data in which it is planted.

    python -m reproductions.sequences.planted [--seeds 3] [CHECK ...]

Each check trains `sasrec` with an addition and without it, on the same data with the same seeds;
the last column is the difference from the control, paired by seed:

- ``transitions``: each of 1,000 items has one successor, taken with probability 0.7. Does the
  distillation of counts (`distil_transitions`) help early in training?
- ``cold``: 600 items in 20 categories and 5 brands; categories follow each other, users keep a
  brand, and one item of each six is never in training. Does `item_inputs: metadata` rank them?
- ``intents``: users follow one of 8 intents, each with its own items beside shared ones. Do the
  clusters of states recover the intents with ``contrast: intent``?
- ``tastes``: sequences of two tastes with 30 % random items. Are two views of a user's sequence
  more alike, compared with those of other users, with ``contrast: meta``? The control takes two
  steps on each batch too. Cosines are also given without the mean state, which all have in common.
- ``hops``: histories list links between items, and the next item is two links after the last one.
  Does ``reasoning`` help?
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

import agents
from agents.sequential.additions.base import next_states
from agents.sequential.additions.views import random_views
from recsim.log import SlateLog
from recsim.problem import Problem
from recsim.statistics import mean_interval

Items = NDArray[np.int64]
# Check, row, measure, and its value for each seed.
Row = tuple[str, str, str, list[float]]


def log_of(sequences: Items, num_items: int, features: Any = None, groups: Any = None) -> SlateLog:
    """Return a log of one clicked item per row, of sequences of equal length ``(U, T)``."""
    users, length = sequences.shape
    if features is None:
        features = np.zeros((num_items, 0), dtype=np.float32)
    problem = Problem(
        num_items=num_items,
        item_features=np.asarray(features, dtype=np.float32),
        item_groups=np.zeros(num_items, dtype=np.int64) if groups is None else groups,
    )
    rows = users * length
    zeros = np.zeros(rows, dtype=np.int64)
    return SlateLog(
        problem=problem,
        user=np.tile(np.arange(users), length),
        session=zeros,
        day=zeros,
        step=np.repeat(np.arange(length), users),
        slate=sequences.T.reshape(-1, 1),
        clicks=np.ones((rows, 1), dtype=np.int8),
        feedback={"click": np.ones(rows)},
        user_features=np.zeros((users, 0), dtype=np.float32),
    )


def fitted(log: SlateLog, seed: int, **settings: Any) -> Any:
    """Return a `sasrec` agent that was trained on a log."""
    agent = agents.make("sasrec", log.problem, seed=seed, held_out=0, **settings)
    agent.fit(log)
    return agent


def scores(agent: Any, histories: Items, num_items: int) -> NDArray[np.float64]:
    """Return the scores of all items after some histories, ``(B, T) -> (B, I)``."""
    found: NDArray[np.float64] = agent.scores(
        {
            "history_items": histories,
            "history_clicks": np.ones_like(histories),
            "candidates": np.tile(np.arange(num_items), (len(histories), 1)),
        }
    )
    return found


def hit_rate(ranked: NDArray[np.float64], target: Items, top: int) -> float:
    """Return how often the target is among the best, with the mean rank of equal scores."""
    own = np.take_along_axis(ranked, target[:, None], axis=1)
    rank = 1 + (ranked > own).sum(axis=1) + ((ranked == own).sum(axis=1) - 1) / 2
    return float((rank <= top).mean())


def tokens_of(agent: Any, histories: Items) -> torch.Tensor:
    """Return histories as the agent reads them, from the start token on, ``(B, T + 1)``."""
    return torch.as_tensor(np.insert(histories + 1, 0, agent.model.start, axis=1))


def own_minus_others(states: torch.Tensor) -> float:
    """Return the mean cosine of two states of the same user minus that of different users.

    Args:
        states: The first states of U users and then the second ones, ``(2U, D)``.
    """
    first, second = torch.nn.functional.normalize(states, dim=1).chunk(2)
    similar, users = first @ second.T, len(first)
    own = float(similar.diag().sum())
    return own / users - (float(similar.sum()) - own) / (users * (users - 1))


def transitions(seeds: range) -> Iterator[Row]:
    """Yield the rows of the check ``transitions``."""
    items, users, length = 1000, 500, 12
    rows: dict[tuple[str, int], list[float]] = {}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        successor = rng.permutation(items)
        drawn = rng.integers(0, items, (users, length + 1))
        for step in range(1, length + 1):
            follows = rng.random(users) < 0.7
            drawn[:, step] = np.where(follows, successor[drawn[:, step - 1]], drawn[:, step])
        log, last = log_of(drawn[:, :-1], items), np.arange(items)[:, None]
        for steps in (75, 300):
            for name, weight in (("control", 0.0), ("distil_transitions", 0.1)):
                agent = fitted(
                    log, seed, dim=32, layers=1, heads=1, steps=steps, max_length=12,
                    dropout=0.2, distil_transitions=weight,
                )  # fmt: skip
                value = hit_rate(scores(agent, last, items), successor, 1)
                rows.setdefault((name, steps), []).append(value)
    for (name, steps), values in rows.items():
        yield "transitions", name, f"share of successors ranked first, {steps} steps", values


def cold_sequences(
    count: int,
    *,
    cells: Items,
    follows: Items,
    length: int,
    rng: np.random.Generator,
    cold: bool = False,
) -> Items:
    """Return sequences for the check ``cold``, ``(count, length + 1)``.

    Args:
        count: Number of users.
        cells: Items of each category and brand, ``(categories, brands, items)``.
        follows: The category that follows each.
        length: Events before the last.
        rng: Random generator.
        cold: Whether the last event is the item of its cell that no training sequence has.
    """  # fmt: skip
    categories, brands, alike = cells.shape
    category, brand = rng.integers(0, categories, count), rng.integers(0, brands, count)
    found = []
    for step in range(length + 1):
        kept = rng.random(count) < 0.8
        here = np.where(kept, brand, rng.integers(0, brands, count))
        within = rng.integers(0, alike - 1, count)
        if cold and step == length:
            within = np.full(count, alike - 1)
        found.append(cells[category, here, within])
        goes_on = rng.random(count) < 0.9
        category = np.where(goes_on, follows[category], rng.integers(0, categories, count))
    return np.stack(found, axis=1)


def cold(seeds: range) -> Iterator[Row]:
    """Yield the rows of the check ``cold``."""
    categories, brands, alike = 20, 5, 6
    items = categories * brands * alike
    cells = np.arange(items).reshape(categories, brands, alike)
    features = np.concatenate(
        [np.eye(categories)[np.arange(items) // (brands * alike)],
         np.eye(brands)[np.arange(items) // alike % brands]], axis=1,
    )  # fmt: skip
    rows: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        follows = rng.permutation(categories)
        draw = partial(cold_sequences, cells=cells, follows=follows, length=12, rng=rng)
        # The last item of each six is never in training.
        train = draw(600)
        tests = {
            "warm": draw(1000),
            "cold": draw(1000, cold=True),
        }
        log = log_of(train, items, features, np.arange(items) // (brands * alike))
        for kind in ("id", "metadata", "both"):
            agent = fitted(
                log, seed, dim=32, layers=1, heads=1, steps=400, max_length=12, dropout=0.2,
                item_inputs=kind,
            )  # fmt: skip
            for name, test in tests.items():
                value = hit_rate(scores(agent, test[:, :-1], items), test[:, -1], 10)
                rows.setdefault((kind, name), []).append(value)
    for (kind, name), values in rows.items():
        yield "cold", f"item_inputs: {kind}", f"HR@10 of {name} items", values


def intents(seeds: range) -> Iterator[Row]:
    """Yield the rows of the check ``intents``."""
    kinds, own, shared, users, length = 8, 40, 20, 400, 6
    items = kinds * own + shared
    rows: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        intent = rng.integers(0, kinds, 2 * users)
        common = rng.random((2 * users, length + 1)) < 0.3
        drawn = np.where(
            common,
            kinds * own + rng.integers(0, shared, common.shape),
            intent[:, None] * own + rng.integers(0, own, common.shape),
        )
        log = log_of(drawn[:users], items)
        test = drawn[users:]
        for name in ("none", "intent"):
            more = {"clusters": kinds} if name == "intent" else {}
            agent = fitted(
                log, seed, dim=32, layers=1, heads=1, steps=400, batch_size=128, max_length=8,
                contrast=name, **more,
            )  # fmt: skip
            with torch.no_grad():
                states = agent.model.next_states(tokens_of(agent, test[:, :-1])).numpy()
            found = KMeans(kinds, n_init=5, random_state=0).fit_predict(states)
            nmi = normalized_mutual_info_score(intent[users:], found)
            rows.setdefault((name, "NMI of clusters and intents"), []).append(float(nmi))
            value = hit_rate(scores(agent, test[:, :-1], items), test[:, -1], 10)
            rows.setdefault((name, "HR@10"), []).append(value)
    for (name, measure), values in rows.items():
        yield "intents", f"contrast: {name}", measure, values


def tastes(seeds: range) -> Iterator[Row]:
    """Yield the rows of the check ``tastes``."""
    own, users, length = 50, 300, 12
    rows: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        taste = rng.integers(0, 2, 2 * users)
        drawn = taste[:, None] * own + rng.integers(0, own, (2 * users, length + 1))
        odd = rng.random(drawn.shape) < 0.3
        drawn = np.where(odd, rng.integers(0, 2 * own, drawn.shape), drawn)
        log, test = log_of(drawn[:users], 2 * own), drawn[users:]
        # The control takes two steps on each batch too, with weights of 0.
        for name, weights in (("meta, weights 0", (0.0, 0.0)), ("meta", None)):
            agent = fitted(
                log, seed, dim=32, layers=1, heads=1, steps=400, max_length=12, contrast="meta",
                contrast_weights=weights,
            )  # fmt: skip
            torch.manual_seed(seed)
            tokens, model = tokens_of(agent, test[:, :-1]), agent.model
            views = [random_views(tokens, model.start, model.mask) for _ in range(2)]
            with torch.no_grad():
                states = next_states(model, torch.cat(views))
            # A vector that all states have in common raises all cosines alike.
            for kind, given in (("", states), (", mean removed", states - states.mean(dim=0))):
                measure = f"cosine of own views minus others{kind}"
                rows.setdefault((name, measure), []).append(own_minus_others(given))
            value = hit_rate(scores(agent, test[:, :-1], 2 * own), test[:, -1], 10)
            rows.setdefault((name, "HR@10"), []).append(value)
    for (name, measure), values in rows.items():
        yield "tastes", f"contrast: {name}", measure, values


def hops(seeds: range) -> Iterator[Row]:
    """Yield the rows of the check ``hops``."""
    items, users = 24, 4000
    rows: dict[str, list[float]] = {}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        order = np.argsort(rng.random((users + 1000, items)), axis=1)
        a, b, c, d, e = order[:, :5].T
        # Links a -> b, b -> c, and d -> e, in random order; then a, and the answer c.
        links = np.stack([np.stack(pair, axis=1) for pair in ((a, b), (b, c), (d, e))], axis=1)
        place = np.argsort(rng.random((len(links), 3)), axis=1)
        mixed = np.take_along_axis(links, place[:, :, None], axis=1).reshape(len(links), 6)
        drawn = np.concatenate([mixed, a[:, None], c[:, None]], axis=1)
        log, test = log_of(drawn[:users], items), drawn[users:]
        for name, settings in (
            ("none", {}),
            ("erl", {"reasoning": "erl"}),
            ("prl", {"reasoning": "prl"}),
        ):
            agent = fitted(
                log, seed, dim=48, layers=2, heads=2, steps=1000, batch_size=128, max_length=8,
                dropout=0.0, **settings,
            )  # fmt: skip
            value = hit_rate(scores(agent, test[:, :-1], items), test[:, -1], 1)
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        yield "hops", f"reasoning: {name}", "HR@1", values


CHECKS: dict[str, Callable[[range], Iterator[Row]]] = {
    "transitions": transitions,
    "cold": cold,
    "intents": intents,
    "tastes": tastes,
    "hops": hops,
}


def main() -> None:
    """Print the table of the checks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, ...")
    options = parser.parse_args()
    for name in options.checks:
        if name not in CHECKS:
            parser.error(f"no check is called {name!r}; there are {', '.join(CHECKS)}")
    torch.set_num_threads(1)
    print("| check | sasrec with | measure | mean | less the control |")
    print("|---|---|---|---|---|")
    for name in options.checks or CHECKS:
        controls: dict[str, list[float]] = {}
        for check, row, measure, values in CHECKS[name](range(options.seeds)):
            # The first row of each measure is the control, on the same data by seed.
            control = controls.setdefault(measure, values)
            less = "-" if control is values else with_interval(np.subtract(values, control))
            print(f"| {check} | {row} | {measure} | {with_interval(values)} | {less} |", flush=True)


def with_interval(values: Any) -> str:
    """Return the mean over seeds with its 95 % interval, which needs two seeds."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    low, high = mean_interval(values)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
