"""Run a scenario: ``python -m recsim.run SCENARIO [key=value ...]``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsim.errors import UserError
from recsim.scenario.files import find_scenario, load_scenario, packaged_scenarios
from recsim.scenario.schema import Scenario

if TYPE_CHECKING:
    from recsim.runs.executor import Executor
    from recsim.runs.folder import RunFolder

__all__ = ["Run", "main", "run_scenario"]

_EPILOG = """\
examples:
  python -m recsim.run quickstart
  python -m recsim.run quickstart users=1000 seeds=10 agents.1.config.alpha=0.5
  python -m recsim.run my_scenario.yaml --validate
  python -m recsim.run quickstart --resume
  python -m recsim.run open_bandit data.path=path/to/obd

exit codes: 0 all went well; 1 a trial failed, the others are finished; 2 a mistake in what was
given, nothing was written; 130 interrupted, what is finished is kept.
"""


class Run:
    """A run that is over.

    Attributes:
        folder: Its folder; see `recsim.runs.folder`.
        failed: Trials that failed, in words.
    """

    def __init__(self, folder: RunFolder, failed: list[str]) -> None:
        self.folder = folder
        self.failed = failed


def run_scenario(
    scenario: Scenario,
    *,
    workers: int | None = None,
    resume: bool | str | Path = False,
    executor: Executor | None = None,
    console: Any = None,
    source: str | Path = "",
) -> Run:
    """Run every trial of a scenario that is not finished yet, and summarise them.

    Args:
        scenario: What to run, from `recsim.scenario.files.load_scenario`.
        workers: Processes; by default as many as there are cores, and never more than trials.
            With one, everything runs in this process.
        resume: Go on with an earlier run: True for the newest one of the same scenario, or its
            folder.
        executor: Another engine to run on, in place of local processes.
        console: A ``rich.console.Console`` for progress; silent without.
        source: File of the scenario, to be named where it is wrong.

    Returns:
        The folder with everything in it, and what failed.

    Raises:
        UserError: If the scenario cannot run, there is nothing to resume, another process
            works on the folder, or the script that calls is not guarded by
            ``if __name__ == "__main__":``. Nothing is written.
        KeyboardInterrupt: After an interrupt; finished trials are kept and can be resumed.
    """
    from rich.console import Console

    from recsim.runs.executor import refuse_unguarded
    from recsim.runs.folder import RunFolder
    from recsim.runs.lock import locked
    from recsim.trials import checks

    refuse_unguarded()
    console = console or Console(quiet=True)
    checks.check(scenario, source)
    if resume is False:
        folder = RunFolder.create(scenario)
    else:
        folder = RunFolder.newest(scenario) if resume is True else RunFolder.open(resume)
        folder.check_matches(scenario)
    with locked(folder.path):
        try:
            return _work(folder, workers, executor, console)
        except UserError:
            if resume is False:
                folder.remove()
            raise


def _work(folder: RunFolder, workers: int | None, executor: Executor | None, console: Any) -> Run:
    """Run the trials that a folder lacks, and summarise all of them."""
    from recsim.report.console import Reporter
    from recsim.report.html import write_report
    from recsim.report.tables import trials, write_summary
    from recsim.runs.executor import ProcessExecutor, SerialExecutor
    from recsim.trials.simulation import run_trial

    folder.clean()
    for name, (before, now) in folder.changed_versions().items():
        console.print(
            f"warning: this run was begun with {name} {before}, now it is {now}: "
            "numbers may differ.",
            soft_wrap=True,
        )
    console.print(f"run folder: {folder.path}", soft_wrap=True, highlight=False)
    every = trials(folder.scenario)
    todo = [trial for trial in every if not folder.has(trial)]
    if executor is None:
        count = min(workers or _cores(), max(len(todo), 1))
        executor = SerialExecutor() if count == 1 else ProcessExecutor(count)
    for trial in todo:
        executor.submit(trial, run_trial, str(folder.path), trial)
    failed = []
    try:
        with Reporter(console, len(every), len(every) - len(todo)) as reporter:
            for outcome in executor.gather():
                if outcome.error is None:
                    reporter.finished(outcome.key)
                    continue
                path = folder.write_error(outcome.key, outcome.error)
                reporter.failed(outcome.key, outcome.error, str(path))
                failed.append(str(outcome.key))
        write_summary(folder)
        write_report(folder)
    except KeyboardInterrupt:
        executor.cancel()
        finished = sum(folder.has(trial) for trial in every)
        console.print(
            f"interrupted: {finished} of {len(every)} trials are finished and kept in "
            f"{folder.path}; go on with the same command and --resume.",
            soft_wrap=True,
        )
        raise
    return Run(folder, failed)


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


def _scenario(given: argparse.Namespace) -> tuple[Scenario, Path]:
    """Return the scenario that the command line asks for, and its file."""
    # A change may be longer than a file name can be: `Path.is_file` fails on that.
    names = [word for word in given.words if "=" not in word or os.path.isfile(word)]
    overrides = [word for word in given.words if word not in names]
    if len(names) > 1:
        raise UserError(
            f"one scenario at a time, not {' and '.join(names)}; changes to it are key=value."
        )
    if names:
        source = find_scenario(names[0])
        return load_scenario(source, overrides), source
    if isinstance(given.resume, str):
        from recsim.runs.folder import RunFolder

        folder = RunFolder.open(given.resume)
        source = folder.path / "scenario.yaml"
        return load_scenario(source, overrides) if overrides else folder.scenario, source
    raise UserError("which scenario? Give a name or a file; --list shows the names.")


def _run(scenario: Scenario, source: Path, given: argparse.Namespace) -> int:
    from recsim.report.console import make_console, print_results

    console = make_console()
    run = run_scenario(
        scenario, workers=given.workers, resume=given.resume, console=console, source=source
    )
    print_results(run.folder, console)
    console.print(f"report: {run.folder.path / 'report.html'}", soft_wrap=True, highlight=False)
    if run.failed:
        print(
            f"error: {len(run.failed)} of the trials failed: {'; '.join(run.failed)}. "
            "After mending the cause, --resume runs only these.",
            file=sys.stderr,
        )
        return 1
    return 0


def _validate(scenario: Scenario, source: Path) -> int:
    from recsim.report.tables import trials
    from recsim.trials import checks

    checks.check(scenario, source)
    print(f"{scenario.name} is valid: {len(trials(scenario))} trials, digest {scenario.digest()}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m recsim.run",
        description="Run a scenario: agents meet simulated users or are judged on a log.",
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
    import agents
    from recsim import estimators
    from recsim.log import READERS
    from recsim.scenario.building import environment_presets, registered_environments

    sections = {
        "environments": registered_environments(),
        "presets of SlateRec-v0": environment_presets(),
        "agents": agents.available(),
        "log readers": READERS.describe(),
        # Every estimator is a function of arrays too, which says what it is.
        "estimators": {
            name: _first_line(getattr(estimators, name)) for name in estimators.ESTIMATORS
        },
        "scenarios": {name: _description(path) for name, path in packaged_scenarios().items()},
    }
    for heading, entries in sections.items():
        width = max(map(len, entries), default=0)
        print(f"{heading}:")
        for name, line in entries.items():
            print(f"  {name:{width}}  {line}".rstrip())


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _description(path: Path) -> str:
    from omegaconf import DictConfig, OmegaConf

    # Not validated: some need data that is not there.
    config = OmegaConf.load(path)
    return str(config.get("description", "")) if isinstance(config, DictConfig) else ""


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
