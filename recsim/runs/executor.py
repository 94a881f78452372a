"""Where trials run: in this process, in local worker processes, or on another engine."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from recsim.errors import UserError

_Submitted = tuple[Any, Callable[..., object], tuple[Any, ...]]

# Advice for scripts, as every worker process imports the script that started it.
GUARD = (
    "In a script, put code that must run once below `if __name__ == '__main__':`, as every worker "
    "process runs the rest of the script again."
)

# Variables that linear algebra libraries read when they are loaded.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """How one call ended.

    Attributes:
        key: What `Executor.submit` was given.
        error: Traceback, or what ended the process; None if the call returned.
    """

    key: Any
    error: str | None = None


class Executor(Protocol):
    """Runs independent calls, which write their results themselves.

    Another engine implements these three methods; calls and their arguments can be pickled.
    """

    def submit(self, key: Any, function: Callable[..., object], *args: Any) -> None:
        """Take a call; ``key`` comes back with its outcome."""
        ...

    def gather(self) -> Iterator[Outcome]:
        """Run what was submitted and yield outcomes as they come, in any order."""
        ...

    def cancel(self) -> None:
        """Stop everything at once, calls that are running included."""
        ...


class SerialExecutor:
    """One call after the other, in this process, on one thread."""

    def __init__(self) -> None:
        self._calls: deque[_Submitted] = deque()

    def submit(self, key: Any, function: Callable[..., object], *args: Any) -> None:
        """Take a call."""
        self._calls.append((key, function, args))

    def gather(self) -> Iterator[Outcome]:
        """Run the calls in the order of their submission."""
        while self._calls:
            key, function, args = self._calls.popleft()
            yield Outcome(key, _call(function, args))

    def cancel(self) -> None:
        """Forget what has not begun."""
        self._calls.clear()


class ProcessExecutor:
    """Local worker processes, started afresh (not forked) and with one thread each.

    A call that takes its process down (out of memory, a crash in compiled code) is reported like
    one that raised; the calls beside it run again, and the rest goes on.

    Args:
        workers: Processes at a time.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ValueError(f"workers must be positive, not {workers}")
        self._workers = workers
        self._calls: deque[_Submitted] = deque()
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, key: Any, function: Callable[..., object], *args: Any) -> None:
        """Take a call."""
        self._calls.append((key, function, args))

    def gather(self) -> Iterator[Outcome]:
        """Run the calls, as many at a time as there are workers.

        Raises:
            UserError: If no worker can be started.
        """
        try:
            while self._calls:
                suspects = yield from self._run_until_broken(self._workers)
                # Which call broke the pool cannot be known from outside; run alone, it shows.
                for suspect in suspects:
                    yield from self._run_alone(suspect)
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Forget what has not begun and end the workers."""
        self._calls.clear()
        if self._pool is not None:
            pool, self._pool = self._pool, None
            _end(pool)

    def _run_until_broken(self, workers: int) -> Generator[Outcome, None, list[_Submitted]]:
        """Run calls until none is left or the pool breaks; return those that ran when it broke."""
        self._pool = _new_pool(workers)
        running: dict[Future[str | None], _Submitted] = {}
        broken: list[_Submitted] = []
        while self._calls or running:
            # No more calls in the pool than workers, so that a broken pool names few suspects.
            while self._calls and len(running) < workers and not broken:
                call = self._calls.popleft()
                try:
                    running[self._pool.submit(_call, *call[1:])] = call
                except BrokenProcessPool:
                    broken.append(call)
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                call = running.pop(future)
                try:
                    error = future.result()
                except BrokenProcessPool:
                    broken.append(call)
                except Exception:
                    yield Outcome(call[0], traceback.format_exc())
                else:
                    yield Outcome(call[0], error)
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=not broken, cancel_futures=True)
        return broken

    def _run_alone(self, call: _Submitted) -> Iterator[Outcome]:
        waiting, self._calls = self._calls, deque([call])
        broken = yield from self._run_until_broken(1)
        self._calls = waiting
        if broken:
            yield Outcome(
                call[0],
                "The process that ran this trial died without a message: it was killed (often for "
                "want of memory) or crashed in compiled code.\n",
            )


def _call(function: Callable[..., object], args: tuple[Any, ...]) -> str | None:
    """Call and return the traceback of what it raised, or None."""
    try:
        with one_thread():
            function(*args)
    except Exception:
        return traceback.format_exc()
    return None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, so that the last digits of sums do not depend on the cores."""
    import torch  # noqa: F401  its threads can only be limited after the import

    with threadpool_limits(1):
        yield


def _new_pool(workers: int) -> ProcessPoolExecutor:
    # Workers read these when they import numpy, before any code of ours can run in them.
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker
        )
        # The processes start with the first calls, so one is made while the variables are set.
        greetings = [pool.submit(os.getpid) for _ in range(workers)]
        greetings[0].result()
        return pool
    except BrokenProcessPool:
        raise UserError(
            f"no worker process could be started; see the error of the first one above. {GUARD}"
        ) from None
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def refuse_unguarded() -> None:
    """Refuse to start a run in a worker process, which imports the script that started it.

    Raises:
        UserError: Says how to guard the script.
    """
    # Python itself uses this mark to refuse new processes here.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UserError(f"a worker process must not start a run of its own. {GUARD}")


def _begin_worker() -> None:
    """Prepare a worker: it ignores interrupts, and ends with its parent."""
    # Ctrl-C reaches the whole process group; the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait until the parent has ended for any reason, and exit."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _end(pool: ProcessPoolExecutor) -> None:
    """End a pool without waiting for its calls."""
    # From Python 3.14 this is pool.kill_workers(); before, the processes have no public name.
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join(timeout=5)
