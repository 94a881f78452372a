"""What a metric is called, measures and means, and metrics that other packages add."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from recsim.errors import UserError
from recsim.registry import Registry


@dataclass(frozen=True)
class Metric:
    """A number that trials of one kind give for every agent and seed.

    Another package adds a metric by the entry-point group ``recsim.metrics``, which names an
    instance with ``kind`` and ``compute``.

    Attributes:
        name: Name in tables; of a metric with cut-offs, ``name@k``, the part before ``@``.
        unit: What it is counted in, e.g. ``clicks per slate``.
        better: Whether high or low values are good; empty where neither is.
        shown: Whether it is printed unless the scenario names metrics.
        cutoffs: Every k for which there is a ``name@k``; empty for a metric without cut-offs.
        kind: Kind of the trials, for a metric of another package.
        compute: Returns the number, given what trials of this kind produce (see
            docs/python.md), for a metric of another package.
    """

    name: str
    unit: str = ""
    better: Literal["high", "low", ""] = "high"
    shown: bool = False
    cutoffs: tuple[int, ...] = ()
    kind: str = ""
    compute: Callable[[Any], float] | None = None

    @property
    def names(self) -> list[str]:
        """Every name that it has in tables."""
        return [f"{self.name}@{k}" for k in self.cutoffs] or [self.name]


def _check(name: str, target: str, loaded: Any) -> None:
    if not isinstance(loaded, Metric) or loaded.compute is None or not loaded.kind:
        raise UserError(
            f"metric {name!r} ({target}) must be a recsim.Metric with 'kind' and 'compute'."
        )
    if loaded.name != name:
        raise UserError(f"metric {name!r} ({target}) has the name {loaded.name!r}: use one name.")


METRICS = Registry("recsim.metrics", "metric", {}, _check)


def added_metrics(kind: str) -> list[Metric]:
    """Return the metrics that other packages add to trials of a kind, sorted by name.

    Raises:
        UserError: If one cannot be loaded.
    """
    metrics = [METRICS.load(name) for name in METRICS.names()]
    return [metric for metric in metrics if metric.kind == kind]


def metric_of(name: str, declared: Iterable[Metric]) -> Metric:
    """Return what is declared of a metric: of ``name@k`` and of one round what holds of ``name``.

    A named reward per user or per slate is better if it is high.
    """
    base = re.sub("^(first|last)_round_|@.*", "", name)
    declared = list(declared)
    return next((m for wanted in (name, base) for m in declared if m.name == wanted), Metric(name))
