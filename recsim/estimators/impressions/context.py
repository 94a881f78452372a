"""Whether a logging policy used the user's features, and whether it left any overlap.

Three models predict which item the log shows, each fitted on one half of the users and judged on
the other, by the log-likelihood of what was shown there (cross-fitting; halves of rows in an
anonymous log):

- `frequencies`: how often an item is shown at the position;
- `multinomial`: a multinomial logistic regression on the user's features and the position;
- `forest`: extremely randomised trees on the same (Geurts et al. 2006), nine parts to one part of
  `frequencies`.

**The policy used the context** where a contextual model predicts better than the frequencies by
more than three standard errors, or where the users to whom an item was shown differ in their
features from all users by more than chance. The latter finds weaker dependence, which matters: it
biases values long before it can be predicted. Its statistic is U times Pillai's trace between the
features of the U users and how much more often than others they were shown each item, at one
position,

    T = U |P Q|^2,  P and Q orthonormal bases of the two centred tables,

which is nearly chi-squared with rank P times rank Q degrees of freedom for a policy that ignores
the context, also if it draws once per user and keeps to it; a p-value below .005 (times the number
of positions) is taken as dependence. With a few dozen users it sees next to nothing.

**Overlap.** Under the true propensities mu, the mean of ``(1 / C) / mu(shown)`` over the log is the
share of the pairs of context and item that the policy may show, C items each. Estimated with the
better contextual model, it says how much of the comparison of policies the log can carry: 1 for a
policy that may show everything, about 1 / C for one that is deterministic in the context.

At most `MOST_ROWS` impressions are examined. Of many items, all but the most frequent ones count as
one.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.estimators.rows import Log, chunks, positions_of

MOST_ROWS = 10_000
MOST_CLASSES = 20
SIGMAS = 3.0
LEAST_P = 0.005
LEAST_OVERLAP = 0.5
MOST_OVERLAP = 1.1
_LEAST_ROWS = 200
_TREES = 40
_FARTHEST = 5.0


@dataclass(frozen=True)
class ContextCheck:
    """How well models of the logging policy predict held-out impressions.

    Attributes:
        impressions: Impressions that were predicted; 0 if the log has too few, or no features.
        gain: Mean log-likelihood of the better contextual model minus that of the frequencies, in
            nats per impression.
        gain_error: Its standard error, over users.
        beyond_linear: The same of `forest` minus `multinomial`.
        beyond_linear_error: Its standard error.
        overlap: Share of the pairs of context and item that the policy may show, estimated.
        overlap_error: Its standard error.
        association: p-value of T, the least over positions times their number.
    """

    impressions: int = 0
    gain: float = 0.0
    gain_error: float = math.inf
    beyond_linear: float = 0.0
    beyond_linear_error: float = math.inf
    overlap: float = 1.0
    overlap_error: float = math.inf
    association: float = 1.0

    @property
    def used_context(self) -> bool:
        """Whether the policy used the user's features."""
        predicted = self.gain > SIGMAS * self.gain_error
        return predicted or self.association < LEAST_P

    @property
    def linear_falls_short(self) -> bool:
        """Whether `multinomial` misses how it used them.

        Either `forest` predicts better, or what the policy shows rarely is shown more often than
        estimated, so that weights would be too large: the overlap then seems to exceed 1.
        """
        excess = self.overlap - SIGMAS * self.overlap_error > MOST_OVERLAP
        better = self.beyond_linear > SIGMAS * self.beyond_linear_error
        return self.used_context and (better or excess)

    @property
    def no_overlap(self) -> bool:
        """Whether most items are never shown in most contexts."""
        top = self.overlap + 2 * self.overlap_error
        return self.used_context and top < LEAST_OVERLAP

    def __str__(self) -> str:
        """Return the evidence as the end of a sentence."""
        if self.gain <= SIGMAS * self.gain_error:
            return (
                "the users to whom an item was shown differ in their features from all users "
                f"(p = {self.association:.1g}, {self.impressions} impressions)"
            )
        return (
            f"knowing the user's features predicts held-out impressions better by {self.gain:.3g} "
            f"+- {self.gain_error:.1g} nats each ({self.impressions} impressions)"
        )


