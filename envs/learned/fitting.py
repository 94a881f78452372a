"""Fitting a user model to a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from envs.learned.config import UserModelConfig
from envs.learned.error import ModelError
from envs.learned.measuring import Split, click_rates, measure
from envs.learned.model import UserModel, build_networks, scale_logits
from envs.learned.networks import ReturnNetwork
from envs.learned.outcomes import FeedbackValues, ReturnClasses, end_hazard
from envs.learned.rows import Rows, batches, session_clock
from envs.learned.sessions import RETURN, Sessions
from envs.learned.training import calibrate, train
from recsim.arrays import Ints, torch_device
from recsim.errors import LogError
from recsim.log import SlateLog


def fit_user_model(log: SlateLog, config: UserModelConfig | None = None) -> UserModel:
    """Fit a model to the users of a log, calibrate it, and measure its errors.

    Args:
        log: In chronological order; the clicks of every shown item must be known.
        config: Settings; None for the defaults.

    Raises:
        UserError: If the log is anonymous, or has too few users, no clicks, or no session that is
            known to have ended; or if there is no such device.
    """
    config = config or UserModelConfig()
    torch_device(config.device)
    if log.anonymous:
        raise LogError("a user model needs a log with user ids; this log is anonymous.")
    log = log.validate()
    if not log.clicks.any():
        raise LogError("the log has no clicks, so a user model cannot be fitted to it.")
    split = Split.of(log, config)
    rows = Rows(log, config.history, config.device)
    sessions = Sessions.of(log, config.window)
    if not sessions.end.any():
        raise LogError(
            "no session of the log is known to have ended: the log must continue for "
            f"{config.window} days (window) after the last session of a user."
        )
    returns = _return_classes(log, sessions, split.fit)
    population = log.user_features[np.unique(log.user)]
    classes = 0 if returns is None else len(returns.values)
    response, returning = build_networks(config, log.problem, population, classes)
    at_most_one = config.choice == "multinomial_logit"
    if config.choice == "auto":
        at_most_one = log.problem.slate_size > 1 and int(log.clicks.sum(axis=1).max()) <= 1

    base, popularity = click_rates(log.select(split.fit), config.smoothing)
    offset = np.log(popularity / base) - np.log((1 - popularity) / (1 - base))
    response.start(*_start(log.select(split.fit), at_most_one), torch.as_tensor(offset))

    def raw(at: Ints) -> tuple[Tensor, Tensor, Tensor]:
        features, (items, clicks) = rows.features(at), rows.before(at)
        slates, clicked = rows.slate(at)
        utilities = response.utilities(response.users(features, items, clicks), slates)
        return utilities, slates >= 0, clicked

    def click_losses(at: Ints) -> Tensor:
        utilities, shown, clicked = raw(at)
        return choice_loss(utilities, shown, clicked, None if at_most_one else bias())

    def bias() -> Tensor:
        return response.position_bias

    generator = np.random.default_rng([config.seed, 1])
    train(response, click_losses, split.fit, split.calibration, config, generator)
    held_out = _in_batches(raw, split.calibration)
    fixed = None if at_most_one else _cpu(bias())
    scaling = calibrate(
        lambda s: choice_loss(s[0] * held_out[0] + s[1], held_out[1], held_out[2], fixed).mean(),
        [1.0, 0.0],
    )
    return_scaling = None
    if returning is not None and returns is not None:
        return_scaling = _fit_returns(returning, returns, rows, sessions, split, config)
    model = UserModel(
        config=config,
        problem=replace(log.problem, user_names=None),  # they name users of the log
        population=population,
        response=response,
        scaling=scaling,
        at_most_one=at_most_one,
        end_hazard=end_hazard(sessions),
        feedback=FeedbackValues.of(log.select(split.fit), config.smoothing),
        error=ModelError(),
        returning=returning,
        return_scaling=return_scaling,
        returns=returns,
    )
    return replace(model, error=measure(model, log, split))


def choice_loss(utilities: Tensor, shown: Tensor, clicked: Tensor, bias: Tensor | None) -> Tensor:
    """Return the negative log-likelihood of the clicks of each slate, ``(B,)``.

    Args:
        utilities: ``(B, K)``.
        shown: Where an item was shown, ``(B, K)``.
        clicked: 1 where it was clicked, ``(B, K)``.
        bias: Position bias of `envs.world.choice.PositionBased`; None for
            `envs.world.choice.MultinomialLogit` with a utility of 0 for no click.
    """
    if bias is None:
        weights = torch.where(shown, utilities, -torch.inf)
        nothing = torch.zeros_like(utilities[:, :1])
        total = torch.cat([nothing, weights], dim=1).logsumexp(dim=1)
        return total - (utilities * clicked).sum(dim=1)
    rank = torch.arange(1, utilities.shape[1] + 1, device=utilities.device)
    examined = -bias * rank.log()  # log of the examination probability, (K,)
    log_click = examined + nn.functional.logsigmoid(utilities)
    log_none = torch.log1p(-log_click.exp().clamp(max=1 - 1e-6))
    losses = torch.where(clicked > 0, log_click, log_none)
    return -torch.where(shown, losses, 0.0).sum(dim=1)


def _start(log: SlateLog, at_most_one: bool) -> tuple[float, float]:
    """Return utility and position bias from clicks by position, as if all items were equal."""
    shown, clicks = (log.slate >= 0).sum(axis=0), log.clicks.sum(axis=0)  # (K,)
    rate = (clicks + 0.5) / (shown + 1)
    if at_most_one:
        return float(np.log(rate.mean() / max(1 - rate.sum(), 0.01))), 1.0
    if len(rate) == 1:
        return float(np.log(rate[0] / (1 - rate[0]))), 1e-3
    rank = np.log(np.arange(1, len(rate) + 1))
    slope = np.polyfit(rank, np.log(rate), 1, w=np.sqrt(clicks + 0.5))[0]
    first = min(rate[0], 0.95)
    return float(np.log(first / (1 - first))), float(np.clip(-slope, 1e-3, 10.0))


def _return_classes(log: SlateLog, sessions: Sessions, fit: Ints) -> ReturnClasses | None:
    if RETURN not in log.problem.rewards:
        return None
    ended = fit[sessions.end[fit]]
    return ReturnClasses.of(
        log.feedback[RETURN][ended], sessions.gap[ended], sessions.unseen[ended]
    )


def _fit_returns(
    network: ReturnNetwork,
    returns: ReturnClasses,
    rows: Rows,
    sessions: Sessions,
    split: Split,
    config: UserModelConfig,
) -> list[float]:
    """Fit the network, and return the scaling that calibrates its logits."""
    classes = returns.classify(rows.log.feedback[RETURN])

    def logits(at: Ints) -> Tensor:
        items, clicks = rows.after(at)
        clock = session_clock(sessions, at, config.device)
        output: Tensor = network(rows.features(at), items, clicks, clock)
        return output

    def losses(at: Ints) -> Tensor:
        target = torch.as_tensor(classes[at], device=config.device)
        return nn.functional.cross_entropy(logits(at), target, reduction="none")

    fit, held_out = (part[sessions.end[part]] for part in (split.fit, split.calibration))
    generator = np.random.default_rng([config.seed, 2])
    train(network, losses, fit, held_out, config, generator)
    (fixed,) = _in_batches(lambda at: (logits(at),), held_out)
    target = torch.as_tensor(classes[held_out])

    def calibrated(scaling: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(scale_logits(fixed, scaling), target)
        # A normal prior on the constants keeps rare classes close to the uncalibrated logits.
        return loss + (scaling[1:] / 0.3).square().sum() / (2 * len(target))

    return calibrate(calibrated, [1.0, *[0.0] * fixed.shape[1]])


def _in_batches(function: Callable[[Ints], tuple[Tensor, ...]], rows: Ints) -> list[Tensor]:
    """Return the results for all rows on the CPU, without gradients."""
    with torch.no_grad():
        parts = [[_cpu(tensor) for tensor in function(batch)] for batch in batches(rows)]
    return [torch.cat(column) for column in zip(*parts, strict=True)]


def _cpu(tensor: Tensor) -> Tensor:
    """Return the tensor on the CPU without gradients, real numbers in double precision."""
    tensor = tensor.detach().cpu()
    return tensor.double() if tensor.is_floating_point() else tensor
