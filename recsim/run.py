"""Run a scenario: ``python -m recsim.run SCENARIO [key=value ...]``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsim.errors import UserError, located
from recsim.scenario.files import find_scenario, load_scenario
from recsim.scenario.schema import Scenario
from recsim.scenario.sweeps import Sweep, load

if TYPE_CHECKING:
    from recsim.report.summary import Summary
    from recsim.runs.executor import Executor
    from recsim.runs.folder import RunFolder
    from recsim.runs.sweeps import SweepRun
    from recsim.runs.tracking import Tracker

_EPILOG = """\
examples:
  python -m recsim.run quickstart
  python -m recsim.run quickstart users=1000 seeds=10 agents.1.config.alpha=0.5
  python -m recsim.run my_scenario.yaml --validate
  python -m recsim.run quickstart --resume
  python -m recsim.run open_bandit data.path=path/to/obd

exit codes: 0 success; 1 a trial failed, the others are finished; 2 a mistake in the scenario or the
command line, nothing was written; 130 interrupted, finished trials are kept.
"""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Its folder; see `recsim.runs.folder`.
        failed: Trials that failed, in words.
        summary: Its tables and pictures.
    """

    folder: RunFolder
    failed: list[str]
    summary: Summary


def run_scenario(
    scenario: Scenario | str | Path | Mapping[str, Any],
    *,
    workers: int | None = None,
    resume: bool | str | Path = False,
    executor: Executor | None = None,
    trackers: Sequence[Tracker] = (),
    console: Any = None,
    source: str | Path = "",
) -> Run:
    """Run every trial of a scenario that is not finished yet, and summarise them.

    Args:
        scenario: From `recsim.load_scenario`, or what that takes: a path, the name of a packaged
            scenario, or a mapping.
        workers: Processes; by default as many as there are cores, and never more than trials.
            With one, everything runs in this process.
        resume: Continue an earlier run: True for the newest one of the same scenario, or its
            folder.
        executor: Another engine to run on, in place of local processes.
        trackers: Objects that finished trials are logged to; see `recsim.runs.tracking`.
        console: A ``rich.console.Console`` for progress; by default nothing is printed.
        source: File of the scenario, named in messages.

    Returns:
        The folder with everything in it, and what failed.

    Raises:
        UserError: If the scenario cannot run, there is nothing to resume, another process
            works on the folder, or the calling script is not guarded by
            ``if __name__ == "__main__":``. Nothing is written.
        KeyboardInterrupt: After an interrupt; finished trials are kept and can be resumed.
    """
    from rich.console import Console

    from recsim.runs.executor import refuse_unguarded
    from recsim.runs.folder import RunFolder
    from recsim.runs.lock import locked
    from recsim.runs.tracking import check_trackers
    from recsim.runs.work import work

    refuse_unguarded()
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario)
    with located(str(source)):
        scenario.check()
        check_trackers(scenario.track)
    if resume is False:
        folder = RunFolder.create(scenario)
    else:
        folder = RunFolder.newest(scenario) if resume is True else RunFolder.open(resume)
        folder.check_matches(scenario)
    with locked(folder.path):
        try:
            failed, summary = work(
                folder, workers, executor, console or Console(quiet=True), trackers
            )
        except UserError:
            if resume is False:
                folder.remove()
            raise
    return Run(folder, failed, summary)


