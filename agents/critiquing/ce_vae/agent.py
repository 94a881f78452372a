"""The agent: CE-VAE in critiquing sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from agents.critiquing.ce_vae.config import CEVAEConfig
from agents.critiquing.ce_vae.model import CEVAE
from agents.critiquing.ce_vae.training import train
from agents.critiquing.scoring import ScoringAgent
from agents.shared.slates import top_slates
from agents.shared.torch_agent import DeviceAgent
from recsim.arrays import AnyFloats, Bools, Floats, Ints
from recsim.contracts.slates import AgentConfig, FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem


class CEVAEAgent(DeviceAgent, ScoringAgent):
    """An autoencoder of items and aspects with critiques in its latent space; see the package."""

    name: ClassVar[str] = "ce_vae"
    reads = frozenset({"user_ids", "item_features", "item_ids"})
    Config: ClassVar[type[AgentConfig]] = CEVAEConfig
    _config: CEVAEConfig

    def __init__(self, config: CEVAEConfig, problem: CritiquingProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._arrays: dict[str, Floats] = {}  # for acting

    def fit(self, data: AspectReviews) -> FitReport:
        """Train on the train part, with early stopping on the valid part."""
        generator = self._new_generator()
        # The last row is a user without reviews, for unknown users.
        rows = np.append(np.arange(data.num_users), -1)
        taken = self._tensor(data.taken(rows)).float()
        mentioned = self._tensor(data.user_counts > 0).float()
        part = data.rows("valid")
        valid = self._tensor(data.user[part]), self._tensor(data.item[part])
        model = CEVAE(data.num_items, data.num_aspects, self._config.dim, generator)
        report = train(model, taken[:-1], mentioned, valid, self._config, generator)
        with torch.no_grad():
            self._arrays = {"users": model.latent(taken)[0].double().cpu().numpy()}
        for name in ("items", "aspects", "inverse"):
            for key, value in getattr(model, name).named_parameters():
                self._arrays[f"{name}_{key}"] = value.detach().double().cpu().numpy()
        return FitReport(rows=len(data.rows("train")), losses=report)

    def scores(self, obs: Observation) -> AnyFloats:
        """Return the predictions for the items after all critiques, ``(B, I)``."""
        return self._decoded("items", self.latent(obs))

    def justification(self, obs: Observation, items: Ints) -> tuple[Bools, AnyFloats]:
        """Return the aspects with the highest predictions and no critique, whatever the item.

        Returns:
            Which aspects, ``(B, K)``, and the predictions, ``(B, K)``, -inf for critiqued aspects.
        """
        critiqued = obs["critiqued"] < 0
        predicted = np.where(critiqued, -np.inf, self._decoded("aspects", self.latent(obs)))
        best = top_slates(predicted, min(self._config.explained, predicted.shape[1]))
        aspects: Bools = np.zeros(critiqued.shape, dtype=np.bool_)
        np.put_along_axis(aspects, best, True, axis=1)
        aspects[critiqued] = False
        return aspects, predicted

    def latent(self, obs: Observation) -> AnyFloats:
        """Return the vectors of the users after all critiques, ``(B, d)``."""
        if not self._arrays:
            raise self.unfitted()
        latent = self._arrays["users"][np.asarray(obs["user"])[:, 0]]
        aspects = critiqued_aspects(
            self._decoded("aspects", latent),
            obs["critiqued"],
            redistribute=self._config.critique == "redistribute",
        )
        back = np.maximum(self._decoded("inverse", aspects), 0)
        any_critique = (np.asarray(obs["critiqued"]) != 0).any(axis=1, keepdims=True)
        after: AnyFloats = np.where(any_critique, (latent + back) / 2, latent)
        return after

    def _decoded(self, part: str, inputs: AnyFloats) -> AnyFloats:
        outputs: AnyFloats = inputs @ self._arrays[f"{part}_weight"].T
        return outputs + self._arrays[f"{part}_bias"]

    def _learned(self) -> dict[str, Any]:
        arrays = {name: value.copy() for name, value in self._arrays.items()}
        return super()._learned() | {"arrays": arrays}

    def _restore(self, state: Mapping[str, Any]) -> None:
        arrays = {name: np.array(value) for name, value in state["arrays"].items()}
        num_items = self._problem.num_items
        if arrays and len(arrays["items_weight"]) != num_items:
            raise self.misfit(f"it has {len(arrays['items_weight'])} items; there are {num_items}")
        super()._restore(state)
        self._arrays = arrays


def critiqued_aspects(
    predicted: AnyFloats, critiqued: NDArray[np.number[Any]], *, redistribute: bool
) -> AnyFloats:
    """Return the predictions of aspects after critiques.

    Args:
        predicted: Predictions, ``(B, K)``.
        critiqued: Negative or positive like the critique, 0 for none, ``(B, K)``.
        redistribute: Whether the sum of each user's predictions is kept, if there are aspects
            without a critique.
    """
    lowest, highest = predicted.min(axis=1, keepdims=True), predicted.max(axis=1, keepdims=True)
    after = np.where(critiqued < 0, lowest, np.where(critiqued > 0, highest, predicted))
    if redistribute:
        others = np.asarray(critiqued) == 0
        lost = (predicted - after).sum(axis=1, keepdims=True)
        after = after + others * lost / np.maximum(others.sum(axis=1, keepdims=True), 1)
    return after
