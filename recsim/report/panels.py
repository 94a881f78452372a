"""Which curves of simulated users are drawn, and what they are called."""

from __future__ import annotations

_PER = {"step": "per slate", "day": "per day"}
_PANELS_OF_ROUNDS = [
    ("reward", "Reward per slate"),
    ("immediate_regret", "Immediate regret per slate"),
    ("cumulative_immediate_regret", "Immediate regret so far,\nper user of a round"),
    ("active", "Share of users still there\nat the end of a round"),
]


def reward_panels(axis: str, *, regret: bool = True) -> list[tuple[str, str]]:
    """Return column and heading of each panel of reward curves over an axis.

    Args:
        axis: ``step``, ``day`` or ``round``.
        regret: Whether there are panels of the immediate regret.
    """
    panels = _PANELS_OF_ROUNDS if axis == "round" else _panels(_PER[axis])
    return [(name, heading) for name, heading in panels if regret or "regret" not in name]


def _panels(per: str) -> list[tuple[str, str]]:
    return [
        ("immediate", f"Immediate: reward {per},\nusers still there"),
        ("cumulative_reward", "Long-term: reward so far,\nper initial user"),
        ("cumulative_return", "Long-term: return reward so far,\nper initial user"),
        ("active", "Long-term: share of users\nstill there"),
        ("cumulative_immediate_regret", "Immediate regret so far,\nper initial user"),
    ]
