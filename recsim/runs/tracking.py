"""Trackers: finished trials go to a file of JSON lines, to TensorBoard, or to a service of yours.

Trials are logged as they finish, from the process that runs the scenario: the losses of training
(``fit/...``), the curves (``curve/...``) and the metrics (``metric/...``).
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console

from recsim.contracts.slates import loss_rows
from recsim.errors import RunError
from recsim.files import plain

if TYPE_CHECKING:
    import pandas as pd

    from recsim.runs.folder import RunFolder
    from recsim.scenario.trial import Trial


class Tracker(Protocol):
    """Takes what trials give, for people who watch many runs in one place."""

    def start(self, run: str, settings: Mapping[str, Any]) -> None:
        """Begin a run, or continue it.

        Args:
            run: Name of the run, that of its folder.
            settings: The scenario as plain data.
        """

    def log(self, trial: str, step: int, values: Mapping[str, float]) -> None:
        """Take numbers of a trial.

        Args:
            trial: The trial as a path, such as ``linucb/seed-0``.
            step: Step of training, or position on the axis of the curves; 0 for metrics.
            values: Numbers by name, such as ``fit/loss``, ``curve/reward`` and
                ``metric/reward_per_user``; none is NaN.
        """

    def finish(self) -> None:
        """End the run; also called after an interrupt."""


class JsonLines:
    """Writes ``track.jsonl``, one object per line with ``trial``, ``step`` and the values.

    Args:
        folder: Folder of the file.
    """

    replays = True

    def __init__(self, folder: Path) -> None:
        self._path = folder / "track.jsonl"

    def start(self, run: str, settings: Mapping[str, Any]) -> None:
        """Empty the file: a run that is continued logs its finished trials again."""
        self._path.write_text("", encoding="utf-8")

    def log(self, trial: str, step: int, values: Mapping[str, float]) -> None:
        """Append a line."""
        line = json.dumps({"trial": trial, "step": step, **values}, allow_nan=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def finish(self) -> None:
        """Do nothing: every line is written."""


class TensorBoard:
    """Writes event files to ``tensorboard/<trial>``; needs the package tensorboard.

    Args:
        folder: Folder of the run.
    """

    replays = True

    def __init__(self, folder: Path) -> None:
        self._folder, self._writers = folder / "tensorboard", dict[str, Any]()

    def start(self, run: str, settings: Mapping[str, Any]) -> None:
        """Remove the event files: a run that is continued logs its finished trials again."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self, trial: str, step: int, values: Mapping[str, float]) -> None:
        """Add scalars."""
        from torch.utils.tensorboard import SummaryWriter

        if trial not in self._writers:
            self._writers[trial] = SummaryWriter(str(self._folder / trial))
        for name, value in values.items():
            self._writers[trial].add_scalar(name, value, step)

    def finish(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


BUILTIN: dict[str, Callable[[Path], Tracker]] = {"jsonl": JsonLines, "tensorboard": TensorBoard}
"""Trackers by the names that the key ``track`` of a scenario takes."""


def check_trackers(names: Iterable[str]) -> None:
    """Refuse a tracker whose package is missing.

    Raises:
        RunError: Says what to install.
    """
    if "tensorboard" in names and find_spec("tensorboard") is None:
        raise RunError(
            "track: 'tensorboard' needs TensorBoard: pip install 'slaterec[tensorboard]'."
        )


class Tracking:
    """Passes trials to trackers; one that fails is left out from then on, and nothing is lost.

    Args:
        trackers: The trackers.
        console: Where a failure is printed.
    """

    def __init__(self, trackers: Sequence[Tracker], console: Console) -> None:
        self._trackers, self._console = list(trackers), console

    def __bool__(self) -> bool:
        """Return whether there is a tracker."""
        return bool(self._trackers)

    def start(self, run: str, settings: Mapping[str, Any]) -> None:
        """Begin a run in all trackers."""
        self._each("start", self._trackers, lambda tracker: tracker.start(run, settings))

    def finished_before(
        self, trial: Trial, numbers: Mapping[str, Any], curves: pd.DataFrame | None
    ) -> None:
        """Pass a trial that had finished when the run began, to trackers that start anew."""
        again = [tracker for tracker in self._trackers if getattr(tracker, "replays", False)]
        self._log(again, trial, numbers, curves)

    def finished(
        self, trial: Trial, numbers: Mapping[str, Any], curves: pd.DataFrame | None
    ) -> None:
        """Pass a trial that has finished."""
        self._log(self._trackers, trial, numbers, curves)

    def finish(self) -> None:
        """End the run in all trackers."""
        self._each("finish", self._trackers, lambda tracker: tracker.finish())

    def _log(
        self,
        trackers: Sequence[Tracker],
        trial: Trial,
        numbers: Mapping[str, Any],
        curves: pd.DataFrame | None,
    ) -> None:
        if not trackers:
            return
        rows = list(values_of(numbers, curves))

        def log(tracker: Tracker) -> None:
            for step, values in rows:
                tracker.log(trial.path.as_posix(), step, values)

        self._each("log", trackers, log)

    def _each(self, name: str, trackers: Sequence[Tracker], call: Any) -> None:
        for tracker in list(trackers):
            try:
                call(tracker)
            except Exception as error:  # of a service; the run goes on
                self._trackers.remove(tracker)
                self._console.print(
                    f"warning: {type(tracker).__name__}.{name} failed and is not called again: "
                    f"{type(error).__name__}: {error}",
                    soft_wrap=True,
                    markup=False,
                )


def of_folder(folder: RunFolder, trial: Trial) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """Return numbers and curves of a finished trial of a run folder."""
    return folder.result(trial), folder.curves(trial) if folder.has_curves(trial) else None


def values_of(
    numbers: Mapping[str, Any], curves: pd.DataFrame | None
) -> Iterator[tuple[int, dict[str, float]]]:
    """Return steps and named numbers of a trial: losses, curves, metrics."""
    fits = {"fit": numbers.get("fit"), **_refits(numbers)}
    for name, fit in fits.items():
        for step, values in loss_rows((fit or {}).get("losses", [])):
            yield from _finite(step, {f"{name}/{key}": value for key, value in values.items()})
    if curves is not None:
        for step, entries in zip(curves.index, curves.to_dict(orient="records"), strict=True):
            yield from _finite(int(step), {f"curve/{key}": v for key, v in entries.items()})
    metrics = numbers.get("metrics", {})
    yield from _finite(0, {f"metric/{name}": value for name, value in metrics.items()})


def _refits(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {f"refit {k}": fit for k, fit in enumerate(numbers.get("refits", []), start=1)}


def _finite(step: int, values: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, float]]]:
    """Return the numbers that are finite, if there are any."""
    known = {
        name: float(plain(value))
        for name, value in values.items()
        if isinstance(plain(value), int | float) and math.isfinite(plain(value))
    }
    if known:
        yield step, known
