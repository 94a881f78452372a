"""How a table of impressions or slates is laid out: which column holds what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from recsim.log.readers.in_memory import TableSource
from recsim.log.readers.item_table import ItemFile
from recsim.log.readers.times import TimeUnit
from recsim.settings import RewardWeights

_Named = Annotated[str, Field(min_length=1)]
Slots = str | Annotated[tuple[str, ...], Field(min_length=1)]


def _by_name(value: Any) -> Any:
    if isinstance(value, Mapping):  # loggers may be numbers: {0: p_0, 1: p_1}
        return {str(key) if type(key) is int else key: of for key, of in value.items()}
    return {value: value} if isinstance(value, str) else value


class ColumnMap(BaseModel):
    """Which column holds what; only ``item`` is required.

    ``item``, ``click``, ``propensity`` and each of ``target_propensity`` are one column, or in the
    layout ``columns`` a list with one column per position. All others are one column per slate.

    Attributes:
        item: Item shown.
        click: 1 where it was clicked, else 0. Without it and ``feedback`` every line is an event:
            an item that was clicked.
        propensity: Probability that the logging policy put the item at its position.
        target_propensity: Probability that another policy puts the item there, from 0 to 1: a
            column, whose name is that of the policy, or names of policies to columns.
        logger: Name of the logging policy that showed the line, if there were several. Without
            ``propensity`` it is that of the line's logger, if all are in ``target_propensity``.
        position: Position on the page; only in the layout ``impressions``.
        slate: Key of the slate; only in the layout ``impressions``. The lines with one key form
            one slate, consecutive or not, ordered by position if that is named, else as in the
            file. Without it every line is a slate of one item.
        slate_propensity: Probability of the whole ordered slate.
        user: Id of the user, any text. Without it the log is anonymous.
        session: Id of the session, any text. Without it every user has one session.
        day: Day, a whole number.
        time: Time of the row; orders the log, and gives the day if ``day`` is not named.
        step: Step of the session, a whole number. Without it, the order of the log.
        terminated: Whether the user left for good after the slate, 0 or 1. Without it, and with
            ``truncated``, nobody did.
        truncated: Whether the record of the user was cut off after the slate, 0 or 1.
        feedback: Reward name to column. Summed over the lines of a slate.
        user_features: Columns of numbers, taken from a user's first line.
        user_categories: Columns of categories, which become one-hot features.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: Slots
    click: Slots | None = None
    propensity: Slots | None = None
    target_propensity: Annotated[dict[_Named, Slots], BeforeValidator(_by_name)] = {}
    logger: str | None = None
    position: str | None = None
    slate: str | None = None
    slate_propensity: str | None = None
    user: str | None = None
    session: str | None = None
    day: str | None = None
    time: str | None = None
    step: str | None = None
    terminated: str | None = None
    truncated: str | None = None
    feedback: dict[str, str] = {}
    user_features: tuple[str, ...] = ()
    user_categories: tuple[str, ...] = ()


