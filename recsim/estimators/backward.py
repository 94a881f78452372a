r"""Values to go, fitted backwards: one regression per stage, from the last to the first.

A stage is a position of a slate, or a step of a trajectory. With r_k the reward of stage k, a_k
what was shown there and x_k what came before it,

.. math::
    Q_k(x_k, a_k) = E[r_k + \gamma V_{k+1}(x_{k+1}) \mid x_k, a_k], \quad
    V_k(x_k) = \sum_a \pi(a \mid x_k) Q_k(x_k, a), \quad V_{K} = 0

for the evaluated policy pi. Each Q_k is fitted to r_k + gamma V_k+1 with the V_k+1 just fitted. The
independent units are divided into folds, and the predictions for a unit come from models that were
fitted on the other folds (cross-fitting), without which doubly robust estimates are biased.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from recsim.arrays import Bools, Floats, Ints
from recsim.estimators.reward_models import (
    Fitted,
    Regressor,
    RewardModel,
    check_fold,
    fold_of,
)

_CELLS = 2**22  # numbers in a table of features at a time (32 MiB of float64)


class Stages(Protocol):
    """N sequences of K stages with A actions at each, as features and targets of a regression."""

    @property
    def rewards(self) -> Floats:
        """r_k, ``(N, K)``."""
        ...

    @property
    def there(self) -> Bools:
        """False after the end of a sequence, ``(N, K)``."""
        ...

    @property
    def width(self) -> int:
        """Number of features, P."""
        ...

    def shown(self, stage: int, rows: Ints) -> Floats:
        """Return the features of what was shown, ``(n, P)``."""
        ...

    def chances(self, stage: int, rows: Ints) -> Floats:
        """Return the evaluated policy's probability of every action, ``(n, A)``."""
        ...

    def options(self, stage: int, rows: Ints) -> Floats:
        """Return the features of every action, ``(n, A, P)``."""
        ...


def fit_backwards(
    stages: Stages,
    units: Ints,
    settings: str | Mapping[str, Any] | RewardModel = "ridge",
    *,
    regressor: Regressor | None = None,
    discount: float = 1.0,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Return Q of what was shown and V, from models not fitted on the unit of the sequence.

    Args:
        stages: The sequences.
        units: Independent unit of each sequence, ``(N,)``.
        settings: The regression: a name from `recsim.estimators.reward_models`, or its settings.
        regressor: In place of the one that the settings name: anything with ``fit`` and
            ``predict``.
        discount: gamma, from one stage to the next.
        seed: Seed of the folds and of the regression.

    Returns:
        Q_k and V_k, each ``(N, K)``; 0 after the end.

    Raises:
        UserError: If a setting is wrong, or a fold holds all units.
    """
    model = RewardModel.of(settings)
    built = model.build(seed) if regressor is None else regressor
    folds = fold_of(units, model.folds, seed)
    action_values, expected_values = (np.zeros(stages.rewards.shape) for _ in range(2))
    for fold in range(model.folds):
        mine, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        check_fold(len(others), model.folds)
        later = np.zeros(len(others))
        for stage in reversed(range(stages.rewards.shape[1])):
            at = stages.there[others, stage]
            rows = others[at]
            targets = stages.rewards[rows, stage] + discount * later[at]
            fitted = Fitted(built, stages.shown(stage, rows), targets)
            later = np.zeros(len(others))
            later[at] = _expected(stages, fitted, stage, rows)
            own = mine[stages.there[mine, stage]]
            if len(own):
                action_values[own, stage] = fitted.predict(stages.shown(stage, own))
                expected_values[own, stage] = _expected(stages, fitted, stage, own)
    return action_values, expected_values


def _expected(stages: Stages, fitted: Fitted, stage: int, rows: Ints) -> Floats:
    """Return the mean of a fitted Q under the evaluated policy, ``(n,)``."""
    expected = np.zeros(len(rows))
    if not len(rows):
        return expected
    chances = stages.chances(stage, rows)  # (n, A)
    actions = chances.shape[1]
    step = max(1, _CELLS // (actions * stages.width))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        table = stages.options(stage, rows[part])  # (n, A, P)
        values = fitted.predict(table.reshape(-1, stages.width)).reshape(-1, actions)
        expected[part] = (chances[part] * values).sum(axis=1)
    return expected
