import json
import os
import socket

import pytest

from recsim.errors import UserError
from recsim.runs.lock import LOCK, locked


def test_a_lock_is_exclusive_and_released_after_an_error(tmp_path):
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
def test_a_lock_whose_process_cannot_be_checked_is_kept(tmp_path, content):
    (tmp_path / LOCK).write_text(content)
    with pytest.raises(UserError, match=r"delete .*run\.lock"), locked(tmp_path):
        pytest.fail("taken")
    assert (tmp_path / LOCK).read_text() == content


def test_a_lock_of_an_ended_process_whose_id_was_reused_is_taken_over(tmp_path):
    left = {"pid": os.getpid(), "host": socket.gethostname()}
    (tmp_path / LOCK).write_text(json.dumps(left))
    with locked(tmp_path):
        assert (tmp_path / LOCK).exists()
