"""Log-probabilities of choices under a fitted agent, compared with two references."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.gru_thompson.agent import GRUThompsonAgent
from agents.gru_thompson.choices import Choices, against_all_items
from recsim.arrays import Floats, Ints
from recsim.metrics import (
    choice_rates,
    mean_log_probability,
    uniform_choice,
    weighted_choice,
)


@dataclass(frozen=True)
class LikelihoodRow:
    """Mean log-probability of one kind of choice.

    Attributes:
        choice_set: ``slate``: among the items shown; ``all_items``: among random items.
        kind: Number of slots including "nothing", or the kind given by the caller.
        choices: Number of choices.
        model: Mean under the agent, at the posterior means.
        uniform: Mean if all options are equally likely.
        popularity: Mean if options are chosen in proportion to their choices in training: per time
            shown (``slate``), or among all choices (``all_items``).
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
    """Compare the log-probability of choices under the agent and under two references.

    Rows of ``slate`` and ``all_items`` are not comparable, because their choice sets differ.

    Args:
        agent: A fitted agent.
        choices: Choices to evaluate, e.g. ``from_log(log).after(5)``.
        training: Choices from which popularity is computed.
        kind: Kind of every choice, ``(U, T)``, such as ``FinnBlock.kind``; by default the number of
            slots.
        seed: Seed of the random items.

    Returns:
        A row for each choice set and kind.
    """
    num_items = agent.problem.num_items
    kinds = choices.length.numpy() if kind is None else kind
    used = training.scored.numpy()
    items, choice = training.items.numpy()[used], training.choice.numpy()[used]
    weights = {
        "slate": choice_rates(items, choice, num_items),
        "all_items": _click_weights(training.click.numpy()[used], num_items, items.shape[1]),
    }
    generator = torch.Generator().manual_seed(seed)
    sets = {"slate": choices, "all_items": against_all_items(choices, num_items, generator)}
    rows = []
    for name, choice_set in sets.items():
        scored = choice_set.scored.numpy()
        offered, chosen = choice_set.items.numpy(), choice_set.choice.numpy()
        by_model = mean_log_probability(agent.log_probabilities(choice_set), kinds)
        by_chance, by_popularity = (
            mean_log_probability(np.where(scored, reference, np.nan), kinds)
            for reference in (
                uniform_choice(offered),
                weighted_choice(offered, chosen, *weights[name]),
            )
        )
        rows += [
            LikelihoodRow(
                name,
                one,
                mean.choices,
                mean.value,
                by_chance[one].value,
                by_popularity[one].value,
            )
            for one, mean in by_model.items()
        ]
    return rows


def _click_weights(click: Ints, num_items: int, slots: int) -> tuple[Floats, float]:
    """Return weights of items, ``(I,)``, and of nothing, among ``slots`` random items.

    If an item is chosen in a fraction p of all cases and is one of S items drawn uniformly from I,
    its weight is ``p I / S`` relative to choosing nothing in all other cases.
    """
    clicked = np.bincount(click[click >= 0], minlength=num_items)
    nothing = (int((click < 0).sum()) + 1) / (len(click) + 2)
    share = (clicked + 1.0) / (clicked.sum() + num_items)
    return (1 - nothing) * share * num_items / slots, nothing
