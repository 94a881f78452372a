"""User models on disk: one file that ``torch.load(weights_only=True)`` can open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envs.learned.config import UserModelConfig
from envs.learned.error import ModelError
from envs.learned.model import UserModel, build_networks
from envs.learned.outcomes import FeedbackValues, ReturnClasses
from recsim.arrays import torch_device
from recsim.errors import EnvError, UserError
from recsim.files import load_state, save_state
from recsim.problem import Problem

FILE = "user_model.pt"
_FORMAT = "slaterec-user-model-1"


def save_model(
    model: UserModel, folder: str | Path, source: Mapping[str, Any] | None = None
) -> Path:
    """Write a model atomically.

    Args:
        model: The model.
        folder: Folder of the file; it is made if missing, and a model in it is replaced.
        source: The log and the settings of the fit, as plain data, stored with the model.

    Returns:
        The file.

    Raises:
        EnvError: If the file cannot be written.
    """
    file = Path(folder) / FILE
    state: dict[str, Any] = {
        "format": _FORMAT,
        "source": dict(source or {}),
        "config": model.config.model_dump(),
        "problem": model.problem.plain(),
        "population": model.population,
        "response": dict(model.response.state_dict()),
        "scaling": model.scaling,
        "at_most_one": model.at_most_one,
        "end_hazard": model.end_hazard,
        "feedback": vars(model.feedback),
        "error": model.error.to_dict(),
    }
    if model.returning is not None and model.returns is not None:
        state["returning"] = dict(model.returning.state_dict())
        state["return_scaling"] = model.return_scaling
        state["returns"] = vars(model.returns)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_state(draft, state)
        draft.replace(file)
    except OSError as error:
        raise EnvError(f"model: {file} cannot be written: {error.strerror}.") from error
    return file


def load_model(folder: str | Path, device: str | None = None) -> UserModel:
    """Load a model that `save_model` wrote.

    Args:
        folder: The folder.
        device: Torch device of the networks; None for the one of the fit.

    Raises:
        UserError: If there is no model, the file is not one, or there is no such device.
    """
    state = _read(folder)
    config = UserModelConfig(**state["config"])
    if device is not None:
        config = config.model_copy(update={"device": device})
    torch_device(config.device)
    problem = Problem.of_plain(state["problem"])
    returns = ReturnClasses(**state["returns"]) if "returns" in state else None
    classes = 0 if returns is None else len(returns.values)
    response, returning = build_networks(config, problem, state["population"], classes)
    response.load_state_dict(state["response"])
    if returning is not None:
        returning.load_state_dict(state["returning"])
    return UserModel(
        config=config,
        problem=problem,
        population=state["population"],
        response=response,
        scaling=state["scaling"],
        at_most_one=state["at_most_one"],
        end_hazard=state["end_hazard"],
        feedback=FeedbackValues(**state["feedback"]),
        error=ModelError.from_dict(state["error"]),
        returning=returning,
        return_scaling=state.get("return_scaling"),
        returns=returns,
    )


def source_of(folder: str | Path) -> dict[str, Any] | None:
    """Return the source of a saved model, see `save_model`; None if there is no model."""
    if not (Path(folder) / FILE).exists():
        return None
    source: dict[str, Any] = _read(folder)["source"]
    return source


def _read(folder: str | Path) -> dict[str, Any]:
    file = Path(folder) / FILE
    if not file.exists():
        raise EnvError(f"There is no user model at {folder}: a model is a folder with {FILE}.")
    try:
        state = load_state(file)
    except UserError as error:
        raise EnvError(f"{file} is not a user model: {error}") from None
    if state.get("format") != _FORMAT:
        raise EnvError(f"{file} is not a user model that this version of SlateRec can read.")
    return state
