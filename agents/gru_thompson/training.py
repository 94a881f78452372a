"""How the posterior is fitted: in stages or end to end, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.gru_thompson.choices import Choices, Source, against_all_items
from agents.gru_thompson.config import FitConfig
from agents.gru_thompson.losses import choice_likelihood, terms
from agents.gru_thompson.model import Model, history
from agents.gru_thompson.posterior import take
from agents.gru_thompson.states import StateKind, preferences
from recsim.metrics import hit_rate

# Share of the best hit rate that a state with the best likelihood must reach to be kept.
_ENOUGH_HITS = 0.9
# Numbers that a block of distances may hold (64 MiB of float32).
_BLOCK = 2**24


@dataclass(frozen=True)
class Judgement:
    """How well held-out choices are predicted.

    Attributes:
        likelihood: Mean log-probability of a choice.
        hits: `recsim.metrics.hit_rate` of the items nearest to the preference.
    """

    likelihood: float
    hits: float


def all_distances(preference: Tensor, table: Tensor) -> Tensor:
    """Return the squared distance of every preference from every row, by one matrix product.

    Args:
        preference: ``(..., U, D)``.
        table: ``(..., R, D)``.

    Returns:
        ``(..., U, R)``; rounding can leave it slightly below 0.
    """
    own = preference.square().sum(dim=-1, keepdim=True)  # (..., U, 1)
    other = table.square().sum(dim=-1)[..., None, :]  # (..., 1, R)
    # In place: with a large catalogue this is the largest array there is.
    return ((-2 * preference) @ table.mT).add_(own).add_(other)


@torch.no_grad()
def judge(
    model: Model, state: StateKind, source: Source, config: FitConfig, generator: torch.Generator
) -> Judgement | None:
    """Judge the posterior's means on the held-out choices; None if none are held out.

    Args:
        model: The posterior.
        state: How states move.
        source: Whose held-out choices.
        config: The likelihood, and how long the lists are.
        generator: Source of the items of the likelihood over all items.
    """
    total, count = 0.0, 0
    listed, clicked = [], []
    size = max(1, min(config.batch_size, _BLOCK // model.num_items))
    device = generator.device
    for batch in source.judged(size):
        choices = batch.to(device)
        start, _ = model.start(*history(choices))
        drawn = model.globals(generator, temperature=0.0)
        asked = _asked(choices, model.num_items, config, generator)
        total += float(
            choice_likelihood(model, state, asked, drawn, start, generator, temperature=0.0).sum()
        )
        count += int(asked.scored.sum())
        # Nothing moves a state after the last step from which the start is told.
        moved = choices.basis & (choices.click >= 0)
        vectors = take(model.items.mean(), model.rows(choices.click))
        last = preferences(state, drawn.weights, start, vectors, moved)[:, -1]
        table = model.items.mean()[-model.num_items :]
        top = min(config.top, model.num_items)
        near = all_distances(last, table).topk(top, dim=1, largest=False).indices
        listed.append(near.cpu())
        later = choices.scored & ~choices.basis
        clicked.append(torch.where(later, choices.click, -1).cpu())
    if not count:
        return None
    rate = hit_rate(torch.cat(listed).numpy(), torch.cat(clicked).numpy())
    # Nobody to be met: then only the likelihood decides.
    return Judgement(likelihood=total / count, hits=0.0 if math.isnan(rate) else rate)


@dataclass
class _Best:
    """The best states of a stage, by either measure, and how long ago."""

    patience: int
    likelihood: tuple[Judgement, dict[str, Tensor]] | None = None
    hits: tuple[Judgement, dict[str, Tensor]] | None = None
    since: int = 0

    def see(self, judgement: Judgement, model: Model) -> bool:
        """Take note of a state; True if neither measure has improved for too long."""
        self.since += 1
        better = self.likelihood is None or judgement.likelihood > self.likelihood[0].likelihood
        more = self.hits is None or judgement.hits > self.hits[0].hits
        if better or more:
            self.since = 0
            state = {name: value.detach().clone() for name, value in model.state_dict().items()}
            if better:
                self.likelihood = (judgement, state)
            if more:
                self.hits = (judgement, state)
        return self.since >= self.patience

    def chosen(self, keep: str) -> dict[str, Tensor] | None:
        """Return the state to keep, or None if none was judged."""
        if self.likelihood is None or self.hits is None:
            return None
        enough = self.likelihood[0].hits >= _ENOUGH_HITS * self.hits[0].hits
        by_hits = keep == "hits" or (keep == "both" and not enough)
        return self.hits[1] if by_hits else self.likelihood[1]


OnLook = Callable[[dict[str, float]], None]


def fit(
    model: Model,
    source: Source,
    config: FitConfig,
    generator: torch.Generator,
    on_look: OnLook | None = None,
) -> None:
    """Fit the posterior, in place.

    Args:
        model: The posterior at its start.
        source: What was chosen.
        config: How to train.
        generator: Randomness of batches and draws.
        on_look: Called at every look with ``step``, ``stage``, ``loss`` per user since the last
            look, and ``likelihood`` and ``hits`` of what is held out.
    """
    staged = config.training == "staged" and config.state in {"gru", "lingru"}
    if not staged:
        _stage(model, config.state, source, config, generator, (1, 0, config.steps), on_look)
        return
    half = max(1, config.steps // 2)
    model.matrices.requires_grad_(False)
    done = _stage(model, "linear", source, config, generator, (1, 0, half), on_look)
    model.matrices.requires_grad_(True)
    frozen = (model.items, model.group_mean, model.group_scale)
    for table in frozen:
        table.requires_grad_(False)
    _stage(model, config.state, source, config, generator, (2, done, config.steps), on_look)
    for table in frozen:
        table.requires_grad_(True)


def _stage(
    model: Model,
    state: StateKind,
    source: Source,
    config: FitConfig,
    generator: torch.Generator,
    span: tuple[int, int, int],
    on_look: OnLook | None,
) -> int:
    """Train with one optimiser until the steps or the patience end; return the last step."""
    stage, done, last = span
    trained = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=config.learning_rate, betas=config.adam_betas)
    best, losses = _Best(config.patience), []
    for step, batch in enumerate(_endless(source, config, generator), start=done + 1):
        optimizer.zero_grad(set_to_none=True)
        losses.append(_backward(model, state, batch, source.num_users, config, generator))
        if config.gradient_bound is not None:
            torch.nn.utils.clip_grad_value_(trained, config.gradient_bound)
        optimizer.step()
        if step % config.evaluate_every == 0 or step >= last:
            judgement = judge(model, state, source, config, generator)
            row = {"step": step, "stage": stage, "loss": float(torch.stack(losses).mean())}
            losses.clear()
            if judgement is not None:
                row |= {"likelihood": judgement.likelihood, "hits": judgement.hits}
            if on_look is not None:
                on_look(row)
            if judgement is not None and best.see(judgement, model):
                break
        if step >= last:
            break
    kept = best.chosen(config.keep)
    if kept is not None:
        model.load_state_dict(kept)
    return step


def _backward(
    model: Model,
    state: StateKind,
    batch: Choices,
    num_users: int,
    config: FitConfig,
    generator: torch.Generator,
) -> Tensor:
    """Add the gradient of the loss of a batch; return the loss per user."""
    choices = batch.to(generator.device)
    total = torch.zeros((), device=generator.device)
    for _ in range(config.num_particles):
        asked = _asked(choices, model.num_items, config, generator)
        bound = terms(model, state, asked, num_users, generator).bound(config)
        loss = -bound / (num_users * config.num_particles)
        # Adam knows no scale of the loss, but the authors' bound of the gradient does.
        (loss * num_users if config.faithful else loss).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return total


def _asked(
    choices: Choices, num_items: int, config: FitConfig, generator: torch.Generator
) -> Choices:
    if config.likelihood == "slate":
        return choices
    return against_all_items(choices, num_items, generator)


def _endless(source: Source, config: FitConfig, generator: torch.Generator) -> Iterator[Choices]:
    while True:
        yield from source.batches(config.batch_size, generator)
