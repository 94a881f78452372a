"""Calls for the executors, in a module that worker processes can import."""

import os
import signal
import time
from pathlib import Path

import torch


def note(folder, name):
    (Path(folder) / name).write_text(f"{os.getpid()} {torch.get_num_threads()}")


def fail(message):
    raise RuntimeError(message)


def die(folder):
    with (Path(folder) / "deaths").open("a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt_itself(folder):
    os.kill(os.getpid(), signal.SIGINT)
    (Path(folder) / "lived").touch()


def sleep_long(folder):
    (Path(folder) / "pid").write_text(str(os.getpid()))
    time.sleep(600)