def check_context(log: Log, seed: int = 0) -> ContextCheck:
    """Compare models of the logging policy on held-out impressions.

    Args:
        log: The log, its pieces in order, or the folder of a saved one.
        seed: Seed of the halves and of the trees.

    Returns:
        The comparison; it has no impressions if the log has fewer than 200, a single item, or no
        features of users that differ.
    """
    table = _impressions(log, np.random.default_rng([seed, 0xC0]))
    if table is None:
        return ContextCheck()
    halves = np.random.default_rng([seed, 0xC1]).permutation(int(table.unit.max()) + 1)
    second = halves[table.unit] % 2 == 1
    size = len(table.shown)
    fits = {name: np.zeros(size) for name in ("frequencies", "multinomial", "forest")}
    for held_out in (second, ~second):
        if not held_out.any() or len(np.unique(table.shown[~held_out])) < 2:
            return ContextCheck()
        for name, chance in _predicted(table, held_out, seed).items():
            fits[name][held_out] = chance
    likelihood = {name: np.log(chance) for name, chance in fits.items()}
    contextual = max(("multinomial", "forest"), key=lambda name: likelihood[name].mean())
    gain = _mean_and_error(likelihood[contextual] - likelihood["frequencies"], table.unit)
    beyond = _mean_and_error(likelihood["forest"] - likelihood["multinomial"], table.unit)
    inverse = 1 / (table.offered.sum(axis=1) * fits[contextual])
    overlap = _mean_and_error(inverse, table.unit)
    return ContextCheck(size, *gain, *beyond, *overlap, _association(table))


@dataclass(frozen=True, eq=False)
class _Impressions:
    """n impressions: features ``(n, F)``, position, class shown, unit, and classes offered."""

    features: Floats
    position: Ints
    shown: Ints
    unit: Ints
    offered: Bools


def _impressions(log: Log, rng: np.random.Generator) -> _Impressions | None:
    """Return at most `MOST_ROWS` impressions of a log, those of a user together."""
    columns: dict[str, list[Any]] = {"features": [], "position": [], "item": [], "unit": []}
    candidates: list[Any] = []
    first, items = 0, 0
    for chunk in chunks(log):
        row, slot = np.nonzero(chunk.slate >= 0)
        unit = chunk.user + (first if chunk.anonymous else 0)
        columns["features"].append(chunk.user_features[chunk.user[row]])
        columns["position"].append(positions_of(chunk)[row, slot])
        columns["item"].append(chunk.slate[row, slot])
        columns["unit"].append(unit[row])
        candidates.append(None if chunk.candidates is None else chunk.candidates[row])
        first, items = first + len(chunk), chunk.problem.num_items
    if not first:
        return None
    features, position, item, unit = (np.concatenate(parts) for parts in columns.values())
    kept = _some_units(unit, rng)
    features, position, item, unit = features[kept], position[kept], item[kept], unit[kept]
    features = features[:, features.std(axis=0) > 0] if len(features) else features
    if len(item) < _LEAST_ROWS or not features.shape[1]:
        return None
    # The most frequent items are classes of their own, all others are one.
    count = np.bincount(item, minlength=items)
    ranked = np.argsort(-count, kind="stable")
    of_item = np.full(items, min(MOST_CLASSES, items) - 1)
    of_item[ranked[:MOST_CLASSES]] = np.arange(min(MOST_CLASSES, items))
    classes = int(of_item[count > 0].max()) + 1
    shown = of_item[item]
    offered = np.ones((len(item), classes), dtype=np.bool_)
    if candidates[0] is not None:
        offered[:] = False
        of_candidate = of_item[np.concatenate(candidates)[kept]]  # (n, C)
        rows, places = np.nonzero(of_candidate < classes)
        offered[rows, of_candidate[rows, places]] = True
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    _, unit = np.unique(unit, return_inverse=True)
    scaled = np.clip(scaled, -_FARTHEST, _FARTHEST)  # rare categories are far from their mean
    return _Impressions(scaled.astype(np.float64), position, shown, unit, offered)


