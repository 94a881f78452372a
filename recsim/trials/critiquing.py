"""Users critique the explanations of agents: do critiques help to find an item?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PositiveInt

from recsim.metrics.metric import Metric
from recsim.play.critiquing import critique_curves, critique_metrics, play_critiquing
from recsim.scenario.environments import check_action, environment_kind, make_env
from recsim.scenario.sources import EnvSpec
from recsim.scenario.trial import Results, Trial, TrialResult
from recsim.trials.measured import Measured
from recsim.trials.seeds import TrialSeeds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_SHARE = "share of sessions"
_PANELS = [
    ("found", "Share of sessions in which\nthe goal was found"),
    ("found_by_critiques", "Gain over the same sessions\nwithout critiques"),
]
# Cut-offs of rankings; all but the first place.
_ALL, _OTHERS = (1, 5, 10, 20), (5, 10, 20)
_JUSTIFICATIONS = ("justification", "justification_of_item")


class Critiquing(Measured):
    """There is one session for every goal of the environment's split.

    Attributes:
        env: The users and their goals.
        users: Sessions at a time; the outcome does not depend on it.
    """

    name_of_kind: ClassVar[str] = "critiquing"
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

    env: EnvSpec
    users: PositiveInt = 256

    @classmethod
    def claims(cls, content: dict[str, Any]) -> bool:
        """Return whether the environment takes critiques."""
        return environment_kind(content) == "critiquing"

    def check(self) -> None:
        """Build the environment and every agent."""
        check_action(self.env, "scores")
        with closing(make_env(self.env, 2)) as env:
            problem = env.unwrapped.problem  # type: ignore[attr-defined]
            for spec in self.agents:
                spec.build(problem, seed=0)
        known = [name for metric in self.declared for name in metric.names]
        self.check_metrics("metrics", self.metrics or (), known)

    def run(self, trial: Trial) -> TrialResult:
        """Fit on the train split, and hold one session about every goal of the split."""
        seeds = TrialSeeds.of(trial.seed)
        spec = self.agent(trial.agent)
        with closing(make_env(self.env, self.users)) as env:
            world: Any = env.unwrapped
            agent = spec.build(world.problem, seeds.agent)
            fitted = agent.fit(world.training_data)
            sessions = play_critiquing(env, agent, seed=seeds.users)
        return self.measured(
            trial,
            critique_metrics(sessions),
            sessions,
            agent,
            fitted,
            curves=critique_curves(sessions),
        )

    def figures(
        self, results: Results, seeds: pd.DataFrame, table: pd.DataFrame
    ) -> Mapping[str, Callable[[], Figure]]:
        """Return the share of sessions in which the goal was found, by turn."""
        return {"curves": self.curves_figure(results, _PANELS)}
