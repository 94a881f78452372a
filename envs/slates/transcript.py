"""A step of a slate environment as a line of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def transcript(info: Mapping[str, Any]) -> str:
    """Describe a step of one user.

    Args:
        info: Info of `envs.slates.env.SlateRecEnv`; empty before the first slate.
    """
    if not info:
        return "a new user; nothing shown yet"
    items = [str(item) if item >= 0 else "-" for item in info["items"]]
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
