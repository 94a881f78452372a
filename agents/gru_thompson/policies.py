"""Choose slates given the posterior: greedy, Thompson, in-slate Thompson, and optimistic.

Sources: in-slate Thompson sampling is from Eide, Leslie and Frigessi (arXiv:2104.15046), Thompson
sampling from Thompson 1933. The optimistic policy is an addition.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.gru_thompson.config import PolicyConfig
from agents.gru_thompson.merging import per_slot, rank_major
from agents.gru_thompson.model import Model
from agents.gru_thompson.scoring import Scorer, Users

# The optimistic policy always uses the same samples, so that it is a function of the observation.
_SEED_OF_BOUNDS = 0x0C8
# Scores of candidates in memory at once (128 MiB of float32).
_AT_ONCE = 2**25


class Policy:
    """Chooses slates of K candidates; the agent itself adds uniform exploration.

    Args:
        model: The posterior.
        config: The policy; ``epsilon_greedy`` gives the greedy slate.
        slate_size: K.
    """

    def __init__(self, model: Model, config: PolicyConfig, slate_size: int) -> None:
        self._config, self._slate_size, self._model = config, slate_size, model
        self._scorer = Scorer(model, config.temperature)

    @property
    def draws_slates(self) -> bool:
        """Whether the slates are random."""
        return self._config.policy in {"thompson", "in_slate"}

    @torch.no_grad()
    def slates(self, users: Users, generator: torch.Generator, repeats: int = 1) -> Tensor:
        """Return slates as indices of candidates, ``(B, repeats, K)``.

        Args:
            users: The users.
            generator: Random generator.
            repeats: Number of independent slates per user; identical if the policy is
                deterministic.
        """
        if self._config.share_draws:
            return self._thompson(users, generator, repeats)
        # Users are independent, so a large catalogue is scored for some users at a time.
        size = max(1, _AT_ONCE // self._num_candidates(users))
        parts = [
            self._block(users.select(slice(start, start + size)), generator, repeats)
            for start in range(0, max(len(users), 1), size)
        ]
        return torch.cat(parts)

    def _block(self, users: Users, generator: torch.Generator, repeats: int) -> Tensor:
        if self.draws_slates:
            return self._thompson(users, generator, repeats)
        if self._config.policy == "ucb":
            best = self._nearest(-self._bounds(users, generator.device))
        else:
            best = self._nearest(self._scorer.at_mean(users, generator))
        return best[:, None].expand(-1, repeats, -1)

    def _thompson(self, users: Users, generator: torch.Generator, repeats: int) -> Tensor:
        kept = None
        count = self._num_candidates(users)
        prune = self._config.prune
        if prune is not None and max(prune, self._slate_size) < count:
            most = max(prune, self._slate_size)
            kept = self._scorer.promising(users, most, generator)  # (B, most)
            candidates = kept if users.candidates is None else users.candidates.gather(1, kept)
            users = Users(users.clicks, candidates)
        each = self._slate_size if self._config.policy == "in_slate" else 1
        if self._config.share_draws:
            drawn = self._scorer.shared(users, repeats * each, generator)
            slates = self._merged(torch.stack([self._nearest(one) for one in drawn], dim=1), each)
        else:
            # As many slates at a time as fit into a block, at least one.
            most = max(1, self._scorer.draws_at_once(users) // each)
            parts = [
                self._independent(users, generator, min(most, repeats - done), each)
                for done in range(0, repeats, most)
            ]
            slates = torch.cat(parts, dim=1)  # (B, repeats, K)
        if kept is None:
            return slates
        return kept.gather(1, slates.flatten(1)).reshape(slates.shape)

    def _independent(
        self, users: Users, generator: torch.Generator, repeats: int, each: int
    ) -> Tensor:
        blocks = self._scorer.independent(users, repeats * each, generator)
        return torch.cat([self._merged(self._nearest(squares), each) for squares in blocks])

    def _num_candidates(self, users: Users) -> int:
        return self._model.num_items if users.candidates is None else users.candidates.shape[1]

    def _merged(self, rankings: Tensor, each: int) -> Tensor:
        """Merge groups of ``each`` rankings, ``(B, repeats * each, K)`` to ``(B, repeats, K)``."""
        if each == 1:
            return rankings
        grouped = rankings.reshape(len(rankings), -1, each, self._slate_size)
        merge = rank_major if self._config.merge == "rank_major" else per_slot
        return merge(grouped, self._slate_size)

    def _nearest(self, squares: Tensor) -> Tensor:
        return squares.topk(self._slate_size, dim=-1, largest=False).indices

    def _bounds(self, users: Users, device: torch.device) -> Tensor:
        """Return the mean plus ``width`` deviations of the sampled scores, ``(B, C)``."""
        generator = torch.Generator(device).manual_seed(_SEED_OF_BOUNDS)
        draws = self._config.draws
        total, squares = torch.zeros((), device=device), torch.zeros((), device=device)
        for drawn in self._scorer.shared(users, draws, generator, same_noise=True):
            score = -drawn.clamp_min(0).sqrt()
            total = total + score
            squares = squares + score.square()
        mean = total / draws
        variance = (squares / draws - mean.square()) * (draws / (draws - 1))
        return mean + self._config.width * variance.clamp_min(0).sqrt()
