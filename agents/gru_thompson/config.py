"""Settings of the model and of its training."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from agents.gru_thompson.states import StateKind
from recsim.contracts.slates import AgentConfig


class ModelConfig(AgentConfig):
    """The prior, the state, and the family of the posterior.

    Attributes:
        dim: Length D of vectors, states and preferences.
        state: How clicks move a preference; see `agents.gru_thompson.states`.
        hierarchical: Whether items share the mean and scale of their group; False puts all into
            one group.
        group_mean_scale: s_v, deviation of the means of groups.
        group_scale_scale: s_s, deviation of the scales of groups (of what softplus is taken of).
        bias_scale: s_b, deviation of the score of "nothing".
        start_scale: s_h, deviation of initial states.
        gru_scale: Deviation of the matrices' entries.
        max_scale: Bound of the posterior's deviations.
        faithful: The authors' scaling and details in place of the sound ones; see the package's
            docstring.
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
    faithful: bool = False


class TrainingConfig(AgentConfig):
    """How the posterior is fitted. What is None follows ``faithful``.

    Attributes:
        likelihood: ``slate``: the choice is among what was shown; ``all_items``: among random
            items.
        likelihood_temperature: T; the likelihood is weighted by 1/T. None: 1, or if faithful
            0.02645.
        prior_temperature: The divergence from the prior is weighted by its inverse.
        training: ``staged``: first the items, under a linear state, then the state with the items
            held fixed; ``end_to_end``: all at once.
        steps: Gradient steps at most, over both stages.
        refit_steps: The same where training goes on from what is known; see
            `GRUThompsonAgent.refit`.
        batch_size: Users per step.
        learning_rate: Of Adam.
        betas: Of Adam. None: (0.9, 0.999), or if faithful (0.1, 0.1).
        particles: Draws per step. None: 1, or if faithful 4.
        clip: Bound of each entry of the gradient. None: none, or if faithful 100.
        evaluate_every: Steps between looks at the held-out users.
        patience: Looks without a better hit rate or likelihood after which a stage ends.
        keep: What is kept: the state with the best ``likelihood`` or ``hits``, or, if ``both``, the
            former unless its hits are below 0.9 of the best.
        held_out: Share of users whose later choices are held out.
        held_out_from: Step from which on they are; at most half the steps of the log.
        top: Length of the lists whose hits are counted.
    """

    likelihood: Literal["slate", "all_items"] = "slate"
    likelihood_temperature: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    prior_temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    training: Literal["staged", "end_to_end"] = "staged"
    steps: PositiveInt = 1000
    refit_steps: PositiveInt = 200
    batch_size: PositiveInt = 1000
    learning_rate: float = Field(default=0.02, gt=0, allow_inf_nan=False)
    betas: tuple[float, float] | None = None
    particles: PositiveInt | None = None
    clip: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    evaluate_every: PositiveInt = 25
    patience: PositiveInt = 8
    keep: Literal["both", "likelihood", "hits"] = "both"
    held_out: float = Field(default=0.05, ge=0, lt=1)
    held_out_from: PositiveInt = 5
    top: PositiveInt = 20

    @model_validator(mode="after")
    def _betas_are_shares(self) -> Self:
        if self.betas is not None and not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("'betas' must both be in [0, 1)")
        return self


class FitConfig(ModelConfig, TrainingConfig):
    """Model and training together, with what ``faithful`` decides filled in."""

    @property
    def temperature_of_likelihood(self) -> float:
        """T."""
        if self.likelihood_temperature is not None:
            return self.likelihood_temperature
        return 0.02645 if self.faithful else 1.0

    @property
    def adam_betas(self) -> tuple[float, float]:
        """The betas of Adam."""
        return self.betas or ((0.1, 0.1) if self.faithful else (0.9, 0.999))

    @property
    def num_particles(self) -> int:
        """Draws per step."""
        return self.particles or (4 if self.faithful else 1)

    @property
    def gradient_bound(self) -> float | None:
        """Bound of each entry of the gradient."""
        return self.clip or (100.0 if self.faithful else None)


# Settings that some policies do not have.
_ONLY = {
    "merge": ("in_slate",),
    "epsilon": ("epsilon_greedy",),
    "width": ("ucb",),
    "draws": ("ucb",),
    "temperature": ("thompson", "in_slate", "ucb"),
    "share_draws": ("thompson", "in_slate"),
    "prune": ("thompson", "in_slate"),
    "propensity_draws": ("thompson", "in_slate"),
}


class PolicyConfig(AgentConfig):
    """How slates are made from the posterior; a setting without effect is a mistake.

    Attributes:
        policy: ``greedy``: the nearest items at the posterior's means; ``epsilon_greedy``: that,
            or a uniform slate; ``thompson``: the nearest items under one draw; ``in_slate``: K
            draws merged into one slate; ``ucb``: optimistic.
        merge: in_slate: ``rank_major`` as in the authors' code, or ``per_slot``; see
            `agents.gru_thompson.merging`.
        temperature: Factor of the posterior's deviations when drawing.
        epsilon: epsilon_greedy: probability of a uniform slate, one coin per user and slate.
        width: ucb: standard deviations added to the mean score.
        draws: ucb: draws that mean and deviation are told from; the same ones for all users.
        share_draws: thompson and in_slate: whether all users of a batch get the same draws of
            items and state, which is cheaper with a large catalogue, but correlates them.
        prune: thompson and in_slate: candidates per user that are drawn, chosen by their mean
            distance and noise; None for all.
        propensity_draws: thompson and in_slate: M, slates drawn to estimate propensities, as
            ``(count + 1) / (M + C)``; 0 for none.
    """

    policy: Literal["greedy", "epsilon_greedy", "thompson", "in_slate", "ucb"] = "in_slate"
    merge: Literal["rank_major", "per_slot"] = "rank_major"
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    epsilon: float = Field(default=0.1, ge=0, le=1)
    width: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    draws: int = Field(default=30, ge=2)
    share_draws: bool = False
    prune: PositiveInt | None = None
    propensity_draws: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _every_setting_has_an_effect(self) -> Self:
        for key, policies in _ONLY.items():
            if key in self.model_fields_set and self.policy not in policies:
                having = " and ".join(repr(policy) for policy in policies)
                raise ValueError(
                    f"{key!r} has no effect on {self.policy!r}: it belongs to {having}"
                )
        return self


class GRUThompsonConfig(FitConfig, PolicyConfig):
    """All settings of the agent: `ModelConfig`, `TrainingConfig` and `PolicyConfig`.

    Attributes:
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    device: str = "cpu"