def _some_units(unit: Ints, rng: np.random.Generator) -> Ints:
    """Return the rows of as many units, at random, as have `MOST_ROWS` rows together."""
    if len(unit) <= MOST_ROWS:
        return np.arange(len(unit))
    _, numbers = np.unique(unit, return_inverse=True)
    order = rng.permutation(int(numbers.max()) + 1)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    total = np.cumsum(np.bincount(rank[numbers]))
    most = max(int(np.searchsorted(total, MOST_ROWS, side="right")), 1)
    return np.flatnonzero(rank[numbers] < most)


def _predicted(table: _Impressions, held_out: Bools, seed: int) -> dict[str, Floats]:
    """Return the probability of what was shown, ``(n,)``, by each model of the other rows."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    classes = table.offered.shape[1]
    positions = np.eye(int(table.position.max()) + 1)[table.position]
    inputs = np.concatenate([table.features, positions], axis=1)
    known, shown = ~held_out, table.shown
    counts = np.ones((positions.shape[1], classes))  # add-one smoothing
    np.add.at(counts, (table.position[known], shown[known]), 1.0)
    by_count = (counts / counts.sum(axis=1, keepdims=True))[table.position[held_out]]
    leaf = max(10, int(known.sum()) // 200)
    models = {
        "multinomial": LogisticRegression(C=0.1, max_iter=50),
        "forest": ExtraTreesClassifier(_TREES, min_samples_leaf=leaf, random_state=seed, n_jobs=1),
    }
    tables = {"frequencies": by_count}
    for name, model in models.items():
        with warnings.catch_warnings():
            # What is not quite converged predicts a little worse: no error, only less power.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(inputs[known], shown[known])
        table_of = np.zeros((int(held_out.sum()), classes))
        table_of[:, model.classes_] = model.predict_proba(inputs[held_out])
        part = 0.1 if name == "forest" else 0.001  # keeps the probability of every item above 0
        tables[name] = (1 - part) * table_of + part * by_count
    offered, place = table.offered[held_out], shown[held_out][:, None]
    chances = {}
    for name, values in tables.items():
        among = np.where(offered, values, 0.0)
        own = np.take_along_axis(among, place, axis=1)[:, 0]
        chances[name] = own / among.sum(axis=1)
    return chances


def _association(table: _Impressions) -> float:
    """Return the p-value of the trace T, see the docstring of the module."""
    from scipy.special import chdtrc

    if not table.offered.all():  # what is offered may depend on the user
        return 1.0
    least, positions = 1.0, np.unique(table.position).tolist()
    for position in positions:
        here = table.position == position
        _, first, own = np.unique(table.unit[here], return_index=True, return_inverse=True)
        features = table.features[here][first]  # (U, F)
        counts = np.zeros((len(first), table.offered.shape[1]))  # (U, C)
        np.add.at(counts, (own, table.shown[here]), 1.0)
        # What a user saw beyond their number of rows, which may depend on their features.
        excess = counts - counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
        bases = [_basis(excess), _basis(features - features.mean(axis=0))]
        freedom = bases[0].shape[1] * bases[1].shape[1]
        if freedom < 1 or len(own) < _LEAST_ROWS:
            continue
        trace = len(first) * float(((bases[0].T @ bases[1]) ** 2).sum())
        least = min(least, float(chdtrc(freedom, trace)))
    return min(least * len(positions), 1.0)


def _basis(columns: Floats) -> Floats:
    """Return an orthonormal basis of the space of columns, ``(U, rank)``."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    basis: Floats = left[:, sizes > 1e-6 * max(sizes.max(initial=0), 1e-300)]
    return basis


def _mean_and_error(values: Floats, unit: Ints) -> tuple[float, float]:
    """Return the mean over rows and its standard error, with units as independent."""
    mean = float(values.mean())
    sums = np.bincount(unit, values - mean)
    units = len(sums)
    if units < 2:
        return mean, math.inf
    return mean, math.sqrt(float(sums @ sums) * units / (units - 1)) / len(values)
