"""Where a user model comes from: a folder, or a log that it is fitted to once."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envs.learned.config import UserModelConfig
from envs.learned.fitting import fit_user_model
from envs.learned.model import UserModel
from envs.learned.storage import load_model, save_model, source_of
from recsim.errors import UserError
from recsim.log import read_log
from recsim.settings import validated


def user_model_of(
    model: str | None = None,
    reader: str | None = None,
    path: str | None = None,
    options: Mapping[str, Any] | None = None,
    fit: Mapping[str, Any] | None = None,
    device: str | None = None,
) -> UserModel:
    """Load a model, or fit it to a log and keep it.

    Args:
        model: Folder of the model. Where it holds none yet, and a log is given, the model that is
            fitted to the log is saved there.
        reader: Name of a reader of logs.
        path: Where the log is.
        options: Further settings of the reader.
        fit: Settings of the fit, see `envs.learned.config.UserModelConfig`.
        device: Where the networks compute, in place of the one of the settings.

    Raises:
        UserError: There is neither a model nor a log, the log is not fit for it, or the model in
            the folder was fitted to something else.
    """
    if (reader is None) != (path is None):
        raise UserError("LearnedRec-v0 needs both reader and path to read a log.")
    if reader is None:
        if model is None:
            raise UserError(
                "LearnedRec-v0 needs users to learn from: give reader and path of a log, or model, "
                "the folder of a saved one."
            )
        if options or fit:
            raise UserError("options and fit belong to a log: give reader and path too.")
        return load_model(model, device)
    settings = validated(UserModelConfig, dict(fit or {}), "fit").model_dump(exclude={"device"})
    source = {"reader": reader, "path": str(path), "options": dict(options or {}), "fit": settings}
    # As it comes back from a file.
    wanted = json.loads(json.dumps(source, default=str))
    device = device or (fit or {}).get("device", "cpu")
    if model is None:
        return _fitted(json.dumps(wanted, sort_keys=True), device)
    known = source_of(model)
    if known is None:
        save_model(_fitted(json.dumps(wanted, sort_keys=True), device), model, wanted)
    elif known != wanted:
        differ = [name for name, value in wanted.items() if known.get(name) != value]
        raise UserError(
            f"the model at {Path(model)} was fitted to something else (other {', '.join(differ)}): "
            "choose another folder, or remove this one."
        )
    return load_model(model, device)


@functools.lru_cache(maxsize=4)
def _fitted(source: str, device: str) -> UserModel:
    given = json.loads(source)
    log = read_log(given["reader"], path=given["path"], **given["options"])
    return fit_user_model(log, UserModelConfig(**given["fit"], device=device))
