"""A network for stable-baselines3's own learners that scores candidates, and slates drawn from it.

`ScoringPolicy` is a policy for PPO and A2C on environments with ``observation="features"``;
`agents.sb3.maskable` is the same for ``MaskablePPO`` of sb3-contrib.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from agents.sb3.slate_policy import conditional_entropy
from agents.slate_policy.luce import NEVER, log_probabilities
from recsim.errors import AgentError

CANDIDATES, SLATE = "candidates", "slate"
# The last number of a candidate, with slots: 1 if it is in the slate already.
IN_SLATE = -1


class ScoringNetwork(nn.Module):
    """Scores every candidate with the same networks, so that their order does not matter.

    The score is the inner product of a vector of the context, which is all blocks but the
    candidates, and a vector of the candidate's numbers, plus a score of the candidate alone. The
    value is computed from the context. If candidates are chosen one at a time, as a block ``slate``
    tells, those that are in the slate already get no chance.

    Args:
        layout: Blocks of the observation; ``candidates`` has C equal parts, one per candidate.
        candidates: C.
        hidden: Width of the layers.
        activation: Of the hidden layers.

    Attributes:
        latent_dim_pi: C, as the policy's latent is the logits themselves.
        latent_dim_vf: Width of the latent of the value.
    """

    def __init__(
        self,
        layout: Mapping[str, slice],
        candidates: int,
        *,
        hidden: int,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        block = layout[CANDIDATES]
        self._candidates, self._slots = candidates, SLATE in layout
        self._start, self._stop = block.start, block.stop
        width = (block.stop - block.start) // candidates
        context = sum(part.stop - part.start for part in layout.values()) - width * candidates
        self.context_net = nn.Sequential(
            nn.Linear(context, hidden), activation(), nn.Linear(hidden, hidden), activation()
        )
        self.item_net = nn.Sequential(nn.Linear(width, hidden), activation())
        self.query = nn.Linear(context + hidden, width + hidden)
        self.value_latent = nn.Sequential(
            nn.Linear(context, hidden), activation(), nn.Linear(hidden, hidden), activation()
        )
        self.latent_dim_pi, self.latent_dim_vf = candidates, hidden

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the candidates, ``(B, C)``, and the latent of the value, ``(B, H)``."""
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Tensor) -> Tensor:
        """Return the logits of the candidates, ``(B, C)``."""
        block = features[:, self._start : self._stop]
        columns = block.reshape(len(block), self._candidates, -1)  # (B, C, width)
        context = self._context(features)
        query = self.query(torch.cat([context, self.context_net(context)], dim=1))
        plain, hidden = query[:, : columns.shape[2]], query[:, columns.shape[2] :]
        scores = torch.einsum("bcw,bw->bc", columns, plain)
        scores = scores + torch.einsum("bch,bh->bc", self.item_net(columns), hidden)
        return scores.masked_fill(columns[:, :, IN_SLATE] > 0, NEVER) if self._slots else scores

    def forward_critic(self, features: Tensor) -> Tensor:
        """Return the latent of the value, ``(B, H)``."""
        latent: Tensor = self.value_latent(self._context(features))
        return latent

    def _context(self, features: Tensor) -> Tensor:
        """Return all numbers but those of the candidates."""
        return torch.cat([features[:, : self._start], features[:, self._stop :]], dim=1)


