"""The agent: ranks, justifies and is criticised."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from agents.bot_play.bpr import BPR, fit_bpr
from agents.bot_play.fine_tuning import fine_tune
from agents.bot_play.model import CritiquedModel
from agents.bot_play.play import Play
from agents.bot_play.plrec import PLRec, fit_plrec
from agents.bot_play.tables import Tables
from agents.critiquing.filtering import best_allowed, filtered
from agents.shared.devices import torch_generator
from recsim.contracts.critiquing import Showing
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem
from recsim.critiquing.streams import uniform
from recsim.errors import UserError

# What the random numbers of a session are for.
_JUSTIFY = 0xB07


class BotPlayConfig(AgentConfig):
    """Settings of `BotPlayAgent`; one that has no effect is a mistake.

    Attributes:
        base: How the recommender is trained at first: ``bpr``, by gradient, or ``plrec``, in closed
            form.
        fine_tuning: What it is trained on by: ``bot_play``; ``control``, as much of the same but
            without a critique; ``none``.
        bpr: Settings of that base.
        plrec: Settings of that base.
        play: Settings of fine-tuning.
        normalise_counts: Whether what a user wrote of is divided by what they wrote of most, so
            that a critique weighs 1.
        listens: Whether critiques change the preferences; if not, what is shown is what is next in
            the first ranking.
        critique_weight: s, of ``s scores(c) + (1 - s) scores(c_0)``: a geometric mean of what the
            softmaxes of the rankings with and without critiques say.
        aspect_filter: Whether an item that has a criticised aspect is shown only when all others
            were; see `agents.critiquing.filtering`.
        threshold: Probability above which an aspect is in the justification; None to sample.
        device: Where torch computes: ``cpu``, ``cuda`` ...
    """

    base: Literal["bpr", "plrec"] = "bpr"
    fine_tuning: Literal["bot_play", "control", "none"] = "bot_play"
    bpr: BPR = BPR()
    plrec: PLRec = PLRec()
    play: Play = Play()
    normalise_counts: bool = False
    listens: bool = True
    critique_weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    aspect_filter: bool = False
    threshold: float | None = Field(default=None, ge=0, le=1)
    device: str = "cpu"

    @model_validator(mode="after")
    def _every_setting_has_an_effect(self) -> Self:
        other = "plrec" if self.base == "bpr" else "bpr"
        for key, idle in (
            (other, True),
            ("play", self.fine_tuning == "none"),
            ("critique_weight", not self.listens),
        ):
            if idle and key in self.model_fields_set:
                raise ValueError(f"{key!r} has no effect with these settings: leave it out")
        for key in ("seeker", "critiques"):
            if self.fine_tuning == "control" and key in self.play.model_fields_set:
                raise ValueError(f"'play.{key}' has no effect: the control hears no critique")
        return self


class BotPlayAgent:
    """Learns from critiques by playing with a seeker; see `agents.bot_play`.

    Fitted on reviews; a second fit starts anew. Bases of the same settings, data and seed are the
    same, whatever they are fine-tuned by, and so are the batches of bot play and its control.
    """

    name: ClassVar[str] = "bot_play"
    Config: ClassVar[type[AgentConfig]] = BotPlayConfig
    critiquing: ClassVar[bool] = True

    def __init__(self, config: BotPlayConfig, problem: CritiquingProblem, seed: int) -> None:
        self._config, self._problem, self._seed = config, problem, seed
        self._generator()  # whether there is such a device
        self._model: CritiquedModel | None = None  # in float64, for acting
        self._sessions: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    @property
    def model(self) -> CritiquedModel:
        """What was learned.

        Raises:
            UserError: Nothing was.
        """
        if self._model is None:
            raise UserError("agent 'bot_play' must be fitted before it can act.")
        return self._model

    def fit(self, data: AspectReviews) -> FitReport:
        """Train a base, and fine-tune it.

        Raises:
            UserError: There is no train review, or the base does not suit the data.
        """
        config, generator = self._config, self._generator()
        tables = Tables.of(data, generator.device, normalise=config.normalise_counts)
        if config.base == "bpr":
            model, report = fit_bpr(tables, config.bpr, generator)
        else:
            model, report = fit_plrec(tables, config.plrec, self._seed, generator)
        if config.fine_tuning != "none":
            listens = config.fine_tuning == "bot_play"
            report += fine_tune(model, tables, config.play, generator, listens=listens)
        self._take(model)
        return FitReport(rows=len(tables.users), losses=report)

    def begin(self, sessions: NDArray[np.int64]) -> None:
        """Forget all sessions, and expect new ones of these numbers, ``(B,)``."""
        self._sessions = np.asarray(sessions, dtype=np.int64)

    @torch.no_grad()
    def act(self, obs: Observation) -> Showing:
        """Judge all items, and justify the one shown, in every session.

        Raises:
            UserError: The agent was not fitted.
        """
        config, model = self._config, self.model
        scored = model.scores(self.latent(obs, listens=config.listens))
        if config.critique_weight != 1.0:
            before = model.scores(self.latent(obs, listens=False))
            scored = before + config.critique_weight * (scored - before)
        # What the size of the batch does to the last bits of a product is rounded away.
        scores = scored.cpu().numpy().astype(np.float32).astype(np.float64)
        if config.aspect_filter:
            scores = filtered(scores, obs["critiqued"], self._problem.item_aspects)
        items = best_allowed(scores, obs["action_mask"])
        return Showing(scores, *self.justification(obs, items))

    @torch.no_grad()
    def latent(self, obs: Observation, *, listens: bool) -> Tensor:
        """Return who the users are, z, with or without what they criticised, ``(B, d)``."""
        model = self.model
        users = torch.as_tensor(obs["user"][:, 0], dtype=torch.long, device=model.users.device)
        preferences = model.first_preferences(users)
        if listens:
            critiqued = torch.as_tensor(obs["critiqued"], device=preferences.device)
            preferences = preferences + critiqued * preferences.clamp(min=1)
        return model.latent(users, preferences)

    @torch.no_grad()
    def justification(
        self, obs: Observation, items: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return the aspects that items, ``(B,)``, are recommended for, and logits, ``(B, K)``."""
        latent = self.latent(obs, listens=self._config.listens)
        logits = self.model.logits(latent, torch.as_tensor(items, device=latent.device))
        return self._drawn(logits, obs["turn"][:, 0]), logits.cpu().numpy()

    def state_dict(self) -> dict[str, Any]:
        """Return the seed and the weights, if there are any."""
        weights = None
        if self._model is not None:
            weights = {name: value.cpu() for name, value in self._model.state_dict().items()}
        return {"seed": self._seed, "weights": weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the weights of the saved agent.

        Raises:
            UserError: They are of another catalogue, other users or other settings.
        """
        self._seed = int(state["seed"])
        if state["weights"] is None:
            self._model = None
            return
        problem, config = self._problem, self._config
        counts = torch.zeros(problem.num_users, problem.num_aspects)
        layers = {}
        if config.base == "bpr":
            layers = {"enc_layers": config.bpr.enc_layers, "proj_layers": config.bpr.proj_layers}
        dim = config.bpr.dim if config.base == "bpr" else config.plrec.dim
        model = CritiquedModel(counts, problem.num_items, dim, self._generator(), **layers)
        try:
            model.double().load_state_dict(state["weights"])
        except RuntimeError as error:
            raise UserError(
                f"saved agent state: of other settings or another catalogue: {error}"
            ) from error
        self._take(model)

    def _generator(self) -> torch.Generator:
        return torch_generator("bot_play", self._config.device, self._seed)

    def _take(self, model: CritiquedModel) -> None:
        self._model = copy.deepcopy(model).double().eval()

    def _drawn(self, logits: Tensor, turns: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return the aspects of the justification, ``(B, K)``."""
        probability: NDArray[np.float64] = torch.sigmoid(logits).cpu().numpy()
        threshold = self._config.threshold
        if threshold is not None:
            above: NDArray[np.bool_] = probability > threshold
            return above
        width = probability.shape[1]
        drawn: NDArray[np.bool_] = (
            uniform(self._seed, self._sessions, turns.astype(np.int64), width, _JUSTIFY)
            < probability
        )
        return drawn