class TableLayout(TableSource):
    """A table, its layout and its columns; its sources are those of `TableSource`.

    Attributes:
        columns: Which column holds what.
        layout: ``impressions``: one line per item shown; ``lists``: one line per slate, its items
            in one list column (in CSV text such as ``3|5|7`` or ``[3, 5, 7]``); ``columns``: one
            line per slate, a column per position.
        rewards: Weight of each named reward, 0 for those left out; by default 1 for ``click``, or
            for the only one. Several rewards without clicks need weights.
        num_items: Size of the catalogue, if the ids are 0 ... num_items - 1 already.
        items: The catalogue, if it is a table. Without both, the items of the log, sorted. Except
            with ``num_items``, ids are names: whole numbers if the column holds whole numbers, in
            CSV if all are written as such (7, not 007), else text.
        separator: Field separator of CSV files.
        list_separator: Separator inside lists in CSV files, where they have no brackets.
        time_unit: Unit of times that are numbers; by default it follows from their size, see
            `recsim.log.readers.times`.
        adaptive: Whether the logging policy learned from these users while it made the log.
        text_ids: Whether these names, and those of users, are text even if all are whole numbers.
    """

    columns: ColumnMap
    layout: Literal["impressions", "lists", "columns"] = "impressions"
    rewards: RewardWeights | None = None
    num_items: Annotated[int, Field(ge=1)] | None = None
    items: ItemFile | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    list_separator: Annotated[str, Field(min_length=1)] = "|"
    time_unit: TimeUnit | None = None
    adaptive: bool = False
    text_ids: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = self.columns
        if self.num_items is not None and self.items is not None:
            raise ValueError("give num_items or items, not both")
        slots = {"item": names.item, "click": names.click, "propensity": names.propensity}
        slots |= {f"target_propensity.{key}": of for key, of in names.target_propensity.items()}
        for name, value in slots.items():
            if value is None:
                continue
            if isinstance(value, str) == (self.layout == "columns"):
                right = "a list of columns" if self.layout == "columns" else "one column"
                raise ValueError(f"columns.{name} must be {right} in the layout {self.layout!r}")
            if len(value) != len(names.item) and self.layout == "columns":
                raise ValueError(f"columns.{name} must name as many columns as columns.item")
        for name in ("position", "slate"):
            if getattr(names, name) is not None and self.layout != "impressions":
                raise ValueError(f"columns.{name} has no effect outside the layout 'impressions'")
        if names.session is not None and names.user is None:
            raise ValueError("columns.session needs columns.user")
        if names.click is None and not names.feedback:
            self._check_events()
        if self.time_unit is not None and names.time is None:
            raise ValueError("time_unit has no effect without columns.time")
        if "click" in names.feedback and names.click not in (None, names.feedback["click"]):
            raise ValueError("columns.feedback.click has another column than columns.click")
        self._check_rewards()
        return self

    def _check_events(self) -> None:
        """Refuse what lines that are clicks, for want of rewards, cannot have."""
        names = self.columns
        shown = (
            *("propensity", "slate_propensity", "target_propensity"),
            *("logger", "position", "slate"),
        )
        found = [f"columns.{name}" for name in shown if getattr(names, name)]
        found += [f"layout {self.layout!r}"] if self.layout != "impressions" else []
        if found:
            raise ValueError(
                "columns must name 'click' or at least one 'feedback'. Without both every line is "
                f"a click, and {found[0]} is of what was shown"
            )

    def _check_rewards(self) -> None:
        known = self.reward_names()
        if self.rewards is None:
            if len(known) > 1 and "click" not in known:
                example = ", ".join(f"{name}: {1 if name == known[0] else 0}" for name in known)
                raise ValueError(
                    f"rewards is missing: it must give the weights of {' and '.join(known)}, such "
                    f"as {{{example}}}"
                )
            return
        for name in self.rewards:
            if name not in known:
                raise ValueError(f"rewards.{name} is not one of {', '.join(known)}")
        if not any(self.rewards.values()):
            raise ValueError(
                f"rewards gives no reward a weight other than 0; there are {', '.join(known)}"
            )

    def reward_names(self) -> list[str]:
        """Return the named rewards of the log, ``click`` first if there are clicks."""
        clicks = ["click"] if self.columns.click is not None or not self.columns.feedback else []
        return [*clicks, *(name for name in self.columns.feedback if name not in clicks)]

    def weights(self) -> dict[str, float]:
        """Return the weight of every named reward."""
        names = self.reward_names()
        default = {"click" if "click" in names else names[0]: 1.0}
        given = default if self.rewards is None else self.rewards
        return {name: given.get(name, 0.0) for name in names}


def several(columns: Slots | None) -> tuple[str, ...]:
    """Return the columns that are named, one or several or none, as a tuple."""
    return () if columns is None else (columns,) if isinstance(columns, str) else columns


def given(*columns: str | None) -> list[str]:
    """Return those columns that are named."""
    return [name for name in columns if name is not None]