class SlateDistribution(Distribution):
    """Plackett-Luce over ordered slates without repeats; with one item, softmax of the logits.

    The entropy is that of the slates whose probability was computed last, see
    `agents.sb3.slate_policy.conditional_entropy`.

    Args:
        slate_size: K.
    """

    logits: Tensor  # (B, C)

    def __init__(self, slate_size: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._slate_size = slate_size
        self._slates: Tensor | None = None

    def proba_distribution_net(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Return the identity: the latent of the policy is the logits."""
        return nn.Identity()

    def proba_distribution(self, action_logits: Tensor) -> Self:
        """Set the logits, ``(B, C)``."""
        self.logits, self._slates = action_logits, None
        return self

    def apply_masking(self, masks: Any) -> None:
        """Exclude candidates that are not allowed in some slot.

        Args:
            masks: True where allowed, ``(B, K * C)``, slot by slot; None for no mask.
        """
        if masks is None:
            return
        count = self.logits.shape[1]
        allowed = torch.as_tensor(masks, dtype=torch.bool, device=self.logits.device)
        allowed = allowed.reshape(len(self.logits), -1, count).all(dim=1)
        self.logits = self.logits.masked_fill(~allowed, NEVER)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return the log-probabilities of slates ``(B, K)``, or of items ``(B,)``."""
        self._slates = actions.long().reshape(len(self.logits), -1)
        return log_probabilities(self.logits, self._slates).sum(dim=1)

    def entropy(self) -> Tensor:
        """Return the entropy of each pick given those before it, summed, ``(B,)``."""
        slates = self.sample() if self._slates is None else self._slates
        return conditional_entropy(self.logits, slates)

    def sample(self) -> Tensor:
        """Draw slates with torch's global generator, ``(B, K)``."""
        noise = -torch.empty_like(self.logits).exponential_().log()  # of Gumbel
        return self._best(self.logits + noise)

    def mode(self) -> Tensor:
        """Return the items with the highest logits, best first, ``(B, K)``."""
        return self._best(self.logits)

    def actions_from_params(self, action_logits: Tensor, deterministic: bool = False) -> Tensor:
        """Return slates for logits."""
        return self.proba_distribution(action_logits).get_actions(deterministic=deterministic)

    def log_prob_from_params(self, action_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Draw slates for logits, and return them with their log-probabilities."""
        slates = self.actions_from_params(action_logits)
        return slates, self.log_prob(slates)

    def _best(self, scores: Tensor) -> Tensor:
        return scores.topk(self._slate_size, dim=1).indices


class Scoring:
    """Makes a `ScoringNetwork` of an actor-critic policy of stable-baselines3, its other base.

    Args:
        observation_space: A flat vector.
        action_space: Indices of candidates: K of C, or one of C.
        lr_schedule: Learning rate.
        layout: ``env.unwrapped.feature_layout`` of the environment.
        hidden: Width of the layers.
        **kwargs: Arguments of the other base.

    Raises:
        AgentError: If the layout is missing, or not that of the observations and actions.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        layout: Mapping[str, slice] | None = None,
        hidden: int = 32,
        **kwargs: Any,
    ) -> None:
        self._layout = _checked(layout, observation_space, action_space)
        self._hidden = hidden
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)  # type: ignore[call-arg]

    def _build(self, lr_schedule: Schedule) -> None:
        """Build networks and optimizer; all candidates start with nearly equal chances."""
        policy: Any = self
        size = policy.action_space.nvec.size if policy.action_space.shape else 1
        self.mlp_extractor = ScoringNetwork(
            self._layout,
            _candidates(policy.action_space),
            hidden=self._hidden,
            activation=policy.activation_fn,
        )
        self.action_dist = SlateDistribution(size)
        self.action_net = self.action_dist.proba_distribution_net()
        self.value_net = nn.Linear(self._hidden, 1)
        if policy.ortho_init:
            network = self.mlp_extractor
            gains = {network: math.sqrt(2), network.query: 0.01}
            for module, gain in {**gains, self.value_net: 1.0}.items():
                for part in module.modules():
                    policy.init_weights(part, gain=gain)
        options = policy.optimizer_kwargs
        self.optimizer = policy.optimizer_class(policy.parameters(), lr=lr_schedule(1), **options)

    def _get_action_dist_from_latent(self, latent_pi: Tensor) -> SlateDistribution:
        return self.action_dist.proba_distribution(self.action_net(latent_pi))

    def _get_constructor_parameters(self) -> dict[str, Any]:
        base: Any = super()
        own = {"layout": self._layout, "hidden": self._hidden}
        return {**base._get_constructor_parameters(), **own}


class ScoringPolicy(Scoring, ActorCriticPolicy):  # type: ignore[misc]
    """A policy for PPO and A2C that scores candidates by their features.

    It works on ``SlateRec-v0`` and ``LearnedRec-v0`` with ``observation="features"``. Slates are
    drawn by Plackett-Luce, so that no item repeats; with ``action="slot"`` items that are in the
    slate already get no chance. ``deterministic=True`` gives the items with the highest scores.

    Example:
        >>> env = gymnasium.make_vec("recsim:SlateRec-v0", num_envs=64, observation="features")
        >>> layout = env.unwrapped.feature_layout
        >>> PPO(ScoringPolicy, SB3VecEnv(env), policy_kwargs={"layout": layout}).learn(100_000)
    """


def _candidates(action_space: spaces.Space[Any]) -> int:
    """Return C, or 0 if these are not actions on candidates."""
    if isinstance(action_space, spaces.Discrete):
        return int(action_space.n)
    if isinstance(action_space, spaces.MultiDiscrete) and len(set(action_space.nvec.flat)) == 1:
        return int(action_space.nvec.flat[0])
    return 0


def _checked(
    layout: Mapping[str, slice] | None,
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
) -> dict[str, slice]:
    """Return the layout as a dict.

    Raises:
        AgentError: See `Scoring`.
    """
    if not layout or not isinstance(observation_space, spaces.Box):
        raise AgentError(
            "The policy needs observations as features: make the environment with "
            "observation='features', and give policy_kwargs={'layout': "
            "env.unwrapped.feature_layout}."
        )
    length, count = observation_space.shape[0], _candidates(action_space)
    fits = isinstance(layout, Mapping) and all(isinstance(part, slice) for part in layout.values())
    if fits:
        blocks, width = list(layout.values()), len(range(length)[layout.get(CANDIDATES, slice(0))])
        edges = [0, *(part.stop for part in blocks)]
        fits = [part.start for part in blocks] == edges[:-1] and edges[-1] == length
        fits = fits and width > 0 and count > 0 and width % count == 0
    if not fits:
        raise AgentError(
            f"layout does not fit observations of {length} numbers about {count} candidates: take "
            "that of the environment that the policy is trained on, "
            "env.unwrapped.feature_layout."
        )
    return dict(layout)
