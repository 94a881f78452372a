"""The return that a user model expects of slates that were not shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from envs.learned.model import UserModel
from envs.learned.rows import Rows, batches
from envs.learned.sessions import Sessions
from recsim.log import SlateLog


def predicted_returns(
    model: UserModel, log: SlateLog, rows: Any, slates: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the expected return after slates in the place of logged ones, ``(B,)``.

    It is what `recsim.metrics.mean_predicted_return` averages. The clicks of a slate enter by their
    probabilities. The score is too good if the agent has learned from the users whom the model was
    fitted to: fit the model on others, e.g. those of the test split, and never anew for an agent.

    Args:
        model: Fitted to a log of the same catalogue that has a return.
        log: Whose users and histories are asked about.
        rows: Numbers of rows, or a mask, each the last of a session.
        slates: Item ids that would have been shown, -1 for nothing, ``(B, K)``.

    Raises:
        ValueError: The model knows no return.
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
