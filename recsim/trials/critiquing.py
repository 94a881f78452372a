"""Users critique the explanations of agents: do critiques help to find an item?"""

from __future__ import annotations

from typing import Any, ClassVar

from recsim.metrics.metric import Metric
from recsim.play.critiquing import (
    critique_curves,
    critique_metrics,
    critique_users,
    play_critiquing,
)
from recsim.trials.sessions import Played, Sessions

_SHARE = "share of sessions"
# Cut-offs of rankings; all but the first place.
_ALL, _OTHERS = (1, 5, 10, 20), (5, 10, 20)
_JUSTIFICATIONS = ("justification", "justification_of_item")


class Critiquing(Sessions):
    """There is one session for every goal of the environment's split."""

    name_of_kind: ClassVar[str] = "critiquing"
    action: ClassVar[str] = "scores"
    panels: ClassVar[tuple[tuple[str, str], ...]] = (
        ("found", "Share of sessions in which\nthe goal was found"),
        ("found_by_critiques", "Gain over the same sessions\nwithout critiques"),
    )
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("sr_final@1", _SHARE, shown=True),
        Metric("base_sr_final@1", _SHARE, shown=True),
        Metric("gain", "difference of shares", shown=True),
        Metric("sr_first@10", _SHARE, shown=True),
        Metric("al", "turns", better="low", shown=True),
        Metric("mrr", "reciprocal rank", shown=True),
        Metric("justification_f1", "0 to 1", shown=True),
        Metric("sr_final", _SHARE, cutoffs=_OTHERS),
        Metric("sr_first", _SHARE, cutoffs=(1, 5, 20)),
        Metric("al", "turns", better="low", cutoffs=_OTHERS),
        Metric("base_sr_final", _SHARE, cutoffs=_OTHERS),
        Metric("base_al", "turns", better="low"),
        Metric("base_al", "turns", better="low", cutoffs=_OTHERS),
        Metric("immediate", _SHARE),
        Metric("long_term", "discounted share of sessions"),
        Metric("won", _SHARE),
        Metric("equal", _SHARE, better=""),
        Metric("lost", _SHARE, better="low"),
        Metric("auc", "0 to 1"),
        Metric("hr", _SHARE, cutoffs=_ALL),
        Metric("ndcg", "0 to 1", cutoffs=_ALL),
        Metric("f_map", "difference of average precision", cutoffs=_OTHERS),
        Metric("critiques", "critiques per session", better=""),
        Metric("reward", "reward per session"),
        Metric("aspects_shown", "aspects per turn", better=""),
        Metric("justification_precision", "0 to 1"),
        Metric("justification_recall", "0 to 1"),
        *(
            Metric(f"justification_of_item_{part}", "0 to 1")
            for part in ("precision", "recall", "f1")
        ),
        *(
            Metric(f"{of}_{name}", "0 to 1", cutoffs=_OTHERS)
            for of in _JUSTIFICATIONS
            for name in ("ndcg", "map", "recall", "precision")
        ),
    )

    def play(self, env: Any, agent: Any, seed: int) -> Played:
        """Hold one session about every goal of the split."""
        sessions = play_critiquing(env, agent, seed=seed)
        return Played(
            sessions,
            critique_metrics(sessions),
            critique_curves(sessions),
            critique_users(sessions),
        )
