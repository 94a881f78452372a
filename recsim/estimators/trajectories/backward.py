r"""Values to go, fitted backwards: one regression per stage, from the last to the first.

A stage is a position of a slate, or a step of a trajectory. With r_k earned at stage k and a_k
shown there, after all that x_k holds of what came before,

.. math::
    Q_k(x_k, a_k) = E[r_k + \gamma V_{k+1}(x_{k+1}) \mid x_k, a_k], \quad
    V_k(x_k) = \sum_a \pi(a \mid x_k) Q_k(x_k, a), \quad V_{K} = 0

for the evaluated policy pi. Each Q_k is fitted to r_k + gamma V_k+1 with the V_k+1 just fitted. The
independent units are dealt out to folds, and every unit is asked about with models that were fitted
on the others (cross-fitting): only then are doubly robust estimates free of bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recsim.errors import UserError
from recsim.estimators.impressions.sample import Floats
from recsim.estimators.reward_models import Fitted, Regressor, RewardModel, fold_of

_CELLS = 2**22  # numbers in a table of features at a time (32 MiB of float64)


class Stages(Protocol):
    """N sequences of K stages with A actions at each, as a regression sees them."""

    @property
    def rewards(self) -> Floats:
        """r_k, ``(N, K)``."""
        ...

    @property
    def there(self) -> NDArray[np.bool_]:
        """False after the end of a sequence, ``(N, K)``."""
        ...

    @property
    def width(self) -> int:
        """Number of features, P."""
        ...

    def shown(self, stage: int, rows: NDArray[np.int64]) -> Floats:
        """Return the features of what was shown, ``(n, P)``."""
        ...

    def chances(self, stage: int, rows: NDArray[np.int64]) -> Floats:
        """Return the evaluated policy's probability of every action, ``(n, A)``."""
        ...

    def options(self, stage: int, rows: NDArray[np.int64]) -> Floats:
        """Return the features of every action, ``(n, A, P)``."""
        ...


def fit_backwards(
    stages: Stages,
    units: NDArray[np.int64],
    settings: str | Mapping[str, Any] | RewardModel = "ridge",
    *,
    regressor: Regressor | None = None,
    discount: float = 1.0,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Return Q of what was shown and V, each from models that never saw the sequence's unit.

    Args:
        stages: The sequences.
        units: Independent unit of each sequence, ``(N,)``.
        settings: The regression: a name from `recsim.estimators.reward_models`, or its settings.
        regressor: In place of the one that the settings name: anything with ``fit`` and
            ``predict``.
        discount: gamma, from one stage to the next.
        seed: Deals the units out to folds, and seeds the regression.

    Returns:
        Q_k and V_k, each ``(N, K)``; 0 after the end.

    Raises:
        UserError: If a setting is wrong, or there are fewer units than folds.
    """
    model = RewardModel.of(settings)
    built = model.build(seed) if regressor is None else regressor
    folds = fold_of(units, model.folds, seed)
    action_values, expected_values = (np.zeros(stages.rewards.shape) for _ in range(2))
    for fold in range(model.folds):
        mine, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if not len(others):
            raise UserError(
                f"There are too few independent users or rows for {model.folds} folds: "
                "one of them has nothing to be fitted on."
            )
        later = np.zeros(len(others))
        for stage in reversed(range(stages.rewards.shape[1])):
            at = stages.there[others, stage]
            rows = others[at]
            targets = stages.rewards[rows, stage] + discount * later[at]
            fitted = Fitted(built, stages.shown(stage, rows), targets)
            later = np.zeros(len(others))
            later[at] = _expected(stages, fitted, stage, rows)
            asked = mine[stages.there[mine, stage]]
            if len(asked):
                action_values[asked, stage] = fitted.predict(stages.shown(stage, asked))
                expected_values[asked, stage] = _expected(stages, fitted, stage, asked)
    return action_values, expected_values


def _expected(stages: Stages, fitted: Fitted, stage: int, rows: NDArray[np.int64]) -> Floats:
    """Return the mean of a fitted Q under the evaluated policy, ``(n,)``."""
    found = np.zeros(len(rows))
    if not len(rows):
        return found
    chances = stages.chances(stage, rows)  # (n, A)
    actions = chances.shape[1]
    step = max(1, _CELLS // (actions * stages.width))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        table = stages.options(stage, rows[part])  # (n, A, P)
        values = fitted.predict(table.reshape(-1, stages.width)).reshape(-1, actions)
        found[part] = (chances[part] * values).sum(axis=1)
    return found
