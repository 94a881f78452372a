import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from recsim.runs.executor import ProcessExecutor, SerialExecutor

CALLS = Path(__file__).parent / "calls"


@pytest.fixture(autouse=True)
def calls(monkeypatch):
    """Functions that worker processes can import too: they inherit sys.path."""
    monkeypatch.syspath_prepend(str(CALLS))
    return importlib.import_module("executor_calls")


@pytest.fixture(params=["serial", "processes"])
def executor(request):
    return SerialExecutor() if request.param == "serial" else ProcessExecutor(2)


def test_every_call_has_one_outcome_and_an_error_does_not_stop_the_others(
    executor, tmp_path, calls
):
    executor.submit("a", calls.note, tmp_path, "a")
    executor.submit("b", calls.fail, "on purpose")
    executor.submit("c", calls.note, tmp_path, "c")
    outcomes = {outcome.key: outcome.error for outcome in executor.gather()}
    assert set(outcomes) == {"a", "b", "c"}
    assert outcomes["a"] is None
    assert outcomes["c"] is None
    assert "RuntimeError: on purpose" in outcomes["b"]
    assert (tmp_path / "a").exists()
    # One thread each, so that sums do not depend on the number of cores.
    assert (tmp_path / "c").read_text().split()[1] == "1"


def test_a_call_uses_one_thread_and_restores_the_number_of_threads(tmp_path, calls):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        executor = SerialExecutor()
        executor.submit("a", calls.note, tmp_path, "a")
        list(executor.gather())
        assert (tmp_path / "a").read_text().split()[1] == "1"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_workers_ignore_interrupts(tmp_path, calls):
    executor = ProcessExecutor(1)
    executor.submit("a", calls.interrupt_itself, tmp_path)
    assert [outcome.error for outcome in executor.gather()] == [None]
    assert (tmp_path / "lived").exists()


def test_calls_run_in_other_processes(tmp_path, calls):
    executor = ProcessExecutor(1)
    executor.submit("a", calls.note, tmp_path, "a")
    assert [outcome.error for outcome in executor.gather()] == [None]
    assert int((tmp_path / "a").read_text().split()[0]) != os.getpid()


def test_a_worker_that_dies_is_reported_and_the_others_finish(tmp_path, calls):
    executor = ProcessExecutor(2)
    executor.submit("a", calls.note, tmp_path, "a")
    executor.submit("dead", calls.die, tmp_path)
    executor.submit("b", calls.note, tmp_path, "b")
    executor.submit("c", calls.note, tmp_path, "c")
    outcomes = {outcome.key: outcome.error for outcome in executor.gather()}
    assert set(outcomes) == {"a", "dead", "b", "c"}
    assert "died without a message" in outcomes["dead"]
    assert [outcomes[key] for key in "abc"] == [None, None, None]
    assert all((tmp_path / name).exists() for name in "abc")
    # Once among the others, once alone, never again.
    assert len((tmp_path / "deaths").read_text()) == 2


@pytest.fixture
def interruptible():
    """Python's own reaction to an interrupt, even where this process was started without one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_cancelled_calls_end_immediately(tmp_path, calls, interruptible):
    executor = ProcessExecutor(1)
    executor.submit("long", calls.sleep_long, tmp_path)
    outcomes = executor.gather()
    pid = tmp_path / "pid"

    def interrupt():
        for _ in range(6000):  # a minute, should the worker never begin
            if pid.exists() and pid.read_text():
                break
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path):
    code = (
        "from recsim.runs.executor import ProcessExecutor\n"
        "from executor_calls import sleep_long\n"
        "if __name__ == '__main__':\n"
        "    executor = ProcessExecutor(1)\n"
        f"    executor.submit('long', sleep_long, {str(tmp_path)!r})\n"
        "    list(executor.gather())\n"
    )
    (tmp_path / "parent.py").write_text(code)
    root = Path(__file__).parents[3]
    path = os.pathsep.join([str(root), str(CALLS)])
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"], env={**os.environ, "PYTHONPATH": path}
    )
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text()):
        assert parent.poll() is None
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    worker = int(pid.read_text())
    while is_alive(worker):  # hangs if the worker outlives its parent
        time.sleep(0.01)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_number_of_workers_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        ProcessExecutor(0)


def test_no_process_remains_and_environment_variables_are_restored(tmp_path, calls):
    before = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    executor = ProcessExecutor(1)
    executor.submit("a", calls.note, tmp_path, "a")
    list(executor.gather())
    assert multiprocessing.active_children() == []
    assert {name: os.environ.get(name) for name in before} == before
