"""What the kinds of trials share in which agents learn from a part of one log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, PositiveInt, field_validator, model_validator

from recsim.errors import ScenarioError
from recsim.problem import Problem
from recsim.scenario.sources import DataSpec
from recsim.scenario.trial import Results
from recsim.trials.log_source import Source, source_of
from recsim.trials.measured import Measured

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def _rising(cutoffs: tuple[int, ...]) -> tuple[int, ...]:
    if list(cutoffs) != sorted(set(cutoffs)):
        raise ValueError("must be in ascending order")
    return cutoffs


Cutoffs: TypeAlias = Annotated[
    tuple[PositiveInt, ...], Field(min_length=1, strict=False), AfterValidator(_rising)
]
"""The k of the metrics that look at the first k items, in ascending order."""


def check_cutoffs(cutoffs: tuple[int, ...], problem: Problem) -> None:
    """Check that there are as many items as agents are to show.

    Args:
        cutoffs: In ascending order.
        problem: The problem of the log.

    Raises:
        ScenarioError: If the largest cut-off is more than the number of items.
    """
    if cutoffs[-1] > problem.num_items:
        raise ScenarioError(
            f"holdout.cutoffs: {cutoffs[-1]} is more than the number of items in the log: give at "
            f"most {problem.num_items}."
        )


class HeldOut(Measured):
    """Agents are fitted on a part of a log, and scored on the rest.

    Attributes:
        data: The log.
    """

    data: DataSpec

    @model_validator(mode="before")
    @classmethod
    def _needs_data(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("data") is None:
            raise ValueError("'holdout' needs 'data', a log: simulated users are in no log")
        return value

    @field_validator("data")
    @classmethod
    def _one_log(cls, data: DataSpec) -> DataSpec:
        for key in ("each", "reference"):
            if getattr(data, key):
                raise ValueError(f"'data.{key}' has no effect with 'holdout': remove it")
        return data

    def figures(
        self, results: Results, seeds: pd.DataFrame, table: pd.DataFrame
    ) -> Mapping[str, Callable[[], Figure]]:
        """Return the shown metrics of all agents."""
        from recsim.report import plots

        names = self.shown_metrics(list(seeds.columns[2:]))
        level = self.level
        return {"metrics": partial(plots.metrics, table, names, level=level, title=self.name)}

    @property
    def _source(self) -> Source:
        return source_of(self.data)
