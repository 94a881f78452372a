"""Expected returns after slates that were not shown in the log."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from envs.learned.model import UserModel
from envs.learned.rows import Rows, batches
from envs.learned.sessions import Sessions
from recsim.arrays import Floats, Ints
from recsim.log import SlateLog


def predicted_returns(model: UserModel, log: SlateLog, rows: Any, slates: Ints) -> Floats:
    """Return the expected return after slates shown instead of the logged ones, ``(B,)``.

    `recsim.metrics.mean_predicted_return` averages these. Clicks on a slate enter as probabilities.
    The score is too optimistic if the agent was fitted to the users that the model was fitted to:
    fit the model to others, e.g. those of the test split, and use the same model for all agents.

    Args:
        model: Fitted to a log with a return and the same catalogue.
        log: Log with the users and their histories.
        rows: Numbers of rows, or a mask; each the last row of a session.
        slates: Item ids shown instead, -1 for an empty slot, ``(B, K)``.

    Raises:
        ValueError: If the model was fitted to a log without a return.
    """
    chosen = np.arange(len(log))[rows]
    inputs = Rows(log, model.config.history, model.config.device)
    sessions = Sessions.of(log, model.config.window)
    expected = np.zeros(len(chosen))
    for part in batches(np.arange(len(chosen))):
        at = chosen[part]
        features, (items, clicks) = inputs.features(at), inputs.before(at)
        shown = torch.as_tensor(slates[part], device=items.device)
        chance = torch.as_tensor(
            model.click_probabilities(features, items, clicks, slates[part]), device=items.device
        )
        expected[part] = model.expected_returns(
            features,
            torch.cat([items[:, 1:], shown[:, None]], dim=1),
            torch.cat(
                [clicks[:, 1:], torch.as_tensor(chance, device=items.device)[:, None]], dim=1
            ),
            sessions.before[at],
            sessions.step[at],
        )
    return expected
