import json
import os
import socket

import pytest

from recsim.errors import UserError
from recsim.runs.lock import LOCK, locked


def test_a_lock_is_held_once_and_released_whatever_happens(tmp_path):
    def work():
        with locked(tmp_path):
            assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
            mine = f"in use by process {os.getpid()} "
            with pytest.raises(UserError, match=mine), locked(tmp_path):
                pytest.fail("held twice")
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        work()
    assert not (tmp_path / LOCK).exists()


@pytest.mark.parametrize("content", ["", '{"pid": 1, "host": "elsewhere"}', "[]"])
def test_a_lock_whose_process_cannot_be_asked_is_respected(tmp_path, content):
    (tmp_path / LOCK).write_text(content)
    with pytest.raises(UserError, match=r"delete .*run\.lock"), locked(tmp_path):
        pytest.fail("taken")
    assert (tmp_path / LOCK).read_text() == content


def test_a_lock_left_from_an_earlier_life_with_the_same_number_is_taken_over(tmp_path):
    left = {"pid": os.getpid(), "host": socket.gethostname()}
    (tmp_path / LOCK).write_text(json.dumps(left))
    with locked(tmp_path):
        assert (tmp_path / LOCK).exists()
