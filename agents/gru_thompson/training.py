"""Fit the posterior, in stages or end to end, with early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.gru_thompson.choices import Choices, Source, against_all_items
from agents.gru_thompson.config import FitConfig
from agents.gru_thompson.losses import choice_likelihood, terms
from agents.gru_thompson.model import Model
from agents.gru_thompson.posterior import take
from agents.gru_thompson.states import StateKind, preferences
from agents.shared.early_stopping import BestState
from recsim.metrics import hit_rate

# Fraction of the best hit rate that the state with the best likelihood must reach to be kept.
_ENOUGH_HITS = 0.9
# Largest number of entries in a block of distances (64 MiB of float32).
_BLOCK = 2**24


@dataclass(frozen=True)
class Evaluation:
    """Quality of predictions of held-out choices.

    Attributes:
        likelihood: Mean log-probability of a choice.
        hits: `recsim.metrics.hit_rate` of the items nearest to the preference.
    """

    likelihood: float
    hits: float


def all_distances(preference: Tensor, table: Tensor) -> Tensor:
    """Return the squared distances between preferences and rows, by one matrix product.

    Args:
        preference: ``(..., U, D)``.
        table: ``(..., R, D)``.

    Returns:
        ``(..., U, R)``; rounding can make values slightly negative.
    """
    own = preference.square().sum(dim=-1, keepdim=True)  # (..., U, 1)
    other = table.square().sum(dim=-1)[..., None, :]  # (..., 1, R)
    # In place, because this is the largest array for a large catalogue.
    return ((-2 * preference) @ table.mT).add_(own).add_(other)


@torch.no_grad()
def evaluate(
    model: Model, state: StateKind, source: Source, config: FitConfig, generator: torch.Generator
) -> Evaluation | None:
    """Evaluate the posterior means on held-out choices; None if there are none.

    Args:
        model: The posterior.
        state: The state dynamics.
        source: The source of the held-out choices.
        config: The likelihood, and the length of the lists.
        generator: Random generator of the items of the likelihood over all items.
    """
    total, count = 0.0, 0
    listed, clicked = [], []
    size = max(1, min(config.batch_size, _BLOCK // model.num_items))
    device = generator.device
    for batch in source.held_out(size):
        choices = batch.to(device)
        start, _ = model.start(choices.context_clicks)
        drawn = model.globals(generator, temperature=0.0)
        options = _with_options(choices, model.num_items, config, generator)
        total += float(
            choice_likelihood(model, state, options, drawn, start, generator, temperature=0.0).sum()
        )
        count += int(options.scored.sum())
        # The lists are ranked by the state after the last step of the context.
        moved = choices.context & (choices.click >= 0)
        table = model.items.mean()
        vectors = take(table, choices.click.clamp_min(0))
        last = preferences(state, drawn.weights, start, vectors, moved)[:, -1]
        top = min(config.top, model.num_items)
        near = all_distances(last, table).topk(top, dim=1, largest=False).indices
        listed.append(near.cpu())
        later = choices.scored & ~choices.context
        clicked.append(torch.where(later, choices.click, -1).cpu())
    if not count:
        return None
    rate = hit_rate(torch.cat(listed).numpy(), torch.cat(clicked).numpy())
    # The rate is NaN without later clicks; then the likelihood alone decides.
    return Evaluation(likelihood=total / count, hits=0.0 if math.isnan(rate) else rate)


class _Best:
    """The best states of a stage by either measure."""

    def __init__(self, model: Model, patience: int) -> None:
        self._likelihood, self._hits = BestState(model, patience), BestState(model, patience)
        self._hits_of_likeliest = 0.0

    def update(self, evaluation: Evaluation) -> bool:
        """Record a state; True if neither measure has improved for ``patience`` evaluations."""
        if evaluation.likelihood > self._likelihood.largest:
            self._hits_of_likeliest = evaluation.hits
        stop = self._likelihood.update(evaluation.likelihood)
        return self._hits.update(evaluation.hits) and stop

    def restore(self, keep: str) -> None:
        """Load the state to keep, if there was an evaluation."""
        enough = self._hits_of_likeliest >= _ENOUGH_HITS * self._hits.largest
        by_hits = keep == "hits" or (keep == "both" and not enough)
        (self._hits if by_hits else self._likelihood).restore()


Report = Callable[[dict[str, float]], None]


def fit(
    model: Model,
    source: Source,
    config: FitConfig,
    generator: torch.Generator,
    report: Report | None = None,
) -> None:
    """Fit the posterior, in place.

    Args:
        model: The initial posterior.
        source: The choices.
        config: Settings.
        generator: Random generator of batches and samples.
        report: Called at every evaluation with ``step``, ``stage``, ``loss`` per user since the
            last evaluation, and ``likelihood`` and ``hits`` on held-out choices.
    """
    staged = config.training == "staged" and config.state in {"gru", "lingru"}
    if not staged:
        _stage(model, config.state, source, config, generator, (1, 0, config.steps), report)
        return
    half = max(1, config.steps // 2)
    model.matrices.requires_grad_(False)
    done = _stage(model, "linear", source, config, generator, (1, 0, half), report)
    model.matrices.requires_grad_(True)
    frozen = (model.items, model.group_mean, model.group_scale)
    for table in frozen:
        table.requires_grad_(False)
    _stage(model, config.state, source, config, generator, (2, done, config.steps), report)
    for table in frozen:
        table.requires_grad_(True)


def _stage(
    model: Model,
    state: StateKind,
    source: Source,
    config: FitConfig,
    generator: torch.Generator,
    span: tuple[int, int, int],
    report: Report | None,
) -> int:
    """Train with one optimiser until the last step or the patience; return the step reached."""
    stage, done, last = span
    trained = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=config.learning_rate, betas=config.betas)
    best, losses = _Best(model, config.patience), []
    for step, batch in enumerate(_endless(source, config, generator), start=done + 1):
        optimizer.zero_grad(set_to_none=True)
        losses.append(_backward(model, state, batch, source.num_users, config, generator))
        if config.clip is not None:
            torch.nn.utils.clip_grad_value_(trained, config.clip)
        optimizer.step()
        if step % config.evaluate_every == 0 or step >= last:
            evaluation = evaluate(model, state, source, config, generator)
            row = {"step": step, "stage": stage, "loss": float(torch.stack(losses).mean())}
            losses.clear()
            if evaluation is not None:
                row |= {"likelihood": evaluation.likelihood, "hits": evaluation.hits}
            if report is not None:
                report(row)
            if evaluation is not None and best.update(evaluation):
                break
        if step >= last:
            break
    best.restore(config.keep)
    return step


def _backward(
    model: Model,
    state: StateKind,
    batch: Choices,
    num_users: int,
    config: FitConfig,
    generator: torch.Generator,
) -> Tensor:
    """Add the gradient of a batch's loss; return the loss per user."""
    choices = batch.to(generator.device)
    total = torch.zeros((), device=generator.device)
    for _ in range(config.particles):
        options = _with_options(choices, model.num_items, config, generator)
        bound = terms(model, state, options, num_users, generator).bound(config)
        loss = -bound / (num_users * config.particles)
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return total


def _with_options(
    choices: Choices, num_items: int, config: FitConfig, generator: torch.Generator
) -> Choices:
    if config.likelihood == "slate":
        return choices
    return against_all_items(choices, num_items, generator)


def _endless(source: Source, config: FitConfig, generator: torch.Generator) -> Iterator[Choices]:
    while True:
        yield from source.batches(config.batch_size, generator)