def run_sweep(
    sweep: Sweep | str | Path | Mapping[str, Any],
    *,
    workers: int | None = None,
    resume: bool | str | Path = False,
    executor: Executor | None = None,
    trackers: Sequence[Tracker] = (),
    console: Any = None,
) -> SweepRun:
    """Run every point of a sweep that is not finished yet, and put all of them into one table.

    Args:
        sweep: A scenario with a block ``sweep``: a path, the name of a packaged scenario, or a
            mapping; or what `recsim.scenario.sweeps.load` made of it.
        workers: Processes; by default as many as there are cores.
        resume: Continue an earlier sweep: True for the newest one with these settings, or its
            folder.
        executor: Another engine to run on, in place of local processes.
        trackers: Objects that finished trials are logged to, a run for every point.
        console: A ``rich.console.Console`` for progress; by default nothing is printed.

    Returns:
        The table of all points, the best one, and the folder.

    Raises:
        UserError: If there is no sweep, a point of it cannot run, or there is nothing to resume.
            Nothing is written.
        KeyboardInterrupt: After an interrupt; finished trials are kept and can be resumed.
    """
    from rich.console import Console

    from recsim.runs.executor import refuse_unguarded
    from recsim.runs.sweeps import folder_of, run_points
    from recsim.runs.tracking import check_trackers

    refuse_unguarded()
    if not isinstance(sweep, Sweep):
        loaded = load(sweep)
        if not isinstance(loaded, Sweep):
            raise UserError("this scenario has no 'sweep': run it by recsim.run_scenario.")
        sweep = loaded
    sweep.check()
    check_trackers(sweep.base.track)
    path = folder_of(sweep, resume)
    return run_points(sweep, path, workers, executor, console or Console(quiet=True), trackers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = _parse(arguments)
    try:
        if given.list:
            _print_list()
            return 0
        if given.workers is not None and given.workers < 1:
            raise UserError(f"--workers must be at least 1, not {given.workers}.")
        scenario, source = _scenario(given)
        if given.validate:
            return _validate(scenario, source)
        return _run(scenario, source, given)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    given = _parser().parse_intermixed_args(arguments)
    # In "--resume users=10" the word after --resume is a change, not a folder.
    if isinstance(given.resume, str) and "=" in given.resume and not Path(given.resume).exists():
        given.words.append(given.resume)
        given.resume = True
    return given


def _scenario(given: argparse.Namespace) -> tuple[Scenario | Sweep, Path]:
    """Return the scenario or sweep that the command line asks for, and its file."""
    # A change may be longer than a file name can be: `Path.is_file` fails on that.
    names = [word for word in given.words if "=" not in word or os.path.isfile(word)]
    overrides = [word for word in given.words if word not in names]
    if len(names) > 1:
        raise UserError(
            f"one scenario at a time, not {' and '.join(names)}; changes to it are key=value."
        )
    if names:
        source = find_scenario(names[0])
        return load(source, overrides), source
    if isinstance(given.resume, str):
        from recsim.runs.folder import RunFolder
        from recsim.runs.sweeps import MARKER

        if (Path(given.resume) / MARKER).is_file():
            source = Path(given.resume) / MARKER
            return load(source, overrides), source
        folder = RunFolder.open(given.resume)
        source = folder.path / "scenario.yaml"
        return load_scenario(source, overrides) if overrides else folder.scenario, source
    raise UserError("which scenario? Give a name or a file; --list shows the names.")


def _run(scenario: Scenario | Sweep, source: Path, given: argparse.Namespace) -> int:
    from recsim.report.console import make_console, print_summary

    console = make_console()
    options = {"workers": given.workers, "resume": given.resume, "console": console}
    run: Run | SweepRun
    if isinstance(scenario, Sweep):
        run = run_sweep(scenario, **options)
        path = run.path
    else:
        run = run_scenario(scenario, source=source, **options)
        path = run.folder.path
    print_summary(run.summary, console)
    console.print(f"report: {path / 'report.html'}", soft_wrap=True, highlight=False)
    if run.failed:
        print(
            f"error: {len(run.failed)} of the trials failed: {'; '.join(run.failed)}. "
            "Fix the cause, then run with --resume: only these trials are repeated.",
            file=sys.stderr,
        )
        return 1
    return 0


def _validate(scenario: Scenario | Sweep, source: Path) -> int:
    if isinstance(scenario, Sweep):
        scenario.check()
        print(
            f"{scenario.base.name} is valid: {scenario.size} points of "
            f"{len(scenario.base.trials())} trials, digest {scenario.digest()}."
        )
        return 0
    with located(str(source)):
        scenario.check()
    print(f"{scenario.name} is valid: {len(scenario.trials())} trials, digest {scenario.digest()}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m recsim.run",
        description="Run a scenario: evaluate agents in a simulation or on a log.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="%(prog)s [options] SCENARIO [key=value ...]",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="SCENARIO [key=value ...]",
        help="a YAML file, or the name of a packaged scenario (--list); "
        "then changes to it, whose keys are dotted paths and whose values are YAML",
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="show environments, presets, agents, readers, estimators and scenarios",
    )
    parser.add_argument(
        "--validate",
        action="store_true",
        help="check the scenario and everything it names; run nothing",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="FOLDER",
        help="finish an interrupted run: the newest of this scenario, or the one in FOLDER",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes (default: one per core); results do not depend on it",
    )
    return parser


def _print_list() -> None:
    from recsim.scenario.available import available

    for heading, entries in available().items():
        assert isinstance(entries, dict)
        if not entries:  # no package adds a metric
            continue
        width = max(map(len, entries))
        print(f"{heading}:")
        for name, line in entries.items():
            print(f"  {name:{width}}  {line}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
