"""The agent: ranks items, justifies the best one, and uses critiques."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from agents.bot_play.bpr import BPRConfig, fit_bpr
from agents.bot_play.fine_tuning import fine_tune
from agents.bot_play.model import CritiquedModel
from agents.bot_play.play import PlayConfig
from agents.bot_play.plrec import PLRecConfig, fit_plrec
from agents.bot_play.tables import Tables
from agents.critiquing.scoring import ScoringAgent, ScoringConfig
from agents.shared.torch_agent import TorchAgent
from recsim.arrays import Bools, Floats, Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation, OnlyWith
from recsim.critiquing import AspectReviews
from recsim.draws import Purpose

JUSTIFICATION = Purpose("justification")


class BotPlayConfig(ScoringConfig):
    """Settings of `BotPlayAgent`; a setting without effect is rejected.

    Attributes:
        base: How the base is trained: ``bpr``, by gradient descent, or ``plrec``, in closed form.
        fine_tuning: How it is fine-tuned: ``bot_play``; ``control``, the same without critiques;
            ``none``.
        bpr: Settings of the base ``bpr``.
        plrec: Settings of the base ``plrec``.
        play: Settings of the fine-tuning.
        normalise_counts: Whether the aspect counts of each user are divided by the largest one, so
            that a critique has weight 1.
        listens: Whether critiques change the preferences; if not, the agent shows the items in the
            order of its first ranking.
        critique_weight: s, in ``s scores(c) + (1 - s) scores(c_0)``: a geometric mean of the
            softmax probabilities with and without critiques.
        threshold: Probability above which an aspect is in the justification; None: sample the
            aspects.
        device: Device of the computations: ``cpu``, ``cuda`` ...
    """

    only_with: ClassVar[OnlyWith] = {
        "bpr": ("base", ("bpr",)),
        "plrec": ("base", ("plrec",)),
        "play": ("fine_tuning", ("bot_play", "control")),
        "critique_weight": ("listens", (True,)),
    }

    base: Literal["bpr", "plrec"] = "bpr"
    fine_tuning: Literal["bot_play", "control", "none"] = "bot_play"
    bpr: BPRConfig = BPRConfig()
    plrec: PLRecConfig = PLRecConfig()
    play: PlayConfig = PlayConfig()
    normalise_counts: bool = False
    listens: bool = True
    critique_weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    threshold: float | None = Field(default=None, ge=0, le=1)
    device: str = "cpu"

    @model_validator(mode="after")
    def _the_control_has_no_critiques(self) -> Self:
        for key in ("seeker", "critiques"):
            if self.fine_tuning == "control" and key in self.play.model_fields_set:
                raise ValueError(f"'play.{key}' has no effect: the control has no critiques")
        return self


class BotPlayAgent(TorchAgent[CritiquedModel], ScoringAgent):
    """Learns to use critiques by playing with a seeker; see `agents.bot_play`.

    Fitted on reviews; a second fit starts from scratch. With the same settings of the base, data
    and seed, the base is the same for all kinds of fine-tuning, and bot play and its control use
    the same batches.
    """

    name: ClassVar[str] = "bot_play"
    reads = frozenset({"user_ids", "item_features", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = BotPlayConfig
    parts: ClassVar[tuple[str, ...]] = ("weights",)
    _config: BotPlayConfig

    def fit(self, data: AspectReviews) -> FitReport:
        """Train a base and fine-tune it.

        Raises:
            AgentError: If there is no train review or the base does not suit the data.
        """
        config, generator = self._config, self._new_generator()
        tables = Tables.of(data, generator.device, normalise=config.normalise_counts)
        if config.base == "bpr":
            model, report = fit_bpr(tables, config.bpr, generator)
        else:
            model, report = fit_plrec(tables, config.plrec, self._seed, generator)
        if config.fine_tuning != "none":
            listens = config.fine_tuning == "bot_play"
            report += fine_tune(model, tables, config.play, generator, listens=listens)
        self._model = copy.deepcopy(model).double().eval()  # float64 for acting
        return FitReport(rows=len(tables.users), losses=report)

    @torch.no_grad()
    def scores(self, obs: Observation) -> Floats:
        """Return the scores of all items after all critiques, ``(B, I)``.

        Raises:
            AgentError: If the agent was not fitted.
        """
        config, model = self._config, self.model
        scores = model.scores(self.latent(obs, listens=config.listens))
        if config.critique_weight != 1.0:
            before = model.scores(self.latent(obs, listens=False))
            scores = before + config.critique_weight * (scores - before)
        values: Floats = scores.cpu().numpy()
        return values

    @torch.no_grad()
    def latent(self, obs: Observation, *, listens: bool) -> Tensor:
        """Return the vectors of the users, z, with or without their critiques, ``(B, d)``."""
        model = self.model
        users = torch.as_tensor(obs["user"][:, 0], dtype=torch.long, device=model.users.device)
        preferences = model.first_preferences(users)
        if listens:
            critiqued = torch.as_tensor(obs["critiqued"], device=preferences.device)
            preferences = preferences + critiqued * preferences.clamp(min=1)
        return model.latent(users, preferences)

    @torch.no_grad()
    def justification(self, obs: Observation, items: Ints) -> tuple[Bools, Floats]:
        """Return the aspects in the justification of items, ``(B,)``, and logits, ``(B, K)``."""
        latent = self.latent(obs, listens=self._config.listens)
        logits = self.model.logits(latent, torch.as_tensor(items, device=latent.device))
        probability: Floats = torch.sigmoid(logits).cpu().numpy()
        threshold: float | Floats | None = self._config.threshold
        if threshold is None:
            draws = self._draws_at(obs["turn"][:, 0])
            threshold = draws.uniform(JUSTIFICATION, probability.shape[1])
        aspects: Bools = probability > threshold
        return aspects, logits.cpu().numpy()

    def _rebuild(self, state: Mapping[str, Any]) -> CritiquedModel:
        problem, config = self._problem, self._config
        counts = torch.zeros(problem.num_users, problem.num_aspects)
        layers = {}
        if config.base == "bpr":
            layers = {"enc_layers": config.bpr.enc_layers, "proj_layers": config.bpr.proj_layers}
        dim = config.bpr.dim if config.base == "bpr" else config.plrec.dim
        generator = self._new_generator()
        return CritiquedModel(counts, problem.num_items, dim, generator, **layers).double()
