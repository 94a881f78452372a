"""CE-VAE is criticised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from agents.critiquing.baseline import Baseline, BaselineConfig
from agents.critiquing.ce_vae.model import CEVAE
from agents.critiquing.ce_vae.training import train
from agents.shared.devices import torch_generator
from agents.shared.slates import top_slates
from recsim.contracts.slates import FitReport, Observation
from recsim.critiquing import AspectReviews, CritiquingProblem
from recsim.errors import UserError

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


class CEVAEConfig(BaselineConfig):
    """Settings of `CEVAEAgent`.

    Attributes:
        critique: What becomes of the prediction of a criticised aspect. ``minimum``: it becomes the
            smallest of the user. ``redistribute``: what it loses by that goes in equal parts to the
            aspects that nothing was said of.
        explained: Aspects in a justification.
        dim: Size of the latent space.
        beta: Weight of the divergence from the prior.
        corruption: Share of a user's items dropped at random in training.
        epochs: Passes over the users at most.
        batch_size: Users per step.
        learning_rate: Of Adam.
        l2: Weight decay of Adam.
        evaluate_every: Epochs between looks at the items held out for choosing.
        patience: Looks without a better rank after which training ends.
        device: Where torch trains; acting is on the CPU.
    """

    critique: Literal["minimum", "redistribute"] = "minimum"
    explained: int = Field(10, ge=1)
    dim: int = Field(100, ge=1)
    beta: float = Field(0.01, ge=0)
    corruption: float = Field(0.4, ge=0, lt=1)
    epochs: int = Field(300, ge=1)
    batch_size: int = Field(128, ge=1)
    learning_rate: float = Field(5e-3, gt=0)
    l2: float = Field(1e-3, ge=0)
    evaluate_every: int = Field(5, ge=1)
    patience: int = Field(10, ge=1)
    device: str = "cpu"


class CEVAEAgent(Baseline):
    """Criticises the latent vector of an autoencoder of items and aspects; see the package."""

    name: ClassVar[str] = "ce_vae"
    Config: ClassVar[type[BaselineConfig]] = CEVAEConfig
    _config: CEVAEConfig

    def __init__(self, config: CEVAEConfig, problem: CritiquingProblem, seed: int) -> None:
        super().__init__(config, problem, seed)
        self._arrays: dict[str, NDArray[np.float64]] = {}  # for acting

    def fit(self, data: AspectReviews) -> FitReport:
        """Train on the train part; stop by the valid part.

        Raises:
            UserError: There is no such device.
        """
        config, device = self._config, self._config.device
        generator = torch_generator(self.name, device, self._seed)
        # The last row is somebody of whom nothing is known.
        rows = np.append(np.arange(data.num_users), -1)
        everybody = torch.from_numpy(data.taken(rows)).float().to(device)
        written = torch.from_numpy(data.user_counts > 0).float().to(device)
        valid = data.rows("valid")
        held_out = tuple(torch.from_numpy(of[valid]).to(device) for of in (data.user, data.item))
        model = CEVAE(data.num_items, data.num_aspects, config.dim, generator)
        keys = ("epochs", "batch_size", "learning_rate", "l2", "beta", "corruption")
        settings = config.model_dump(include={*keys, "evaluate_every", "patience"})
        report = train(
            model, everybody[:-1], written, (held_out[0], held_out[1]), generator, **settings
        )
        with torch.no_grad():
            self._arrays = {"users": model.latent(everybody)[0].double().cpu().numpy()}
        for part in ("items", "aspects", "inverse"):
            for name, value in getattr(model, part).named_parameters():
                self._arrays[f"{part}_{name}"] = value.detach().double().cpu().numpy()
        return FitReport(rows=len(data.rows("train")), losses=report)

    def scores(self, obs: Observation) -> Floats:
        """Return the predictions of the items after all critiques."""
        return self._decoded("items", self.latent(obs))

    def justification(self, obs: Observation, items: Ints) -> tuple[Bools, Floats]:
        """Return the aspects predicted highest of those not criticised, whatever the item.

        Returns:
            Which they are, ``(B, K)``, and what is predicted, ``(B, K)``: -inf if criticised.
        """
        criticised = obs["critiqued"] < 0
        predicted = np.where(criticised, -np.inf, self._decoded("aspects", self.latent(obs)))
        best = top_slates(predicted, min(self._config.explained, predicted.shape[1]))
        found: Bools = np.zeros(criticised.shape, dtype=np.bool_)
        np.put_along_axis(found, best, True, axis=1)
        found[criticised] = False
        return found, predicted

    def latent(self, obs: Observation) -> Floats:
        """Return the vectors of the users after all critiques, ``(B, d)``."""
        if not self._arrays:
            raise self.unfitted()
        latent = self._arrays["users"][np.asarray(obs["user"])[:, 0]]
        aspects = criticised_aspects(
            self._decoded("aspects", latent),
            obs["critiqued"],
            redistribute=self._config.critique == "redistribute",
        )
        back = np.maximum(self._decoded("inverse", aspects), 0)
        heard = (np.asarray(obs["critiqued"]) != 0).any(axis=1, keepdims=True)
        after: Floats = np.where(heard, (latent + back) / 2, latent)
        return after

    def _decoded(self, part: str, of: Floats) -> Floats:
        found: Floats = of @ self._arrays[f"{part}_weight"].T + self._arrays[f"{part}_bias"]
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return vectors of users and weights of all linear maps, if there are any."""
        arrays = {name: value.copy() for name, value in self._arrays.items()}
        return super().state_dict() | {"arrays": arrays}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what the saved agent learned.

        Raises:
            UserError: It is of another catalogue.
        """
        arrays = {name: np.array(value) for name, value in state["arrays"].items()}
        if arrays and len(arrays["items_weight"]) != self._problem.num_items:
            raise UserError(
                f"saved agent state: of {len(arrays['items_weight'])} items; "
                f"there are {self._problem.num_items}."
            )
        super().load_state_dict(state)
        self._arrays = arrays


def criticised_aspects(
    predicted: Floats, critiqued: NDArray[np.number[Any]], *, redistribute: bool
) -> Floats:
    """Return predictions of aspects after critiques.

    Args:
        predicted: Of each user, ``(B, K)``.
        critiqued: Below 0 criticised, above praised, 0 neither, ``(B, K)``.
        redistribute: Whether the sum of each user's predictions stays, as far as there are aspects
            that nothing was said of.
    """
    lowest, highest = predicted.min(axis=1, keepdims=True), predicted.max(axis=1, keepdims=True)
    after = np.where(critiqued < 0, lowest, np.where(critiqued > 0, highest, predicted))
    if redistribute:
        silent = np.asarray(critiqued) == 0
        lost = (predicted - after).sum(axis=1, keepdims=True)
        after = after + silent * lost / np.maximum(silent.sum(axis=1, keepdims=True), 1)
    return after
