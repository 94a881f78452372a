"""A step of a slate environment as a line of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsim.problem import Names


def transcript(info: Mapping[str, Any], names: Names | None = None) -> str:
    """Describe a step of one user.

    Args:
        info: Info of `envs.slates.env.SlateRecEnv`; empty before the first slate.
        names: Of the items, in place of their numbers.
    """
    if not info:
        return "a new user; nothing shown yet"
    items = [item_label(item, names) or "-" for item in info["items"]]
    clicked = [item for item, click in zip(items, info["clicks"], strict=True) if click]
    parts = [
        f"shown {' '.join(items)}",
        f"clicked {' '.join(clicked) or 'nothing'}",
        " ".join(f"{name} {value:.3f}" for name, value in info["rewards"].items()),
    ]
    if info["churned"]:
        parts.append("the user leaves for good")
    elif info["session_end"]:
        parts.append(f"the session ends; back after {info['gap_days']} days")
    return " | ".join(parts)


def item_label(item: int, names: Names | None) -> str:
    """Return the name of an item, or its number; nothing for -1, an empty slot."""
    if item < 0:
        return ""
    return str(item if names is None else names[item])
