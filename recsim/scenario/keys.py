"""Types that keys of a scenario share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

# Names and labels become folder names.
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=80)]

# Every seed is a trial of every agent; a larger number is a mistake.
_MOST_SEEDS = 10_000


class Keys(BaseModel):
    """A block of a scenario: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of a list key.

    Raises:
        ValueError: If one is listed twice.
    """
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"lists {value!r} twice")
    return values


def _counted(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError("there must be at least one seed")
        if value > _MOST_SEEDS:
            raise ValueError(f"must be at most {_MOST_SEEDS} seeds, not {value}")
        return tuple(range(value))
    if isinstance(value, list | tuple):
        return value
    raise ValueError("must be a number of seeds or a list of seeds")


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    Field(min_length=1, strict=False),
    BeforeValidator(_counted),
]
