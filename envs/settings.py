"""What a person may set of an environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import model_validator

from envs.world.part import Part
from recsim.errors import EnvError
from recsim.settings import validated


class EnvSettings(Part):
    """Base of the settings of an environment.

    An environment names its model in the class attribute ``Settings``. Its scalar and its vector
    face build the model from their keyword arguments, and scenarios check their ``env`` block
    against it. The values are plain data, so that an environment's spec can be written as JSON;
    objects such as logs and models are separate arguments of the constructors.

    Attributes:
        env_id: Gymnasium id of the environment, the prefix of error messages.
    """

    env_id: ClassVar[str]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Build the settings from keyword arguments.

        Raises:
            EnvError: If a key is unknown or a value is wrong; the message names the key.
        """
        return validated(cls, given, cls.env_id, error=EnvError)

    @model_validator(mode="before")
    @classmethod
    def _plain_data(cls, given: Any) -> Any:
        return _plain(given)


def _plain(value: Any) -> Any:
    """Return numpy scalars as Python numbers and paths as text, in nested mappings too."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return value
