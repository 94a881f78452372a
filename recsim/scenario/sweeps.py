"""Sweeps: one scenario with many values of some of its keys.

::

    sweep:
      grid:
        agents.linucb.config.alpha: [0.1, 0.5, 1.0]    # by label, or by position: agents.1...
        users: [100, 1000]
      select: {metric: reward_per_user, agent: linucb, seeds: 10}

Every combination of the values is a scenario of its own, a *point* of the sweep. With ``optuna`` in
place of ``grid`` the points are chosen one after the other.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PositiveInt, model_validator

from recsim.errors import ScenarioError, did_you_mean, located
from recsim.scenario.files import checked_scenario, find_scenario, read_content
from recsim.scenario.keys import Keys
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.schema import Scenario
from recsim.settings import validated

# Keys that change no number, or by which numbers are averaged.
_FIXED = (
    "name",
    "description",
    "question",
    "output",
    "seeds",
    "sweep",
    "kind",
    "level",
    "metrics",
    "track",
)
Values = dict[str, Any]


class Range(Keys):
    """Numbers that Optuna may draw; whole numbers if both ends are.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether small values are drawn as often as large ones.
    """

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, not {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError("low must be positive with 'log: true'")
        return self


class OptunaSpec(Keys):
    """Points chosen by Optuna's TPE sampler, given the results of those before.

    Attributes:
        space: For each key a list of values, or a range.
        trials: Number of points.
        seed: Seed of the sampler.
    """

    space: Annotated[dict[str, list[Any] | Range], Field(min_length=1)]
    trials: PositiveInt
    seed: Annotated[int, Field(ge=0)] = 0


class SelectSpec(Keys):
    """How the best point is chosen, and measured again.

    Attributes:
        metric: The metric; whether high or low values are better is known of it.
        agent: Label of the agent; may be left out if there is only one.
        seeds: Number of seeds, none of them among those of the sweep, with which the best point is
            run once more; 0 for none.
    """

    metric: Annotated[str, Field(min_length=1)]
    agent: str = ""
    seeds: Annotated[int, Field(ge=0)] = 10


class SweepSpec(Keys):
    """The block ``sweep`` of a scenario.

    Attributes:
        grid: Key to its values; every combination is a point.
        optuna: In place of a grid.
        select: How the best point is chosen; needed by Optuna.
    """

    grid: Annotated[dict[str, list[Any]], Field(min_length=1)] | None = None
    optuna: OptunaSpec | None = None
    select: SelectSpec | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.grid is None) == (self.optuna is None):
            raise ValueError("give 'grid' or 'optuna', one of them")
        if self.optuna is not None and self.select is None:
            raise ValueError("'optuna' needs 'select', such as {metric: reward_per_user}")
        for key, values in self.space().items():
            if isinstance(values, Range):
                continue
            if not values:
                raise ValueError(f"{key!r} has no values")
            texts = [json.dumps(value, sort_keys=True) for value in values]
            for text in texts:
                if texts.count(text) > 1:
                    raise ValueError(f"{key!r} lists {text} twice")
        return self

    def space(self) -> dict[str, list[Any] | Range]:
        """Return the swept keys with their values."""
        found: dict[str, list[Any] | Range] = {}
        found |= self.grid or {}
        found |= self.optuna.space if self.optuna else {}
        return found


@dataclass(frozen=True, eq=False)
class Sweep:
    """A scenario and what is varied.

    Attributes:
        base: The scenario as it stands, without the sweep.
        spec: What is varied.
        content: The scenario as plain data.
        where: The file, for messages; or empty.
    """

    base: Scenario
    spec: SweepSpec
    content: dict[str, Any]
    where: str = ""

    @property
    def keys(self) -> list[str]:
        """The swept keys, in order."""
        return list(self.spec.space())

    @property
    def size(self) -> int:
        """The number of points."""
        if self.spec.optuna is not None:
            return self.spec.optuna.trials
        assert self.spec.grid is not None
        return math.prod(map(len, self.spec.grid.values()))

    def scenario(self, values: Values, seeds: Sequence[int] | None = None) -> Scenario:
        """Return the scenario of a point.

        Args:
            values: Value of every swept key.
            seeds: Other seeds than those of the sweep.

        Raises:
            ScenarioError: If a key does not exist, or a value is wrong.
        """
        content = copy.deepcopy(self.content)
        where = f"{self.where}: sweep" if self.where else "sweep"
        for key, value in values.items():
            with located(where):
                _set(content, key, value)
        if seeds is not None:
            content["seeds"] = list(seeds)
        with located(f"{where}, {in_words(values)}"):
            return parse_scenario(content)

    def grid(self) -> Iterator[Values]:
        """Return the values of every point of a grid, the last key varying fastest."""
        assert self.spec.grid is not None
        for values in itertools.product(*self.spec.grid.values()):
            yield dict(zip(self.spec.grid, values, strict=True))

    def check(self) -> None:
        """Refuse a sweep that could not run: every point of a grid is checked.

        Raises:
            UserError: Says which key of which point is wrong.
        """
        for key in self.keys:
            if key.partition(".")[0] in _FIXED:
                raise ScenarioError(f"{self._where()}: {key!r} cannot be swept.")
        self._check_selection()
        if self.spec.grid is None:
            if find_spec("optuna") is None:
                raise ScenarioError(
                    f"{self._where()}.optuna needs Optuna: pip install 'slaterec[optuna]'."
                )
            return self._check_corners()
        seen: dict[str, Values] = {}
        for values in self.grid():
            scenario = self.scenario(values)
            with located(f"{self._where()}, {in_words(values)}"):
                scenario.check()
            other = seen.setdefault(scenario.digest(), values)
            if other is not values:
                raise ScenarioError(
                    f"{self._where()}: {in_words(other)} and {in_words(values)} compute the same."
                )
        return None

    def _check_corners(self) -> None:
        """Check the first and last value of every key of a space."""
        ends = {
            key: (values.low, values.high) if isinstance(values, Range) else (values[0], values[-1])
            for key, values in self.spec.space().items()
        }
        for end in (0, 1):
            values = {key: pair[end] for key, pair in ends.items()}
            with located(f"{self._where()}, {in_words(values)}"):
                self.scenario(values).check()

    def _check_selection(self) -> None:
        if self.spec.select is None:
            return
        if not hasattr(self.base, "lower_is_better"):
            raise ScenarioError(
                f"{self._where()}.select: has no effect in a scenario of kind {self.base.kind!r}."
            )
        self.selected_agent()
        with located(f"{self._where()}.select.metric"):
            parse_scenario({**self.content, "metrics": [self.spec.select.metric]}).check()

    def selected_agent(self) -> str:
        """Return the label of the agent by whose metric the best point is chosen.

        Raises:
            ScenarioError: If it is not one of the agents, or not given where there are several.
        """
        assert self.spec.select is not None
        labels, given = [agent.label for agent in self.base.agents], self.spec.select.agent
        if not given and len(labels) == 1:
            return labels[0]
        if given not in labels:
            what = f"no agent has the label {given!r}" if given else "is missing"
            raise ScenarioError(
                f"{self._where()}.select.agent: {what}.{did_you_mean(given, labels)}"
            )
        return given

    def digest(self) -> str:
        """Return eight hexadecimal digits that stand for what is computed."""
        spec = self.spec.model_dump(mode="json")
        text = json.dumps([self.base.digest(), spec], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def resolved(self) -> dict[str, Any]:
        """Return the scenario with its sweep as plain data, from which it can be read again."""
        spec = self.spec.model_dump(mode="json", exclude_none=True)
        return {**self.content, "output": self.base.output, "sweep": spec}

    def _where(self) -> str:
        return f"{self.where}: sweep" if self.where else "sweep"


def load(name: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Scenario | Sweep:
    """Read a scenario or, if it has a block ``sweep``, a sweep.

    Args:
        name: A path, the name of a packaged scenario, or the scenario itself as a mapping.
        overrides: ``key=value`` each; not with a mapping.

    Raises:
        ScenarioError: If anything in the file or the overrides is wrong.
    """
    if isinstance(name, Mapping):
        content = copy.deepcopy(dict(name))
        spec = content.pop("sweep", None)
        base, where = parse_scenario(content), ""
    else:
        path = find_scenario(str(name))
        read = read_content(path, overrides)
        spec = read.content.pop("sweep", None)
        base, content, where = checked_scenario(read), read.content, str(path)
    if spec is None:
        return base
    title = f"{where}: sweep" if where else "sweep"
    given = validated(SweepSpec, spec, title, error=ScenarioError)
    return Sweep(base, given, content, where)


def in_words(values: Values) -> str:
    """Return the values of a point: ``users=100, agents.1.config.alpha=0.5``."""
    return ", ".join(f"{key}={value}" for key, value in values.items())


def _set(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; agents are found by position or label."""
    parts, place = key.split("."), content
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        done = ".".join(parts[:depth])
        step: Any = part
        if isinstance(place, list):
            step = _entry(place, part, done)
            if isinstance(place[step], str):  # an agent without settings
                place[step] = {"name": place[step]}
        elif not isinstance(place, dict):
            raise ScenarioError(f"{key!r}: {done!r} has no keys, it is {place!r}.")
        if last:
            place[step] = copy.deepcopy(value)
        elif isinstance(place, dict):
            place = place.setdefault(step, {})
        else:
            place = place[step]


def _entry(entries: list[Any], part: str, done: str) -> int:
    """Return the position of an entry that is given by position or label."""
    if part.isdigit() and int(part) < len(entries):
        return int(part)
    labels = [
        entry if isinstance(entry, str) else str(entry.get("label", entry.get("name", "")))
        for entry in entries
        if isinstance(entry, str | dict)
    ]
    if part in labels:
        return labels.index(part)
    raise ScenarioError(
        f"{done!r} has no entry {part!r}: its entries are numbered from 0 to {len(entries) - 1}"
        + (f", or named by their labels.{did_you_mean(part, labels)}" if labels else ".")
    )
