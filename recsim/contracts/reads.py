"""What agents see: declared by each, and shown under tables, so that like is compared with like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

READS = {
    "user_features": "user features",
    "item_features": "item features",
    "item_groups": "item groups",
    "item_ids": "item ids",
    "user_ids": "user ids",
    "history": "history",
    "returns": "returns",
    "state": "the hidden state of users, which no real system knows",
}
"""What an agent may read, and its name in tables.

``item_features`` are also the attributes and aspects of conversations and critiquing; ``item_ids``
and ``user_ids`` mean that something is learned of single items or users; ``history``: the slates
that the user saw before; ``returns``: whether and when users come back.
"""


def reads_of(agent: Any) -> list[str] | None:
    """Return what an agent declares to read, in the order of `READS`; None if it does not.

    Args:
        agent: An agent or its class, with ``reads``, a set of keys of `READS`.
    """
    declared = getattr(agent, "reads", None)
    if declared is None:
        return None
    return [name for name in READS if name in declared]


def history_of(agent: Any) -> int | None:
    """Return how many past slates or clicks an agent looks at; None if it takes what is offered."""
    config = getattr(agent, "config", getattr(agent, "_config", None))
    history = getattr(config, "history", None)
    return history if isinstance(history, int) else None


def seen_by(agent: Any) -> dict[str, Any]:
    """Return what an agent sees, as plain data for `reads_text`."""
    reads, history = reads_of(agent), history_of(agent)
    content: dict[str, Any] = {"declared": reads is not None, "reads": reads or []}
    return content if history is None else content | {"history": history}


def reads_text(agents: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a sentence on what agents see; "" without agents.

    Args:
        agents: What `seen_by` returned, by label.
    """
    by_words: dict[str, list[str]] = {}
    for label, content in agents.items():
        words = [READS[name] for name in content["reads"]]
        if "history" in content:
            words = [f"{w} ({content['history']})" if w == READS["history"] else w for w in words]
        text = ", ".join(words) or ("nothing" if content["declared"] else "not declared")
        by_words.setdefault(text, []).append(label)
    parts = [f"{', '.join(labels)}: {text}" for text, labels in by_words.items()]
    return f"What they see - {'; '.join(parts)}." if parts else ""
