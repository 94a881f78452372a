"""Where a user model comes from: a folder, or a log that it is fitted to once."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from envs.learned.config import UserModelConfig
from envs.learned.fitting import fit_user_model
from envs.learned.model import UserModel
from envs.learned.settings import LearnedRecSettings
from envs.learned.storage import load_model, save_model, source_of
from recsim.errors import EnvError
from recsim.log import read_log


def user_model_of(settings: LearnedRecSettings) -> UserModel:
    """Load a model, or fit it to a log and keep it.

    With a folder and a log, the model that is fitted to the log is saved in the folder if there is
    none yet; later calls load it.

    Raises:
        UserError: If there is neither a model nor a log, the log cannot be used, or the model in
            the folder was fitted to something else.
    """
    folder = settings.model
    if settings.reader is None:
        if folder is None:
            raise EnvError(
                "LearnedRec-v0 needs users to learn from: give reader and path of a log, or model, "
                "the folder of a saved one."
            )
        return load_model(folder, settings.device)
    fit = settings.fit or UserModelConfig()
    source = {
        "reader": settings.reader,
        "path": settings.path,
        "options": dict(settings.options or {}),
        "fit": fit.model_dump(exclude={"device"}),
    }
    text = json.dumps(source, sort_keys=True, default=str)
    device = settings.device or fit.device
    if folder is None:
        return _fitted(text, device)
    wanted = json.loads(text)  # as it is read back from the folder
    known = source_of(folder)
    if known is None:
        save_model(_fitted(text, device), folder, wanted)
    elif known != wanted:
        differ = [name for name, value in wanted.items() if known.get(name) != value]
        raise EnvError(
            f"the model at {Path(folder)} was fitted to something else (other "
            f"{', '.join(differ)}): choose another folder, or remove this one."
        )
    return load_model(folder, device)


@functools.lru_cache(maxsize=4)
def _fitted(source: str, device: str) -> UserModel:
    given = json.loads(source)
    log = read_log(given["reader"], path=given["path"], **given["options"])
    return fit_user_model(log, UserModelConfig(**given["fit"], device=device))
