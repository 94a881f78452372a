"""The agents: they show the candidates with the highest scores as the next event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from agents.sequential.additions.base import Addition
from agents.sequential.additions.intent_contrast import INTENT_WEIGHTS, IntentContrast
from agents.sequential.additions.meta_contrast import META_WEIGHTS, MetaContrast
from agents.sequential.additions.transitions import Distillation
from agents.sequential.config import (
    BERT4RecConfig,
    GRU4RecConfig,
    SASRecConfig,
    SequentialConfig,
)
from agents.sequential.models import BERT4Rec, GRU4Rec, SequenceModel
from agents.sequential.objective import Objective
from agents.sequential.sasrec import SASRec
from agents.sequential.sequences import Sequences, Windows, observed, special_tokens
from agents.sequential.training import train
from agents.sequential.validation import following, hold_out
from agents.shared import slates
from agents.shared.devices import seeded
from agents.shared.event_lists import seen_candidates
from agents.shared.plackett_luce import PlackettLuceOrBest, temperatures_of_entropy
from agents.shared.torch_agent import TorchAgent
from recsim.arrays import Floats, Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.log import SlateLog
from recsim.problem import Problem

# Numbers that a block of users may hold (64 MiB of float32).
_BLOCK = 2**24
# Up to so many times the candidates, scoring the whole catalogue by one product is faster.
_WHOLE_CATALOGUE = 8
# Taken from the logits of seen items: far more than scores differ by.
_REMOVED = 1e6


class SequentialAgent(TorchAgent[SequenceModel], PlackettLuceOrBest):
    """An agent over one of the three models; subclasses name the model.

    Fitted on the events of a log; a second fit forgets the first. Users are known by the events in
    ``obs["history_items"]``, so an environment should be made with a long ``history``. Propensities
    are exact: 0 or 1 without ``temperature`` or ``entropy``, else those of `PlackettLuce`. Ties are
    broken by a permutation of the items drawn from the seed.
    """

    needs_log: ClassVar[bool] = True
    network: ClassVar[type[SequenceModel]]
    _config: SequentialConfig

    def __init__(self, config: SequentialConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        if problem.num_items < 2:
            raise self.error("needs at least 2 items to choose from.")
        # Among equal scores the lowest is shown first.
        self._ties: Ints = np.random.default_rng(seed).permutation(problem.num_items)

    def fit(self, log: SlateLog, validation: SlateLog | None = None) -> FitReport:
        """Learn which event follows which in a log, forgetting any other log.

        Args:
            log: The log.
            validation: Later rows of the same users: early stopping is judged on the first event
                of each. By default some events of ``log`` are held out, see `SequentialConfig`.

        Raises:
            AgentError: If a log is anonymous, ``log`` has no event, or ``validation`` has none of
                a user of ``log``.
        """
        config = self._config
        sequences = self._sequences(log)
        self.require(len(sequences.user), "clicks" if config.events == "clicked" else "items shown")
        if validation is None:
            rng = np.random.default_rng(self._seed)
            sequences, queries = hold_out(sequences, config, rng, self._device)
        else:
            later = self._sequences(validation)
            queries = following(sequences, later, config.max_length, self._device)
            if queries is None:
                raise self.error("found no later event of a user of the log in the validation log.")
        counts = self._tensor(sequences.counts(self._problem.num_items))
        windows = Windows(sequences, config.max_length, self._device)
        objective = Objective(config, counts, config.batch_size * windows.mean_events)
        with seeded(self._seed, self._device):
            model = self._build()
            model.begin_at_popularity(counts)
            additions = self._additions(model, sequences)
            self._model, losses = train(model, windows, objective, queries, config, additions)
        return FitReport(rows=len(log), losses=losses)

    def _sequences(self, log: SlateLog) -> Sequences:
        self.require_users(log, "learns what users do next")
        return Sequences.of(log, self._config.events)

    @property
    def _stochastic(self) -> bool:
        return self._config.temperature > 0 or self._config.entropy is not None

    def _logits_of(self, obs: Observation) -> Floats:
        config, scores = self._config, self.scores(obs)
        seen = np.zeros(scores.shape, dtype=np.bool_)
        if config.exclude_seen:
            seen = seen_candidates(obs, config.events, self._problem.num_items)
        if config.entropy is None:
            temperature: float | Floats = config.temperature or 1.0
        else:
            unseen = np.where(seen, -np.inf, scores)
            wanted = config.entropy * np.log(np.maximum((~seen).sum(axis=1), 1))
            temperature = temperatures_of_entropy(unseen, wanted)
        # Without probability, but in their order: a slate must be filled all the same.
        return scores / temperature - _REMOVED * seen

    @torch.no_grad()
    def scores(self, obs: Observation) -> Floats:
        """Return the score of every candidate, ``(B, C)``.

        Raises:
            AgentError: If the agent was not fitted.
        """
        model, config, num_items = self.model, self._config, self._problem.num_items
        start, _ = special_tokens(num_items)
        tokens = observed(obs, config.events, config.max_length, start)
        candidates = obs["candidates"]
        scores = np.empty(candidates.shape)
        whole = num_items <= _WHOLE_CATALOGUE * candidates.shape[1]
        scored = num_items if whole else candidates.shape[1] * config.dim
        read = (tokens.shape[1] + 1) * (tokens.shape[1] + 8 * config.dim)
        size = max(1, _BLOCK // max(scored, read))
        for start in range(0, len(scores), size):
            rows = slice(start, start + size)
            states = model.next_states(self._tensor(tokens[rows]))
            items = self._tensor(candidates[rows])
            if whole:
                block = model.score_all(states).gather(1, items)
            else:
                block = model.score(states, items)
            scores[rows] = block.cpu().numpy()
        return scores

    def _best(self, obs: Observation) -> Ints:
        ties = self._ties[obs["candidates"]]
        return slates.top_slates_by(self._logits_of(obs), ties, self._slate_size)

    def _learned(self) -> dict[str, Any]:
        return {**super()._learned(), "ties": self._ties.copy()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        self._ties = np.array(state.get("ties", self._ties), dtype=np.int64)

    def _additions(self, model: SequenceModel, sequences: Sequences) -> list[Addition]:
        """Return further terms of the training loss."""
        return []

    def _build(self) -> SequenceModel:
        return self.network(self._config, self._problem.num_items).to(self._device)

    def _rebuild(self, state: Mapping[str, Any]) -> SequenceModel:
        with seeded(self._seed, self._device):
            return self._build()


class SASRecAgent(SequentialAgent):
    """Ranks items by how likely causal self-attention finds them as the next event."""

    name: ClassVar[str] = "sasrec"
    reads = frozenset({"history", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = SASRecConfig
    _config: SASRecConfig

    def __init__(self, config: SASRecConfig, problem: Problem, seed: int) -> None:
        super().__init__(config, problem, seed)
        if config.item_inputs != "id":
            if not problem.item_features.shape[1]:
                raise self.error(
                    f"item_inputs: {config.item_inputs} needs features of items, and this problem "
                    "has none."
                )
            self.reads = self.reads | {"item_features"}
            if config.item_inputs == "metadata":
                self.reads = self.reads - {"item_ids"}

    def _build(self) -> SequenceModel:
        return SASRec(self._config, self._problem.num_items, self._problem).to(self._device)

    def _additions(self, model: SequenceModel, sequences: Sequences) -> list[Addition]:
        config = self._config
        additions: list[Addition] = []
        if config.contrast == "meta":
            weights = config.contrast_weights or META_WEIGHTS
            additions.append(MetaContrast(model, weights, config.dim, config.learning_rate))
        elif config.contrast == "intent":
            weights = config.contrast_weights or INTENT_WEIGHTS
            additions.append(
                IntentContrast(
                    model, sequences, weights, config.clusters, config.max_length, self._seed
                )
            )
        if config.distil_transitions:
            assert isinstance(model, SASRec)
            assert model.direction is not None
            additions.append(
                Distillation(
                    model.vectors,
                    model.direction,
                    sequences,
                    model.num_items,
                    config.distil_transitions,
                )
            )
        return additions


class BERT4RecAgent(SequentialAgent):
    """Ranks items by how likely a bidirectional transformer finds them for a masked next event."""

    name: ClassVar[str] = "bert4rec"
    reads = frozenset({"history", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = BERT4RecConfig
    network: ClassVar[type[SequenceModel]] = BERT4Rec


class GRU4RecAgent(SequentialAgent):
    """Ranks items by how likely a gated recurrent network finds them as the next event."""

    name: ClassVar[str] = "gru4rec"
    reads = frozenset({"history", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = GRU4RecConfig
    network: ClassVar[type[SequenceModel]] = GRU4Rec
