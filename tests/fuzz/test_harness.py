"""The harness must see each kind of fault, or its counts say nothing."""

from __future__ import annotations

import os
import signal
import time
import warnings

import numpy as np
import pytest

from recsim.errors import LogError
from tests.fuzz import harness, mutators
from tests.fuzz.harness import Refused, WrongNumber, prepared, run_case

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


class File:
    """A file with a number; ``use`` is replaced by each test."""

    name = "a file"

    def __init__(self, use):
        self.use = use

    def prepare(self, folder):
        (folder / "number.txt").write_text("7")

    def damage(self, folder, rng):
        (folder / "number.txt").write_text("x")
        return "x for 7"


def verdict(use):
    kind = File(use)
    with prepared(kind) as valid:
        return run_case(kind, valid, 0)


def raising(error):
    def use(folder):
        raise error

    return use


def crash(folder):
    os.kill(os.getpid(), signal.SIGSEGV)


def spin(folder):
    while True:
        pass


def take_memory(folder):
    np.empty(harness.MEMORY // 4)


def warn(folder):
    warnings.warn("odd", stacklevel=2)


def write_elsewhere(folder):
    (folder / "more.txt").write_text("1")


def leave_a_draft(folder):
    (folder / "tmp" / "draft").write_text("1")


def overwrite(folder):
    time.sleep(0.05)
    (folder / "number.txt").write_text("8")


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (raising(ValueError("bad")), "ValueError: bad"),
        (raising(SystemExit(1)), "SystemExit"),
        (raising(LogError("a file is damaged")), "names none of number.txt"),
        (raising(LogError("")), "without a message"),
        (raising(LogError("number.txt" * 1_000)), "a message of 10000 characters"),
        (raising(Refused("number.txt: Traceback (most recent call last)")), "a traceback"),
        (raising(WrongNumber("8 for 7")), "wrong number: 8 for 7"),
        (crash, "killed by SIGSEGV"),
        (take_memory, "MemoryError"),
        (warn, "UserWarning: odd"),
        (write_elsewhere, "wrote more.txt outside"),
        (leave_a_draft, "wrote tmp/draft outside"),
        (overwrite, "wrote number.txt outside"),
    ],
)
def test_faults_are_seen(use, text):
    found = verdict(use)
    assert found.outcome == "fault"
    assert text in found.text


def test_endless_loops_end(monkeypatch):
    monkeypatch.setattr(harness, "SECONDS", 0)
    found = verdict(spin)
    assert found.outcome == "fault"
    assert "SIGXCPU" in found.text


def test_endless_waits_end(monkeypatch):
    monkeypatch.setattr(harness, "LONGEST_WAIT", 0.2)
    with prepared(File(lambda folder: time.sleep(60))) as valid:
        found = run_case(File(lambda folder: time.sleep(60)), valid, 0)
    assert found.outcome == "fault"
    assert "still waiting" in found.text


@pytest.mark.parametrize(
    ("use", "outcome"),
    [
        (lambda folder: None, "success"),
        (lambda folder: (folder / "out" / "result").write_text("1"), "success"),
        (raising(LogError("number.txt: 'x' is not a number.")), "refused"),
        (raising(Refused("error: number.txt: 'x' is not a number.\n")), "refused"),
    ],
)
def test_what_holds_is_no_fault(use, outcome):
    assert verdict(use).outcome == outcome


def test_a_command_with_code_1_is_a_fault():
    found = verdict(lambda folder: harness.command([], lambda arguments: 1))
    assert found.outcome == "fault"
    assert "exit code 1" in found.text


def test_the_same_seed_damages_alike(tmp_path):
    for mutator in (*mutators.FILE_MUTATORS, *mutators.TEXT_MUTATORS):
        contents = []
        for attempt in range(2):
            path = tmp_path / f"{attempt}.csv"
            path.write_text("user,item,click\n1,2,1\n3,4,0\n")
            mutator(path, np.random.default_rng(3))
            contents.append(path.read_bytes() if path.is_file() else None)
            if path.is_dir():
                path.rmdir()
        assert contents[0] == contents[1]


def test_every_mutator_damages(tmp_path):
    path = tmp_path / "log.csv"
    whole = "user,item,click\n1,2,1\n3,4,0\n"
    for mutator in (*mutators.FILE_MUTATORS, *mutators.TEXT_MUTATORS):
        changed = 0
        for seed in range(20):
            path.write_text(whole)
            mutator(path, np.random.default_rng(seed))
            changed += not path.is_file() or path.read_bytes() != whole.encode()
            if path.is_dir():
                path.rmdir()
        assert changed > 5, mutator


def test_a_tree_is_damaged_in_one_place():
    tree = {"a": [1, {"b": 2}], "c": "x"}
    kept = str(tree)
    damaged = [mutators.damage_tree(tree, np.random.default_rng(seed)) for seed in range(200)]
    assert str(tree) == kept
    assert len({str(result) for result, _ in damaged}) > 50
