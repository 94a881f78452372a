"""How likely a fitted agent found what was chosen, beside two references."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.gru_thompson.agent import GRUThompsonAgent
from agents.gru_thompson.choices import Choices, against_all_items
from recsim.metrics import (
    choice_rates,
    mean_log_probability,
    uniform_choice,
    weighted_choice,
)


@dataclass(frozen=True)
class LikelihoodRow:
    """Mean log-probability of what was chosen, of one kind of choice.

    Attributes:
        choice_set: ``slate``: among what was shown; ``all_items``: among random items.
        kind: Slots of the slate, "nothing" included, or whatever kinds were given.
        choices: How many.
        model: Under the agent, at the posterior's means.
        uniform: If all options were alike.
        popularity: If options were chosen by their share of choices in training: where they were
            shown (``slate``), or of all choices (``all_items``).
    """

    choice_set: str
    kind: int
    choices: int
    model: float
    uniform: float
    popularity: float


def likelihoods(
    agent: GRUThompsonAgent,
    choices: Choices,
    training: Choices,
    *,
    kind: NDArray[np.integer] | None = None,
    seed: int = 0,
) -> list[LikelihoodRow]:
    """Compare how likely choices were under the agent and under two references.

    A row of ``slate`` must not be compared with one of ``all_items``: they are choices from
    different sets.

    Args:
        agent: A fitted agent.
        choices: What is judged, e.g. ``from_log(log).after(5)``.
        training: What popularity is told from.
        kind: Kind of every choice, ``(U, T)``, such as ``FinnBlock.kind``; by default the slots
            of the slate.
        seed: Seed of the random items.

    Returns:
        A row for each choice set and kind.
    """
    num_items = agent.problem.num_items
    kinds = choices.length.numpy() if kind is None else kind
    known = training.scored.numpy()
    items, choice = training.items.numpy()[known], training.choice.numpy()[known]
    weights = {
        "slate": choice_rates(items, choice, num_items),
        "all_items": _shares(training.click.numpy()[known], num_items, items.shape[1]),
    }
    generator = torch.Generator().manual_seed(seed)
    sets = {"slate": choices, "all_items": against_all_items(choices, num_items, generator)}
    rows = []
    for name, asked in sets.items():
        scored = asked.scored.numpy()
        offered, chosen = asked.items.numpy(), asked.choice.numpy()
        by_model = mean_log_probability(agent.log_probabilities(asked), kinds)
        by_chance, by_popularity = (
            mean_log_probability(np.where(scored, found, np.nan), kinds)
            for found in (
                uniform_choice(offered),
                weighted_choice(offered, chosen, *weights[name]),
            )
        )
        rows += [
            LikelihoodRow(
                name,
                one,
                found.choices,
                found.value,
                by_chance[one].value,
                by_popularity[one].value,
            )
            for one, found in by_model.items()
        ]
    return rows


def _shares(
    click: NDArray[np.int64], num_items: int, slots: int
) -> tuple[NDArray[np.float64], float]:
    """Return weights of items, ``(I,)``, and of nothing, among ``slots`` random items.

    An item chosen in a share p of all cases, and that is one of S drawn uniformly from I, was
    chosen with odds ``p I / S`` against nothing, if nothing is chosen in all other cases.
    """
    clicked = np.bincount(click[click >= 0], minlength=num_items)
    nothing = (int((click < 0).sum()) + 1) / (len(click) + 2)
    share = (clicked + 1.0) / (clicked.sum() + num_items)
    return (1 - nothing) * share * num_items / slots, nothing
