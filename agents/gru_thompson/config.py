"""Settings of the model, its training and its policies."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from agents.gru_thompson.states import StateKind
from recsim.contracts.slates import AgentConfig, OnlyWith


class ModelConfig(AgentConfig):
    """Prior, state dynamics and posterior family.

    Attributes:
        dim: Dimension D of vectors, states and preferences.
        state: How clicks change the preference; see `agents.gru_thompson.states`.
        hierarchical: Whether items share the mean and scale of their group; if False, all items are
            in one group.
        group_mean_scale: s_v, prior deviation of the group means.
        group_scale_scale: s_s, prior deviation of the group scales (before the softplus).
        bias_scale: s_b, prior deviation of the score of "nothing".
        start_scale: s_h, prior deviation of the initial states.
        gru_scale: Prior deviation of the matrix entries.
        max_scale: Upper bound of the posterior deviations.
    """

    dim: PositiveInt = 25
    state: StateKind = "gru"
    hierarchical: bool = True
    group_mean_scale: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    group_scale_scale: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    bias_scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    start_scale: float = Field(default=0.5, gt=0, allow_inf_nan=False)
    gru_scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    max_scale: float = Field(default=9.0, gt=0.02, allow_inf_nan=False)


class TrainingConfig(AgentConfig):
    """Variational inference.

    Attributes:
        likelihood: ``slate``: the choice is among the items shown; ``all_items``: among random
            items.
        likelihood_temperature: T; the log-likelihood is weighted by 1/T.
        prior_temperature: The divergence from the prior is weighted by the inverse of this.
        training: ``staged``: first the items under a linear state, then the recurrent state with
            the items fixed; ``end_to_end``: everything at once.
        steps: Largest number of gradient steps, over both stages.
        refit_steps: The same for `GRUThompsonAgent.refit`, which continues from the current
            posterior.
        batch_size: Users per step.
        learning_rate: Learning rate of Adam.
        betas: Betas of Adam.
        particles: Posterior samples per step.
        clip: Largest absolute value of each entry of the gradient; None: no limit.
        evaluate_every: Steps between two evaluations on held-out choices.
        patience: Number of evaluations without a better hit rate or likelihood after which a stage
            ends.
        keep: Which state is kept: the one with the best ``likelihood`` or ``hits``; ``both``: the
            one with the best likelihood, unless its hit rate is below 0.9 of the best.
        held_out: Fraction of users whose later choices are held out.
        held_out_from: Step from which these choices are held out; at most half the steps of the
            log.
        top: Length of the lists for the hit rate.
    """

    likelihood: Literal["slate", "all_items"] = "slate"
    likelihood_temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    prior_temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    training: Literal["staged", "end_to_end"] = "staged"
    steps: PositiveInt = 1000
    refit_steps: PositiveInt = 200
    batch_size: PositiveInt = 1000
    learning_rate: float = Field(default=0.02, gt=0, allow_inf_nan=False)
    betas: tuple[float, float] = (0.9, 0.999)
    particles: PositiveInt = 1
    clip: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    evaluate_every: PositiveInt = 25
    patience: PositiveInt = 8
    keep: Literal["both", "likelihood", "hits"] = "both"
    held_out: float = Field(default=0.05, ge=0, lt=1)
    held_out_from: PositiveInt = 5
    top: PositiveInt = 20

    @model_validator(mode="after")
    def _betas_are_below_one(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("'betas' must both be in [0, 1)")
        return self


class FitConfig(ModelConfig, TrainingConfig):
    """Model and training together."""


_SAMPLED = ("policy", ("thompson", "in_slate"))


class PolicyConfig(AgentConfig):
    """How slates are chosen given the posterior; a setting without effect is rejected.

    Attributes:
        policy: ``greedy``: the nearest items at the posterior means; ``epsilon_greedy``: the same,
            or a uniform slate; ``thompson``: the nearest items under one posterior sample;
            ``in_slate``: the rankings of K samples, merged into one slate; ``ucb``: optimistic.
        merge: in_slate: ``rank_major`` as in the authors' code, or ``per_slot``; see
            `agents.gru_thompson.merging`.
        temperature: Factor of the posterior deviations when sampling.
        epsilon: epsilon_greedy: probability of a uniform slate, independently per user and slate.
        width: ucb: standard deviations added to the mean score.
        draws: ucb: samples from which mean and deviation are computed, the same for all users.
        share_draws: thompson and in_slate: whether all users of a batch get the same samples of
            items and state. This is cheaper for a large catalogue, but correlates the users.
        prune: thompson and in_slate: number of candidates per user that are sampled, chosen by
            their mean distance and deviation; None for all.
        propensity_draws: thompson and in_slate: M, slates sampled to estimate propensities as
            ``(count + 1) / (M + C)``; 0: propensities are unknown.
    """

    only_with: ClassVar[OnlyWith] = {
        "merge": ("policy", ("in_slate",)),
        "epsilon": ("policy", ("epsilon_greedy",)),
        "width": ("policy", ("ucb",)),
        "draws": ("policy", ("ucb",)),
        "temperature": ("policy", ("thompson", "in_slate", "ucb")),
        "share_draws": _SAMPLED,
        "prune": _SAMPLED,
        "propensity_draws": _SAMPLED,
    }

    policy: Literal["greedy", "epsilon_greedy", "thompson", "in_slate", "ucb"] = "in_slate"
    merge: Literal["rank_major", "per_slot"] = "rank_major"
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    epsilon: float = Field(default=0.1, ge=0, le=1)
    width: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    draws: int = Field(default=30, ge=2)
    share_draws: bool = False
    prune: PositiveInt | None = None
    propensity_draws: int = Field(default=0, ge=0)


class GRUThompsonConfig(FitConfig, PolicyConfig):
    """All settings of the agent: `ModelConfig`, `TrainingConfig` and `PolicyConfig`.

    Attributes:
        device: Device of the computations: ``cpu``, ``cuda`` ...
    """

    device: str = "cpu"
