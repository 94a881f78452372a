"""The agents: the best candidates by the score of the item to come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.sequential.config import (
    BERT4RecConfig,
    GRU4RecConfig,
    SASRecConfig,
    SequentialConfig,
)
from agents.sequential.models import BERT4Rec, GRU4Rec, SASRec, SequenceModel
from agents.sequential.sequences import last_events, observed, windows
from agents.sequential.training import split, train
from agents.shared import slates
from agents.shared.deterministic import Deterministic
from recsim.arrays import torch_device
from recsim.contracts.slates import AgentConfig, Feedback, FitReport, Observation
from recsim.errors import UserError
from recsim.log import SlateLog
from recsim.problem import Problem

# Numbers that a block of users may hold (64 MiB of float32).
_BLOCK = 2**24
# Up to so many times the candidates, scoring the whole catalogue by one product is faster.
_WHOLE_CATALOGUE = 8


class SequentialAgent(Deterministic):
    """What the three agents share: all but the model.

    Fitted on the events of a log; a second fit starts anew. Users are known by the events in
    ``obs["history_items"]``, so an environment should be made with a long ``history``. Ties go to
    the candidate listed first; deterministic, so propensities are 0 or 1.
    """

    privileged: ClassVar[bool] = False
    needs_log: ClassVar[bool] = True
    name: ClassVar[str]
    model: ClassVar[type[SequenceModel]]

    def __init__(self, config: SequentialConfig, problem: Problem, seed: int) -> None:
        slates.check_sizes(problem)
        if problem.num_items < 2:
            raise UserError(f"agent {self.name!r} needs at least 2 items to choose from.")
        self._device = torch_device(config.device, f"agent {self.name!r}: ")
        self._config, self._seed = config, seed
        self._slate_size, self._num_items = problem.slate_size, problem.num_items
        self._model: SequenceModel | None = None

    def fit(self, log: SlateLog) -> FitReport:
        """Learn what follows what in a log, forgetting any other log.

        Raises:
            UserError: The log does not know its users, or has no event.
        """
        config = self._config
        if log.anonymous:
            raise UserError(
                f"agent {self.name!r} learns what users do next, but the log does not know its "
                "users: it is anonymous."
            )
        tokens, users = windows(log, config.events, config.max_length)
        if not len(tokens):
            what = "clicks" if config.events == "clicked" else "items shown"
            raise UserError(f"agent {self.name!r} learns from {what}, but the log has none.")
        trained, judged = split(users, config.held_out, np.random.default_rng(self._seed))
        with torch.random.fork_rng([self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(self._seed)
            model = self.model(config, self._num_items).to(self._device)
            losses = train(
                model, self._tensor(tokens[trained]), self._tensor(tokens[judged]), config
            )
        self._model = model
        return FitReport(rows=len(log), losses=losses)

    def begin(self, batch_size: int) -> None:
        """Keep nothing per user."""

    def _slates(self, obs: Observation) -> NDArray[np.int64]:
        scores = self.scores(obs)
        if self._config.exclude_seen:
            seen = slates.offered(observed(obs, self._config.events) - 1, obs["candidates"])
            # Below all others, but in their order: a slate must be filled all the same.
            scores = scores - seen * (np.ptp(scores, axis=1, keepdims=True) + 1)
        return slates.top_slates(scores, self._slate_size)

    @torch.no_grad()
    def scores(self, obs: Observation) -> NDArray[np.float64]:
        """Return the score of every candidate, ``(B, C)``.

        Raises:
            UserError: The agent was not fitted.
        """
        if self._model is None:
            raise UserError(
                f"agent {self.name!r} must be fitted on a log before it can act: give it a "
                "training_log."
            )
        config = self._config
        tokens = last_events(observed(obs, config.events), config.max_length - 1)
        candidates = obs["candidates"]
        found = np.empty(candidates.shape)
        whole = self._num_items <= _WHOLE_CATALOGUE * candidates.shape[1]
        scored = self._num_items if whole else candidates.shape[1] * config.dim
        read = (tokens.shape[1] + 2) * (tokens.shape[1] + 8 * config.dim)
        size = max(1, _BLOCK // max(scored, read))
        for start in range(0, len(found), size):
            rows = slice(start, start + size)
            states = self._model.next_states(self._tensor(tokens[rows]))
            items = self._tensor(candidates[rows])
            if whole:
                scores = self._model.score_all(states).gather(1, items)
            else:
                scores = self._model.score(states, items)
            found[rows] = scores.cpu().numpy()
        return found

    def observe(self, feedback: Feedback) -> None:
        """Learn nothing: what follows what is that of the log."""

    def state_dict(self) -> dict[str, Any]:
        """Return the parameters of the model."""
        if self._model is None:
            return {}
        parameters = self._model.state_dict().items()
        return {"model": {name: value.detach().cpu().clone() for name, value in parameters}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the model of the saved agent.

        Raises:
            UserError: It is of another catalogue or other settings.
        """
        self._model = None
        if "model" not in state:
            return
        with torch.random.fork_rng([]):  # what is drawn is overwritten
            model = self.model(self._config, self._num_items).to(self._device)
        try:
            model.load_state_dict(dict(state["model"]))
        except RuntimeError as error:
            raise UserError(
                f"saved agent state: {self.name!r} was fitted on another catalogue or with other "
                f"settings: {str(error).splitlines()[-1].strip()}"
            ) from error
        self._model = model.eval()

    def _tensor(self, values: NDArray[np.int64]) -> Tensor:
        return torch.as_tensor(np.array(values), device=self._device)


class SASRecAgent(SequentialAgent):
    """Ranks by the next item that causal self-attention expects."""

    Config: ClassVar[type[AgentConfig]] = SASRecConfig
    name: ClassVar[str] = "sasrec"
    model: ClassVar[type[SequenceModel]] = SASRec


class BERT4RecAgent(SequentialAgent):
    """Ranks by what a bidirectional transformer puts in place of a hidden next event."""

    Config: ClassVar[type[AgentConfig]] = BERT4RecConfig
    name: ClassVar[str] = "bert4rec"
    model: ClassVar[type[SequenceModel]] = BERT4Rec


class GRU4RecAgent(SequentialAgent):
    """Ranks by the next item that a gated recurrent network expects."""

    Config: ClassVar[type[AgentConfig]] = GRU4RecConfig
    name: ClassVar[str] = "gru4rec"
    model: ClassVar[type[SequenceModel]] = GRU4Rec
